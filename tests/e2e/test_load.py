"""Load on the running stack: every ticket is accounted for. A flood is `harness load`'s: others test here meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.load.run import Plan, perform
from harness.progress import Silent

if TYPE_CHECKING:
    from harness.local_stack import LocalStack


@pytest.mark.timeout(180)
def test_a_few_seconds_of_load_lose_nothing(stack: LocalStack) -> None:
    run = perform(stack, Plan(rate=4, duration=6, customers=3, seed=11, warm_up=0, patience=60), Silent())

    account = run.result.account
    assert account.kept, account
    assert account.accepted == account.sent > 10, account
    assert account.ready + account.needs_review == account.accepted, account
    assert run.result.settled is not None
    assert {"emulator", "front", "bedrock", "function workers"} <= set(run.memory.groups())
