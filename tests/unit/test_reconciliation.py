"""Reconcile: whatever was lost on the ticket's way, the ticket is started again or ends, and stays due until then."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from reconcile.handler import run
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.reconciliation import PAGE, Mended, Reconciliation
from support.solutions import Solution
from support.telemetry import flush
from support.times import epoch, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from support.solutions import Outcome
    from support.tickets import Ticket
    from support.workflow import ExecutionState

    MakeTicket = Callable[..., Ticket]

DEADLINE = timedelta(seconds=1980)
NOW = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
DUE = epoch(NOW) - 1
ID = "tkt_0123456789ab"


class Killed(BaseException):
    """The function's end between two calls: no ``except Exception`` sees it."""


class Workflow:
    """Executions by name, as Step Functions keeps them."""

    def __init__(self) -> None:
        self.executions: dict[str, ExecutionState] = {}
        self.started: list[str] = []
        self.down = False

    def start(self, ticket: Ticket) -> bool:
        if self.down:
            raise TimeoutError
        if ticket.execution_name in self.executions:
            return False
        self.executions[ticket.execution_name] = "RUNNING"
        self.started.append(ticket.execution_name)
        return True

    def state(self, ticket: Ticket) -> ExecutionState:
        return self.executions[ticket.execution_name]


class World:
    """The service over real tables (moto)."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.tickets = TicketTable(client, "tickets")
        self.solutions = SolutionTable(client, "solutions")
        self.workflow = Workflow()
        self.now = NOW

    @property
    def reconciliation(self) -> Reconciliation:
        return Reconciliation(
            self.tickets,
            self.solutions,
            self.workflow,
            process_deadline=DEADLINE,
            estimated_completion=timedelta(seconds=120),
            max_attempts=3,
            clock=lambda: self.now,
        )

    def run(self) -> Counter[Mended]:
        return self.reconciliation.run()

    def ticket(self, ticket_id: str = ID) -> Ticket:
        ticket = self.tickets.get(ticket_id)
        assert ticket is not None
        return ticket

    def end(self, *names: str) -> None:
        self.workflow.executions.update(dict.fromkeys(names, "ENDED"))

    def solve(self, outcome: Outcome = "READY", attempt: int = 1) -> None:
        self.solutions.store(
            Solution(
                ticket_id=ID,
                attempt=attempt,
                outcome=outcome,
                text="Switch it off and on again.",
                steps=[],
                citations=[],
                confidence=0.5,
                lang="en-US",
                generated_at=rfc3339(NOW),
                passages=[],
                model_id="model",
                ttl=1,
            )
        )


@pytest.fixture
def world(dynamodb: DynamoDBClient) -> World:
    return World(dynamodb)


def test_a_ticket_that_is_not_due_or_not_open_is_left_alone(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(process_deadline=epoch(NOW)))
    world.tickets.create(make_ticket(ticket_id="tkt_done", process_deadline=DUE, status="READY", open=None))
    assert world.run() == Counter()
    assert world.workflow.executions == {}


def test_a_ticket_whose_work_was_never_started_is_started_as_the_attempt_it_is(
    world: World, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket(process_deadline=DUE, attempt=2)
    world.tickets.create(ticket)
    assert world.run() == {Mended.RESTARTED: 1}
    assert world.workflow.started == [f"{ID}-2"]
    assert world.ticket() == msgspec.structs.replace(ticket, process_deadline=epoch(NOW + DEADLINE))
    assert world.run() == Counter()


def test_a_ticket_that_is_worked_on_still_is_given_more_time_and_nothing_else(
    world: World, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket(process_deadline=DUE)
    world.tickets.create(ticket)
    world.workflow.executions[f"{ID}-1"] = "RUNNING"
    assert world.run() == {Mended.RESTARTED: 1}
    assert world.workflow.started == []
    assert world.ticket() == msgspec.structs.replace(ticket, process_deadline=epoch(NOW + DEADLINE))


@pytest.mark.parametrize("outcome", ["READY", "NEEDS_REVIEW"])
def test_a_ticket_whose_solution_is_there_is_settled_as_it_says(
    world: World, make_ticket: MakeTicket, outcome: Outcome
) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE))
    world.end(f"{ID}-1")
    world.solve(outcome)
    assert world.run() == {Mended.SETTLED: 1}
    assert (world.ticket().status, world.ticket().open, world.ticket().attempt) == (outcome, None, 1)
    assert world.ticket().updated_at == rfc3339(NOW)
    assert world.workflow.started == []


def test_a_ticket_whose_attempt_was_lost_is_started_again_as_the_next(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE))
    world.end(f"{ID}-1")
    assert world.run() == {Mended.RESTARTED: 1}
    assert world.workflow.started == [f"{ID}-2"]
    assert world.ticket() == make_ticket(
        attempt=2,
        process_deadline=epoch(NOW + DEADLINE),
        updated_at=rfc3339(NOW),
        estimated_completion=rfc3339(NOW + timedelta(seconds=120)),
    )


def test_an_earlier_attempts_solution_does_not_settle_a_ticket(world: World, make_ticket: MakeTicket) -> None:
    """It may be what an operator has rejected, or what a replay is to replace."""
    world.tickets.create(make_ticket(process_deadline=DUE, attempt=2))
    world.end(f"{ID}-2")
    world.solve(attempt=1)
    assert world.run() == {Mended.RESTARTED: 1}
    assert world.ticket().attempt == 3


@pytest.mark.parametrize("attempt", [3, 4])
def test_a_ticket_all_of_whose_attempts_were_lost_has_failed(
    world: World, make_ticket: MakeTicket, attempt: int
) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE, attempt=attempt))
    world.end(f"{ID}-{attempt}")
    assert world.run() == {Mended.ABANDONED: 1}
    ticket = world.ticket()
    assert (ticket.status, ticket.failure_code, ticket.open) == ("FAILED", "TIMED_OUT", None)


def test_an_operators_replay_that_was_never_started_is_started_whatever_its_number(
    world: World, make_ticket: MakeTicket
) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE, attempt=7))
    assert world.run() == {Mended.RESTARTED: 1}
    assert world.workflow.started == [f"{ID}-7"]


def test_a_ticket_that_fails_for_ever_ends_after_three_attempts(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE))
    runs = 0
    while world.ticket().status == "PROCESSING":
        world.run()
        world.end(*world.workflow.executions)
        world.now += DEADLINE + timedelta(minutes=1)
        runs += 1
    assert world.workflow.started == [f"{ID}-1", f"{ID}-2", f"{ID}-3"]
    assert runs == 4
    assert world.ticket().failure_code == "TIMED_OUT"


class Dying:
    """Tables and workflow whose ``number``-th call, counted over all of them, is the function's last."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.left = number
        self.after = after

    def over(self, thing: Any) -> Any:
        dying = self

        class Over:
            def __getattr__(self, name: str) -> Any:
                def call(*arguments: Any, **named: Any) -> Any:
                    dying.left -= 1
                    if dying.left == 0 and not dying.after:
                        raise Killed
                    answer = getattr(thing, name)(*arguments, **named)
                    if dying.left == 0:
                        raise Killed
                    return answer

                return call

        return Over()


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("state", ["never started", "lost", "solved", "lost for the last time"])
def test_a_crash_at_any_point_is_mended_by_the_next_run(
    world: World, make_ticket: MakeTicket, state: str, number: int, *, after: bool
) -> None:
    attempt = 3 if state == "lost for the last time" else 1
    world.tickets.create(make_ticket(process_deadline=DUE, attempt=attempt))
    if state != "never started":
        world.end(f"{ID}-{attempt}")
    if state == "solved":
        world.solve()
    dying = Dying(number, after=after)
    first = Reconciliation(
        dying.over(world.tickets),
        dying.over(world.solutions),
        dying.over(world.workflow),
        process_deadline=DEADLINE,
        estimated_completion=timedelta(seconds=120),
        max_attempts=3,
        clock=lambda: world.now,
    )
    try:
        first.run()
    except Killed:
        world.now += timedelta(minutes=1)
        world.run()
    ticket = world.ticket()
    expected = {
        "never started": ("PROCESSING", 1, "RUNNING"),
        "lost": ("PROCESSING", 2, "RUNNING"),
        "solved": ("READY", 1, "ENDED"),
        "lost for the last time": ("FAILED", 3, "ENDED"),
    }
    assert (ticket.status, ticket.attempt, world.workflow.executions[ticket.execution_name]) == expected[state]
    assert ticket.open is None or ticket.process_deadline > epoch(world.now)


def test_two_runs_at_a_time_start_one_attempt(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE))
    world.end(f"{ID}-1")
    seen = world.tickets.overdue(epoch(NOW), PAGE)

    class Behind(TicketTable):
        """The index as it was before the other run."""

        def overdue(self, now: int, limit: int, *, after: Ticket | None = None) -> list[Ticket]:  # noqa: ARG002
            return [] if after else seen

    world.run()
    world.tickets.__class__ = Behind
    assert world.run() == {Mended.MOVED_ON: 1}
    assert world.workflow.started == [f"{ID}-2"]


def test_an_error_leaves_its_ticket_due_and_the_others_are_mended(
    world: World, make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    for name in ("tkt_a", "tkt_b", "tkt_c"):
        world.tickets.create(make_ticket(ticket_id=name, process_deadline=DUE))
    start = world.workflow.start

    def throttled(ticket: Ticket) -> bool:
        if ticket.ticket_id == "tkt_b":
            raise TimeoutError
        return start(ticket)

    world.workflow.start = throttled  # type: ignore[method-assign]
    assert world.run() == {Mended.RESTARTED: 2, Mended.LEFT: 1}
    assert [ticket.ticket_id for ticket in world.tickets.overdue(epoch(NOW), PAGE)] == ["tkt_b"]
    (told,) = [line for line in log_lines() if line.get("message") == "ticket left overdue"]
    assert (told["ticket_id"], told["kind"]) == ("tkt_b", "retryable")


def test_all_that_is_overdue_is_paged_through_though_nothing_can_be_mended(
    world: World, make_ticket: MakeTicket
) -> None:
    for number in range(2 * PAGE + 1):
        world.tickets.create(make_ticket(ticket_id=f"tkt_{number}", process_deadline=DUE - number))
    world.workflow.down = True
    assert world.run() == {Mended.LEFT: 2 * PAGE + 1}


class Context:
    """A function with time for ``tickets`` tickets."""

    aws_request_id = "lambda-request"

    def __init__(self, tickets: int) -> None:
        self.left = tickets

    def get_remaining_time_in_millis(self) -> int:
        self.left -= 1
        return 15_001 if self.left >= 0 else 15_000


def test_a_run_ends_before_its_function_must_and_says_what_it_leaves(
    world: World, make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    for number in range(5):
        world.tickets.create(make_ticket(ticket_id=f"tkt_{number}", process_deadline=DUE - number))
    assert run(world.reconciliation, {}, Context(3)) == {"RESTARTED": 3}  # type: ignore[arg-type]  # as far as it is used
    flush()
    assert [ticket.ticket_id for ticket in world.tickets.overdue(epoch(NOW), PAGE)] == ["tkt_1", "tkt_0"]
    (told,) = [line for line in log_lines() if line.get("message") == "time is up"]
    assert (told["mended"], told["left_at_least"]) == ({"RESTARTED": 3}, 2)


def test_what_was_mended_is_counted_by_kind(
    world: World, make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    world.tickets.create(make_ticket(process_deadline=DUE))
    world.end(f"{ID}-1")
    world.solve()
    world.tickets.create(make_ticket(ticket_id="tkt_new", process_deadline=DUE))
    world.tickets.create(make_ticket(ticket_id="tkt_lost", process_deadline=DUE, attempt=3))
    world.end("tkt_lost-3")
    counts = run(world.reconciliation, {}, Context(99))  # type: ignore[arg-type]  # as far as it is used
    flush()
    assert counts == {"RESTARTED": 1, "SETTLED": 1, "ABANDONED": 1}
    metrics = {name: value for line in log_lines() for name, value in line.items() if name.startswith("Tickets")}
    assert metrics == {"TicketsRestarted": [1.0], "TicketsSettledLate": [1.0], "TicketsAbandoned": [1.0]}
