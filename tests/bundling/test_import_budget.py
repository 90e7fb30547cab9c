"""A handler's cold import stays within its budget, measured beside boto3 with one client."""

from __future__ import annotations

import pytest

from harness import import_budget


@pytest.mark.timeout(400)
def test_the_import_of_each_api_handler_stays_within_its_budget() -> None:
    report = import_budget.measure()
    assert [each.function for each in report.imports] == list(import_budget.BUDGETS)
    assert [each for each in report.imports if not each.within] == []
