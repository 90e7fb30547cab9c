"""Documents made from the code: one list of them, written by `make docs` and checked by a test."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness import client_types, parity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {"docs/parity.md": parity.document, client_types.PATH: client_types.document}
)
"""Path in the repository -> what makes its text."""


def stale(root: Path) -> tuple[str, ...]:
    """The documents that are missing or not what the code says."""
    return tuple(path for path, make in DOCUMENTS.items() if _read(root / path) != make())


def write(root: Path) -> tuple[str, ...]:
    """Write those that are stale; their paths."""
    changed = stale(root)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(DOCUMENTS[path](), encoding="utf-8")
    return changed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
