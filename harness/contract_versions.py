"""Versions of the published contract: the one that the code makes now, and those that were committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import contract_changes, git, published_contract
from support import typed

if TYPE_CHECKING:
    from pathlib import Path

    from harness.contract_changes import Change, Document

MAIN = ("main", "origin/main")
"""Where what is published stands, by the first of these names that git knows."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The contract of now against one that was committed."""

    against: str
    """What it is compared with, as it was asked for."""
    commit: str
    published: bool
    """Whether there was a contract then; without one nothing is new, and nothing can break."""
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.breaking)


def compare(root: Path, against: str | None = None) -> Comparison:
    """What the sources in ``root`` change; without ``against``, since their branch left the main one.

    Raises:
        HarnessError: git cannot tell.
    """
    commit = git.commit(root, against) if against else _branching_point(root)
    before = _committed(root, commit)
    return Comparison(
        against=against or MAIN[0],
        commit=commit,
        published=before is not None,
        changes=contract_changes.changes(before, published_contract.published()) if before is not None else (),
    )


def _branching_point(root: Path) -> str:
    for name in MAIN:
        if point := git.said(root, "merge-base", "HEAD", name):
            return point
    return git.commit(root, "HEAD")


def _committed(root: Path, commit: str) -> Document | None:
    text = git.said(root, "show", f"{commit}:{published_contract.PATH}")
    return None if text is None else typed.decode(text, dict[str, object])
