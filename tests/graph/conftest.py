"""The graphs of all stacks, and ways to ask them about permissions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from harness import graph as graphs
from harness import stack_file
from harness.access import Access
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graph import Graph

STACKS = ("local", "dev", "staging", "prod")


@functools.cache
def _built(stack: str) -> Graph:
    return graphs.build(stack)


@pytest.fixture(scope="session", params=STACKS)
def graph(request: pytest.FixtureRequest) -> Graph:
    """The whole program's graph, of each stack in turn."""
    return _built(request.param)


@pytest.fixture(scope="session")
def graph_of() -> Callable[[str], Graph]:
    """The graph of a stack by name."""
    return _built


@pytest.fixture
def config() -> dict[str, str]:
    """The production configuration, as the engine passes it; free to be changed."""
    return dict(stack_file.config(REPOSITORY, "prod"))


@pytest.fixture
def access(graph: Graph) -> Access:
    return Access(graph)
