"""Documents that are made from the code say what the code says."""

from __future__ import annotations

from harness import generated
from harness.paths import REPOSITORY


def test_no_generated_document_is_stale() -> None:
    assert generated.stale(REPOSITORY) == (), "run `make docs`"
