"""The running local stack, as its callers meet it. `harness test` brings it up first."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import httpx
import msgspec
import pytest

from energy_support_client import Client, StaticToken, types
from harness import demonstration, tickets
from harness.local_stack import CONNECTIONS, LocalStack
from harness.sign_in import SignIn
from support import contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client

    from harness.local_stack import Outputs

T = TypeVar("T")
POLL_SECONDS = 0.1
STAND_IN_DOOR = "/_harness/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
    # What roles have done can be told when everything else was run.
    items.sort(key=lambda item: item.path.as_posix().endswith("tests/e2e/test_privileges.py"))


# --- the stack and its callers


class Caller:
    """One caller of the API: through the client, and over bare HTTP for requests that no client would make."""

    def __init__(self, api_url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._url, self._token = api_url, token
        self._http = httpx.Client(
            base_url=f"{api_url}/", headers=headers, timeout=30, limits=CONNECTIONS, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @cached_property
    def client(self) -> Client:
        return Client(self._url, StaticToken(self._token), http=self._http)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call, the answer as it came; ``path`` is relative to the stage (``tickets``)."""
        return self._http.request(method, path.lstrip("/"), **options)

    def create_ticket(
        self, body: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> types.CreateTicketResponse:
        request = msgspec.convert(body, types.CreateTicketRequest)
        return self.client.create_ticket(request, idempotency_key=idempotency_key)

    def answer(self, body: Mapping[str, object], *, timeout: float = 60) -> tickets.Answered:
        """Send a ticket and follow it to its end."""
        return tickets.answer(self.client, body, timeout=timeout)

    def ticket(self, ticket_id: str) -> types.TicketView:
        return self.client.get_ticket(ticket_id)

    def solution(self, ticket_id: str) -> types.SolutionView:
        return self.client.get_solution(ticket_id)

    def search(
        self, query: str, *, max_results: int = 5, filters: Mapping[str, object] | None = None
    ) -> types.KbSearchResponse:
        body = {"query": query, "max_results": max_results, "filters": filters or {}}
        return self.client.search(msgspec.convert(body, types.KbSearchRequest))


@pytest.fixture(scope="session")
def stack() -> LocalStack:
    return LocalStack()


@pytest.fixture(scope="session")
def outputs(stack: LocalStack) -> Outputs:
    return stack.outputs()


@pytest.fixture(scope="session")
def customer(sign_in: SignIn, outputs: Outputs) -> Iterator[Caller]:
    with Caller(outputs.api_url, sign_in.id_token("customer", demonstration.CUSTOMER_ID)) as caller:
        yield caller


@pytest.fixture(scope="session")
def other_customer(sign_in: SignIn, outputs: Outputs) -> Iterator[Caller]:
    with Caller(outputs.api_url, sign_in.id_token("customer", "C2002")) as caller:
        yield caller


@pytest.fixture(scope="session")
def operator(sign_in: SignIn, outputs: Outputs) -> Iterator[Caller]:
    with Caller(outputs.api_url, sign_in.id_token("operator")) as caller:
        yield caller


@pytest.fixture(scope="session")
def sign_in(stack: LocalStack, outputs: Outputs) -> SignIn:
    """Makes callers of any kind, and shows their tokens."""
    return SignIn(stack.client("cognito-idp"), outputs.user_pool_id, outputs.user_pool_client_id)


@pytest.fixture(scope="session")
def anybody(outputs: Outputs) -> Iterator[httpx.Client]:
    """The API without a token."""
    with httpx.Client(base_url=f"{outputs.api_url}/", timeout=30) as client:
        yield client


class MakeCaller(Protocol):
    def __call__(self, token: str) -> Caller: ...


@pytest.fixture
def with_token(outputs: Outputs) -> Iterator[MakeCaller]:
    """The API, called with a token of the test's choice."""
    with ExitStack() as opened:
        yield lambda token: opened.enter_context(Caller(outputs.api_url, token))


# --- what tests send


@pytest.fixture
def word() -> str:
    """A word that nothing else in the stack holds: by it a test knows, and finds, what is its own."""
    return f"zq{uuid.uuid4().hex}"


@pytest.fixture
def request_body(word: str) -> dict[str, Any]:
    """A valid ticket of the demonstration's customer, its own in each test: the symptom holds the test's word."""
    body = dict(demonstration.REQUEST)
    body["symptom_text"] = f"{body['symptom_text']} ({word})"
    return body


# --- what tests ask


class Eventually(Protocol):
    def __call__(self, check: Callable[[], T | None], *, seconds: float = 10) -> T: ...


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Ask until there is an answer; ``check`` gives None or anything false as long as there is none."""

    def wait(check: Callable[[], T | None], *, seconds: float = 10) -> T:
        deadline = time.monotonic() + seconds
        while not (answer := check()):
            if time.monotonic() > deadline:
                pytest.fail(f"no answer within {seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return answer

    return wait


class Problem(Protocol):
    def __call__(self, response: httpx.Response, status: int) -> contract.Problem: ...


@pytest.fixture(scope="session")
def problem() -> Problem:
    """What an error says, which has the one shape of all errors: function's and gateway's alike."""

    def read(response: httpx.Response, status: int) -> contract.Problem:
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        told = msgspec.json.decode(response.content, type=contract.Problem)
        assert told.status == status
        assert (told.type, told.title) in {(kind.uri(), kind.title) for kind in contract.PROBLEMS.values()}
        assert told.detail
        assert told.request_id
        assert "arn:" not in response.text
        assert "Traceback" not in response.text
        return told

    return read


# --- the model, made to fail


@dataclass
class Bedrock:
    """The stand-in for the model, as far as calls that hold one word are concerned."""

    door: httpx.Client
    word: str

    def fail(self, operation: str, error: str, *, count: int = 1) -> None:
        """Answer the next ``count`` calls with an error of Bedrock's."""
        self._fault(operation=operation, error=error, count=count)

    def break_off(self, operation: str, error: str | None, *, after_chunks: int) -> None:
        """Let the next stream end with an error, or without one with its connection, after so many pieces."""
        self._fault(operation=operation, error=error, after_chunks=after_chunks)

    def delay(self, operation: str, seconds: float) -> None:
        """Let the next call wait."""
        self._fault(operation=operation, latency_ms=round(1000 * seconds))

    def behave(self, operation: str, **behaviour: object) -> None:
        """Answer the next call as ``harness.bedrock.control.Behaviour`` says."""
        self._tell("behaviours", operation=operation, **behaviour)

    def calls(self, operation: str) -> list[Mapping[str, Any]]:
        """The bodies of the calls so far."""
        return [call["body"] for call in self._calls(operation)]

    def called_at(self, operation: str) -> list[float]:
        """When the calls so far came in: Unix time."""
        return [call["received_at"] for call in self._calls(operation)]

    def _calls(self, operation: str) -> list[Mapping[str, Any]]:
        calls = self.door.get("requests", params={"operation": operation}).json()["requests"]
        return [call for call in calls if self.word in msgspec.json.encode(call["body"]).decode()]

    def _fault(self, **fault: object) -> None:
        self._tell("faults", **fault)

    def _tell(self, kind: str, **rule: object) -> None:
        response = self.door.post(kind, json={"contains": self.word, **rule})
        assert response.is_success, response.text


@pytest.fixture
def bedrock(stack: LocalStack, word: str) -> Iterator[Bedrock]:
    with httpx.Client(base_url=stack.services.endpoints().bedrock + STAND_IN_DOOR, trust_env=False) as door:
        yield Bedrock(door, word)
        for kind in ("faults", "behaviours"):
            door.delete(kind, params={"contains": word})


# --- the knowledge base


@dataclass
class Documents:
    """Documents of one test; gone after it."""

    s3: S3Client
    bucket: str
    keys: set[str] = field(default_factory=set)

    def put(self, key: str, body: str | bytes, **facts: str) -> str:
        """Store a document; ``facts`` are what the object's metadata say about it."""
        self.keys.add(key)
        content = body.encode() if isinstance(body, str) else body
        metadata = {name.replace("_", "-"): value for name, value in facts.items()}
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=metadata)
        return key

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.keys.discard(key)


@pytest.fixture
def documents(stack: LocalStack, outputs: Outputs) -> Iterator[Documents]:
    made = Documents(stack.client("s3"), outputs.kb_bucket)
    yield made
    for key in list(made.keys):
        made.delete(key)


# --- the logs


@dataclass
class Logs:
    """What was written down since the test began."""

    client: CloudWatchLogsClient
    since: int = field(default_factory=lambda: int(1000 * time.time()))
    """Unix time, in milliseconds."""

    def lines(self) -> dict[str, list[str]]:
        """Log group -> its lines."""
        names = [group["logGroupName"] for group in self.client.describe_log_groups()["logGroups"]]
        return {name: self._of(name) for name in names}

    def entries(self, function: str) -> list[dict[str, Any]]:
        """The lines that a function has logged itself, decoded."""
        lines = self._of(f"/aws/lambda/support-local-{function}")
        return [msgspec.json.decode(line) for line in lines if line.startswith("{")]

    def has(self, function: str, **named: object) -> bool:
        """Whether a function has logged an entry with these members."""
        return any(named.items() <= entry.items() for entry in self.entries(function))

    def _of(self, group: str) -> list[str]:
        pages = self.client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=self.since)
        return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture
def logs(stack: LocalStack) -> Logs:
    return Logs(stack.client("logs"))
