"""Working on a ticket (spec section 3, step 4): retrieve, write, check, store, answer the workflow.

The solution is stored before the task is answered, so a second delivery of the message finds it and only answers again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from support import grounding
from support.generation import Draft, GuardrailError
from support.repositories.passages import Clause, applicable
from support.solutions import Outcome, Solution, Source
from support.telemetry import logger
from support.times import Clock, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.contract import Citation, ReviewReason
    from support.knowledge import Passage
    from support.ticket_work import TicketWork
    from support.tickets import Ticket

PASSAGES: Final = 6
"""Passages that an answer is written from, at most."""
SUPERSEDED: Final = "SUPERSEDED"
"""Answer to a task whose ticket has moved on: its execution ends at once, and finds nothing to record."""


class Result(StrEnum):
    """What became of a message."""

    READY = "READY"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    STALE = "STALE"
    """Nobody waits for it any more: its task or its attempt is over."""


class TicketMissingError(Exception):
    """The message names a ticket that does not exist."""


class Tickets(Protocol):
    def get(self, ticket_id: str, /) -> Ticket | None: ...


class Solutions(Protocol):
    def get(self, ticket_id: str, /) -> Solution | None: ...
    def store(self, solution: Solution) -> bool: ...


class Passages(Protocol):
    def search(
        self, text: str, vector: Sequence[float] | None, *, filters: Sequence[Clause], size: int
    ) -> list[Passage]: ...


class Embedder(Protocol):
    def embed(self, text: str) -> list[float]: ...


class Writer(Protocol):
    @property
    def model_id(self) -> str: ...
    def write(self, ticket: Ticket, passages: Sequence[Passage], /) -> Draft: ...


class Tasks(Protocol):
    def heartbeat(self, token: str, /) -> bool: ...
    def succeed(self, token: str, outcome: Outcome, /) -> bool: ...
    def fail(self, token: str, failure_code: str, cause: str, /) -> bool: ...


class TicketProcessing:
    """Finds solutions."""

    def __init__(
        self,
        *,
        tickets: Tickets,
        solutions: Solutions,
        passages: Passages,
        embedder: Embedder,
        writer: Writer,
        tasks: Tasks,
        min_similarity: float,
        clock: Clock = now,
    ) -> None:
        """A document none of whose passages reaches the cosine ``min_similarity`` to the symptom is taken for noise."""
        self._tickets = tickets
        self._solutions = solutions
        self._passages = passages
        self._embedder = embedder
        self._writer = writer
        self._tasks = tasks
        self._min_similarity = min_similarity
        self._clock = clock

    def process(self, work: TicketWork) -> Result:
        """Do the work and answer its task.

        Raises :class:`TicketMissingError`, and what dependencies raise: then the task is not answered yet.
        """
        if not self._tasks.heartbeat(work.task_token):
            return Result.STALE
        ticket = self._tickets.get(work.ticket_id)
        if ticket is None:
            raise TicketMissingError(work.ticket_id)
        if ticket.status != "PROCESSING" or ticket.attempt != work.attempt:
            return self._superseded(work, ticket)
        solution = self._solution(ticket)
        if solution is None:
            return self._superseded(work, ticket)
        self._tasks.succeed(work.task_token, solution.outcome)
        logger.info(
            "solved",
            ticket_id=ticket.ticket_id,
            attempt=ticket.attempt,
            outcome=solution.outcome,
            reason=solution.review_reason,
            citations=len(solution.citations),
        )
        return Result(solution.outcome)

    def _superseded(self, work: TicketWork, ticket: Ticket) -> Result:
        logger.info("stale work", ticket_id=ticket.ticket_id, attempt=work.attempt, status=ticket.status)
        self._tasks.fail(work.task_token, SUPERSEDED, f"{ticket.status}, attempt {ticket.attempt}")
        return Result.STALE

    def _solution(self, ticket: Ticket) -> Solution | None:
        """This attempt's solution, stored; ``None`` when a later attempt has stored its own."""
        if (stored := self._of_attempt(ticket)) is not None:
            return stored
        written = self._solve(ticket)
        return written if self._solutions.store(written) else self._of_attempt(ticket)

    def _of_attempt(self, ticket: Ticket) -> Solution | None:
        stored = self._solutions.get(ticket.ticket_id)
        return stored if stored is not None and stored.attempt == ticket.attempt else None

    def _solve(self, ticket: Ticket) -> Solution:
        found = self._retrieve(ticket)
        relevant = self._relevant(found)
        if ticket.policies.grounded_only and not relevant:
            return self._for_review(ticket, "NO_PASSAGES", found)
        try:
            draft = self._writer.write(ticket, relevant)
        except GuardrailError:
            return self._for_review(ticket, "GUARDRAIL", relevant)
        check = grounding.check(draft.citations, relevant)
        reason: ReviewReason | None = None if check.satisfies(ticket.policies) else "NOT_GROUNDED"
        return self._compose(ticket, draft, check.citations, relevant, reason)

    def _retrieve(self, ticket: Ticket) -> list[Passage]:
        return self._passages.search(
            f"{ticket.error_code or ''} {ticket.symptom_text}".strip(),
            self._embedder.embed(ticket.symptom_text),
            filters=applicable(
                product_type=ticket.asset.product_type, model=ticket.asset.model, error_code=ticket.error_code
            ),
            size=PASSAGES,
        )

    def _relevant(self, found: Sequence[Passage]) -> list[Passage]:
        """The passages of documents with one that is near enough: what mends a symptom seldom repeats its words."""
        near = {
            passage.metadata.source_key
            for passage in found
            if passage.similarity is not None and passage.similarity >= self._min_similarity
        }
        return [passage for passage in found if passage.metadata.source_key in near]

    def _for_review(self, ticket: Ticket, reason: ReviewReason, found: Sequence[Passage]) -> Solution:
        """What was found, for an operator to write the answer from: nothing is invented."""
        return self._compose(ticket, Draft(text="", steps=[], citations=[], confidence=0.0), [], found, reason)

    def _compose(
        self,
        ticket: Ticket,
        draft: Draft,
        citations: list[Citation],
        passages: Sequence[Passage],
        reason: ReviewReason | None,
    ) -> Solution:
        return Solution(
            ticket_id=ticket.ticket_id,
            attempt=ticket.attempt,
            outcome="READY" if reason is None else "NEEDS_REVIEW",
            text=draft.text,
            steps=draft.steps,
            citations=citations,
            confidence=draft.confidence,
            lang=ticket.lang,
            generated_at=rfc3339(self._clock()),
            passages=[
                Source(id=p.id, title=p.title, content=p.content, similarity=round(p.similarity or 0.0, 4))
                for p in passages
            ],
            model_id=self._writer.model_id,
            ttl=ticket.ttl,
            review_reason=reason,
        )
