"""An operator's verdict on a solution that NEEDS_REVIEW (spec section 1): it is published, rewritten or rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from msgspec import UNSET
from msgspec.structs import replace

from support.contract import FieldError, ReviewPassage, ReviewView
from support.problems import ForbiddenError, InvalidRequestError, NotInReviewError
from support.services import ticket_reading
from support.telemetry import logger
from support.times import Clock, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from support.caller import Caller
    from support.contract import ReviewRequest, TicketView
    from support.solutions import Solution
    from support.tickets import Ticket

REJECTED = "REJECTED"


class Tickets(ticket_reading.Tickets, Protocol):
    def reviewed(self, ticket: Ticket, /) -> TransactWriteItemTypeDef: ...


class Solutions(ticket_reading.Solutions, Protocol):
    def reviewed(self, solution: Solution, /) -> TransactWriteItemTypeDef: ...


class Transactions(Protocol):
    def commit(self, writes: Sequence[TransactWriteItemTypeDef], /) -> bool: ...


class TicketReview:
    """Shows operators what waits for them, and takes their verdict."""

    def __init__(
        self, tickets: Tickets, solutions: Solutions, transactions: Transactions, *, clock: Clock = now
    ) -> None:
        self._tickets = tickets
        self._solutions = solutions
        self._transactions = transactions
        self._clock = clock

    @staticmethod
    def authorize(caller: Caller) -> None:
        """Operators only, whatever the ticket: anyone else learns nothing about it."""
        if not caller.is_operator:
            raise ForbiddenError("Only operators may do this.")

    def show(self, ticket_id: str, *, caller: Caller) -> ReviewView:
        """Raises :class:`ForbiddenError`, :class:`NotFoundError` and :class:`NotInReviewError`."""
        _, solution = self._find(ticket_id, caller)
        return _view(solution)

    def decide(self, ticket_id: str, request: ReviewRequest, *, caller: Caller) -> TicketView:
        """The ticket as the verdict leaves it.

        Raises what :meth:`show` raises (:class:`NotInReviewError` also when another operator was faster), and
        :class:`InvalidRequestError` for a verdict that says too much, too little, or cannot be.
        """
        self.authorize(caller)
        if faults := _faults(request):
            raise InvalidRequestError("The body does not follow the contract.", errors=faults)
        ticket, solution = self._find(ticket_id, caller)
        moment = rfc3339(self._clock())
        reviewed = _reviewed(solution, request, by=caller.principal, at=moment)
        settled = replace(
            ticket,
            status="FAILED" if request.decision == "REJECT" else "READY",
            failure_code=REJECTED if request.decision == "REJECT" else None,
            updated_at=moment,
        )
        if not self._transactions.commit([self._tickets.reviewed(settled), self._solutions.reviewed(reviewed)]):
            raise NotInReviewError("The ticket was reviewed, or started again, meanwhile.")
        logger.info("reviewed", ticket_id=ticket_id, operator=caller.principal, decision=request.decision)
        return settled.view()

    def _find(self, ticket_id: str, caller: Caller) -> tuple[Ticket, Solution]:
        self.authorize(caller)
        ticket = ticket_reading.find_visible(self._tickets, ticket_id, caller)
        if ticket.status != "NEEDS_REVIEW":
            raise NotInReviewError(f"The ticket is {ticket.status}: there is nothing to review.")
        return ticket, ticket_reading.find_solution(self._solutions, ticket)


def _faults(request: ReviewRequest) -> list[FieldError]:
    """What the schema cannot say: which members go with which decision."""
    if request.decision == "EDIT":
        if request.text is UNSET:
            return [FieldError(path="$.text", keyword="required", message="EDIT needs the new text")]
        if not request.text.strip():
            return [FieldError(path="$.text", keyword="minLength", message="The text is blank")]
        return []
    return [
        FieldError(path=f"$.{name}", keyword="additionalProperties", message="Goes with EDIT only")
        for name, value in (("text", request.text), ("steps", request.steps))
        if value is not UNSET
    ]


def _reviewed(solution: Solution, request: ReviewRequest, *, by: str, at: str) -> Solution:
    signed = replace(solution, reviewed_by=by, reviewed_at=at)
    match request.decision:
        case "REJECT":
            return signed
        case "APPROVE":
            if not solution.text.strip():
                _refuse_empty()
            return replace(signed, outcome="READY", review_reason=None)
        case "EDIT":
            return replace(
                signed,
                outcome="READY",
                review_reason=None,
                text=request.text,
                steps=[] if request.steps is UNSET else request.steps,
                # They were found for the words of the model, and say nothing about these.
                citations=[],
            )


def _refuse_empty() -> NoReturn:
    fault = FieldError(path="$.decision", keyword="enum", message="Nothing was written that could be approved")
    raise InvalidRequestError("The solution has no text: EDIT it.", errors=[fault])


def _view(solution: Solution) -> ReviewView:
    if solution.review_reason is None:
        raise LookupError(f"{solution.ticket_id} needs review for no reason")
    return ReviewView(
        ticket_id=solution.ticket_id,
        reason=solution.review_reason,
        text=solution.text,
        steps=solution.steps,
        citations=solution.citations,
        passages=[
            ReviewPassage(source_id=passage.id, title=passage.title, content=passage.content)
            for passage in solution.passages
        ],
        confidence=solution.confidence,
        lang=solution.lang,
        generated_at=solution.generated_at,
    )
