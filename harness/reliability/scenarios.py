"""The ways that a ticket can go, each a script: together they make every call that the services can make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, NoReturn

from harness.reliability.calls import DENIED
from harness.reliability.faults import BY_NAME, CRASH_AFTER, CRASH_BEFORE, HOUR, Fault
from harness.reliability.world import GRACE, PREFIX, World
from support.backoff import pause
from support.timings import Timings

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.reliability.calls import Passing

KEY: Final = "key-1"
TRIES: Final = 3
WRITE: Final = ("process_ticket", "bedrock-runtime.write()")
_TIMINGS: Final = Timings()
_LATE: Final = _TIMINGS.process_deadline + GRACE
"""Seconds until reconcile has mended a ticket."""
PAUSES: Final = sum(
    pause(delivery, base=_TIMINGS.backoff_base, cap=_TIMINGS.backoff_cap)
    for delivery in range(1, _TIMINGS.max_receives)
)
"""Seconds between the first delivery and the last: an outage that is shorter fails no ticket."""


class Scenario(NamedTuple):
    name: str
    story: str
    script: Callable[[World], None]
    outcomes: tuple[str, ...]
    """How its tickets end when nothing else goes wrong."""
    failures: tuple[str, ...] = ()
    """Why messages failed for good: what the failures table holds then, as reason and code."""
    within: float = 1
    """Seconds that it takes then, at most."""
    solutions: int | None = None
    """How many are written then, where that is promised."""


def _answered(world: World) -> None:
    world.insist(KEY)
    world.run()


def _without_a_key(world: World) -> None:
    world.post()
    world.run()


def _reviewed(world: World) -> None:
    world.writer.mood = "invented"
    world.insist(KEY)
    world.run()
    for item in world.tickets("NEEDS_REVIEW"):
        for _ in range(TRIES):
            if world.review(item) not in {None, 500, 503}:
                break
    world.run()


def _thrice(world: World) -> None:
    for _ in range(3):
        world.post(KEY)
    world.run()
    for number in range(2 * len(world.queues.delivered)):
        world.queues.again(number)
        world.run()


def _denied(world: World) -> None:
    _befall(world, "denied", *WRITE)
    _answered(world)


def _replayed(world: World) -> None:
    _denied(world)
    _replay(world, "failure", world.failed())
    _replay(world, "ticket", world.tickets("FAILED"))


def _replay(world: World, what: Literal["ticket", "failure"], identifiers: list[str]) -> None:
    for id_ in identifiers:
        for _ in range(TRIES):
            if world.replay(what, id_):
                break
    world.run()


def _abandoned_by_start(world: World) -> None:
    """Of a ticket whose start failed, there is no row in the failures table."""
    _befall(world, "failing", "create_ticket", "stepfunctions.StartExecution()")
    world.post()
    _replay(world, "ticket", world.tickets("FAILED"))


def _exhausted(world: World) -> None:
    _befall(world, "down 1 h", *WRITE)
    _answered(world)


def _abandoned(world: World) -> None:
    _befall(world, CRASH_BEFORE._replace(lasts=HOUR), *WRITE)
    _answered(world)


def _silent(world: World) -> None:
    _befall(world, CRASH_BEFORE._replace(lasts=HOUR), "process_ticket", "stepfunctions.SendTaskHeartbeat()")
    _answered(world)


def _start_failed(world: World) -> None:
    _befall(world, "failing", "create_ticket", "stepfunctions.StartExecution()")
    _answered(world)


def _forgotten(world: World) -> None:
    _befall(world, CRASH_AFTER, "create_ticket", "dynamodb.PutItem(tickets)")
    world.post(KEY)
    world.run()


def _cut_off(world: World) -> None:
    _befall(world, CRASH_BEFORE, "workflow", "dynamodb.UpdateItem(tickets)")
    _answered(world)


def _lost_once(world: World) -> None:
    _befall(world, CRASH_AFTER, "workflow", "sqs.SendMessage(tickets)")
    _answered(world)


def _lost_always(world: World) -> None:
    _befall(world, CRASH_AFTER._replace(lasts=4 * HOUR), "workflow", "sqs.SendMessage(tickets)")
    _answered(world)


def _deaf(world: World) -> None:
    """The work is done and stored, but nobody can be told before the task times out."""
    _befall(world, "down 1 h", "process_ticket", "stepfunctions.SendTaskSuccess()")
    _answered(world)


def _alone(world: World) -> None:
    """The execution is stopped while the worker works, and then the work fails for good."""

    def stop_and_refuse(call: Passing) -> NoReturn:
        for execution in world.workflows.running():
            world.workflows.abort(execution.name)
        raise call.fail(DENIED)

    _befall(world, Fault("stopped and denied", "", stop_and_refuse), *WRITE)
    _answered(world)


def _unsent(world: World) -> None:
    _befall(world, "down 1 h", "workflow", "sqs.SendMessage(tickets)")
    _answered(world)


def _poisoned(world: World) -> None:
    for body in POISON:
        world.queues.send_message(QueueUrl=f"https://sqs/{PREFIX}-tickets", MessageBody=body)
    _answered(world)


def _batch(world: World) -> None:
    """Four tickets at once, of which the first cannot be worked on."""
    _befall(world, "denied", *WRITE)
    for number in range(4):
        world.post(f"key-{number}")
    world.run()


def _befall(world: World, fault: str | Fault, function: str, operation: str) -> None:
    known = BY_NAME[fault] if isinstance(fault, str) else fault
    world.calls.plan(known, lambda call, _: call == (function, operation))


POISON: Final = (
    "not json",
    '{"ticket_id": "tkt_0123456789abcdef01234567", "att',
    json.dumps({"ticket_id": 1, "attempt": "one", "task_token": None}),
    json.dumps({"ticket_id": "tkt_0123456789abcdef01234567", "attempt": 1, "task_token": "x" * 200_000}),
)
"""Malformed, truncated, of another schema, and huge."""

SCENARIOS: Final = (
    Scenario("answered", "a ticket with a key is answered", _answered, ("READY",), solutions=1),
    Scenario("without a key", "a ticket without a key is answered", _without_a_key, ("READY",), solutions=1),
    Scenario("reviewed", "an answer that is not grounded is approved by an operator", _reviewed, ("READY",)),
    Scenario(
        "thrice",
        "each call and each message comes three times",
        _thrice,
        ("READY",),
        within=_TIMINGS.visibility,
        solutions=1,
    ),
    Scenario(
        "denied",
        "an error that no retry mends",
        _denied,
        ("FAILED ACCESS_DENIED",),
        failures=("PERMANENT ACCESS_DENIED",),
    ),
    Scenario(
        "replayed",
        "an operator starts a failed ticket again",
        _replayed,
        ("READY",),
        failures=("PERMANENT ACCESS_DENIED",),
    ),
    Scenario(
        "replayed by ticket",
        "an operator starts a ticket again whose start had failed",
        _abandoned_by_start,
        ("READY",),
    ),
    Scenario(
        "forgotten",
        "create_ticket dies between its write and the start; the client does not come back",
        _forgotten,
        ("READY",),
        within=_LATE,
    ),
    Scenario(
        "exhausted",
        "an error that lasts longer than all retries",
        _exhausted,
        ("FAILED PROCESSING_FAILED",),
        failures=("EXHAUSTED PROCESSING_FAILED",),
        within=PAUSES + 1,
    ),
    Scenario(
        "abandoned",
        "the worker dies with each delivery",
        _abandoned,
        ("FAILED PROCESSING_FAILED",),
        failures=("ABANDONED PROCESSING_FAILED",),
        within=_TIMINGS.max_receives * _TIMINGS.visibility + 1,
    ),
    Scenario(
        "silent",
        "the worker dies before its first sign of life",
        _silent,
        ("FAILED TIMED_OUT",),
        failures=("ABANDONED PROCESSING_FAILED",),
        within=_TIMINGS.max_receives * _TIMINGS.visibility + 1,
    ),
    Scenario(
        "start failed", "the workflow cannot be started; the client tries again", _start_failed, ("READY",), within=31
    ),
    Scenario(
        "cut off",
        "the execution is stopped before it records the outcome",
        _cut_off,
        ("READY",),
        within=_LATE,
        solutions=1,
    ),
    Scenario("lost once", "the execution is stopped while its work waits", _lost_once, ("READY",), within=_LATE),
    Scenario(
        "lost always",
        "each attempt's execution is stopped",
        _lost_always,
        ("FAILED TIMED_OUT",),
        within=_TIMINGS.max_attempts * _LATE,
    ),
    Scenario(
        "deaf",
        "the workflow cannot be answered for an hour",
        _deaf,
        ("FAILED PROCESSING_FAILED",),
        failures=("EXHAUSTED PROCESSING_FAILED",),
        within=PAUSES + 1,
    ),
    Scenario(
        "alone",
        "the work fails for good, and its execution was stopped meanwhile",
        _alone,
        ("FAILED ACCESS_DENIED",),
        failures=("PERMANENT ACCESS_DENIED",),
    ),
    Scenario(
        "unsent",
        "the workflow cannot put the work on the queue for an hour",
        _unsent,
        ("FAILED PROCESSING_FAILED",),
        within=1 + 2 + 4 + 8 + 16 + 1,
    ),
    Scenario(
        "poisoned",
        "four messages that nobody can read, in one batch with a good one",
        _poisoned,
        ("READY",),
        failures=("MALFORMED INVALID_INPUT",) * len(POISON),
        solutions=1,
    ),
    Scenario(
        "batch",
        "one message of a batch fails for good",
        _batch,
        ("FAILED ACCESS_DENIED", "READY", "READY", "READY"),
        failures=("PERMANENT ACCESS_DENIED",),
        solutions=3,
    ),
)
