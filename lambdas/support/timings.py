"""One table of timings, from which every timeout of the ticket's way derives (spec section 3). All in seconds.

The order that must hold: back-off < visibility < heartbeat < task < workflow < process deadline. Each outer limit
leaves the inner one the time to act first, so a ticket is failed by the nearest watcher and never stays PROCESSING.
"""

from __future__ import annotations

from dataclasses import dataclass

SQS_MAX_VISIBILITY = 43_200
"""12 hours (SQS quotas)."""
SQS_MAX_RETENTION = 14 * 24 * 3600
"""14 days (SQS quotas)."""
LAMBDA_MAX_TIMEOUT = 900
"""15 minutes (Lambda quotas)."""
API_MAX_FUNCTION_TIMEOUT = 28
"""Spec section 1: what answers an API call answers a second before the gateway gives up."""
API_MAX_INTEGRATION_MS = 29_000
"""The gateway's default limit for an integration, in milliseconds (API Gateway quotas)."""
STREAM_MAX_SILENCE = 10
"""Spec section 3: a comment at least that often."""
STREAM_MARGIN = 15
"""What a stream's function has left after the stream's end, for its cold start and its clearing up."""
VISIBILITY_PER_TIMEOUT = 6
"""AWS asks for a visibility of at least six function timeouts (Lambda developer guide, SQS event sources)."""
RECONCILE_RESERVE = 15
"""What a run of reconcile leaves of its time: as long as a ticket may take whose first call gets no answer
(``support.clients``)."""
MARGIN = 60
"""What an outer limit leaves the inner one to act and to record."""


class TimingError(ValueError):
    """The timings contradict each other; the message lists every violation."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """What is chosen; what follows from it are properties."""

    process_ticket_timeout: int = 60
    """Timeout of process_ticket, one batch."""
    batch_window: int = 0
    """Longest time that the event source waits to fill a batch: 5 in production, 0 locally."""
    max_receives: int = 8
    """Deliveries of a message before it goes to the dead-letter queue."""
    backoff_base: int = 5
    """First pause before a retry; it doubles with each delivery."""
    backoff_cap: int = 300
    """Longest pause before a retry."""
    unhurried_backoff_base: int = 60
    """First pause before a retry of what nobody waits for (documents, feedback): outlasts longer outages."""
    unhurried_backoff_cap: int = 720
    """Longest pause before such a retry."""
    api_function_timeout: int = 28
    """Timeout of every function that answers an API call."""
    integration_timeout_ms: int = API_MAX_INTEGRATION_MS
    """Milliseconds that the gateway waits for such a function."""
    stream_seconds: int = 120
    """Longest life of a solution's stream; streaming is exempt from the limits of other API calls (spec section 1)."""
    heartbeat_comment: int = 8
    """Longest silence on such a stream; at most ``STREAM_MAX_SILENCE``."""
    estimated_completion: int = 120
    """How long a customer is told that a ticket takes (spec section 3, step 1)."""
    reconcile_minutes: int = 1
    """Minutes from one look for overdue tickets to the next (spec section 3, step 5)."""
    reconcile_timeout: int = 50
    """Timeout of reconcile; shorter than its interval, so that its runs do not pile up."""
    kb_ingest_timeout: int = 120
    """Timeout of kb_ingest, one batch of documents."""
    feedback_timeout: int = 30
    """Timeout of feedback_writer."""
    dlq_timeout: int = 30
    """Timeout of dlq_processor."""
    max_attempts: int = 3
    """Attempts at a ticket after which a lost one is not followed by another: the ticket FAILED."""

    @property
    def visibility(self) -> int:
        """How long a received message of the ticket queue stays hidden."""
        return self.visibility_of(self.process_ticket_timeout) + self.batch_window

    @staticmethod
    def visibility_of(timeout: int) -> int:
        """How long a received message stays hidden whose consumer may take ``timeout``."""
        return VISIBILITY_PER_TIMEOUT * timeout

    @property
    def heartbeat(self) -> int:
        """Silence after which the workflow gives up: a crashed worker's message returns after the visibility."""
        return self.visibility + self.process_ticket_timeout + 10

    @property
    def task_timeout(self) -> int:
        """Longest life of a task token: every delivery may use its whole visibility."""
        return self.max_receives * self.visibility + self.process_ticket_timeout

    @property
    def workflow_timeout(self) -> int:
        """Longest life of an execution."""
        return self.task_timeout + MARGIN

    @property
    def process_deadline(self) -> int:
        """Age at which a ticket still PROCESSING has been forgotten."""
        return self.workflow_timeout + MARGIN

    @property
    def stream_function_timeout(self) -> int:
        """Timeout of get_solution_stream: it ends its streams itself, and says so to their readers."""
        return self.stream_seconds + STREAM_MARGIN

    @property
    def canary_timeout(self) -> int:
        """Timeout of canary_ticket: its ticket may take as long as a customer is told that one takes."""
        return self.estimated_completion + MARGIN

    @property
    def stream_integration_timeout_ms(self) -> int:
        """Milliseconds that the gateway waits for the end of a stream."""
        return 1000 * (self.stream_function_timeout + 1)

    def violations(self) -> list[str]:
        """Every rule that does not hold, as a sentence with its figures."""
        rules = [
            (
                1 <= self.process_ticket_timeout <= LAMBDA_MAX_TIMEOUT,
                f"process_ticket_timeout {self.process_ticket_timeout} is not within 1..{LAMBDA_MAX_TIMEOUT}",
            ),
            (0 <= self.batch_window <= 300, f"batch_window {self.batch_window} is not within 0..300"),
            (1 <= self.max_receives <= 1000, f"max_receives {self.max_receives} is not within 1..1000"),
            (self.backoff_base >= 1, f"backoff_base {self.backoff_base} is below 1"),
            (
                self.backoff_base <= self.backoff_cap,
                f"backoff_base {self.backoff_base} is above backoff_cap {self.backoff_cap}",
            ),
            (
                1 <= self.unhurried_backoff_base <= self.unhurried_backoff_cap <= SQS_MAX_VISIBILITY,
                f"unhurried back-off {self.unhurried_backoff_base}..{self.unhurried_backoff_cap} is not in order",
            ),
            (
                self.backoff_cap <= self.visibility,
                f"backoff_cap {self.backoff_cap} is above the visibility {self.visibility}",
            ),
            (
                self.visibility <= SQS_MAX_VISIBILITY,
                f"visibility {self.visibility} is above SQS's {SQS_MAX_VISIBILITY}",
            ),
            (
                self.heartbeat < self.task_timeout,
                f"heartbeat {self.heartbeat} is not below the task timeout {self.task_timeout}",
            ),
            (
                self.process_deadline <= SQS_MAX_RETENTION,
                f"process_deadline {self.process_deadline} is above SQS's longest retention {SQS_MAX_RETENTION}",
            ),
            (
                1 <= self.api_function_timeout <= API_MAX_FUNCTION_TIMEOUT,
                f"api_function_timeout {self.api_function_timeout} is not within 1..{API_MAX_FUNCTION_TIMEOUT}",
            ),
            (
                self.integration_timeout_ms <= API_MAX_INTEGRATION_MS,
                f"integration_timeout_ms {self.integration_timeout_ms} is above {API_MAX_INTEGRATION_MS}",
            ),
            (
                self.api_function_timeout * 1000 < self.integration_timeout_ms,
                f"integration_timeout_ms {self.integration_timeout_ms} is not above api_function_timeout (in ms)",
            ),
            (
                self.stream_seconds >= 1 and self.stream_function_timeout < LAMBDA_MAX_TIMEOUT,
                f"stream_seconds {self.stream_seconds} is not within 1..{LAMBDA_MAX_TIMEOUT - STREAM_MARGIN - 1}",
            ),
            (
                1 <= self.heartbeat_comment <= STREAM_MAX_SILENCE,
                f"heartbeat_comment {self.heartbeat_comment} is not within 1..{STREAM_MAX_SILENCE}",
            ),
            (
                1 <= self.estimated_completion <= self.process_deadline,
                f"estimated_completion {self.estimated_completion} is not within 1..{self.process_deadline}",
            ),
            (
                RECONCILE_RESERVE < self.reconcile_timeout <= LAMBDA_MAX_TIMEOUT,
                f"reconcile_timeout {self.reconcile_timeout} is not in {RECONCILE_RESERVE + 1}..{LAMBDA_MAX_TIMEOUT}",
            ),
            (
                self.reconcile_timeout <= 60 * self.reconcile_minutes < self.process_deadline,
                f"reconcile_minutes {self.reconcile_minutes} is not between reconcile_timeout and the process deadline",
            ),
            (self.max_attempts >= 1, f"max_attempts {self.max_attempts} is below 1"),
        ]
        return [message for holds, message in rules if not holds]

    def check(self) -> None:
        """Raise :class:`TimingError` with all violations at once, if there are any."""
        if violations := self.violations():
            raise TimingError("; ".join(violations))
