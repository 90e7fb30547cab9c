"""`harness connectivity`: what a stack's own function says of what it reaches."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from harness import cli, connectivity
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from support.services.connectivity import Check, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUTS = connectivity.Outputs(functions={connectivity.FUNCTION: "support-local-connectivity_check"})
S3 = Check(target="S3", ok=True, reason=None, required=True, milliseconds=3)
INTERNET = Check(target="internet", ok=False, reason="no answer within 5 s", required=False, milliseconds=5000)
REPORT = Report(ok=True, checks=[S3, INTERNET])


class Functions:
    """A Lambda client."""

    def __init__(self, payload: object, **answer: str) -> None:
        self._payload, self._answer = payload, answer
        self.asked: Mapping[str, str] = {}

    def invoke(self, **asked: str) -> dict[str, Any]:
        self.asked = asked
        if isinstance(self._payload, Exception):
            raise self._payload
        return {"Payload": io.BytesIO(json.dumps(self._payload).encode()), **self._answer}


def ask(client: Functions, outputs: connectivity.Outputs = OUTPUTS) -> Report:
    return connectivity.check(client, outputs)  # type: ignore[arg-type]  # a stub


def test_the_function_is_asked_by_its_alias() -> None:
    client = Functions({"ok": True, "checks": []})
    assert ask(client) == Report(ok=True, checks=[])
    assert client.asked == {"FunctionName": "support-local-connectivity_check", "Qualifier": "live"}


@pytest.mark.parametrize(
    ("client", "message"),
    [
        (Functions({"errorMessage": "out of memory"}, FunctionError="Unhandled"), "failed: .*out of memory"),
        (Functions({"something": "else"}), "answers otherwise"),
        (Functions(ClientError({"Error": {"Code": "AccessDenied"}}, "Invoke")), "cannot be called"),
    ],
)
def test_what_goes_wrong_is_told_with_a_remedy(client: Functions, message: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        ask(client)
    assert caught.value.mend


def test_a_stack_of_before_is_told_so() -> None:
    with pytest.raises(HarnessError, match="no function connectivity_check"):
        ask(Functions({}), connectivity.Outputs(functions={}))


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What the local stack's function will say."""
    said = [REPORT]
    functions = {"functions": dict(OUTPUTS.functions)}
    monkeypatch.setattr(LocalStack, "outputs", lambda _: functions)
    monkeypatch.setattr(LocalStack, "client", lambda _, service: service)
    monkeypatch.setattr(connectivity, "check", lambda client, outputs: said[0])  # noqa: ARG005 - as it is called
    return said


def test_the_command_tells_what_is_out_of_reach_and_whether_that_is_meant(
    reported: list[Report], capsys: pytest.CaptureFixture[str]
) -> None:
    assert reported
    assert cli.run(["connectivity"], debug=False) == 0
    out = capsys.readouterr().out
    assert "S3" in out
    assert "out of reach, as set" in out
    assert "no answer within 5 s" in out


@pytest.mark.parametrize("ok", [True, False])
def test_scripts_get_one_document_and_an_exit_code(
    reported: list[Report], capsys: pytest.CaptureFixture[str], *, ok: bool
) -> None:
    reported[0] = Report(ok=ok, checks=[S3])
    assert cli.run(["connectivity", "--json"], debug=False) == (0 if ok else 1)
    document = json.loads(capsys.readouterr().out)
    assert document["stack"] == "local"
    assert document["ok"] is ok
    assert document["checks"] == [{"target": "S3", "ok": True, "reason": None, "required": True, "milliseconds": 3}]
