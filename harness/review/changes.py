"""The review of one preview: each change as what it is, what forces it, what is risked, and what takes leave."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.provider.values import is_archive, is_unknown, path_parts
from harness.review import replacements
from harness.review.planned import SECRET, kind_of
from harness.review.renames import has_same_name, renames
from harness.review.replacements import UNKNOWN, Judge
from harness.review.risks import Risk, is_protected, risks
from harness.review.stakes import STATEFUL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.review.planned import Planned, Properties, Side

SCHEMA: Final = 1
"""Raise it when the document's shape changes."""
VALUE_LENGTH: Final = 200
"""Characters of a value that are shown."""
Action = Literal["create", "update", "replace", "delete", "unknown"]
ACTIONS: Final[Sequence[Action]] = ("delete", "replace", "unknown", "update", "create")
"""The gravest first; unknown: it changes, and nobody says whether in place."""
_ACTIONS: Final[Mapping[str, Action]] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "import-replacement": "replace",
    "delete": "delete",
    "remove-pending-replace": "delete",
}
_QUIET: Final = ("pulumi:", "support:")


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property that differs."""

    path: str
    change: str
    """add, update or delete."""
    replaces: bool | None
    """Whether that replaces the resource; None: unknown."""
    source: str
    """Who says that it replaces; ``unknown`` if nobody does that is known here; empty where it does not."""
    before: str | None
    after: str | None
    """Text for people, shortened; secrets masked. None: not given."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that changes."""

    action: Action
    urn: str
    type: str
    """``aws:sqs/queue:Queue``."""
    name: str
    properties: tuple[Property, ...]
    delete_first: bool | None
    """Of a replacement: whether the old one goes before the new one is there; None if that is not told."""
    protected: bool
    """Pulumi refuses to replace or delete it as long as its ``protect`` stands."""
    rename_of: str | None
    """URN of what is deleted in the same run and looks like the same thing: `aliases` would keep it."""

    @property
    def kind(self) -> str:
        """The type as people say it: ``sqs.Queue``."""
        return kind_of(self.type)

    @property
    def forced_by(self) -> tuple[Property, ...]:
        return tuple(found for found in self.properties if found.replaces)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A stateful resource that would be replaced or deleted."""

    urn: str
    type: str
    name: str
    action: Action
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A policy's finding."""

    policy: str
    level: str
    message: str
    name: str
    """Of the resource; empty for one on the whole stack."""


@dataclass(frozen=True, kw_only=True)
class Review:
    schema: int = SCHEMA
    stack: str
    against: str
    """What the program is compared with, in words."""
    summary: Mapping[str, int]
    """Action -> number of resources, ``unchanged`` among them."""
    changes: tuple[Change, ...]
    """The gravest first."""
    risks: tuple[Risk, ...]
    blocked: tuple[Stop, ...]
    """What takes leave and has none."""
    allowed: tuple[Stop, ...]
    """What takes leave and was given it."""
    findings: tuple[Finding, ...]
    errors: tuple[str, ...] = ()
    """What went wrong in the preview, if somebody else ran it."""

    @property
    def passes(self) -> bool:
        return not self.blocked and not self.errors


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What was previewed, and by whom."""

    stack: str
    against: str
    """What the program is compared with, in words."""
    judge: Judge
    steps: Sequence[Planned]
    findings: Sequence[Finding] = ()
    protected: frozenset[str] = frozenset()
    """URNs of what Pulumi protects, where the steps do not tell."""
    unchanged: int | None = None
    """Resources that the preview left out because nothing changes."""
    errors: Sequence[str] = ()
    """What went wrong in it."""


def review(preview: Preview, allow: Collection[str] = ()) -> Review:
    """The review of a preview. ``allow``: URNs, or names, of stateful resources that may be replaced or deleted."""
    ours = [_with_order(step) for step in preview.steps if not step.type.startswith(_QUIET)]
    renamed = renames(ours)
    changes = sorted(
        (_change(step, preview, renamed.get(step.urn)) for step in ours if step.operation in _ACTIONS),
        key=lambda change: (ACTIONS.index(change.action), change.type, change.name, change.urn),
    )
    stops = [_stop(found) for found in changes if found.action in {"replace", "delete"} and found.type in STATEFUL]
    counted = Counter(change.action for change in changes)
    same = sum(step.operation == "same" for step in ours) if preview.unchanged is None else preview.unchanged
    return Review(
        stack=preview.stack,
        against=preview.against,
        summary={**{action: counted.get(action, 0) for action in reversed(ACTIONS)}, "unchanged": same},
        changes=tuple(changes),
        risks=risks(ours, renamed, preview.protected),
        blocked=tuple(stop for stop in stops if stop.urn not in allow and stop.name not in allow),
        allowed=tuple(stop for stop in stops if stop.urn in allow or stop.name in allow),
        findings=tuple(preview.findings),
        errors=tuple(preview.errors),
    )


def _change(step: Planned, preview: Preview, twin: Planned | None) -> Change:
    properties = []
    if step.operation not in {"create", "delete", "import"}:
        for path, change in replacements.properties(step).items():
            verdict = replacements.verdict(step, path, preview.judge)
            properties.append(
                Property(
                    path=path,
                    change=change,
                    replaces=verdict.replaces,
                    source=verdict.source,
                    before=_shown(step.old, path),
                    after=_shown(step.new, path),
                )
            )
    action = _ACTIONS[step.operation]
    if action == "replace" and not any(found.replaces for found in properties):
        # The engine was told to, or follows another one: it does not say by which property.
        properties.append(Property(path="", change="update", replaces=True, source=UNKNOWN, before=None, after=None))
    if action == "update" and any(found.replaces is None for found in properties):
        action = "unknown"
    return Change(
        action=action,
        urn=step.urn,
        type=step.type,
        name=step.name,
        properties=tuple(properties),
        delete_first=step.delete_first,
        protected=is_protected(step, preview.protected),
        rename_of=twin.urn if twin is not None else None,
    )


def _with_order(step: Planned) -> Planned:
    """A replacement of which a plan does not say what goes first says so: by the name that both would have."""
    if step.operation != "replace" or step.delete_first is not None or step.old is None or step.new is None:
        return step
    return dataclasses.replace(step, delete_first=has_same_name(step.type, step.old.inputs, step.new.inputs))


def _stop(change: Change) -> Stop:
    word = "replaced" if change.action == "replace" else "deleted"
    by_source: dict[str, list[str]] = {}
    for found in change.forced_by:
        by_source.setdefault(found.source, []).append(replacements.top(found.path) or "a property that is not told")
    forced = "; ".join(f"{', '.join(dict.fromkeys(names))} (source: {source})" for source, names in by_source.items())
    sentence = f"would be {word}: {STATEFUL[change.type]}" + (f". Forced by {forced}" if forced else "")
    if change.protected:
        sentence += ". Pulumi refuses it as long as its `protect` stands"
    return Stop(urn=change.urn, type=change.type, name=change.name, action=change.action, sentence=sentence)


# --- values


def _shown(side: Side | None, path: str) -> str | None:
    if side is None:
        return None
    found = _value(side.inputs, path)
    return shown(found if found is not None else _value(side.outputs, path))


def shown(value: Any) -> str | None:
    """A value as people read it, shortened."""
    if value is None:
        return None
    if is_unknown(value):
        return "(known after the deployment)"
    if is_archive(value):
        return f"(archive {str(value.get('hash'))[:12]})"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) <= VALUE_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[:VALUE_LENGTH]}… ({len(text)} characters, sha256 {digest})"


def _value(inputs: Properties, path: str) -> Any:
    value: Any = inputs
    for part in path_parts(path):
        if value == SECRET:
            return SECRET
        if isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value
