"""What a change may cost: data, time in which something does not answer, access that opens, safeguards that go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.provider.differ import same
from harness.provider.values import is_unknown
from harness.review.opened import opened
from harness.review.replacements import top
from harness.review.stakes import ADDRESSED, BLUE_GREEN, GUARDS, SAFEGUARDS, STATEFUL, at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.review.planned import Planned, Properties, Side

Kind = Literal["data loss", "downtime", "wider access", "lost safety", "refused by AWS"]
KINDS: Final[Sequence[Kind]] = ("data loss", "downtime", "wider access", "lost safety", "refused by AWS")
"""The worst first."""
_TABLE: Final = "aws:dynamodb/table:Table"
_FUNCTION: Final = "aws:lambda/function:Function"
_ROLE: Final = "aws:iam/role:Role"
_NOT_STANDING: Final = frozenset({"aws:lambda/invocation:Invocation"})
"""What is done once, and can neither be called nor missed."""


@dataclass(frozen=True, kw_only=True)
class Risk:
    """What one resource's change may cost, of one kind."""

    kind: Kind
    urn: str
    type: str
    name: str
    sentence: str


def risks(steps: Sequence[Planned], renamed: Mapping[str, Planned], protected: frozenset[str]) -> tuple[Risk, ...]:
    """All of them, the worst kind first.

    Args:
        renamed: what is created -> the deletion of what looks like the same thing.
        protected: URNs of what Pulumi protects, where the steps do not tell.
    """
    # The first deployment of a stack opens and risks nothing that was there.
    if all(step.old is None for step in steps if step.type.startswith("aws:")):
        return ()
    told: dict[tuple[str, Kind], list[str]] = {}
    for step in steps:
        for kind, sentence in (
            *_of(step, steps, was_protected=step.urn in protected),
            *_opened(step, renamed, gone_with=_gone_with(step, steps)),
        ):
            told.setdefault((step.urn, kind), []).append(sentence)
    types = {step.urn: step.type for step in steps}
    found = [
        Risk(kind=kind, urn=urn, type=types[urn], name=urn.rpartition("::")[2], sentence="; ".join(sentences))
        for (urn, kind), sentences in told.items()
    ]
    return tuple(sorted(found, key=lambda risk: (KINDS.index(risk.kind), risk.type, risk.name, risk.urn)))


def is_protected(step: Planned, protected: frozenset[str]) -> bool:
    """Whether Pulumi itself refuses to take it away."""
    return step.urn in protected or (step.old is not None and step.old.protect)


def _of(step: Planned, steps: Sequence[Planned], *, was_protected: bool) -> Iterator[tuple[Kind, str]]:
    if step.operation in {"replace", "delete"}:
        yield from _gone(step)
    if step.operation == "update":
        yield from _disturbed(step)
    if step.operation == "delete" and step.type in GUARDS:
        yield "lost safety", f"is deleted: {GUARDS[step.type]}"
    if step.old is not None and step.new is not None:
        yield from _unguarded(step.old, step.new, step.type, was_protected=was_protected)
        if step.type == _TABLE and step.operation == "update":
            yield from _table_limits(step.old.inputs, step.new.inputs)
    if step.type == _ROLE and step.operation == "replace":
        yield from _orphaned_functions(step, steps)


def _opened(step: Planned, renamed: Mapping[str, Planned], *, gone_with: bool) -> Iterator[tuple[Kind, str]]:
    twin = renamed.get(step.urn)
    if twin is not None:
        sentence = (
            f"is {twin.name} under another name: AWS refuses a second one, or the deletion of the first takes both "
            "away; `aliases` keep it"
        )
        yield "refused by AWS", sentence
    if step.operation == "same" or gone_with or any(step.urn == other.urn for other in renamed.values()):
        return
    before = twin.old if twin is not None else step.old
    after = step.new
    for sentence in opened(step.type, before.inputs if before else {}, after.inputs if after else {}):
        yield "wider access", sentence


def _gone_with(step: Planned, steps: Sequence[Planned]) -> bool:
    """Whether it is deleted together with the thing that it guards, as a queue's policy with its queue."""
    if step.operation != "delete" or step.old is None:
        return False
    refers = {value for value in step.old.inputs.values() if isinstance(value, str)}
    return any(
        other.operation == "delete"
        and other.urn != step.urn
        and other.old is not None
        and refers & {str(other.old.outputs.get(name)) for name in ("arn", "bucket", "domainName", "id", "name", "url")}
        for other in steps
    )


def _gone(step: Planned) -> Iterator[tuple[Kind, str]]:
    word = "replaced" if step.operation == "replace" else "deleted"
    if step.type in STATEFUL:
        if step.old is not None and step.old.retain:
            yield "data loss", f"is {word}: the old one stays in AWS (retain_on_delete), out of the program's sight"
        else:
            yield "data loss", f"is {word}: {STATEFUL[step.type]}"
    if step.type in ADDRESSED:
        until = ", until the new one is there" if step.delete_first else ""
        yield "downtime", f"is {word}: {ADDRESSED[step.type]}{until}"
    elif step.operation == "replace" and step.delete_first and step.type not in _NOT_STANDING:
        yield "downtime", "is deleted before the new one is there"


def _disturbed(step: Planned) -> Iterator[tuple[Kind, str]]:
    slow = BLUE_GREEN.get(step.type, ())
    moved = sorted({top(path) for path in (*step.detailed, *step.changed)} & set(slow))
    if moved:
        text = f"changes {', '.join(moved)}: AWS may build a second set of nodes and move to it (blue/green), for hours"
        yield "downtime", text + ("; an upgrade cannot be taken back" if "engineVersion" in moved else "")


def _unguarded(old: Side, new: Side, type_: str, *, was_protected: bool) -> Iterator[tuple[Kind, str]]:
    if (was_protected or old.protect) and not new.protect:
        yield "lost safety", "Pulumi protects it no more (protect)"
    if old.retain and not new.retain:
        yield "lost safety", "is no longer left in AWS when it is taken out of the program (retain_on_delete)"
    for guard in SAFEGUARDS:
        if guard.type == type_ and guard.lost(old.inputs, new.inputs):
            before, after = (_short(at(side.inputs, guard.path)) for side in (old, new))
            yield "lost safety", f"{guard.path} goes from {before} to {after}: {guard.without}"


def _table_limits(old: Properties, new: Properties) -> Iterator[tuple[Kind, str]]:
    before, after = _indexes(old), _indexes(new)
    rebuilt = sorted(name for name in before.keys() & after.keys() if not same(before[name], after[name]))
    gone, come = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    for name in gone:
        yield "downtime", f"index {name} is deleted: queries of it fail"
    for name in rebuilt:
        yield "downtime", f"index {name} is made anew: queries of it fail until it is filled again"
    count = len(gone) + len(come) + 2 * len(rebuilt)
    if count > 1:
        names = ", ".join(sorted({*gone, *come, *rebuilt}))
        sentence = (
            f"{count} changes of indexes at once ({names}): DynamoDB makes or deletes one index per UpdateTable "
            "(Developer Guide, GSI.OnlineOps); release them one by one"
        )
        yield "refused by AWS", sentence
    was, now = old.get("ttl") or {}, new.get("ttl") or {}
    if was.get("enabled") and now.get("enabled") and was.get("attributeName") != now.get("attributeName"):
        yield (
            "refused by AWS",
            "ttl moves to another attribute: DynamoDB turns expiry off or on once an hour at most (UpdateTimeToLive)",
        )


def _orphaned_functions(role: Planned, steps: Sequence[Planned]) -> Iterator[tuple[Kind, str]]:
    """AWS grants a function the key of its variables by its role's identity, not by its name."""
    names = {
        step.name
        for step in steps
        if step.type == _FUNCTION and step.operation == "same" and step.new is not None and _has_role(step, role)
    }
    if names:
        sentence = (
            f"is replaced while {', '.join(sorted(names))} stay as they are: their grants on the key of their "
            "variables are bound to the old role, and every call fails until they are updated"
        )
        yield "downtime", sentence


def _has_role(function: Planned, role: Planned) -> bool:
    arn = str(function.new.inputs.get("role", "")) if function.new else ""
    names = {str(side.inputs.get("name")) for side in (role.old, role.new) if side is not None}
    return arn.rpartition("/")[2] in names


def _indexes(inputs: Properties) -> dict[str, Any]:
    indexes = inputs.get("globalSecondaryIndexes")
    if not isinstance(indexes, list):
        return {}
    return {str(index.get("name")): index for index in indexes if isinstance(index, dict)}


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if is_unknown(value):
        return "what is not known yet"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
