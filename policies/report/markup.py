"""Markdown of texts that anybody may have written: they can neither make markup nor mention people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def folded(title: str, content: str, *, opened: bool = False) -> str:
    """A section that opens with a click."""
    return f"<details{' open' if opened else ''}><summary>{title}</summary>\n\n{content}\n\n</details>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def code(text: str) -> str:
    """What may stand in a code span: one line, no backtick, and no bar, which would end a table's cell."""
    return " ".join(text.split()).replace("`", "'").replace("|", "¦")


def text(text: str) -> str:
    """Plain text on one line: no markup, no HTML, no mention; what was written as code stays code."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        f"`{code(part[1:-1])}`" if part.startswith("`") and part.endswith("`") and len(part) > 2 else _escaped(part)
        for part in parts
    )


def _escaped(text: str) -> str:
    text = (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b").replace("`", "'")
    )
    return re.sub(r"([\\*_\[\]|#~])", r"\\\1", text)
