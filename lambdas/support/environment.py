"""The environment variables of each function: the one place that names them.

A handler loads its struct; the program checks that what it sets is what the struct asks for. The ``POWERTOOLS_*``
variables, which every function has, are read by Powertools itself.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from support import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[int, Meta(ge=1)]
Days = Annotated[int, Meta(ge=1)]
S = TypeVar("S", bound=Struct)


class InvalidEnvironmentError(Exception):
    """Variables are missing or malformed; the message names every one of them."""


class Environment(Struct, frozen=True, kw_only=True, rename=str.upper):
    """Fields are variables in lower case."""


class _Api(Environment, frozen=True):
    """A function behind the API."""

    cors_allowed_origins: str
    """Origins that may read answers, separated by commas; empty for none."""

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(origin.strip() for origin in self.cors_allowed_origins.split(",") if origin.strip())


class _Consumer(Environment, frozen=True):
    """A function that works off a queue."""

    max_receives: Annotated[int, Meta(ge=1)]
    """Deliveries of a message before SQS itself moves it to the failure queue."""
    backoff_base_seconds: Seconds
    backoff_cap_seconds: Seconds


class CreateTicket(_Api, frozen=True):
    tickets_table: Text
    idempotency_table: Text
    state_machine_arn: Text
    process_deadline_seconds: Seconds
    estimated_completion_seconds: Seconds
    ticket_retention_days: Days
    idempotency_seconds: Seconds


class GetTicket(_Api, frozen=True):
    tickets_table: Text


class ListTickets(_Api, frozen=True):
    tickets_table: Text
    cursor_key_arn: Text
    """KMS key (HMAC_256) that signs cursors."""


class GetSolution(_Api, frozen=True):
    tickets_table: Text
    solutions_table: Text


class GetSolutionStream(_Api, frozen=True):
    tickets_table: Text
    solutions_table: Text
    generation_model_id: Text
    guardrail_id: str
    """Empty for no guardrail."""
    guardrail_version: str
    stream_seconds: Seconds
    """Longest life of a stream."""
    heartbeat_seconds: Seconds
    """Longest silence on a stream."""


class ReviewTicket(_Api, frozen=True):
    tickets_table: Text
    solutions_table: Text


class KbSearch(_Api, frozen=True):
    opensearch_endpoint: Text
    """Host of the domain, or a URL with scheme."""
    search_index: Text
    search_pipeline: Text
    embedding_model_id: Text


class KbIngest(_Consumer, frozen=True):
    ingest_queue_url: Text
    ingest_dlq_url: Text
    opensearch_endpoint: Text
    search_index: Text
    embedding_model_id: Text
    kb_bucket: Text


class ProcessTicket(_Consumer, frozen=True):
    tickets_table: Text
    solutions_table: Text
    ticket_queue_url: Text
    ticket_dlq_url: Text
    opensearch_endpoint: Text
    search_index: Text
    search_pipeline: Text
    embedding_model_id: Text
    generation_model_id: Text
    guardrail_id: str
    """Empty for no guardrail."""
    guardrail_version: str
    min_passage_score: Annotated[float, Meta(ge=0)]
    """Cosine to the symptom below which a passage is taken for noise."""


class DlqProcessor(Environment, frozen=True):
    failures_table: Text
    tickets_table: Text
    solutions_table: Text
    alarm_topic_arn: Text
    """Where people hear of what failed."""


class ItsmAuthorizer(Environment, frozen=True):
    api_keys_table: Text
    partner_key_arn: Text
    """KMS key under which partners' secrets are stored."""


class FeedbackWriter(_Consumer, frozen=True):
    tickets_table: Text
    feedback_table: Text
    feedback_queue_url: Text
    feedback_dlq_url: Text


class Reconcile(Environment, frozen=True):
    tickets_table: Text
    solutions_table: Text
    state_machine_arn: Text
    process_deadline_seconds: Seconds
    estimated_completion_seconds: Seconds
    max_attempts: Annotated[int, Meta(ge=1)]
    """After which a lost attempt is not followed by another."""


class PublishEvents(Environment, frozen=True):
    event_bus_name: Text


class ConnectivityCheck(Environment, frozen=True):
    opensearch_endpoint: Text
    search_index: Text
    tickets_table: Text
    kb_bucket: Text
    embedding_model_id: Text
    internet_host: Text
    """A host of the internet that answers HTTPS."""
    internet_expected: bool
    """Whether it must be reachable: there is a NAT gateway."""


class SearchBootstrap(Environment, frozen=True):
    opensearch_endpoint: Text
    search_index: Text
    search_pipeline: Text
    embedding_dimensions: Annotated[int, Meta(ge=1)]
    role_mappings: str
    """JSON: OpenSearch role -> IAM role ARNs."""

    def mappings(self) -> dict[str, list[str]]:
        """The role mappings, decoded; raises ``msgspec.ValidationError`` when they are malformed."""
        return typed.decode(self.role_mappings, dict[str, list[str]])


class CanaryTicket(Environment, frozen=True):
    api_url: Text
    """Of the stage, as customers reach it."""
    canary_secret: Text
    """Name or ARN of the secret that holds a partner's key."""
    deadline_seconds: Seconds
    """After which a ticket without a solution is a failure."""


FUNCTIONS: Final = MappingProxyType[str, type[Environment]](
    {
        "create_ticket": CreateTicket,
        "list_tickets": ListTickets,
        "get_ticket": GetTicket,
        "get_solution": GetSolution,
        "get_solution_stream": GetSolutionStream,
        "review_ticket": ReviewTicket,
        "kb_search": KbSearch,
        "kb_ingest": KbIngest,
        "process_ticket": ProcessTicket,
        "dlq_processor": DlqProcessor,
        "reconcile": Reconcile,
        "publish_events": PublishEvents,
        "itsm_authorizer": ItsmAuthorizer,
        "feedback_writer": FeedbackWriter,
        "search_bootstrap": SearchBootstrap,
        "connectivity_check": ConnectivityCheck,
        "canary_ticket": CanaryTicket,
    }
)
"""Function key -> what its environment holds."""


def variables(struct: type[Struct]) -> frozenset[str]:
    """The names of the variables that ``struct`` asks for, all of them required."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(struct))


def load(struct: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """Read ``struct`` from the environment; raises :class:`InvalidEnvironmentError` with every fault at once."""
    values: dict[str, object] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        if name not in environ:
            faults.append(f"{name} is missing")
            continue
        try:
            values[field.name] = typed.decode(msgspec.json.encode(environ[name]), field.type, strict=False)
        except msgspec.ValidationError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise InvalidEnvironmentError(f"{struct.__name__}: " + "; ".join(faults))
    return struct(**values)
