"""A review as Markdown, fit for a comment on a pull request.

Names and values come from the program under review, which may be anybody's: they stand in code spans, or escaped, and
can neither make markup nor mention people.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from harness.review.changes import ACTIONS
from harness.review.planned import kind_of
from policies.report.markup import code, folded, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.review.changes import Action, Change, Property, Review, Stop

LONGEST: Final = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
LONGEST_SENTENCE: Final = 600
"""Characters of a risk; all of it is in the JSON."""
_HEADINGS: Final[dict[Action, str]] = {
    "create": "Created",
    "update": "Changed in place",
    "replace": "Replaced",
    "delete": "Deleted",
    "unknown": "Changed, and nobody says whether in place",
}
_OPEN: Final = frozenset({"delete", "replace", "unknown"})
"""Actions that are shown without a click."""


def markdown(review: Review) -> str:
    """The whole comment."""
    parts = [_head(review), *_sections(review)]
    whole = "\n\n".join(parts) + "\n"
    if len(whole) <= LONGEST:
        return whole
    cut = "The list of changes is too long for a comment: run `harness preview` with `--json` for all of it."
    return "\n\n".join([parts[0], *_sections(review, changes=False), cut])[:LONGEST] + "\n"


def _head(review: Review) -> str:
    counted = [f"{review.summary[action]} {word}" for action, word in _WORDS if review.summary[action]]
    title = f"## `{code(review.stack)}`: {', '.join(counted) if counted else 'no changes'}"
    columns = [*reversed(ACTIONS), "unchanged"]
    return "\n".join(
        [
            title,
            "",
            f"Compared with {text(review.against)}.",
            "",
            "| " + " | ".join(columns) + " |",
            "|" + " ---: |" * len(columns),
            "| " + " | ".join(str(review.summary[column]) for column in columns) + " |",
        ]
    )


_WORDS: Final = (
    ("create", "to create"),
    ("update", "to change"),
    ("unknown", "to change (unknown how)"),
    ("replace", "to replace"),
    ("delete", "to delete"),
)


def _sections(review: Review, *, changes: bool = True) -> Iterator[str]:
    if review.errors:
        yield "### The preview failed\n\n" + "\n".join(f"- {text(error)}" for error in review.errors)
    if review.blocked:
        yield (
            "### Not allowed\n\n"
            + _stops(review.blocked)
            + "\n\nIf that is meant, give its URN to `--allow-replace`:\n\n```text\n"
            + "\n".join(code(stop.urn) for stop in review.blocked)
            + "\n```"
        )
    if review.allowed:
        yield "### Allowed by name\n\n" + _stops(review.allowed)
    if review.risks:
        rows = [
            (risk.kind, f"`{code(risk.name)}` ({kind_of(risk.type)})", text(_shortened(risk.sentence)))
            for risk in review.risks
        ]
        yield "### Risks\n\n" + table(("risk", "resource", "what"), rows)
    if review.findings:
        found = [
            (text(f.level), f"`{code(f.policy)}`", f"`{code(f.name)}`" if f.name else "", text(f.message))
            for f in review.findings
        ]
        yield folded(f"Policies: {len(found)} findings", table(("level", "rule", "resource", "what"), found))
    if changes:
        for action, group in groupby(review.changes, key=lambda change: change.action):
            listed = list(group)
            yield folded(
                f"{_HEADINGS[action]}: {len(listed)}",
                _created(listed) if action == "create" else "\n".join(_change(change) for change in listed),
                opened=action in _OPEN,
            )


def _stops(stops: Sequence[Stop]) -> str:
    return "\n".join(f"- **`{code(stop.name)}`** ({kind_of(stop.type)}) {text(stop.sentence)}." for stop in stops)


def _created(changes: Iterable[Change]) -> str:
    """By type: nobody reads four hundred lines of a first deployment."""
    by_kind: dict[str, list[str]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(f"`{code(change.name)}`" + _renamed(change))
    return "\n".join(f"- {kind} ({len(names)}): {', '.join(names)}" for kind, names in sorted(by_kind.items()))


def _change(change: Change) -> str:
    notes = _renamed(change)
    if change.delete_first:
        notes += ", the old one deleted first"
    if change.protected and change.action in {"replace", "delete"}:
        notes += ", protected"
    lines = [f"- **`{code(change.name)}`** ({change.kind}){notes}"]
    lines += [f"  - {_property(found)}" for found in change.properties]
    return "\n".join(lines)


def _renamed(change: Change) -> str:
    if change.rename_of is None:
        return ""
    return f" (looks like `{code(change.rename_of.rpartition('::')[2])}` renamed: `aliases` would keep it)"


def _property(found: Property) -> str:
    name = f"`{code(found.path)}`" if found.path else "a property that the preview does not name"
    values = "" if found.before == found.after else f": {_value(found.before)} → {_value(found.after)}"
    if found.replaces is None:
        return f"{name}{values} (whether it replaces: unknown)"
    return f"{name}{values}" + (f" **forces the replacement** (source: {text(found.source)})" if found.replaces else "")


def _value(value: str | None) -> str:
    return "none" if value is None else f"`{code(value)}`" if value else "empty"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}…"
