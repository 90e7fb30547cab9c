"""`harness proof`: what it prints, what it writes, and when it says no."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness import cli, proof, proof_document
from harness.commands import proof as command
from harness.proof import Proof
from harness.reliability import matrix
from harness.reliability.faults import FAULTS
from harness.reliability.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

    from harness.progress import Progress


def shown(broken: list[str]) -> Proof:
    """A proof as if it had been run."""
    made = Proof(seed=1, seeds=[1, 2], matrix_runs=7, broken=broken)
    made.cells = {call: {fault.name: "READY" for fault in FAULTS} for call in matrix.calls()}
    made.crashes = {scenario.name: Counter(READY=2) for scenario in SCENARIOS}
    made.tally.steps = 40
    return made


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, broken: list[str], *arguments: str) -> int:
    def prove(progress: Progress, *, seed: int, steps: int) -> Proof:
        return shown(broken)

    monkeypatch.setattr(proof, "prove", prove)
    return cli.run(["proof", *arguments], debug=False)


def test_the_document_is_written_and_names_what_the_code_has(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, [], "--json") == 0
    told = msgspec.json.decode(capsys.readouterr().out)
    assert (told["written"], told["broken"], told["matrix_runs"]) == (proof_document.PATH, [], 7)
    text = (repository / proof_document.PATH).read_text(encoding="utf-8")
    assert proof_document.stale(text) == []
    assert proof_document.stale(text.replace("`forgotten`", "`remembered`")) == [
        "Scenarios: forgotten",
        "Scenarios: remembered",
    ]


def test_a_broken_promise_is_told_and_no_document_written(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, ["answered, call 3: lost: tkt_1"]) == 1
    assert "answered, call 3: lost: tkt_1" in capsys.readouterr().out
    assert not (repository / proof_document.PATH).exists()


def test_a_run_of_another_length_writes_no_document(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [], "--steps", "10", "--json") == 0
    assert not (repository / proof_document.PATH).exists()
