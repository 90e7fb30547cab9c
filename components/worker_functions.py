"""The functions that work behind the API: what each is given, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from components import iam, models, search
from components.functions import Function, FunctionArgs
from components.tables import DEADLINE_INDEX

if TYPE_CHECKING:
    import pulumi

    from components.parts import Parts

INTERNET_HOST: Final = "checkip.amazonaws.com"
"""What connectivity_check looks for beyond the VPC: AWS's own, which answers anybody."""


@dataclass(frozen=True, kw_only=True)
class WorkerFunctions:
    """One field a function, called as its key."""

    process_ticket: Function
    kb_ingest: Function
    feedback_writer: Function
    publish_events: Function
    dlq_processor: Function
    reconcile: Function
    search_bootstrap: Function
    connectivity_check: Function


def build(parts: Parts, opts: pulumi.ResourceOptions) -> WorkerFunctions:
    """All of them."""
    return WorkerFunctions(
        process_ticket=_process_ticket(parts, opts),
        kb_ingest=_kb_ingest(parts, opts),
        feedback_writer=_feedback_writer(parts, opts),
        publish_events=_publish_events(parts, opts),
        dlq_processor=_dlq_processor(parts, opts),
        reconcile=_reconcile(parts, opts),
        search_bootstrap=_search_bootstrap(parts, opts),
        connectivity_check=_connectivity_check(parts, opts),
    )


def setup_environment(parts: Parts) -> dict[str, pulumi.Input[str]]:
    """What search_bootstrap makes the domain ready with; it is run again whenever this changes."""
    return {
        **parts.for_search,
        "SEARCH_PIPELINE": search.PIPELINE,
        "EMBEDDING_DIMENSIONS": str(search.EMBEDDING_DIMENSIONS),
        "ROLE_MAPPINGS": iam.to_json(
            {
                search.READER: [
                    parts.names.role_arn(reader) for reader in ("kb_search", "process_ticket", "connectivity_check")
                ],
                search.WRITER: [parts.names.role_arn("kb_ingest")],
            }
        ),
    }


def _process_ticket(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "process_ticket",
        FunctionArgs(
            platform=parts.platform,
            description="Works on the tickets of the ticket queue: retrieve, write, check",
            memory=1024,
            timeout=parts.timings.process_ticket_timeout,
            environment={
                **parts.for_search,
                **parts.for_generation,
                **parts.for_work,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
                "TICKET_QUEUE_URL": parts.queues.tickets.url,
                "TICKET_DLQ_URL": parts.queues.tickets.failures.url,
                "SEARCH_PIPELINE": search.PIPELINE,
                "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
                "MIN_PASSAGE_SCORE": str(parts.config.models.min_passage_score),
            },
            grants=(
                parts.queues.tickets.consume(),
                parts.queues.tickets.postpone(),
                parts.queues.tickets.failures.send(),
                parts.tables.tickets.items("GetItem"),
                parts.tables.solutions.items("GetItem", "PutItem"),
                parts.domain.read(),
                parts.language.embed(),
                parts.language.generate(),
                parts.workflow.answer(),
            ),
            network=parts.network,
        ),
        opts,
    )


def _kb_ingest(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "kb_ingest",
        FunctionArgs(
            platform=parts.platform,
            description="Brings the search index up to date with the documents",
            memory=512,
            timeout=parts.timings.kb_ingest_timeout,
            environment={
                **parts.for_search,
                **parts.for_unhurried_work,
                "INGEST_QUEUE_URL": parts.queues.ingest.url,
                "INGEST_DLQ_URL": parts.queues.ingest.failures.url,
                "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
                "KB_BUCKET": parts.documents.name,
            },
            grants=(
                parts.queues.ingest.consume(),
                parts.queues.ingest.postpone(),
                parts.queues.ingest.failures.send(),
                parts.documents.read(),
                parts.domain.write(),
                parts.language.embed(),
            ),
            network=parts.network,
        ),
        opts,
    )


def _feedback_writer(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "feedback_writer",
        FunctionArgs(
            platform=parts.platform,
            description="Keeps feedback on the caller's own tickets, drops the rest",
            memory=256,
            timeout=parts.timings.feedback_timeout,
            environment={
                **parts.for_unhurried_work,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "FEEDBACK_TABLE": parts.tables.feedback.name,
                "FEEDBACK_QUEUE_URL": parts.queues.feedback.url,
                "FEEDBACK_DLQ_URL": parts.queues.feedback.failures.url,
            },
            grants=(
                parts.queues.feedback.consume(),
                parts.queues.feedback.postpone(),
                parts.queues.feedback.failures.send(),
                parts.tables.tickets.items("GetItem"),
                parts.tables.feedback.items("PutItem"),
            ),
        ),
        opts,
    )


def _publish_events(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "publish_events",
        FunctionArgs(
            platform=parts.platform,
            description="Tells the event bus what happened to tickets",
            memory=256,
            timeout=60,
            environment={"EVENT_BUS_NAME": parts.bus.name},
            grants=(parts.tables.tickets.read_stream(), parts.queues.failed_events.send(), parts.bus.publish()),
        ),
        opts,
    )


def _dlq_processor(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "dlq_processor",
        FunctionArgs(
            platform=parts.platform,
            description="Empties the failure queues: keeps each message, tells it, ends its ticket",
            memory=256,
            timeout=parts.timings.dlq_timeout,
            environment={
                "FAILURES_TABLE": parts.tables.failures.name,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
                "ALARM_TOPIC_ARN": parts.alarms.arn,
            },
            grants=(
                parts.queues.tickets.failures.consume(),
                parts.queues.ingest.failures.consume(),
                parts.queues.feedback.failures.consume(),
                parts.tables.failures.items("PutItem"),
                parts.tables.tickets.items("UpdateItem"),
                parts.tables.solutions.items("GetItem"),
                parts.workflow.end(),
                parts.alarms.publish(),
            ),
        ),
        opts,
    )


def _reconcile(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "reconcile",
        FunctionArgs(
            platform=parts.platform,
            description="Mends tickets that are open past their deadline",
            memory=256,
            timeout=parts.timings.reconcile_timeout,
            environment={
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
                "STATE_MACHINE_ARN": parts.workflow.arn,
                "PROCESS_DEADLINE_SECONDS": str(parts.timings.process_deadline),
                "ESTIMATED_COMPLETION_SECONDS": str(parts.timings.estimated_completion),
                "MAX_ATTEMPTS": str(parts.timings.max_attempts),
            },
            grants=(
                parts.tables.tickets.query(DEADLINE_INDEX),
                parts.tables.tickets.items("UpdateItem"),
                parts.tables.solutions.items("GetItem"),
                parts.workflow.start(),
                parts.workflow.watch(),
            ),
        ),
        opts,
    )


def _search_bootstrap(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        search.ADMINISTRATOR,
        FunctionArgs(
            platform=parts.platform,
            description="Makes the search domain ready; run by the deployment",
            follows_deployment=True,
            memory=256,
            timeout=120,
            environment=setup_environment(parts),
            grants=(parts.domain.administer(),),
            network=parts.network,
            role=parts.domain.administrator,
        ),
        opts,
    )


def _connectivity_check(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    # Proves the way to a service, and reads nothing of its own there.
    secrets = iam.Statement(sid="ReachSecretsManager", actions=("secretsmanager:GetRandomPassword",), resources=("*",))
    return Function(
        "connectivity_check",
        FunctionArgs(
            platform=parts.platform,
            description="Tells what can be reached from inside the VPC",
            memory=256,
            timeout=30,
            environment={
                **parts.for_search,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "KB_BUCKET": parts.documents.name,
                "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
                "INTERNET_HOST": INTERNET_HOST,
                "INTERNET_EXPECTED": "true" if parts.config.network.nat_gateway else "false",
            },
            grants=(
                parts.domain.read(),
                parts.tables.tickets.describe(),
                parts.documents.locate(),
                parts.language.embed(),
                iam.Grant((secrets,)),
            ),
            network=parts.network,
        ),
        opts,
    )
