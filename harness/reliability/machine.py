"""Everybody at once: clients, bad luck, operators and time, in an order that Hypothesis draws and shrinks."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from harness.reliability import matrix
from harness.reliability.faults import FAULTS, Fault
from harness.reliability.ledger import REPLAY
from harness.reliability.scenarios import POISON
from harness.reliability.workflows import FUNCTION as WORKFLOW
from harness.reliability.world import BODY, OTHER_BODY, PREFIX, World

if TYPE_CHECKING:
    from harness.reliability.calls import Call

STEPS_A_RUN = 50
"""At most; Hypothesis often ends a run earlier."""
RUNS_A_SEED = 20
KEYS = ("key-1", "key-2", "key-3")


@cache
def misfortunes(*functions: str) -> list[tuple[Call, Fault]]:
    """Every fault that can meet a call of these functions."""
    return [
        (call, fault)
        for call in sorted(matrix.calls())
        for fault in FAULTS
        if call.function in functions and (call.function != WORKFLOW or not fault.of_ours)
    ]


def misfortune(*functions: str) -> st.SearchStrategy[tuple[Call, Fault]]:
    return st.deferred(lambda: st.sampled_from(misfortunes(*functions)))


class Tally:
    """What the runs did."""

    def __init__(self) -> None:
        self.runs = 0
        self.steps = 0
        self.calls = 0
        self.faults: Counter[str] = Counter()
        """By name, those that met a call."""
        self.outcomes: Counter[str] = Counter()
        """Of tickets."""
        self.answers: Counter[str] = Counter()
        """Statuses of POST; ``none`` for a broken connection."""


class Machine(RuleBasedStateMachine):
    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(shuffle=random.Random(1))  # noqa: S311 - an order, no secret
        self.world.__enter__()
        self.tally.runs += 1

    # --- clients

    @rule(key=st.sampled_from(KEYS))
    def post(self, key: str) -> None:
        self.world.post(key)

    @rule(key=st.sampled_from(KEYS))
    def post_another_body(self, key: str) -> None:
        self.world.post(key, OTHER_BODY)

    @rule()
    def post_without_a_key(self) -> None:
        self.world.post()

    @rule(key=st.sampled_from(KEYS), body=st.sampled_from((BODY, OTHER_BODY)))
    def insist(self, key: str, body: dict[str, object]) -> None:
        self.world.insist(key, body)

    # --- bad luck

    @rule(what=misfortune("create_ticket"))
    def strike_the_front(self, what: tuple[Call, Fault]) -> None:
        self._strike(what)

    @rule(what=misfortune("process_ticket"))
    def strike_the_worker(self, what: tuple[Call, Fault]) -> None:
        self._strike(what)

    @rule(what=misfortune(WORKFLOW, "publish_events"))
    def strike_the_workflow(self, what: tuple[Call, Fault]) -> None:
        self._strike(what)

    @rule(what=misfortune("reconcile", "dlq_processor", REPLAY, "review_ticket"))
    def strike_who_mends(self, what: tuple[Call, Fault]) -> None:
        self._strike(what)

    def _strike(self, what: tuple[Call, Fault]) -> None:
        """The next such call meets the fault."""
        struck, fault = what
        self.world.calls.plan(fault, lambda call, _: call == struck)

    @precondition(lambda self: self.world.queues.delivered)
    @rule(number=st.integers(0, 99))
    def deliver_again(self, number: int) -> None:
        self.world.queues.again(number)

    @rule(body=st.sampled_from(POISON[:-1]))
    def send_poison(self, body: str) -> None:
        self.world.queues.send_message(QueueUrl=f"https://sqs/{PREFIX}-tickets", MessageBody=body)

    @precondition(lambda self: self.world.workflows.running())
    @rule(number=st.integers(0, 9))
    def stop_an_execution(self, number: int) -> None:
        running = self.world.workflows.running()
        self.world.workflows.abort(running[number % len(running)].name)

    @rule(invented=st.booleans())
    def change_the_models_mood(self, *, invented: bool) -> None:
        self.world.writer.mood = "invented" if invented else "grounded"

    # --- operators

    @precondition(lambda self: self.world.tickets("NEEDS_REVIEW"))
    @rule(number=st.integers(0, 9), decision=st.sampled_from(("APPROVE", "REJECT")))
    def review(self, number: int, decision: str) -> None:
        waiting = self.world.tickets("NEEDS_REVIEW")
        self.world.review(waiting[number % len(waiting)], decision)

    @precondition(lambda self: self.world.tickets("FAILED"))
    @rule(number=st.integers(0, 9))
    def replay_a_ticket(self, number: int) -> None:
        failed = self.world.tickets("FAILED")
        self.world.replay("ticket", failed[number % len(failed)])

    @precondition(lambda self: self.world.failed())
    @rule(number=st.integers(0, 9))
    def replay_a_failure(self, number: int) -> None:
        failed = self.world.failed()
        self.world.replay("failure", failed[number % len(failed)])

    # --- time

    @rule(seconds=st.sampled_from((0, 1, 30)))
    def wait_a_moment(self, seconds: int) -> None:
        self.world.run(for_=seconds)

    @rule(seconds=st.sampled_from((300, 1000, 2200)))
    def wait_long(self, seconds: int) -> None:
        self.world.run(for_=seconds)

    # --- promises

    @invariant()
    def nothing_is_broken(self) -> None:
        self.tally.steps += 1
        assert not self.world.ledger.broken, self.world.ledger.broken  # noqa: S101 - Hypothesis shrinks assertions

    def teardown(self) -> None:
        self.tally.steps -= 1  # the look before the first step
        broken = self.world.finish()
        self.world.__exit__(None, None, None)
        self.tally.calls += len(self.world.calls.made)
        self.tally.faults.update(fault for _, _, fault in self.world.calls.met)
        self.tally.outcomes.update(self.world.outcomes())
        self.tally.answers.update(str(answer.status or "none") for answer in self.world.ledger.answers)
        assert not broken, broken  # noqa: S101 - Hypothesis shrinks assertions


def run(number: int, tally: Tally, *, runs: int = RUNS_A_SEED) -> None:
    """``runs`` runs with the seed ``number``, counted in ``tally``. Raises what Hypothesis found, shrunk."""
    machine = seed(number)(type("SeededMachine", (Machine,), {"tally": tally}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            database=None,
            derandomize=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.normal,
            print_blob=False,
        ),
    )
