"""Every row of the specification's sections 4 and 5 is asserted by a test, and none is asserted by its name only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import specification_table
from harness.paths import REPOSITORY
from harness.specification_rows import EVERY, ROWS, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.specification_table import MarkedTest


@pytest.fixture(scope="module")
def marked() -> Mapping[str, tuple[MarkedTest, ...]]:
    return specification_table.marked(REPOSITORY)


def test_rows_have_keys_of_their_own() -> None:
    assert len(ROWS) == sum(len(section.rows) for section in SECTIONS)


@pytest.mark.parametrize("key", ROWS)
def test_every_row_is_asserted(key: str, marked: Mapping[str, tuple[MarkedTest, ...]]) -> None:
    assert marked.get(key), f"no test is marked with {key!r}"


@pytest.mark.parametrize("key", [row.key for row in ROWS.values() if row.holds_for == EVERY])
def test_what_holds_for_every_stack_is_asserted_for_each(
    key: str, marked: Mapping[str, tuple[MarkedTest, ...]]
) -> None:
    assert any(test.every_stack for test in marked.get(key, ())), (
        f"{key!r}: no test takes the graph of each stack in turn"
    )


def test_no_mark_names_a_row_that_is_none(marked: Mapping[str, tuple[MarkedTest, ...]]) -> None:
    assert marked.keys() <= ROWS.keys()


def test_marks_are_read_from_the_sources(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "graph"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(
        "import pytest\n\n"
        '@pytest.mark.spec("network.vpc", "network.nat")\n'
        "def test_first(graph): ...\n\n"
        '@pytest.mark.parametrize("x", [1])\n'
        '@pytest.mark.spec("network.vpc")\n'
        "async def test_second(graph_of, *, x): ...\n\n"
        "def test_unmarked(graph): ...\n"
    )
    found = specification_table.marked(tmp_path)
    assert {key: [(test.name, test.every_stack) for test in tests] for key, tests in found.items()} == {
        "network.vpc": [("test_first", True), ("test_second", False)],
        "network.nat": [("test_first", True)],
    }
    assert found["network.nat"][0].file == "tests/graph/test_one.py"
