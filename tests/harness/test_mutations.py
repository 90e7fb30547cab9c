"""Mutations: each fits the sources as they are, and what does not fit is said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import mutations
from harness.errors import HarnessError
from harness.mutations import MUTATIONS, Mutation, Result
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLE = Mutation(name="example", what="a promise", file="kept.py", old="True", new="False")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_mutation_fits_the_sources(mutation: Mutation) -> None:
    assert mutations.mutated(mutation, ROOT) != (ROOT / mutation.file).read_text(encoding="utf-8")


def test_there_are_enough_of_them_and_no_two_have_the_same_name() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 12


@pytest.mark.parametrize(("text", "times"), [("kept = None", 0), ("kept = True; also = True", 2)])
def test_a_text_that_does_not_stand_once_is_refused(text: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "kept.py").write_text(text)
    with pytest.raises(HarnessError, match=f"stands {times} times in kept.py"):
        mutations.mutated(EXAMPLE, tmp_path)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"stands 0 times in kept\.py"):
        mutations.mutated(EXAMPLE, tmp_path)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(HarnessError, match="There is no mutation nonsense") as refused:
        mutations.chosen(["derived-id", "nonsense"])
    assert "derived-id" in refused.value.mend


def test_names_choose_their_mutations() -> None:
    assert [mutation.name for mutation in mutations.chosen(["postpone", "derived-id"])] == ["postpone", "derived-id"]
    assert mutations.chosen(None) == MUTATIONS


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A repository of one module and its one test, which holds the module to what is given."""

    def make(test: str) -> Path:
        (tmp_path / "kept.py").write_text("kept = True\n")
        (tmp_path / "test_kept.py").write_text(f"import kept\n\n\ndef test_kept():\n    assert {test}\n")
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        monkeypatch.setattr(mutations, "TESTS", ("test_kept.py",))
        return tmp_path

    return make


def test_a_mutation_that_a_test_notices_is_killed_by_it(sources: Callable[[str], Path]) -> None:
    [result] = mutations.run([EXAMPLE], sources("kept.kept"), Silent())
    assert result == Result(name="example", what="a promise", killed=True, by="test_kept.py::test_kept")


def test_a_mutation_that_no_test_notices_survives(sources: Callable[[str], Path]) -> None:
    [result] = mutations.run([EXAMPLE], sources("kept.kept in (True, False)"), Silent())
    assert not result.killed


def test_tests_that_fail_anyway_prove_nothing(sources: Callable[[str], Path]) -> None:
    with pytest.raises(HarnessError, match="without any mutation"):
        mutations.run([EXAMPLE], sources("not kept.kept"), Silent())
