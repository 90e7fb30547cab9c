"""Least privilege, seen from the end: after all other tests every granted action was used, or is justified by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import privileges

if TYPE_CHECKING:
    from harness.local_stack import LocalStack
    from tests.e2e.conftest import Eventually


@pytest.mark.timeout(400)
def test_every_granted_action_is_used_or_justified(
    stack: LocalStack, eventually: Eventually, request: pytest.FixtureRequest
) -> None:
    here = Path(__file__).parent
    collected = {item.path for item in request.session.items if item.path.parent == here}
    missing = {path.name for path in here.glob("test_*.py")} - {path.name for path in collected}
    if missing:
        pytest.skip(f"what roles do is seen in the whole suite; not run: {', '.join(sorted(missing))}")

    # The last of its own process; others may still be at work beside it.
    report = eventually(lambda: None if (found := privileges.of_local(stack)).faults else found, seconds=360)

    assert report.with_status("used")
    assert report.faults == ()
