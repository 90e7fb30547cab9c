"""`harness replay`: what it prints, its exit codes, and what it refuses to be asked. What a replay does is in
tests/unit/test_replay.py, on the stack in tests/e2e/test_replay.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from harness.local_stack import LocalStack
from harness.replay import Replayed, Result
from support.errors import Kind
from support.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.harness.conftest import Done

    Call = Callable[..., Done]

ID = "tkt_0123456789abcdef01234567"
FAILURE = Failure(
    failure_id=f"{ID}-1",
    queue="tickets",
    ticket_id="tkt_1",
    attempt=1,
    reason="PERMANENT",
    kind=Kind.PERMANENT,
    failure_code="MODEL_NOT_FOUND",
    error_type="botocore.[red]X",
    body="{}",
    failed_at="2026-01-31T12:30:00Z",
    ttl=1,
)


@dataclass
class Work:
    """Answers as the real replay does."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    result: Result = Result.STARTED
    why: str = ""

    def list(self, **chosen: Any) -> tuple[Failure, ...]:
        self.asked.append(("list", chosen))
        return (FAILURE,)

    def show(self, failure_id: str) -> tuple[Failure, None]:
        self.asked.append(("show", failure_id))
        return FAILURE, None

    def one(self, failure_id: str, *, dry_run: bool) -> Replayed:
        self.asked.append(("one", failure_id, dry_run))
        return self._done(failure_id)

    def ticket(self, ticket_id: str, *, dry_run: bool) -> Replayed:
        self.asked.append(("ticket", ticket_id, dry_run))
        return self._done(None)

    def every(
        self, failures: Iterable[Failure], *, dry_run: bool, on_done: Callable[[Replayed], None]
    ) -> tuple[Replayed, ...]:
        self.asked.append(("every", dry_run))
        done = tuple(self._done(failure.failure_id) for failure in failures)
        for each in done:
            on_done(each)
        return done

    def _done(self, failure_id: str | None) -> Replayed:
        return Replayed(failure_id=failure_id, ticket_id="tkt_1", attempt=2, result=self.result, why=self.why)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work()
    monkeypatch.setattr(LocalStack, "replay", lambda _: made)
    return made


def test_failures_are_listed_for_people_and_for_scripts(call: Call, work: Work) -> None:
    done = call("replay", "list", "--reason", "PERMANENT", "--code", "NOT_FOUND", "--all")
    assert done.code == 0
    assert f"{ID}-1  2026-01-31T12:30:00Z  tickets  PERMANENT  MODEL_NOT_FOUND" in done.out
    assert work.asked == [("list", {"reason": "PERMANENT", "code": "NOT_FOUND", "replayed": True})]
    listed = json.loads(call("replay", "list", "--json").out)
    assert [each["failure_id"] for each in listed["failures"]] == [f"{ID}-1"]


def test_a_failure_is_shown_with_its_message(call: Call, work: Work) -> None:
    assert "botocore.[red]X" in call("replay", "show", "tkt_1-1").out
    shown = json.loads(call("replay", "show", "tkt_1-1", "--json").out)
    assert (shown["failure"]["body"], shown["ticket"]) == ("{}", None)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("one", "tkt_1-1"), ("one", "tkt_1-1", False)),
        (("one", "tkt_1-1", "--dry-run"), ("one", "tkt_1-1", True)),
        (("one", "--ticket", "tkt_1"), ("ticket", "tkt_1", False)),
        (("one", "--ticket", "tkt_1", "--dry-run"), ("ticket", "tkt_1", True)),
        (("reason", "PERMANENT"), ("every", False)),
        (("reason", "PERMANENT", "--dry-run"), ("every", True)),
    ],
)
def test_what_is_asked_for_is_done_and_told(
    call: Call, work: Work, arguments: tuple[str, ...], asked: tuple[Any, ...]
) -> None:
    done = call("replay", *arguments)
    assert (done.code, work.asked[-1]) == (0, asked)
    assert ("would start" if asked[-1] else "attempt started") in done.out
    told = json.loads(call("replay", *arguments, "--json").out)
    assert told["dry_run"] == asked[-1]
    assert [(each["ticket_id"], each["result"]) for each in told["replayed"]] == [("tkt_1", "STARTED")]


@pytest.mark.parametrize(
    ("result", "code"), [(Result.SENT, 0), (Result.ALREADY, 0), (Result.REFUSED, 1), (Result.BROKEN, 1)]
)
def test_the_exit_code_says_whether_it_was_done(call: Call, work: Work, result: Result, code: int) -> None:
    work.result, work.why = result, "Because of [this]."
    for arguments in (("one", "tkt_1-1"), ("reason", "PERMANENT")):
        done = call("replay", *arguments)
        assert done.code == code
        assert "Because of [this]." in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one",), "One thing is replayed at a time"),
        (("one", "tkt_1-1", "--ticket", "tkt_1"), "One thing is replayed at a time"),
        (("list", "--code", "NONSENSE"), "No failure has the code NONSENSE"),
        (("reason", "PERMANENT", "--code", "NONSENSE"), "No failure has the code NONSENSE"),
        (("list", "--stack", "qa"), "There is no stack 'qa'"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_done(
    call: Call, work: Work, arguments: tuple[str, ...], message: str
) -> None:
    done = call("replay", *arguments)
    assert done.code == 1
    assert message in done.err
    assert work.asked == []


def test_a_reason_that_there_is_not_is_wrong_use(call: Call, work: Work) -> None:
    done = call("replay", "reason", "BAD_LUCK")
    assert done.code == 2
    assert "EXHAUSTED" in done.err
    assert work.asked == []


def test_without_a_stack_there_is_nothing_to_replay(call: Call) -> None:
    done = call("replay", "list")
    assert done.code == 1
    assert "harness up" in done.err
