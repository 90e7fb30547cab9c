"""What can be reached from inside the VPC: every target is told of, and none can hold up or break the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from connectivity_check import handler
from support import clients, environment
from support.services.connectivity import LONGEST_REASON, SECONDS, Check, Connectivity, Probe

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLES = {
    "OPENSEARCH_ENDPOINT": "http://127.0.0.1:9",
    "SEARCH_INDEX": "knowledge-base",
    "TICKETS_TABLE": "tickets",
    "KB_BUCKET": "bucket",
    "EMBEDDING_MODEL_ID": "model",
    "INTERNET_HOST": "example.com",
    "INTERNET_EXPECTED": "false",
}


def answers() -> None:
    """A call that comes through."""


def failing(error: Exception) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


def checks(*probes: Probe, seconds: float = 5) -> dict[str, Check]:
    return {check.target: check for check in Connectivity(probes, seconds=seconds).run().checks}


@pytest.mark.spec("functions.connectivity-check")
def test_what_answers_is_ok_and_what_does_not_says_why() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "not\nyou"}}, "DescribeTable")
    found = checks(
        Probe(target="S3", call=answers),
        Probe(target="DynamoDB", call=failing(denied)),
        Probe(target="Bedrock", call=failing(ConnectTimeoutError(endpoint_url="https://bedrock"))),
    )
    assert (found["S3"].ok, found["S3"].reason) == (True, None)
    assert not found["DynamoDB"].ok
    assert str(found["DynamoDB"].reason).startswith("DescribeTable:AccessDenied: ")
    assert "not you" in str(found["DynamoDB"].reason)
    assert str(found["Bedrock"].reason).startswith("botocore.exceptions.ConnectTimeoutError: ")


def test_targets_are_called_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)
    probes = [Probe(target=str(number), call=together.wait) for number in range(3)]
    assert Connectivity(probes, seconds=10).run().ok


def test_a_target_that_does_not_answer_is_given_up_and_holds_nothing_up() -> None:
    never = threading.Event()
    try:
        found = checks(
            Probe(target="hangs", call=lambda: never.wait(30)), Probe(target="S3", call=answers), seconds=0.05
        )
    finally:
        never.set()
    assert found["hangs"].reason == "no answer within 0.05 s"
    assert found["S3"].ok


@pytest.mark.spec("functions.connectivity-check")
def test_each_target_has_five_seconds() -> None:
    assert Connectivity([Probe(target="S3", call=answers)]).run().ok
    assert SECONDS == 5


@pytest.mark.parametrize(("required", "ok"), [(True, False), (False, True)])
def test_only_what_is_required_decides(*, required: bool, ok: bool) -> None:
    probes = [Probe(target="S3", call=answers), Probe(target="internet", call=failing(OSError()), required=required)]
    assert Connectivity(probes).run().ok is ok


def test_targets_are_told_in_their_order_and_reasons_are_short() -> None:
    probes = [Probe(target=name, call=failing(ValueError("x" * 1000))) for name in "cab"]
    report = Connectivity(probes).run()
    assert [check.target for check in report.checks] == ["c", "a", "b"]
    assert all(len(str(check.reason)) == LONGEST_REASON for check in report.checks)


class Client:
    """Any client; notes what is called."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**_: Any) -> dict[str, Any]:
            self._calls.append(operation)
            return {}

        return call


@pytest.mark.parametrize("expected", ["true", "false"])
def test_each_call_is_one_that_shows_nothing(monkeypatch: pytest.MonkeyPatch, expected: str) -> None:
    calls: list[str] = []
    for name in ("dynamodb", "s3", "secretsmanager", "bedrock_embeddings"):
        monkeypatch.setattr(clients, name, lambda: Client(calls))
    monkeypatch.setattr(handler, "opensearch", lambda _: Client(calls))
    monkeypatch.setattr(handler, "greet", calls.append)
    env = environment.load(environment.ConnectivityCheck, {**VARIABLES, "INTERNET_EXPECTED": expected})
    probes = handler.probes(env)
    for probe in probes:
        if probe.target != "Bedrock":
            probe.call()
    assert [probe.target for probe in probes] == [
        *("OpenSearch", "DynamoDB", "S3", "Bedrock", "Secrets Manager", "internet")
    ]
    assert calls == ["search", "describe_table", "get_bucket_location", "get_random_password", "example.com"]
    assert [probe.required for probe in probes] == [True] * 5 + [expected == "true"]
