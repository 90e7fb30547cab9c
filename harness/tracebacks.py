"""Tracebacks cut down to what a user needs: what was raised, and the line of theirs that led there."""

from __future__ import annotations

import re
from pathlib import Path

_TITLE = "Traceback (most recent call last):"
_PLACE = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)
_FRAME = re.compile(r"^  File .*\n(?:    .*\n?)*", re.MULTILINE)


def brief(text: str, root: Path) -> str:
    """``text`` as it is or, if it holds a traceback, its exception and the innermost line below ``root``."""
    if _TITLE not in text:
        return text
    ours = [
        f" ({file}, line {line})"
        for file, line in _PLACE.findall(text)
        if Path(file).is_relative_to(root) and "site-packages" not in file
    ]
    return _FRAME.split(text)[-1].strip() + (ours[-1] if ours else "")
