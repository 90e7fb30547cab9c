"""The ticket service of one environment, top to bottom: settings, then components, then outputs.

What each part is made of, and its defaults, stands in its component's docstring; what differs between environments
stands in ``Pulumi.<stack>.yaml``.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import (
    api_functions,
    edge,
    events,
    functions,
    knowledge_base,
    models,
    search,
    service_queues,
    settings,
    worker_functions,
)
from components.alarms import AlarmTopic, AlarmTopicArgs, DeadLetterAlarm, DeadLetterAlarmArgs
from components.api import Api, ApiArgs
from components.audit import Audit, AuditArgs
from components.canary import Canary, CanaryArgs
from components.dashboards import Watched
from components.endpoints import Endpoints, EndpointsArgs
from components.functions import Layers, LayersArgs, Platform
from components.identity import Identity, IdentityArgs
from components.keys import Keys, KeysArgs
from components.logs import LogPolicy, ServiceWriters, ServiceWritersArgs
from components.names import Names
from components.network import Network, NetworkArgs
from components.observability import Observability, ObservabilityArgs
from components.parts import Parts
from components.release import Releases, ReleasesArgs
from components.schedules import Schedule, ScheduleArgs
from components.service_queues import ServiceQueuesArgs
from components.sources import QueueSource, QueueSourceArgs, StreamSource, StreamSourceArgs
from components.tables import Tables, TablesArgs
from components.workflow import TicketWorkflow, TicketWorkflowArgs
from support import routes

config = settings.load()
names = Names.of(config)
timings = config.functions.timings
bundles = functions.bundle(config.functions.target)
protect = config.deletion_protection

provider = aws.Provider(
    "aws",
    region=config.region,
    allowed_account_ids=[config.account_id],
    default_tags={"tags": {"service": "energy-support", "environment": config.environment, **config.tags}},
)
on_aws = pulumi.ResourceOptions(provider=provider)

# --- keys, logs, alarms

keys = Keys(
    "keys",
    KeysArgs(
        names=names,
        protect=protect,
        bucket_arn=names.bucket_arn(knowledge_base.THING),
        rule_arn=events.rule_arn(names),
        log_sources=edge.log_sources(names, config.edge),
    ),
    on_aws,
)
logs = LogPolicy(retention_days=config.retention.log_days, key_arn=keys.logs.arn)
log_access = ServiceWriters(
    "log-access",
    ServiceWritersArgs(
        names=names, writers=(search.writer(names), events.writer(names), *edge.writers(names, config.edge))
    ),
    on_aws,
)
alarms = AlarmTopic(
    "alarms", AlarmTopicArgs(names=names, key=keys.queues, subscriptions=config.alarms.subscriptions), on_aws
)

# --- network, data, and who may see it

network = Network("network", NetworkArgs(names=names, logs=logs, settings=config.network), on_aws)

tables = Tables("tables", TablesArgs(names=names, key=keys.data, deletion_protection=protect), on_aws)
identity = Identity(
    "identity",
    IdentityArgs(
        names=names,
        mfa=config.identity.mfa,
        password_sign_in=config.identity.password_sign_in,
        deletion_protection=protect,
    ),
    on_aws,
)
domain = search.SearchDomain(
    "search",
    search.SearchDomainArgs(
        names=names,
        key=keys.search,
        logs=logs,
        settings=config.search,
        log_access=log_access,
        network=network,
        owns_service_role=config.manage_account_settings,
        protect=protect,
    ),
    on_aws,
)
language = models.LanguageModels("models", models.LanguageModelsArgs(names=names, settings=config.models), on_aws)

# --- messages: queues, workflow, events

queues = service_queues.build(ServiceQueuesArgs(names=names, key=keys.queues, timings=timings, alarms=alarms), on_aws)
documents = knowledge_base.KnowledgeBase(
    "knowledge-base",
    knowledge_base.KnowledgeBaseArgs(names=names, key=keys.data, ingest=queues.ingest, protect=protect),
    on_aws,
)
workflow = TicketWorkflow(
    "ticket-workflow",
    TicketWorkflowArgs(names=names, logs=logs, timings=timings, tickets=tables.tickets, queue=queues.tickets),
    on_aws,
)
bus = events.Events("events", events.EventsArgs(names=names, logs=logs, undelivered=queues.failed_events), on_aws)

# --- functions

layers = Layers(
    "layers",
    LayersArgs(
        names=names, target=config.functions.target, bundles=bundles, keep_versions=config.functions.releases_gradually
    ),
    on_aws,
)
parts = Parts(
    config=config,
    names=names,
    platform=Platform(
        names=names,
        target=config.functions.target,
        bundles=bundles,
        layers=layers,
        environment_key=keys.data,
        logs=logs,
        log_level=config.functions.log_level,
        failures=queues.failed_calls,
        reserved_concurrency=config.functions.reserved_concurrency,
        provisioned_concurrency=config.functions.provisioned_concurrency,
        release=config.functions.release,
    ),
    network=network,
    keys=keys,
    tables=tables,
    domain=domain,
    language=language,
    documents=documents,
    queues=queues,
    workflow=workflow,
    bus=bus,
    alarms=alarms,
)
answering = api_functions.build(parts, on_aws)
working = worker_functions.build(parts, on_aws)
Endpoints(
    "endpoints",
    EndpointsArgs(
        names=names,
        network=network,
        services=config.network.endpoints,
        users=(
            answering.kb_search,
            working.process_ticket,
            working.kb_ingest,
            working.search_bootstrap,
            working.connectivity_check,
        ),
    ),
    on_aws,
)

# --- what starts them

search.SearchSetup(
    "search-setup",
    search.SearchSetupArgs(
        bootstrap=working.search_bootstrap,
        environment=worker_functions.setup_environment(parts),
        code=f"{bundles.functions[search.ADMINISTRATOR].sha256} {bundles.support.sha256}",
        roles=(answering.kb_search, working.process_ticket, working.kb_ingest, working.connectivity_check),
    ),
    on_aws,
)
at_work = config.functions.source_concurrency
QueueSource(
    "ticket-work",
    QueueSourceArgs(
        queue=queues.tickets,
        function=working.process_ticket,
        batch_size=10,
        window=timings.batch_window,
        maximum_concurrency=at_work["process_ticket"],
    ),
    on_aws,
)
QueueSource(
    "document-changes",
    QueueSourceArgs(
        queue=queues.ingest, function=working.kb_ingest, batch_size=5, maximum_concurrency=at_work["kb_ingest"]
    ),
    on_aws,
)
QueueSource(
    "feedback",
    QueueSourceArgs(
        queue=queues.feedback,
        function=working.feedback_writer,
        batch_size=10,
        maximum_concurrency=at_work["feedback_writer"],
    ),
    on_aws,
)
for thing, queue in queues.work.items():
    QueueSource(
        f"failed-{thing}",
        QueueSourceArgs(
            queue=queue.failures,
            function=working.dlq_processor,
            batch_size=10,
            maximum_concurrency=at_work["dlq_processor"] // len(queues.work),
        ),
        on_aws,
    )
DeadLetterAlarm(
    "dead-letters",
    DeadLetterAlarmArgs(names=names, processor=working.dlq_processor, topic_arn=alarms.arn),
    on_aws,
)
StreamSource(
    "ticket-changes",
    StreamSourceArgs(table=tables.tickets, function=working.publish_events, failures=queues.failed_events),
    on_aws,
)
Schedule(
    "overdue-tickets",
    ScheduleArgs(
        names=names,
        function=working.reconcile,
        description="Looks for tickets that are open past their deadline",
        minutes=timings.reconcile_minutes,
    ),
    on_aws,
)
api = Api(
    "api",
    ApiArgs(
        names=names,
        logs=logs,
        settings=config.api,
        manage_account_settings=config.manage_account_settings,
        timings=timings,
        routes=routes.ROUTES,
        functions=answering.routed,
        targets={"status": tables.tickets, "feedback": queues.feedback},
        authorizer=answering.itsm_authorizer,
        identity=identity,
    ),
    on_aws,
)
front = edge.Edge(
    "edge",
    edge.EdgeArgs(
        names=names,
        settings=config.edge,
        stage=api.stage,
        logs=logs,
        log_access=log_access,
        protect=protect,
        partner_rate=config.api.premium_rate,
    ),
    on_aws,
)

# --- releases

releases = None
if config.functions.releases_gradually:
    releases = Releases(
        "releases",
        ReleasesArgs(
            names=names,
            functions=(*vars(answering).values(), *vars(working).values()),
            answering=frozenset(answering.routed),
            topic_arn=alarms.arn,
        ),
        on_aws,
    )

# --- how all this is seen, and who did what

canary = None
if config.observability.canary:
    canary = Canary(
        "canary",
        CanaryArgs(
            platform=parts.platform,
            key=keys.data,
            api_url=front.url,
            minutes=config.observability.canary_minutes,
            timings=timings,
            protect=protect,
        ),
        on_aws,
    )
Observability(
    "observability",
    ObservabilityArgs(
        watched=Watched(
            names=names,
            api_name=api.name,
            functions=(*vars(answering), *vars(working), *([canary.function.key] if canary else [])),
            queues={queue.thing: queue.visibility_timeout for queue in queues.work.values()},
            tables=[table.thing for table in tables.all],
            models=(language.generation_model_id, models.EMBEDDING_MODEL_ID),
        ),
        topic_arn=alarms.arn,
        volume_gib=config.search.volume_gib,
        account_concurrency=config.functions.account_concurrency,
        canary_minutes=config.observability.canary_minutes if canary else None,
        other_alarms=(*queues.alarms, "dead-letters"),
    ),
    on_aws,
)
if config.audit.trail:
    Audit(
        "audit",
        AuditArgs(
            names=names,
            days=config.audit.trail_days,
            protect=protect,
            documents=[documents],
            tables=tables.all,
        ),
        on_aws,
    )

# --- what others need to know

pulumi.export("region", config.region)
pulumi.export("api_url", front.url)
pulumi.export("stage_url", api.url)
pulumi.export("api_id", api.id)
pulumi.export("usage_plan_ids", {tier: plan.id for tier, plan in api.usage_plans.items()})
pulumi.export("partner_key_arn", keys.partners.arn)
pulumi.export("user_pool_id", identity.pool_id)
pulumi.export("user_pool_client_id", identity.client_id)
pulumi.export("kb_bucket", documents.bucket.bucket)
pulumi.export("tables", {table.thing: table.table.name for table in tables.all})
pulumi.export("queue_urls", queues.urls)
pulumi.export("event_bus", bus.bus.name)
pulumi.export("state_machine_arn", workflow.machine.arn)
pulumi.export("search_endpoint", domain.endpoint)
pulumi.export("search_index", search.INDEX)
pulumi.export("search_pipeline", search.PIPELINE)
pulumi.export("embedding_model_id", models.EMBEDDING_MODEL_ID)
pulumi.export("releases", releases.described if releases else None)
pulumi.export(
    "functions",
    {key: function.function.name for key, function in (*vars(answering).items(), *vars(working).items())},
)
