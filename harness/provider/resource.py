"""A resource type: its table of properties, and what to call to create, read, update and delete one.

To add a type, write a class like those in the service modules (a table of properties, and the calls), and put an
instance in the module's `TYPES`. What all types have in common happens in `lifecycle.py`: checks, names, tags, regions,
differences, drift, previews.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.provider.differ import Kind
from harness.provider.shapes import Problem, Request, from_api, members_at, operation_model, to_api
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from botocore.model import Shape

    from harness.provider.calls import Aws


@dataclass(frozen=True)
class Prop:
    """One input property.

    Attributes:
        api: its name in AWS's API, where that is not the property's own in another case.
        replace: the source that says that a change replaces the resource; empty if a change is made in place.
        kind: how two values are compared.
        default: what AWS has when it is not given; giving exactly this is no change.
        recorded: why a change made behind Pulumi's back is not seen (the emulator does not keep it, or AWS never
            tells); empty if it is read back.
        limits: least and greatest number, where the service model does not say (with text for numbers, say).
        local: it steers the provider and is never sent to AWS.
    """

    api: str = ""
    replace: str = ""
    kind: Kind = Kind.PLAIN
    default: Any = None
    recorded: str = ""
    limits: tuple[int, int] | None = None
    local: bool = False


@dataclass(frozen=True)
class Live:
    """What is really there.

    Attributes:
        inputs: every input property that can be read back, as it is; absent or None where it is not set.
        computed: the outputs that are no inputs (arn, url …).
    """

    inputs: Properties
    computed: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """A resource as the engine records it. Where a type reads or deletes one, `inputs` lie on top of the outputs."""

    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True)
class Created:
    """What a creation made, where it answers with something that cannot be read later."""

    id: str
    outputs: Properties


@dataclass(frozen=True)
class Update:
    """A change to make: from the inputs of the last run (or refresh) to those of this one."""

    id: str
    old: Properties
    new: Properties
    outputs: Properties
    changed: frozenset[str]

    def touches(self, *names: str) -> bool:
        """Whether one of these properties changed."""
        return not self.changed.isdisjoint(names)


@dataclass(frozen=True)
class Parity:
    """How far the local stack is like AWS for one resource type.

    Attributes:
        level: `real` (it works), `partly` (it works but for what the sentence says), `recorded` (stored only).
        sentence: what to know.
        recorded: properties that are accepted and not read back, each with the reason.
    """

    pulumi_type: str
    level: str
    sentence: str
    recorded: Mapping[str, str]


REAL: Final = "real"
PARTLY: Final = "partly"
RECORDED: Final = "recorded"

REGION_SOURCE: Final = "pulumi.com: Enhanced Region Support (changing `region` replaces)"


class ResourceType:
    """Base of all resource types; subclasses fill in the class variables and the calls."""

    pulumi_type: ClassVar[str]
    """Pulumi's type token."""
    service: ClassVar[str]
    """boto3's name of the service."""
    properties: ClassVar[Mapping[str, Prop]]
    name: ClassVar[str] = ""
    """The property that is the physical name, filled in when it is not given. Empty: AWS makes the name."""
    identity: ClassVar[tuple[str, ...]] = ()
    """Properties that tell two of them apart, where it is not the name alone. Empty, and no name: AWS makes an id."""
    find_first: ClassVar[bool] = False
    """AWS would make a second one of the same name: look for one that an interrupted run left before creating."""
    gone: ClassVar[frozenset[str]] = frozenset()
    """Error codes that mean "there is no such thing"."""
    exists: ClassVar[frozenset[str]] = frozenset()
    """Error codes of the creation that mean "there is one of that name already"."""
    renames: ClassVar[Mapping[str, str]] = {}
    """Nested property → API member, where they differ by more than case."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    regional: ClassVar[bool] = True
    level: ClassVar[str] = REAL
    sentence: ClassVar[str]
    """For the parity table: what the local stack does with this type."""

    # --- what a subclass writes

    def requests(self, inputs: Properties) -> Iterable[Request]:
        """The calls that creating it takes, for checking: nothing is sent. Values may be unknown."""
        raise NotImplementedError

    def check(self, inputs: Properties) -> Iterable[Problem]:  # noqa: ARG002 - most types have no rules of their own
        """Problems that the service model cannot know."""
        return ()

    def create(self, aws: Aws, inputs: Properties) -> str | Created:
        """Create it; its id."""
        raise NotImplementedError

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - see below
        """The id of an existing one that an interrupted run left, looked for after (`exists`) or before creating."""
        return None

    def read(self, aws: Aws, state: State) -> Live | None:
        """What is there, or None. AWS's "not found" (`gone`) is taken care of by the caller."""
        raise NotImplementedError

    def update(self, aws: Aws, update: Update) -> Properties | None:
        """Make the change in place; outputs that cannot be read later, if there are any."""
        raise NotImplementedError

    def delete(self, aws: Aws, state: State) -> None:
        """Delete it. AWS's "not found" is taken care of by the caller."""
        raise NotImplementedError

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:  # noqa: ARG002 - for overriding
        """The source that says that this change of property `name` replaces the resource, or ""."""
        return self.properties[name].replace if name in self.properties else ""

    def same_identity(self, old: Properties, new: Properties) -> bool:
        """Whether the new one would collide with the old one, so that the old one has to go first."""
        identity = self.identity or ((self.name,) if self.name else ())
        return bool(identity) and all(old.get(name) == new.get(name) for name in identity)

    def volatile(self, changed: frozenset[str]) -> frozenset[str]:  # noqa: ARG002 - for overriding
        """Outputs that an update of these properties will change: unknown in its preview."""
        return frozenset()

    def parity(self) -> Parity:
        """This type's row of the parity table."""
        recorded = {name: prop.recorded for name, prop in self.properties.items() if prop.recorded}
        return Parity(self.pulumi_type, self.level, self.sentence, recorded)

    # --- helpers for subclasses

    def request(self, operation: str, inputs: Properties, **params: Any) -> Request:
        """The call of `operation` with every given property that the operation has a member for, and `params`."""
        return Request(operation, {**self.body(inputs, operation), **params}, self.names(operation))

    def call(self, aws: Aws, operation: str, inputs: Properties, **params: Any) -> dict[str, Any]:
        """Send `request(operation, inputs, **params)`."""
        return aws(operation, **self.request(operation, inputs, **params).params)

    def body(self, inputs: Properties, operation: str, *path: str) -> dict[str, Any]:
        """The given properties that have a member in the operation's request, or in the structure at `path` in it."""
        members = members_at(operation_model(self.service, operation).input_shape, *path)
        return {
            member: to_api(members[member], inputs[name], self.renames)
            for name, member in self._members(members).items()
            if inputs.get(name) is not None
        }

    def reset(self, update: Update, emptied: Mapping[str, Any]) -> Properties:
        """For an update that keeps what it does not mention: what makes properties that are no longer given go away.

        That is their default; for those without one, what AWS takes for nothing (`emptied`).
        """
        gone = update.changed - update.new.keys()
        values = {name: self.properties[name].default for name in gone}
        return {name: emptied.get(name) if value is None else value for name, value in values.items()}

    def names(self, operation: str, *path: str) -> dict[str, str]:
        """Request member → property, for the messages of a check."""
        members = members_at(operation_model(self.service, operation).input_shape, *path)
        nested = {member: name for name, member in self.renames.items()}
        return nested | {member: name for name, member in self._members(members).items()}

    def properties_of(self, item: Mapping[str, Any], operation: str, *path: str) -> Properties:
        """The properties in (a part of) a response: `item` is what lies at `path` in the operation's response."""
        members = members_at(operation_model(self.service, operation).output_shape, *path)
        return {
            name: from_api(members[member], item.get(member), self.renames)
            for name, member in self._members(members).items()
            if not self.properties[name].recorded
        }

    def _members(self, members: Mapping[str, Shape]) -> dict[str, str]:
        """Property → member, for the properties that have one here. Tags have a way of their own in each service."""
        by_name = {member.lower(): member for member in members}
        found = {
            name: prop.api if prop.api in members else by_name.get("" if prop.api else name.lower(), "")
            for name, prop in self.properties.items()
            if not prop.local and name != "tags"
        }
        return {name: member for name, member in found.items() if member}


class Singleton(ResourceType):
    """A thing that one call writes whole, whether it is there or not (policies, configurations of a bucket …)."""

    def put(self, aws: Aws, inputs: Properties) -> str:
        """Write it; its id."""
        raise NotImplementedError

    def create(self, aws: Aws, inputs: Properties) -> str:
        return self.put(aws, inputs)

    def update(self, aws: Aws, update: Update) -> None:
        self.put(aws, update.new)


def document(value: Any) -> Any:
    """A JSON document read from text; unknown or unreadable text as it is."""
    if not isinstance(value, str) or is_unknown(value):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def to_attributes(names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Properties as SQS and SNS take them: a map of texts. `names` are property → attribute."""
    return {
        attribute: value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        for name, attribute in names.items()
        if (value := values.get(name)) is not None
    }


def from_attribute(text: str | None) -> Any:
    """One attribute's text as what it is; None if it is empty."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text is not None and text.isdigit() else text or None
