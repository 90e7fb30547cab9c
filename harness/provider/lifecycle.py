"""What happens to every resource, whatever its type: check, diff, create, read, update, delete.

Pure Python in and out; `server.py` speaks the protocol. The rules that all types share are here once:

- *Inputs are the truth.* A diff compares inputs with inputs; a refresh rewrites the inputs to what is really there, so
  that drift shows as a difference to the program.
- *Drift is what moved.* What is read back after a write is kept in the outputs, and a refresh compares with that, not
  with the inputs: an emulator (or AWS) that answers in another shape than it was asked in causes no false drift.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.provider import differ
from harness.provider.calls import Aws, AwsError, Clients, ProviderError
from harness.provider.differ import Change, Kind
from harness.provider.resource import REGION_SOURCE, Created, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, problems
from harness.provider.values import DEFAULTS_KEY, UNKNOWN, Path, Properties, has_unknowns, is_unknown, path_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REGION: Final = Prop(replace=REGION_SOURCE, local=True)


@dataclass(frozen=True)
class Naming:
    """How to name a resource that was given no name.

    Attributes:
        logical: its name in the program.
        seed: random bytes of the engine, the same for a retry of the same step.
        proposed: the name that the user's `pulumi:autonaming` asks for, if any.
        allowed: False where the user switched automatic names off.
    """

    logical: str
    seed: bytes = b""
    proposed: str = ""
    allowed: bool = True


@dataclass(frozen=True)
class Leaf:
    """One difference: where, what, and the source that says it replaces the resource (or "")."""

    path: Path
    change: Change
    replace: str


@dataclass(frozen=True)
class Difference:
    """All differences of one resource."""

    leaves: tuple[Leaf, ...]
    delete_before_replace: bool


@dataclass(frozen=True)
class Configuration:
    """The provider's configuration (`aws.Provider` or `aws:` settings) and what it calls."""

    region: str = "us-east-1"
    account: str = "000000000000"
    default_tags: Mapping[str, str] = field(default_factory=dict)
    clients: Clients | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def partition(self) -> str:
        """The AWS partition of the region."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def aws(self, service: str, region: str | None = None) -> Aws:
        """Calls to one service."""
        known = region if region and not is_unknown(region) else self.region
        return Aws(service, known, self.account, self.partition, self.clients, self.cancelled)


def check(
    kind: ResourceType, configuration: Configuration, olds: Properties, news: Properties, naming: Naming
) -> tuple[Properties, list[Problem]]:
    """The inputs with what the provider fills in, and everything that AWS would refuse."""
    found: list[Problem] = []
    inputs: Properties = {}
    for name, value in news.items():
        if name == DEFAULTS_KEY or value is None:
            continue
        if name not in kind.properties and not (name == "region" and kind.regional):
            module = type(kind).__module__.replace(".", "/")
            found.append(
                Problem(
                    name,
                    f"the local aws provider does not know this property of {kind.pulumi_type}; add it in {module}.py",
                )
            )
        inputs[name] = _as_document(value) if _kind(kind, name) in {Kind.JSON, Kind.POLICY} else value
    if kind.regional:
        inputs.setdefault("region", configuration.region)
    if configuration.default_tags and "tags" in kind.properties and not is_unknown(inputs.get("tags")):
        inputs["tags"] = {**configuration.default_tags, **(inputs.get("tags") or {})}
    if kind.name and inputs.get(kind.name) is None:
        found += _fill_in_name(kind, olds, inputs, naming)
    found += _judge(kind, inputs)
    return inputs, list(dict.fromkeys(found))


def _fill_in_name(kind: ResourceType, olds: Properties, inputs: Properties, naming: Naming) -> Iterable[Problem]:
    old = olds.get(kind.name)
    if not naming.allowed:
        return [Problem(kind.name, "required: automatic names are switched off (pulumi:autonaming)")]
    suffix = ".fifo" if inputs.get("fifoQueue") or inputs.get("fifoTopic") else ""
    if kind.name in olds.get(DEFAULTS_KEY, ()) and old and old.endswith(suffix):
        inputs[kind.name] = old
    else:
        seed = hashlib.sha256(naming.seed or naming.logical.encode()).hexdigest()[:7]
        inputs[kind.name] = (naming.proposed or f"{naming.logical}-{seed}") + suffix
    inputs[DEFAULTS_KEY] = [kind.name]
    return ()


def _judge(kind: ResourceType, inputs: Properties) -> Iterable[Problem]:
    for name, prop in kind.properties.items():
        value = inputs.get(name)
        if value is None or is_unknown(value):
            continue
        if prop.kind in {Kind.JSON, Kind.POLICY} and not differ.is_document(value):
            yield Problem(name, "is not a JSON document")
        if prop.limits is not None and isinstance(value, int) and not prop.limits[0] <= value <= prop.limits[1]:
            yield Problem(name, f"{value} is outside {prop.limits[0]} to {prop.limits[1]}")
    for request in kind.requests(inputs):
        yield from problems(kind.service, request)
    yield from kind.check(inputs)


def diff(kind: ResourceType, old: Properties, new: Properties, ignore: Iterable[str] = ()) -> Difference:
    """What differs between the recorded inputs and the new ones, leaf by leaf."""
    ignored = [path_parts(text) for text in ignore]
    leaves: list[Leaf] = []
    for name in dict.fromkeys((*old, *new)):
        if name == DEFAULTS_KEY:
            continue
        prop = _prop(kind, name)
        was, now = old.get(name, prop.default), new.get(name, prop.default)
        for path, change in differ.changes(was, now, prop.kind, (name,)):
            if not any(_ignores(pattern, path) for pattern in ignored):
                source = REGION_SOURCE if name == "region" else kind.replaces(name, was, now, new)
                leaves.append(Leaf(path, change, source))
    replaced = any(leaf.replace for leaf in leaves)
    named_by_user = kind.name not in new.get(DEFAULTS_KEY, ())
    return Difference(tuple(leaves), replaced and named_by_user and kind.same_identity(old, new))


def create(kind: ResourceType, configuration: Configuration, inputs: Properties) -> State:
    """Create the resource, or take over the one of the same name that an interrupted run left."""
    _refuse_unknowns(inputs)
    aws = configuration.aws(kind.service, inputs.get("region"))
    resource_id = kind.find(aws, inputs) if kind.find_first else None
    if resource_id is not None:
        return _take_over(kind, aws, resource_id, inputs)
    try:
        created = kind.create(aws, inputs)
    except AwsError as error:
        resource_id = kind.find(aws, inputs) if error.code in kind.exists else None
        if resource_id is None:
            raise
        return _take_over(kind, aws, resource_id, inputs)
    if isinstance(created, Created):
        return _written(kind, aws, created.id, inputs, created.outputs)
    return _written(kind, aws, created, inputs, {})


def _take_over(kind: ResourceType, aws: Aws, resource_id: str, inputs: Properties) -> State:
    """Make an existing resource what the inputs say."""
    live = kind.read(aws, State(resource_id, inputs, {}))
    if live is None:
        raise ProviderError(f"{kind.pulumi_type} {resource_id}: AWS says that it exists, and that it does not")
    found = {name: value for name, value in live.inputs.items() if value is not None}
    # What cannot be read back may be anything: write it again.
    unread = {name for name in kind.properties if name in inputs and name not in live.inputs}
    comparable = {name: value for name, value in inputs.items() if name not in unread}
    old = {name: value for name, value in found.items() if name in comparable or not _is_default(kind, name, value)}
    difference = diff(kind, {**old, "region": aws.region}, {**comparable, "region": aws.region})
    blocking = sorted(
        {str(leaf.path[0]) for leaf in difference.leaves if leaf.replace and leaf.change is not Change.DELETE}
    )
    if blocking:
        raise ProviderError(
            f"{kind.pulumi_type} {resource_id} exists already, and its {', '.join(blocking)} cannot be changed "
            "in place; delete it, or give this one another name"
        )
    changed = frozenset({str(leaf.path[0]) for leaf in difference.leaves} | unread)
    if changed:
        kind.update(aws, Update(resource_id, old, inputs, {**found, **live.computed}, changed))
    return _written(kind, aws, resource_id, inputs, {})


def preview_create(inputs: Properties) -> Properties:
    """Outputs of a creation that is only planned: the inputs; all that AWS would compute is unknown."""
    return {name: value for name, value in inputs.items() if name != DEFAULTS_KEY}


def read(kind: ResourceType, configuration: Configuration, state: State) -> State | None:
    """The resource as it is, with inputs changed where what is there moved away from them. None: it is gone."""
    aws = configuration.aws(kind.service, state.inputs.get("region") or state.outputs.get("region"))
    live = _live(kind, aws, state.id, state.inputs, state.outputs)
    if live is None:
        return None
    inputs = dict(state.inputs)
    for name, now in live.inputs.items():
        prop = _prop(kind, name)
        was = state.outputs.get("tagsAll" if name == "tags" else name)
        if differ.same(_or_default(was, prop), _or_default(now, prop), prop.kind):
            continue
        if _is_default(kind, name, now):
            inputs.pop(name, None)
        else:
            inputs[name] = now
    if kind.regional:
        inputs.setdefault("region", aws.region)
    return State(state.id, inputs, _outputs(kind, inputs, live, state.outputs))


def update(
    kind: ResourceType, configuration: Configuration, state: State, news: Properties, ignore: Iterable[str] = ()
) -> Properties:
    """Change the resource in place; its new outputs."""
    _refuse_unknowns(news)
    aws = configuration.aws(kind.service, news.get("region"))
    changed = frozenset(str(leaf.path[0]) for leaf in diff(kind, state.inputs, news, ignore).leaves)
    made = kind.update(aws, Update(state.id, state.inputs, news, state.outputs, changed))
    return _written(kind, aws, state.id, news, {**state.outputs, **(made or {})}).outputs


def preview_update(kind: ResourceType, state: State, news: Properties) -> Properties:
    """Outputs of an update that is only planned: what stays known, and unknowns for what the update will make new."""
    changed = frozenset(str(leaf.path[0]) for leaf in diff(kind, state.inputs, news).leaves)
    kept = {name: value for name, value in state.outputs.items() if name not in state.inputs or name in news}
    tags = {"tagsAll": news.get("tags") or {}} if "tags" in kind.properties else {}
    return {**kept, **preview_create(news), **tags, **dict.fromkeys(kind.volatile(changed), UNKNOWN)}


def delete(kind: ResourceType, configuration: Configuration, state: State) -> None:
    """Delete the resource; it is no error if it is gone already."""
    inputs = {**state.outputs, **state.inputs}
    aws = configuration.aws(kind.service, inputs.get("region"))
    try:
        kind.delete(aws, State(state.id, inputs, state.outputs))
    except AwsError as error:
        if error.code not in kind.gone:
            raise


def _written(kind: ResourceType, aws: Aws, resource_id: str, inputs: Properties, outputs: Properties) -> State:
    live = _live(kind, aws, resource_id, inputs, outputs)
    if live is None:
        raise ProviderError(f"{kind.pulumi_type} {resource_id}: written, and then not found")
    return State(resource_id, inputs, _outputs(kind, inputs, live, {}))


def _live(kind: ResourceType, aws: Aws, resource_id: str, inputs: Properties, outputs: Properties) -> Live | None:
    try:
        return kind.read(aws, State(resource_id, {**outputs, **inputs}, outputs))
    except AwsError as error:
        if error.code in kind.gone:
            return None
        raise


def _outputs(kind: ResourceType, inputs: Properties, live: Live, before: Properties) -> Properties:
    """Outputs: what is there; in the program's own writing where that means the same; then what AWS computes."""
    outputs = {**before, **preview_create(inputs)}
    for name, now in live.inputs.items():
        if now is None:
            outputs.pop(name, None)
        elif not differ.same(inputs.get(name), now, _kind(kind, name)):
            outputs[name] = now
    outputs.update(live.computed)
    if "tags" in live.inputs:
        outputs["tagsAll"] = live.inputs["tags"] or {}
    return outputs


def _prop(kind: ResourceType, name: str) -> Prop:
    return _REGION if name == "region" else kind.properties.get(name, Prop())


def _kind(kind: ResourceType, name: str) -> Kind:
    return _prop(kind, name).kind


def _or_default(value: Any, prop: Prop) -> Any:
    return prop.default if value is None else value


def _is_default(kind: ResourceType, name: str, value: Any) -> bool:
    prop = _prop(kind, name)
    return differ.same(value, prop.default, prop.kind) or differ.same(value, None, prop.kind)


def _ignores(pattern: Path, path: Path) -> bool:
    """Whether `path` lies at or below `pattern`."""
    return len(pattern) <= len(path) and all(part in {"*", here} for part, here in zip(pattern, path, strict=False))


def _as_document(value: Any) -> Any:
    """Policy documents may be given as objects; they are text from here on."""
    return differ.written(value) if isinstance(value, dict | list) and not has_unknowns(value) else value


def _refuse_unknowns(inputs: Properties) -> None:
    unknown = sorted(name for name, value in inputs.items() if has_unknowns(value))
    if unknown:
        raise ProviderError(f"{', '.join(unknown)}: still unknown when the resource was to be written")
