"""Fixtures of the harness's own tests: a local state of their own, the user's cache, and services that really run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import interrupts
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Processes
from harness.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Fresh local state, and the user's cache: what it holds is not fetched again."""
    return Paths(root=REPOSITORY, cache=user_cache(), local=tmp_path / "local")


@pytest.fixture
def bare_paths(tmp_path: Path) -> Paths:
    """As on a machine where nothing was ever set up."""
    return Paths(root=REPOSITORY, cache=tmp_path / "cache", local=tmp_path / "local")


@pytest.fixture(scope="session")
def silent() -> Progress:
    return Silent()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes of one test; whatever it leaves running is stopped."""
    found = Processes(records=tmp_path / "processes", logs=tmp_path / "logs")
    yield found
    for record in found.records.glob("*.json"):
        found.stop(record.stem)


@pytest.fixture(autouse=True)
def _no_interrupt() -> Iterator[None]:
    """An interrupt asked for in one test does not reach the next."""
    yield
    interrupts.clear()
