"""When the stack's alarms ring, and why then: one table for all thresholds.

Queues bring their own (``components.queues``, ``components.alarms``), and so do releases (``components.release``): they
go where those go.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE: Final = 60
FIVE_MINUTES: Final = 300


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of alarm."""

    meaning: str
    """What people read when it rings; ``{of}`` stands for whatever it watches."""
    threshold: float
    """It rings at this value; for ``low``, below it."""
    reason: str
    """Why there."""
    runbook: str
    """Section of docs/runbook.md that says what to do."""
    period: int = FIVE_MINUTES
    """Seconds that one value stands for."""
    periods: int = 1
    """Values in a row that must be so."""
    low: bool = False
    silence_rings: bool = False
    """Whether no value at all rings too: for signs of life."""

    @property
    def missing(self) -> Literal["breaching", "notBreaching"]:
        """CloudWatch's word for what no value means."""
        return "breaching" if self.silence_rings else "notBreaching"

    @property
    def comparison(self) -> Literal["LessThanThreshold", "GreaterThanOrEqualToThreshold"]:
        return "LessThanThreshold" if self.low else "GreaterThanOrEqualToThreshold"

    def description(self, of: str = "") -> str:
        """The alarm's description: what it means, and where to read on."""
        return f"{self.meaning.format(of=of)} Runbook: {self.runbook}."


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "api-errors": Rule(
            meaning="Two in a hundred calls of the API or more are answered with 5xx.",
            threshold=0.02,
            periods=2,
            reason="A deployment or one crash is over in five minutes, and clients repeat; ten minutes are an outage.",
            runbook="The API answers 502 or 503",
        ),
        "solution-latency": Rule(
            meaning="One in a hundred callers waits 200 ms or longer for a stored solution.",
            threshold=200,
            periods=3,
            reason="Spec section 1 promises p99 under 200 ms; cold starts alone last one period at most.",
            runbook="Answers are slow: cold starts",
        ),
        "create-latency": Rule(
            meaning="One in a hundred callers waits 3 s or longer to open a ticket.",
            threshold=3_000,
            periods=3,
            reason="A cold start with its first calls stays below; what lasts longer comes from a dependency.",
            runbook="Answers are slow: cold starts",
        ),
        "function-failures": Rule(
            meaning="{of} crashed, ran out of time, or was throttled, three times in five minutes or more.",
            threshold=3,
            reason="Once is mended by a retry of the caller, the queue or the stream; three times are a fault.",
            runbook="A function fails or is throttled",
        ),
        "account-concurrency": Rule(
            meaning="Four fifths of the account's concurrent executions are taken: soon functions will be throttled.",
            threshold=0.8,
            period=MINUTE,
            periods=3,
            reason="A share of functions.account_concurrency that leaves time to ask for more, or find who takes it.",
            runbook="A function fails or is throttled",
        ),
        "workflow-broken": Rule(
            meaning="An execution of the ticket workflow failed, timed out, or could not start.",
            threshold=1,
            reason="It records what goes wrong with a ticket and succeeds; one that does not could not even record.",
            runbook="Tickets stay open or fail",
        ),
        "tickets-failed": Rule(
            meaning="Five tickets failed within five minutes.",
            threshold=5,
            reason="A ticket may fail by itself; five at a time have a cause in common.",
            runbook="Tickets stay open or fail",
        ),
        "overdue-unwatched": Rule(
            meaning="Nobody looked for overdue tickets for five minutes.",
            threshold=1,
            low=True,
            silence_rings=True,
            reason="The schedule asks for a run every minute; what crashes may leave a ticket open until the next.",
            runbook="Tickets stay open or fail",
        ),
        "queue-age": Rule(
            meaning="The oldest message of {of} waits for longer than two of its visibility timeouts.",
            threshold=2,
            reason="In visibility timeouts. After one, the message of a crashed worker is there again; after two "
            "nobody works the queue off. What was received three times does not count (SQS developer guide, metrics).",
            runbook="A work queue grows",
        ),
        "events-late": Rule(
            meaning="Changes of tickets reach the event bus ten minutes late or more.",
            threshold=600_000,
            reason="Milliseconds. The stream keeps a day and the source tries for six hours: time enough to mend it.",
            runbook="Events are late",
        ),
        "search-red": Rule(
            meaning="The search domain is red: part of the index is gone, searches fail.",
            threshold=1,
            period=MINUTE,
            reason="AWS's own recommendation (OpenSearch developer guide, recommended CloudWatch alarms).",
            runbook="OpenSearch is red or yellow",
        ),
        "search-yellow": Rule(
            meaning="The search domain has been yellow for ten minutes: copies of the index are missing.",
            threshold=1,
            period=MINUTE,
            periods=10,
            reason="Blue/green deployments and a restarted node are yellow for a few minutes.",
            runbook="OpenSearch is red or yellow",
        ),
        "search-storage": Rule(
            meaning="Less than a quarter of a search node's storage is free.",
            threshold=0.25,
            low=True,
            period=MINUTE,
            periods=5,
            reason="A share of search.volume_gib; AWS's own recommendation. At 20 % writes begin to be refused.",
            runbook="OpenSearch is red or yellow",
        ),
        "search-writes-blocked": Rule(
            meaning="The search domain refuses writes: documents cannot be indexed.",
            threshold=1,
            reason="AWS's own recommendation: no write passes until storage or memory is free.",
            runbook="OpenSearch is red or yellow",
        ),
        "tables-throttled": Rule(
            meaning="DynamoDB refused ten reads or writes of the ticket service within five minutes.",
            threshold=10,
            reason="Clients repeat single ones; ten show a hot key, or growth faster than on-demand follows.",
            runbook="DynamoDB throttles, or costs too much",
        ),
        "tables-failing": Rule(
            meaning="DynamoDB answered five calls or more with errors of its own within five minutes.",
            threshold=5,
            reason="Clients repeat single ones; five show a fault of the service.",
            runbook="DynamoDB throttles, or costs too much",
        ),
        "model-failing": Rule(
            meaning="Bedrock refused or failed ten calls of {of} in each of two periods of five minutes.",
            threshold=10,
            periods=2,
            reason="Tickets are put off and streams show what is stored: only what lasts is noticed by customers.",
            runbook="Bedrock throttles or fails",
        ),
        "canary-silent": Rule(
            meaning="No canary ticket went all the way through the service, three times in a row.",
            threshold=1,
            low=True,
            silence_rings=True,
            reason="One may meet a deployment; three in a row are what every customer meets. The period is three times "
            "observability.canary_minutes.",
            runbook="The canary fails",
        ),
    }
)
"""Last part of an alarm's name (or what it begins with, where there are several) -> when it rings."""
