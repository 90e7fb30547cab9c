"""Documents made from the code: one list of them, written by `make docs` and checked by a test."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from harness import (
    client_types,
    contract_changes,
    error_classes,
    parity,
    published_contract,
    settings_table,
    specification_table,
    stack_file,
)
from harness.paths import REPOSITORY
from support import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _architecture() -> str:
    from harness import diagram  # noqa: PLC0415  # imports the SDK, which takes seconds

    return diagram.pages()


def _picture(stack: str) -> str:
    from harness import diagram  # noqa: PLC0415  # as above

    return diagram.document(stack)


DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "docs/architecture.md": _architecture,
        **{
            f"docs/architecture.{stack}.svg": functools.partial(_picture, stack)
            for stack in stack_file.in_order(REPOSITORY)
        },
        "docs/errors.md": error_classes.document,
        "docs/parity.md": parity.document,
        "docs/settings.md": settings_table.document,
        specification_table.PATH: specification_table.document,
        published_contract.PATH: published_contract.document,
        client_types.PATH: client_types.document,
    }
)
"""Path in the repository -> what makes its text; see `documents` for those of the policies."""


def documents() -> Mapping[str, Callable[[], str]]:
    """Path in the repository -> what makes its text, for all documents that there are to be."""
    from harness.judging import coverage, pages  # noqa: PLC0415  # imports the SDK, which no other command needs
    from harness.judging.peer import page as peer  # noqa: PLC0415  # as above

    return {**DOCUMENTS, **pages.documents(), coverage.PATH: coverage.document, peer.PATH: peer.document}


def stale(root: Path) -> tuple[str, ...]:
    """The documents that are missing, not what the code says, or about a rule that there is no more."""
    expected = documents()
    return (
        *(path for path, make in expected.items() if _read(root / path) != make()),
        *(path for path in _pages(root) if path not in expected),
    )


def write(root: Path) -> tuple[str, ...]:
    """Write those that are stale, and delete what is about nothing; their paths."""
    expected, changed = documents(), stale(root)
    for path in changed:
        if path not in expected:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(expected[path](), encoding="utf-8")
    return changed


def _pages(root: Path) -> tuple[str, ...]:
    """The pages of rules below ``root``; what somebody wrote by hand is none."""
    from harness.judging import pages  # noqa: PLC0415  # as above

    return tuple(
        file.relative_to(root).as_posix()
        for file in sorted((root / pages.FOLDER).glob("*.md"))
        if pages.MARK in file.read_text(encoding="utf-8")
    )


def contract_changed(root: Path) -> tuple[contract_changes.Change, ...]:
    """What the code changes in the contract that is published in ``root``; nothing where none is, or none can be read.

    Breaking changes come first, and are named as such.
    """
    text = _read(root / published_contract.PATH)
    try:
        before = typed.decode(text or "", dict[str, object])
    except msgspec.DecodeError:
        return ()
    return contract_changes.changes(before, published_contract.published())


def told(changes: tuple[contract_changes.Change, ...]) -> str:
    """Changes of the contract, one a line."""
    return "\n".join(f"  {'BREAKING: ' if change.breaking else ''}{change}" for change in changes)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
