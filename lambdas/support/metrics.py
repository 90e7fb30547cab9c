"""The service's own metrics: what each counts, and which functions write it.

The one truth about them: alarms and dashboards are made from what stands here, and a test compares it with the calls in
the code. Each is written under the dimension ``service`` (the function's key); those with a ``kind`` once more under
that dimension alone, because CloudWatch adds no dimensions up.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Final = "service"
"""The dimension that every function writes its metrics under (Powertools' own name)."""


class Metric(NamedTuple):
    """One metric."""

    functions: tuple[str, ...]
    """Keys of the functions that write it."""
    meaning: str
    kind: str | None = None
    """A further dimension."""
    unit: Literal["Count", "Seconds"] = "Count"


_CONSUMERS: Final = ("process_ticket", "kb_ingest", "feedback_writer")
_ANSWERING: Final = (
    *("create_ticket", "list_tickets", "get_ticket", "get_solution", "get_solution_stream"),
    *("review_ticket", "kb_search"),
)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        # What became of tickets, as their table's stream tells it, whoever made the change.
        "TicketsByStatus": Metric(("publish_events",), "Tickets that came to a status", kind="Status"),
        "TimeToSolution": Metric(
            ("publish_events",), "From a ticket's creation to READY", kind="Priority", unit="Seconds"
        ),
        "TicketsLate": Metric(("publish_events",), "Tickets that came to READY after their sla_deadline"),
        "EventsDelayed": Metric(("publish_events",), "Batches of changes that the event bus did not take"),
        "TicketsAccepted": Metric(("create_ticket",), "Answers 202 to POST /tickets, repeated calls included"),
        # The work on them.
        "TicketsReady": Metric(("process_ticket",), "Messages worked on that ended READY"),
        "TicketsNeedingReview": Metric(("process_ticket",), "Messages worked on that ended NEEDS_REVIEW"),
        "TicketsStale": Metric(("process_ticket",), "Messages for whose result nobody waited any more"),
        "TicketsFailed": Metric(("process_ticket",), "Tickets failed because their message was given up"),
        "TicketsRestarted": Metric(("reconcile",), "Overdue tickets that got a new attempt"),
        "TicketsSettledLate": Metric(("reconcile",), "Overdue tickets whose solution was there, and was recorded"),
        "TicketsAbandoned": Metric(("reconcile",), "Overdue tickets that were failed after their last attempt"),
        "TicketsLeftOverdue": Metric(("reconcile",), "Overdue tickets that could not be mended this time"),
        "MessagesPutOff": Metric(_CONSUMERS, "Deliveries that failed and come again"),
        "MessagesGivenUp": Metric(_CONSUMERS, "Messages sent to the failure queue"),
        "DLQMessages": Metric(("dlq_processor",), "Messages taken from a failure queue", kind="ErrorType"),
        "ServerErrors": Metric(_ANSWERING, "Answers of 5xx; a gradual release watches them", kind="Version"),
        # Operators' verdicts.
        "SolutionsApproved": Metric(("review_ticket",), "Reviewed solutions taken as they were"),
        "SolutionsEdited": Metric(("review_ticket",), "Reviewed solutions taken with changes"),
        "SolutionsRejected": Metric(("review_ticket",), "Reviewed solutions refused"),
        # Streams, each by how it ended.
        "StreamsCompleted": Metric(("get_solution_stream",), "Streams written by the model to their end"),
        "StreamsReplaced": Metric(("get_solution_stream",), "Streams whose text failed the check and was replaced"),
        "StreamsStored": Metric(("get_solution_stream",), "Streams of the stored solution, the model being busy"),
        "StreamsFailed": Metric(("get_solution_stream",), "Streams that broke off because the model did"),
        "StreamsTimedOut": Metric(("get_solution_stream",), "Streams that reached their longest life"),
        "StreamsShutDown": Metric(("get_solution_stream",), "Streams ended with their execution environment"),
        "StreamsLeft": Metric(("get_solution_stream",), "Streams whose reader hung up"),
        # Feedback.
        "FeedbackReceived": Metric(("feedback_writer",), "Ratings kept"),
        "FeedbackRating": Metric(("feedback_writer",), "Their stars: the average is what to look at"),
        "FeedbackResolved": Metric(("feedback_writer",), "1 for each that says resolved, else 0"),
        "FeedbackMalformed": Metric(("feedback_writer",), "Ratings dropped because they break the contract"),
        "FeedbackOnUnknownTicket": Metric(("feedback_writer",), "Ratings dropped because there is no such ticket"),
        "FeedbackOnForeignTicket": Metric(("feedback_writer",), "Ratings dropped because the ticket is another's"),
        # Knowledge base.
        "ChunksIndexed": Metric(("kb_ingest",), "Passages written to the index"),
        "DegradedSearches": Metric(("kb_search",), "Searches answered by words alone, embeddings being down"),
        # The canary.
        "CanarySucceeded": Metric(("canary_ticket",), "Canary tickets that went all the way"),
        "CanaryFailed": Metric(("canary_ticket",), "Canary tickets that did not", kind="Step"),
        "CanaryDuration": Metric(("canary_ticket",), "From its opening to its solution in hand", unit="Seconds"),
    }
)
"""Name -> metric."""
