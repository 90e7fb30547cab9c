"""The canary: a ticket that goes all the way, or says at which step it did not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3

from canary_ticket.handler import run
from harness.canary_key import GRACE
from support.contract import CreateTicketRequest
from support.decoding import decode_body
from support.partner_api import CallError, Credentials, PartnerApi
from support.partners import Token
from support.secret_value import MAX_AGE, SecretValue
from support.services.canary import PAUSE, Canary, CanaryError, Step
from support.telemetry import flush

if TYPE_CHECKING:
    from collections.abc import Callable

CREDENTIALS = Credentials(api_key="esk_canary", secret="s3cret", customer_id="C7")
SECRET = json.dumps({"api_key": "esk_canary", "secret": "s3cret", "customer_id": "C7"})
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TICKET = {
    "ticket_id": "tkt_0123456789ab",
    "status": "PROCESSING",
    "created_at": "2026-01-31T12:00:00Z",
    "estimated_completion": "2026-01-31T12:02:00Z",
}
SOLUTION = {
    "ticket_id": "tkt_0123456789ab",
    "text": "Switch it off and on again.",
    "steps": [],
    "citations": [],
    "confidence": 0.5,
    "lang": "en-US",
    "generated_at": "2026-01-31T12:00:10Z",
}


@dataclass
class Answer:
    status: int
    body: object = None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Api:
    """Answers with what it was given, in order; the last again and again."""

    answers: list[Answer | Exception]
    requests: list[tuple[str, str, dict[str, str], bytes | None]] = field(default_factory=list)

    def request(self, method: str, url: str, **options: Any) -> Answer:
        assert options["redirect"] is False
        self.requests.append((method, url, options["headers"], options["body"]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Time passes while one sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Secret:
    def __init__(self, text: str | None = SECRET) -> None:
        self.text = text

    def read(self) -> str | None:
        return self.text


def canary(*answers: Answer | Exception, secret: str | None = SECRET) -> tuple[Canary, Api]:
    api, clock = Api(list(answers)), Clock()
    walking = Canary(
        Secret(secret),
        lambda credentials: PartnerApi(api, "https://api.example.com/v1/", credentials, clock=lambda: NOW),
        deadline=120,
        clock=clock,
        sleep=clock.sleep,
    )
    return walking, api


OPENED = Answer(202, TICKET)
WORKED_ON = Answer(200, {"status": "PROCESSING", "priority": "P4"})
READY = Answer(200, {"status": "READY"})
READ = Answer(200, SOLUTION)


def test_a_canary_opens_a_ticket_waits_for_its_solution_and_reads_it() -> None:
    walking, api = canary(OPENED, WORKED_ON, WORKED_ON, READY, READ)
    assert walking.walk("canary-1") == 2 * PAUSE
    base = "https://api.example.com/v1/itsm/tickets"
    own = f"{base}/tkt_0123456789ab"
    assert [(method, url) for method, url, _, _ in api.requests] == [
        ("POST", base),
        *[("GET", own)] * 3,
        ("GET", f"{own}/solution"),
    ]


def test_what_it_opens_keeps_to_the_contract_and_burdens_no_operator() -> None:
    walking, api = canary(OPENED, READY, READ)
    walking.walk("canary-1")
    _, _, headers, body = api.requests[0]
    assert body is not None
    request = decode_body(body.decode(), CreateTicketRequest)
    assert (request.customer.id, request.policies.grounded_only) == ("C7", False)
    assert headers["Idempotency-Key"] == "canary-1"


def test_each_call_is_signed_as_a_partner_signs() -> None:
    walking, api = canary(OPENED, READY, READ)
    walking.walk("canary-1")
    for _, _, headers, _ in api.requests:
        token = Token.parse(headers["Authorization"])
        assert token is not None
        assert (token.api_key, token.moment()) == ("esk_canary", NOW)
        assert token.signed_with("s3cret")


@pytest.mark.parametrize(
    ("answers", "step", "reason"),
    [
        ([Answer(401, {"type": "t"})], Step.OPEN, "POST /itsm/tickets: 401 t"),
        ([Answer(502, b"\xff")], Step.OPEN, "502"),
        ([Answer(202, {"ticket_id": 1})], Step.OPEN, "breaks the contract"),
        ([urllib3.exceptions.ReadTimeoutError(None, "", "")], Step.OPEN, "ReadTimeoutError"),  # type: ignore[arg-type]  # no pool
        ([urllib3.exceptions.MaxRetryError(None, "", OSError())], Step.OPEN, "OSError"),  # type: ignore[arg-type]  # no pool
        ([OPENED, Answer(403, {})], Step.SOLVE, "403"),
        ([OPENED, WORKED_ON], Step.SOLVE, "no solution after 120 s"),
        ([OPENED, Answer(200, {"status": "FAILED"})], Step.SOLVE, "is FAILED"),
        ([OPENED, Answer(200, {"status": "NEEDS_REVIEW"})], Step.SOLVE, "is NEEDS_REVIEW"),
        ([OPENED, READY, Answer(200, {"text": "only"})], Step.READ, "breaks the contract"),
    ],
)
def test_a_failure_says_where(answers: list[Answer | Exception], step: Step, reason: str) -> None:
    walking, _ = canary(*answers)
    with pytest.raises(CanaryError, match=reason) as caught:
        walking.walk("canary-1")
    assert caught.value.step is step


@pytest.mark.parametrize("text", [None, "", "{}", '{"api_key": "k", "secret": "s3cret"}'])
def test_without_credentials_nothing_is_called_and_nothing_of_the_secret_is_told(text: str | None) -> None:
    walking, api = canary(OPENED, secret=text)
    with pytest.raises(CanaryError) as caught:
        walking.walk("canary-1")
    assert caught.value.step is Step.CREDENTIALS
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not api.requests


def test_credentials_are_never_shown_whole() -> None:
    assert "s3cret" not in f"{CREDENTIALS} {CREDENTIALS!r}"


def test_the_answer_to_a_call_is_its_own() -> None:
    api = PartnerApi(Api([Answer(404, {"type": "t", "request_id": "r"})]), "http://x", CREDENTIALS)
    with pytest.raises(CallError, match="GET /itsm/tickets/tkt_1: 404 t r"):
        api.status("tkt_1")


# --- the function


def metrics(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: line[name] for line in lines for name in line if name.startswith("Canary")}


def test_a_success_is_counted_and_timed(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    walking, api = canary(OPENED, WORKED_ON, READY, READ)
    assert run(walking, {"time": "2026-01-31T12:00:00Z"}, "request")
    flush()
    assert metrics(log_lines()) == {"CanarySucceeded": [1.0], "CanaryDuration": [PAUSE]}
    assert api.requests[0][2]["Idempotency-Key"] == "canary-2026-01-31T12:00:00Z"


def test_a_failure_is_counted_by_its_step_and_not_raised(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    walking, _ = canary(Answer(503, {}))
    assert not run(walking, {}, "request")
    flush()
    lines = log_lines()
    assert metrics(lines) == {"CanaryFailed": [1.0]}
    assert [line["Step"] for line in lines if "Step" in line] == ["OPEN"]


# --- its secret


def test_a_secret_that_is_empty_still_is_asked_for_again(aws: None) -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="canary")
    secret = SecretValue(client, "canary")
    assert secret.read() is None
    client.put_secret_value(SecretId="canary", SecretString=SECRET)
    assert secret.read() == SECRET


@pytest.mark.spec("code.secrets")
def test_a_secret_is_kept_for_a_while_and_then_read_anew(aws: None) -> None:
    client, clock = boto3.client("secretsmanager"), Clock()
    client.create_secret(Name="canary", SecretString="first")
    secret = SecretValue(client, "canary", clock=clock)
    assert secret.read() == "first"
    client.put_secret_value(SecretId="canary", SecretString="second")
    clock.sleep(MAX_AGE - 1)
    assert secret.read() == "first"
    clock.sleep(1)
    assert secret.read() == "second"
    assert timedelta(seconds=MAX_AGE) < GRACE
