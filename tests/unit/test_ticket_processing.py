"""Working on a ticket: grounded or given to a person, and once only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.contract import Policies
from support.generation import Draft, GuardrailError, Quote
from support.services.ticket_processing import SUPERSEDED, Result, TicketMissingError, TicketProcessing
from support.ticket_work import TicketWork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from support.knowledge import Passage
    from support.solutions import Outcome, Solution
    from support.tickets import Ticket

ID = "tkt_0123456789ab"
GROUNDED = Draft(
    text="Switch it off and on again.",
    steps=["Switch it off.", "Switch it on."],
    citations=[Quote(source_id="doc-0000", quote="Switch the charger off and on again.")],
    confidence=0.8,
)
INVENTED = Draft(
    text="Replace the main board.",
    steps=["Replace it."],
    citations=[
        Quote(source_id="doc-0000", quote="Switch the charger off and on again."),
        Quote(source_id="doc-0000", quote="The main board must be replaced."),
    ],
    confidence=0.9,
)
UNCITED = Draft(text="Try again.", steps=[], citations=[], confidence=0.2)


class World:
    """Everything the processing talks to, and what it did there."""

    def __init__(self, ticket: Ticket | None, passages: list[Passage], draft: Draft | Exception) -> None:
        self.ticket = ticket
        self.found = passages
        self.draft = draft
        self.kept: Solution | None = None
        self.waiting = True
        self.answers: list[Outcome] = []
        self.failures: list[str] = []
        self.searches: list[dict[str, Any]] = []
        self.written = 0
        self.on_success: Callable[[], None] = lambda: None
        self.on_write: Callable[[], None] = lambda: None

    # tickets
    def get(self, ticket_id: str) -> Ticket | None:
        return self.ticket if self.ticket and self.ticket.ticket_id == ticket_id else None

    # embedder
    def embed(self, text: str) -> list[float]:
        return [float(len(text))]

    # passages
    def search(self, text: str, vector: Sequence[float] | None, **how: Any) -> list[Passage]:
        self.searches.append({"text": text, "vector": vector, **how})
        return self.found

    # writer
    model_id = "model"

    def write(self, _ticket: Ticket, _passages: Sequence[Passage], /) -> Draft:
        self.written += 1
        self.on_write()
        if isinstance(self.draft, Exception):
            raise self.draft
        return self.draft

    # tasks
    def heartbeat(self, _token: str, /) -> bool:
        return self.waiting

    def succeed(self, _token: str, outcome: Outcome, /) -> bool:
        self.on_success()
        self.answers.append(outcome)
        return self.waiting

    def fail(self, _token: str, failure_code: str, _cause: str, /) -> bool:
        self.failures.append(failure_code)
        return self.waiting


class Solutions:
    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, _ticket_id: str, /) -> Solution | None:
        return self.world.kept

    def store(self, solution: Solution) -> bool:
        if self.world.kept is not None and self.world.kept.attempt >= solution.attempt:
            return False
        self.world.kept = solution
        return True


@pytest.fixture
def world(make_ticket: Callable[..., Ticket], make_passage: Callable[..., Passage]) -> World:
    return World(make_ticket(), [make_passage()], GROUNDED)


@pytest.fixture
def process(world: World, noon: datetime) -> Callable[..., Result]:
    processing = TicketProcessing(
        tickets=world,
        solutions=Solutions(world),
        passages=world,
        embedder=world,
        writer=world,
        tasks=world,
        min_similarity=0.5,
        clock=lambda: noon,
    )
    return lambda attempt=1: processing.process(TicketWork(ticket_id=ID, attempt=attempt, task_token="token"))


def test_a_grounded_answer_is_stored_and_the_ticket_ready(world: World, process: Callable[..., Result]) -> None:
    assert process() is Result.READY
    assert world.answers == ["READY"]
    assert world.kept is not None
    assert (world.kept.outcome, world.kept.text, world.kept.review_reason) == ("READY", GROUNDED.text, None)
    assert [citation.title for citation in world.kept.citations] == ["WB-22 manual"]
    assert (world.kept.ttl, world.kept.generated_at) == (world.ticket and world.ticket.ttl, "2026-01-31T12:00:00Z")


def test_the_solution_is_stored_before_the_task_is_answered(world: World, process: Callable[..., Result]) -> None:
    stored: list[bool] = []
    world.on_success = lambda: stored.append(world.kept is not None)
    process()
    assert stored == [True]


def test_passages_are_sought_for_the_equipment_and_its_error(world: World, process: Callable[..., Result]) -> None:
    process()
    [search] = world.searches
    assert search["text"] == "E102 The charger stops after ten minutes."
    named = str(search["filters"])
    for value in ("EV_CHARGER", "WB-22", "E102"):
        assert value in named


def test_without_a_passage_that_is_near_enough_nothing_is_written(
    world: World, process: Callable[..., Result], make_passage: Callable[..., Passage]
) -> None:
    world.found = [make_passage(similarity=0.49)]
    assert process() is Result.NEEDS_REVIEW
    assert world.written == 0
    assert world.kept is not None
    assert (world.kept.text, world.kept.review_reason) == ("", "NO_PASSAGES")
    assert [source.id for source in world.kept.passages] == ["doc-0000"]  # what was found, for the operator


def test_the_other_passages_of_a_near_document_are_used_and_those_of_other_documents_are_not(
    world: World, process: Callable[..., Result], make_passage: Callable[..., Passage]
) -> None:
    elsewhere = msgspec.structs.replace(make_passage().metadata, source_key="kb/en/other.md")
    world.found = [
        make_passage(id="near", similarity=0.6),
        make_passage(id="same document", similarity=0.1),
        make_passage(id="other document", similarity=0.4, metadata=elsewhere),
    ]
    process()
    assert world.kept is not None
    assert [source.id for source in world.kept.passages] == ["near", "same document"]


def test_where_knowledge_of_its_own_is_allowed_the_model_writes_without_passages(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket]
) -> None:
    world.ticket, world.found, world.draft = make_ticket(policies=Policies(grounded_only=False)), [], UNCITED
    assert process() is Result.READY


@pytest.mark.parametrize(
    ("draft", "grounded_only", "result"),
    [
        (INVENTED, True, Result.NEEDS_REVIEW),
        (INVENTED, False, Result.NEEDS_REVIEW),
        (UNCITED, True, Result.NEEDS_REVIEW),
        (UNCITED, False, Result.READY),
        (GROUNDED, False, Result.READY),
    ],
)
def test_an_answer_that_rests_on_nothing_goes_to_a_person(
    world: World,
    process: Callable[..., Result],
    make_ticket: Callable[..., Ticket],
    draft: Draft,
    grounded_only: object,
    result: Result,
) -> None:
    world.ticket, world.draft = make_ticket(policies=Policies(grounded_only=bool(grounded_only))), draft
    assert process() is result
    assert world.kept is not None
    assert world.kept.review_reason == ("NOT_GROUNDED" if result is Result.NEEDS_REVIEW else None)
    assert all("main board" not in citation.quote for citation in world.kept.citations)


def test_what_the_guardrail_keeps_back_goes_to_a_person(world: World, process: Callable[..., Result]) -> None:
    world.draft = GuardrailError()
    assert process() is Result.NEEDS_REVIEW
    assert world.kept is not None
    assert (world.kept.text, world.kept.review_reason) == ("", "GUARDRAIL")


def test_a_second_delivery_answers_with_the_stored_solution(world: World, process: Callable[..., Result]) -> None:
    process()
    world.draft = INVENTED
    assert process() is Result.READY
    assert (world.written, world.answers) == (1, ["READY", "READY"])


def test_two_deliveries_at_once_give_the_same_answer(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket]
) -> None:
    def meanwhile() -> None:
        world.on_write = lambda: None
        process()
        world.draft = INVENTED

    world.on_write = meanwhile
    assert process() is Result.READY
    assert world.kept is not None
    assert world.kept.text == GROUNDED.text
    assert world.answers == ["READY", "READY"]


def test_the_solution_of_an_earlier_attempt_is_not_reused(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket]
) -> None:
    process()
    world.ticket = make_ticket(attempt=2)
    assert process(2) is Result.READY
    assert world.kept is not None
    assert (world.written, world.kept.attempt) == (2, 2)


def test_the_solution_of_a_later_attempt_is_left_alone(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket]
) -> None:
    def overtaken() -> None:
        world.on_write = lambda: None
        world.ticket = make_ticket(attempt=2)
        process(2)

    world.on_write = overtaken
    assert process(1) is Result.STALE
    assert world.kept is not None
    assert (world.kept.attempt, world.answers, world.failures) == (2, ["READY"], [SUPERSEDED])


@pytest.mark.parametrize(
    "state", [{"status": "READY"}, {"status": "FAILED"}, {"status": "NEEDS_REVIEW"}, {"attempt": 2}]
)
def test_work_that_is_over_is_left_alone_and_its_execution_ended(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket], state: dict[str, Any]
) -> None:
    world.ticket = make_ticket(**state)
    assert process() is Result.STALE
    assert (world.written, world.answers, world.kept) == (0, [], None)
    assert world.failures == [SUPERSEDED]


def test_work_that_nobody_waits_for_is_not_begun(world: World, process: Callable[..., Result]) -> None:
    world.waiting = False
    assert process() is Result.STALE
    assert (world.searches, world.failures) == ([], [])


def test_an_execution_that_cannot_be_ended_is_told_again(
    world: World, process: Callable[..., Result], make_ticket: Callable[..., Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> bool:
        raise ConnectionError

    world.ticket = make_ticket(attempt=2)
    monkeypatch.setattr(world, "fail", unreachable)
    with pytest.raises(ConnectionError):
        process()


def test_a_message_about_no_ticket_is_an_error(world: World, process: Callable[..., Result]) -> None:
    world.ticket = None
    with pytest.raises(TicketMissingError):
        process()
