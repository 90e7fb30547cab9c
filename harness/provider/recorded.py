"""Resource types of services that the emulator does not have: checked and kept in the stack's state, never called.

To add one, derive from `Recorded`: name the operation that would create it, its properties, and its outputs
(`computed`). Where AWS makes the id, override `identify`. Everything else (checks against the service model,
differences, replacements, previews, tags) is as for any other type.

    class Application(Recorded):
        pulumi_type = "aws:codedeploy/application:Application"
        service = "codedeploy"
        operation = "CreateApplication"
        name = "name"
        sentence = "Kept; the local stack has no CodeDeploy."
        properties = MappingProxyType({"name": Prop("applicationName"), "tags": Prop()})

        def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:
            return {"arn": aws.arn(f"application:{resource_id}")}
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

from harness.provider.resource import RECORDED, Live, ResourceType, State, Update
from harness.provider.values import DEFAULTS_KEY, Properties

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request


class Recorded(ResourceType):
    """Base of the types that are recorded only."""

    level = RECORDED
    operation: ClassVar[str]
    """The operation that would create it, for checking the inputs; override `requests` where one call is not enough."""

    # --- what a subclass writes

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:  # noqa: ARG002 - for overriding
        """The outputs that are no inputs (arn …): the same ones for the same id and inputs, whenever it is asked."""
        return {}

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - for overriding
        """The id of a new one: by default its name, where it has one, otherwise `made_up` of what tells it apart."""
        if self.name:
            return str(inputs[self.name])
        told_apart = self.identity or sorted(inputs.keys() - {"tags", DEFAULTS_KEY})
        return made_up(self.pulumi_type, {name: inputs.get(name) for name in told_apart})

    # --- what follows from it

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request(self.operation, inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return self.identify(aws, inputs)

    def read(self, aws: Aws, state: State) -> Live:
        tags = {"tags": state.inputs.get("tags") or {}} if "tags" in self.properties else {}
        return Live(tags, self.computed(aws, state.id, state.inputs))

    def update(self, aws: Aws, update: Update) -> Properties:  # noqa: ARG002 - there is nothing to call
        return dict.fromkeys(self.properties.keys() - update.new.keys())

    def delete(self, aws: Aws, state: State) -> None:
        """There is nothing to delete."""


def made_up(*parts: Any, length: int = 32) -> str:
    """Hexadecimal digits as AWS would have made them, always the same for the same parts."""
    content = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:length]
