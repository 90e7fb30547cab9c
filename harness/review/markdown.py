"""A review as Markdown, fit for a comment on a pull request.

Names and values come from the program under review, which may be anybody's: they stand in code spans, or escaped, and
can neither make markup nor mention people.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from harness.review.changes import ACTIONS
from harness.review.planned import kind_of

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
    text = "\n\n".join(parts) + "\n"
    if len(text) <= LONGEST:
        return text
    cut = "The list of changes is too long for a comment: run `harness preview` with `--json` for all of it."
    return "\n\n".join([parts[0], *_sections(review, changes=False), cut])[:LONGEST] + "\n"


def _head(review: Review) -> str:
    counted = [f"{review.summary[action]} {word}" for action, word in _WORDS if review.summary[action]]
    title = f"## `{_code(review.stack)}`: {', '.join(counted) if counted else 'no changes'}"
    columns = [*reversed(ACTIONS), "unchanged"]
    return "\n".join(
        [
            title,
            "",
            f"Compared with {_text(review.against)}.",
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
        yield "### The preview failed\n\n" + "\n".join(f"- {_text(error)}" for error in review.errors)
    if review.blocked:
        yield (
            "### Not allowed\n\n"
            + _stops(review.blocked)
            + "\n\nIf that is meant, give its URN to `--allow-replace`:\n\n```text\n"
            + "\n".join(_code(stop.urn) for stop in review.blocked)
            + "\n```"
        )
    if review.allowed:
        yield "### Allowed by name\n\n" + _stops(review.allowed)
    if review.risks:
        rows = [
            (risk.kind, f"`{_code(risk.name)}` ({kind_of(risk.type)})", _text(_shortened(risk.sentence)))
            for risk in review.risks
        ]
        yield "### Risks\n\n" + _table(("risk", "resource", "what"), rows)
    if review.findings:
        found = [
            (_text(f.level), f"`{_code(f.policy)}`", f"`{_code(f.name)}`" if f.name else "", _text(f.message))
            for f in review.findings
        ]
        yield _folded(f"Policies: {len(found)} findings", _table(("level", "rule", "resource", "what"), found))
    if changes:
        for action, group in groupby(review.changes, key=lambda change: change.action):
            listed = list(group)
            yield _folded(
                f"{_HEADINGS[action]}: {len(listed)}",
                _created(listed) if action == "create" else "\n".join(_change(change) for change in listed),
                opened=action in _OPEN,
            )


def _stops(stops: Sequence[Stop]) -> str:
    return "\n".join(f"- **`{_code(stop.name)}`** ({kind_of(stop.type)}) {_text(stop.sentence)}." for stop in stops)


def _created(changes: Iterable[Change]) -> str:
    """By type: nobody reads four hundred lines of a first deployment."""
    by_kind: dict[str, list[str]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(f"`{_code(change.name)}`" + _renamed(change))
    return "\n".join(f"- {kind} ({len(names)}): {', '.join(names)}" for kind, names in sorted(by_kind.items()))


def _change(change: Change) -> str:
    notes = _renamed(change)
    if change.delete_first:
        notes += ", the old one deleted first"
    if change.protected and change.action in {"replace", "delete"}:
        notes += ", protected"
    lines = [f"- **`{_code(change.name)}`** ({change.kind}){notes}"]
    lines += [f"  - {_property(found)}" for found in change.properties]
    return "\n".join(lines)


def _renamed(change: Change) -> str:
    if change.rename_of is None:
        return ""
    return f" (looks like `{_code(change.rename_of.rpartition('::')[2])}` renamed: `aliases` would keep it)"


def _property(found: Property) -> str:
    name = f"`{_code(found.path)}`" if found.path else "a property that the preview does not name"
    values = "" if found.before == found.after else f": {_value(found.before)} → {_value(found.after)}"
    if found.replaces is None:
        return f"{name}{values} (whether it replaces: unknown)"
    return f"{name}{values}" + (
        f" **forces the replacement** (source: {_text(found.source)})" if found.replaces else ""
    )


def _value(value: str | None) -> str:
    return "none" if value is None else f"`{_code(value)}`" if value else "empty"


def _folded(title: str, content: str, *, opened: bool = False) -> str:
    return f"<details{' open' if opened else ''}><summary>{title}</summary>\n\n{content}\n\n</details>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}…"


def _code(text: str) -> str:
    """What may stand in a code span: one line, no backtick, and no bar, which would end a table's cell."""
    return " ".join(text.split()).replace("`", "'").replace("|", "¦")


def _text(text: str) -> str:
    """Plain text on one line: no markup, no HTML, no mention; what was written as code stays code."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        f"`{_code(part[1:-1])}`" if part.startswith("`") and part.endswith("`") and len(part) > 2 else _escaped(part)
        for part in parts
    )


def _escaped(text: str) -> str:
    text = (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b").replace("`", "'")
    )
    return re.sub(r"([\\*_\[\]|#~])", r"\\\1", text)
