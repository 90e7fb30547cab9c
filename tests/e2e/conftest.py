"""The running local stack, as its callers meet it. `harness test` brings it up first."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpx
import msgspec
import pytest

from harness import demonstration
from harness.local_stack import LocalStack
from harness.service import Service, SignIn
from support import contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_s3 import S3Client

    from harness.local_stack import Outputs

T = TypeVar("T")
POLL_SECONDS = 0.1
STAND_IN_DOOR = "/_harness/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


# --- the stack and its callers


@pytest.fixture(scope="session")
def stack() -> LocalStack:
    return LocalStack()


@pytest.fixture(scope="session")
def outputs(stack: LocalStack) -> Outputs:
    return stack.outputs()


@pytest.fixture(scope="session")
def customer(stack: LocalStack) -> Iterator[Service]:
    with stack.as_customer() as service:
        yield service


@pytest.fixture(scope="session")
def other_customer(stack: LocalStack) -> Iterator[Service]:
    with stack.as_customer("C2002") as service:
        yield service


@pytest.fixture(scope="session")
def operator(stack: LocalStack) -> Iterator[Service]:
    with stack.as_operator() as service:
        yield service


@pytest.fixture(scope="session")
def sign_in(stack: LocalStack, outputs: Outputs) -> SignIn:
    """Makes callers of any kind, and shows their tokens."""
    return SignIn(stack.client("cognito-idp"), outputs.user_pool_id, outputs.user_pool_client_id)


@pytest.fixture(scope="session")
def anybody(outputs: Outputs) -> Iterator[httpx.Client]:
    """The API without a token."""
    with httpx.Client(base_url=f"{outputs.api_url}/", timeout=30) as client:
        yield client


class MakeService(Protocol):
    def __call__(self, token: str) -> Service: ...


@pytest.fixture
def with_token(outputs: Outputs) -> Iterator[MakeService]:
    """The API, called with a token of the test's choice."""
    with ExitStack() as opened:
        yield lambda token: opened.enter_context(Service(outputs.api_url, token))


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

    def delay(self, operation: str, seconds: float) -> None:
        """Let the next call wait."""
        self._fault(operation=operation, latency_ms=round(1000 * seconds))

    def calls(self, operation: str) -> list[Mapping[str, Any]]:
        """The bodies of the calls so far."""
        calls = self.door.get("requests", params={"operation": operation}).json()["requests"]
        return [call["body"] for call in calls if self.word in msgspec.json.encode(call["body"]).decode()]

    def _fault(self, **fault: object) -> None:
        response = self.door.post("faults", json={"contains": self.word, **fault})
        assert response.is_success, response.text


@pytest.fixture
def bedrock(stack: LocalStack, word: str) -> Iterator[Bedrock]:
    with httpx.Client(base_url=stack.services.endpoints().bedrock + STAND_IN_DOOR, trust_env=False) as door:
        yield Bedrock(door, word)
        door.delete("faults", params={"contains": word})


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
