"""The function that tells what is within reach, run as deployed: under its own role, against the running stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness import connectivity

if TYPE_CHECKING:
    from harness.local_stack import LocalStack, Outputs


def test_all_that_functions_call_is_within_reach(stack: LocalStack, outputs: Outputs) -> None:
    needed = msgspec.convert(msgspec.to_builtins(outputs), connectivity.Outputs)
    report = connectivity.check(stack.client("lambda"), needed)
    found = {check.target: check for check in report.checks}
    assert found.keys() == {"OpenSearch", "DynamoDB", "S3", "Bedrock", "Secrets Manager", "internet"}
    # No NAT gateway is asked for, so nobody minds whether this machine reaches the internet.
    assert not found.pop("internet").required
    assert {target: check.reason for target, check in found.items()} == dict.fromkeys(found)
    assert report.ok
    assert all(check.milliseconds <= 5000 for check in report.checks)
