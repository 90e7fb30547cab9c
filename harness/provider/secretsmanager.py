"""Secrets Manager: secrets, whose values are nobody's business here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.resource import Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws

_SOURCE: Final = "terraform-provider-aws secretsmanager/secret.go: ForceNew"
_TAGS: Final = Tagging()
_WINDOW: Final = range(7, 31)
"""Days (Secrets Manager API reference, DeleteSecret)."""
LONGEST_WINDOW: Final = 30


class Secret(ResourceType):
    """`aws.secretsmanager.Secret`."""

    pulumi_type = "aws:secretsmanager/secret:Secret"
    service = "secretsmanager"
    name = "name"
    gone = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceExistsException"})
    sentence = "Keeps versions and stages for real; no rotation, no replicas, and encryption is a setting only."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "description": Prop(default=""),
            "kmsKeyId": Prop(),
            "recoveryWindowInDays": Prop(default=LONGEST_WINDOW, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateSecret", inputs, **_TAGS.given(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        days = inputs.get("recoveryWindowInDays")
        if days is not None and not is_unknown(days) and days != 0 and days not in _WINDOW:
            yield Problem("recoveryWindowInDays", f"{days:g} is not 0 (none) nor within 7 to 30")

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateSecret", inputs, **_TAGS.given(inputs))["ARN"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        found = aws("DescribeSecret", SecretId=inputs["name"])
        return None if found.get("DeletedDate") else str(found["ARN"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("DescribeSecret", SecretId=state.id)
        if found.get("DeletedDate"):
            return None
        live = self.properties_of(found, "DescribeSecret")
        live["tags"] = _TAGS.plain(found.get("Tags"))
        return Live(live, {"arn": found["ARN"]})

    def update(self, aws: Aws, update: Update) -> None:
        if update.touches("description", "kmsKeyId"):
            # Without a key it is encrypted with AWS's own (API reference, UpdateSecret).
            emptied = self.reset(update, {"kmsKeyId": "alias/aws/secretsmanager"})
            self.call(aws, "UpdateSecret", {**update.new, **emptied}, SecretId=update.id)
        _TAGS.change(aws, update, SecretId=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        days = int(state.inputs.get("recoveryWindowInDays", LONGEST_WINDOW))
        if days:
            aws("DeleteSecret", SecretId=state.id, RecoveryWindowInDays=days)
        else:
            aws("DeleteSecret", SecretId=state.id, ForceDeleteWithoutRecovery=True)


TYPES = (Secret(),)
