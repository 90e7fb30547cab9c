"""docs/reliability.md speaks of the calls and faults that there are now."""

from __future__ import annotations

from pathlib import Path

from harness import proof_document

ROOT = Path(__file__).parents[2]


def test_the_document_names_every_call_fault_and_scenario_of_the_code() -> None:
    stale = proof_document.stale((ROOT / proof_document.PATH).read_text(encoding="utf-8"))
    assert stale == [], "run `harness proof`, which writes it anew"
