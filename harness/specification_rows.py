"""What the specification says of functions (section 4) and infrastructure (section 5), sentence by sentence.

The words are the specification's own. A row that names stacks holds for those; every other one for each stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY: Final = "every stack"
CODE: Final = "the code itself"
"""Of rows that speak of no resource: no graph can show them."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that must hold."""

    key: str
    """How a test names it: ``@pytest.mark.spec("network.flow-logs")``."""
    text: str
    holds_for: str = EVERY


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


SECTIONS: Final = (
    Section(
        title="4. Functions: the code",
        rows=(
            Row(
                key="code.thin-handlers",
                text="Thin handler, fat service: the handler parses, calls a service, formats; the service has its "
                "clients injected; repositories alone know table and index shapes.",
                holds_for=CODE,
            ),
            Row(key="code.clients", text="Clients are made once per environment, lazily.", holds_for=CODE),
            Row(
                key="code.logger",
                text="Powertools Logger (JSON, correlation id, no personal data).",
                holds_for=CODE,
            ),
            Row(key="code.metrics", text="Powertools Metrics.", holds_for=CODE),
            Row(key="code.secrets", text="Secrets from Secrets Manager, cached.", holds_for=CODE),
        ),
    ),
    Section(
        title="4. Functions: each of them",
        rows=(
            Row(
                key="functions.list",
                text="create_ticket, get_ticket, list_tickets, review_ticket, publish_events, search_bootstrap, "
                "get_solution, get_solution_stream, kb_search, kb_ingest, process_ticket, itsm_authorizer, "
                "feedback_writer, dlq_processor, reconcile, connectivity_check.",
            ),
            Row(
                key="functions.search-bootstrap",
                text="search_bootstrap (index, pipelines, role mapping of the domain; run by the deployment).",
            ),
            Row(key="functions.memory", text="get_solution (1024 MB), process_ticket (1024 MB)."),
            Row(
                key="functions.provisioned",
                text="get_solution: provisioned concurrency in production.",
                holds_for="prod",
            ),
            Row(
                key="functions.connectivity-check",
                text="connectivity_check (from inside the VPC: OpenSearch, DynamoDB, S3, Bedrock, Secrets Manager, "
                "internet; each OK or the reason, 5 s each).",
                holds_for=CODE,
            ),
        ),
    ),
    Section(
        title="4. Functions: all of them",
        rows=(
            Row(key="functions.arm64", text="arm64.", holds_for="dev, staging, prod"),
            Row(key="functions.runtime", text="Newest Python runtime the config names."),
            Row(key="functions.alias", text="Published versions behind an alias `live`."),
            Row(key="functions.role", text="Own role."),
            Row(key="functions.logs", text="Own log group with retention and key."),
            Row(key="functions.tracing", text="X-Ray by active tracing."),
            Row(key="functions.environment", text="Environment encrypted with a customer key."),
            Row(key="functions.reserved", text="Reserved concurrency from config."),
            Row(
                key="functions.layers",
                text="Two layers: `dependencies` (third-party) and `support` (own code).",
            ),
            Row(
                key="functions.sizes",
                text="At most 5 layers and 250 MB unzipped, function package under 50 MB, checked when the program "
                "runs.",
            ),
            Row(
                key="functions.boto3",
                text="boto3 is pinned and bundled with only the service models in use.",
                holds_for=CODE,
            ),
            Row(key="functions.timeouts", text="Timeouts: 28 s at most for whatever answers an API call."),
        ),
    ),
    Section(
        title="4. Bundling is done by the program",
        rows=(
            Row(
                key="bundling.target",
                text="Dependencies resolved from the lock file for the target platform (arm64 manylinux, the target "
                "Python) with no Docker.",
                holds_for=CODE,
            ),
            Row(
                key="bundling.reproducible",
                text="Own code copied, both packed into byte-for-byte reproducible archives.",
                holds_for=CODE,
            ),
            Row(
                key="bundling.unchanged",
                text="Unchanged inputs cost nothing and change nothing in a preview.",
                holds_for=CODE,
            ),
        ),
    ),
    Section(
        title="5. Network",
        rows=(
            Row(key="network.vpc", text="VPC 10.0.0.0/16."),
            Row(
                key="network.private-subnets",
                text="Private subnets 10.0.11.0/24 and 10.0.12.0/24 in two zones (a third, 10.0.13.0/24, where a "
                "setting asks for three).",
            ),
            Row(key="network.nat", text="Public 10.0.1.0/24 and NAT only if `natGateway` is on."),
            Row(key="network.gateway-endpoints", text="Gateway endpoints S3 and DynamoDB."),
            Row(
                key="network.interface-endpoints",
                text="Interface endpoints from config (bedrock-runtime, secretsmanager, kms, sqs, states, events, "
                "logs …), each with a policy.",
            ),
            Row(
                key="network.security-groups",
                text="Security groups: functions → OpenSearch 443, functions → interface endpoints 443, functions → "
                "the S3 and DynamoDB prefix lists 443, nothing else.",
            ),
            Row(key="network.flow-logs", text="Flow logs."),
            Row(key="network.default-group", text="Default security group closed."),
            Row(key="network.functions", text="Only functions that need OpenSearch sit in the VPC."),
        ),
    ),
    Section(
        title="5. OpenSearch domain",
        rows=(
            Row(key="search.subnets", text="In the private subnets."),
            Row(key="search.encryption", text="Node-to-node and at-rest encryption."),
            Row(key="search.tls", text="TLS 1.2+."),
            Row(key="search.access", text="Fine-grained access."),
            Row(key="search.logs", text="Audit and slow logs."),
            Row(
                key="search.nodes",
                text="Zone awareness and dedicated masters by config.",
                holds_for="dev, staging, prod",
            ),
            Row(key="search.version", text="An engine version that the managed service offers."),
            Row(
                key="search.rebuild",
                text="Solutions and passages rebuilt into it from S3 by one command.",
                holds_for=CODE,
            ),
        ),
    ),
    Section(
        title="5. Tables",
        rows=(
            Row(
                key="tables.tickets",
                text="`tickets` (PK `ticket_id`; GSI `customer-created-index` customer_id + created_at; stream "
                "NEW_AND_OLD_IMAGES; TTL `ttl`).",
            ),
            Row(
                key="tables.others",
                text="`solutions` (apart, so the index does not copy them), `idempotency-keys`, `api-keys`, "
                "`feedback`, `failures`.",
            ),
            Row(key="tables.on-demand", text="On demand."),
            Row(key="tables.recovery", text="PITR."),
            Row(key="tables.key", text="Customer key."),
            Row(key="tables.protection", text="Deletion protection in production."),
        ),
    ),
    Section(
        title="5. Queues",
        rows=(
            Row(key="queues.dead-letters", text="Ticket, feedback and ingest queues, each with its DLQ."),
            Row(key="queues.alarms", text="Alarm."),
            Row(key="queues.encryption", text="Encryption."),
            Row(key="queues.tls", text="TLS-only policy."),
        ),
    ),
    Section(
        title="5. Edge",
        rows=(
            Row(key="edge.tls", text="CloudFront (TLS 1.2+).", holds_for="staging, prod"),
            Row(key="edge.headers", text="Security headers.", holds_for="staging, prod"),
            Row(key="edge.logs", text="Logs.", holds_for="staging, prod"),
            Row(key="edge.origin", text="Origin reachable only through it.", holds_for="staging, prod"),
            Row(
                key="edge.waf",
                text="WAF on both CloudFront and the API.",
                holds_for="dev (the API only), staging, prod",
            ),
            Row(key="edge.managed-groups", text="AWS managed groups.", holds_for="dev, staging, prod"),
            Row(
                key="edge.rate-limit",
                text="Rate limit per client address (behind CloudFront the API sees CloudFront's).",
                holds_for="dev, staging, prod",
            ),
            Row(key="edge.waf-logs", text="WAF logging.", holds_for="dev, staging, prod"),
            Row(key="edge.domain", text="Custom domain by config.", holds_for="a stack whose settings name one"),
        ),
    ),
    Section(
        title="5. Latency-critical functions",
        rows=(
            Row(
                key="latency.target-tracking",
                text="Provisioned concurrency on the alias with target tracking at 0.70, 10 to 100 in production.",
                holds_for="staging, prod",
            ),
            Row(
                key="latency.release",
                text="Gradual deployment: setting `release` is `all-at-once` (the alias follows the version) or a "
                "CodeDeploy canary.",
            ),
            Row(
                key="latency.roll-back",
                text="Run by `harness release` after `pulumi up`, with roll-back on alarms.",
                holds_for=CODE,
            ),
            Row(key="latency.no-drift", text="No drift in the next preview.", holds_for="a stack released by canary"),
        ),
    ),
    Section(
        title="5. Observability",
        rows=(
            Row(key="observability.service", text="A dashboard for the service."),
            Row(
                key="observability.business",
                text="A dashboard for the business (tickets by status, time to solution, feedback).",
            ),
            Row(key="observability.alarms", text="Alarms with SNS."),
            Row(key="observability.queries", text="Saved Logs Insights queries."),
            Row(
                key="observability.trail",
                text="CloudTrail with log validation.",
                holds_for="dev, staging, prod",
            ),
            Row(
                key="observability.canary",
                text="Synthetics or scheduled canary ticket by config.",
                holds_for="a stack whose settings ask for it",
            ),
        ),
    ),
    Section(
        title="5. Keys",
        rows=(Row(key="keys.classes", text="Customer-managed, rotating, one per data class."),),
    ),
)

ROWS: Final[Mapping[str, Row]] = MappingProxyType({row.key: row for section in SECTIONS for row in section.rows})
"""By key."""
