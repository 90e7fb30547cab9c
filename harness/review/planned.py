"""One resource in a preview, whoever ran it: our engine, or the official CLI with ``--json``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from harness.provider.values import SIGNATURE, is_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulumi.automation import events as engine_events

# Properties of a resource: JSON whose shape only its type knows.
Properties: TypeAlias = "dict[str, Any]"

SECRET: Final = "[secret]"  # noqa: S105 - stands in place of one
"""What stands in place of a secret, here as in the engine's own previews."""
REPLACING: Final = frozenset({"replace", "create-replacement", "delete-replaced", "discard-replaced"})
"""The engine's operations that are parts of one replacement."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A resource before or after, secrets masked."""

    inputs: Properties
    outputs: Properties = field(default_factory=dict)
    protect: bool = False
    retain: bool = False
    """Left in AWS when it is taken out of the program."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a preview says of one resource."""

    urn: str
    type: str
    """``aws:sqs/queue:Queue``."""
    operation: str
    """create, update, replace, delete, same … (the engine's word)."""
    old: Side | None = None
    """None if there is none yet."""
    new: Side | None = None
    """None if there will be none."""
    detailed: Mapping[str, str] = field(default_factory=dict)
    """Property path -> ``add``, ``update``, ``delete``, each with ``-replace`` if it forces a replacement. Empty where
    the provider did not tell."""
    changed: tuple[str, ...] = ()
    """Properties that differ, by their first name only."""
    forcing: tuple[str, ...] = ()
    """Those of them that force a replacement."""
    delete_first: bool | None = None
    """Of a replacement: whether the old one is deleted before the new one is there; None if that is not told."""

    @property
    def name(self) -> str:
        """The program's name for it."""
        return self.urn.rpartition("::")[2]

    @property
    def kind(self) -> str:
        """The type as people say it: ``sqs.Queue`` for ``aws:sqs/queue:Queue``."""
        return kind_of(self.type)


def kind_of(type_: str) -> str:
    """A type token as people say it."""
    place, _, name = type_.rpartition(":")
    package, _, path = place.partition(":")
    module = path.split("/")[0]
    return f"{package if module == 'index' else module}.{name}"


def of_event(metadata: engine_events.StepEventMetadata) -> Planned:
    """A step as the engine's stream of events tells it."""
    return Planned(
        urn=metadata.urn,
        type=metadata.type,
        operation=str(metadata.op.value),
        old=_side(metadata.old),
        new=_side(metadata.new),
        detailed={path: diff.diff_kind.value for path, diff in (metadata.detailed_diff or {}).items()},
        changed=tuple(metadata.diffs or ()),
        forcing=tuple(metadata.keys or ()),
    )


def merged(steps: Iterable[Planned]) -> tuple[Planned, ...]:
    """One entry a resource: a replacement comes as several steps, and the order of its parts tells what goes first."""
    found: dict[str, Planned] = {}
    for step in steps:
        before = found.get(step.urn)
        if step.operation not in REPLACING:
            # What a refresh says comes first, and what follows from it says more.
            if before is None or before.operation in {"same", "refresh"}:
                found[step.urn] = step
            continue
        known = before if before is not None and before.operation == "replace" else None
        first = known.delete_first if known else None
        if first is None and step.operation != "replace":
            first = step.operation != "create-replacement"
        # The middle step tells it best: it alone has both sides.
        best = step if known is None or step.operation == "replace" else known
        found[step.urn] = dataclasses.replace(
            best,
            operation="replace",
            old=best.old or (known.old if known else None),
            new=best.new or (known.new if known else None),
            delete_first=first,
        )
    return tuple(found.values())


def masked(value: Any) -> Any:
    """Plain data without the engine's marks: a secret is :data:`SECRET`, an archive keeps its hash."""
    if isinstance(value, dict):
        if SIGNATURE in value and not is_archive(value):
            return SECRET
        return {name: masked(item) for name, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def _side(state: engine_events.StepEventStateMetadata | None) -> Side | None:
    if state is None:
        return None
    return Side(
        inputs=masked(dict(state.inputs or {})),
        outputs=masked(dict(state.outputs or {})),
        protect=bool(state.protect),
        retain=bool(state.retain_on_delete),
    )
