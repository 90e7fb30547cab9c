"""The ticket service of one environment, top to bottom: settings, then components, then outputs.

What each part is made of, and its defaults, stands in its component's docstring; what differs between environments
stands in ``Pulumi.<stack>.yaml``.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import events, functions, iam, knowledge_base, models, openapi, search, settings
from components.alarms import AlarmTopic, AlarmTopicArgs, DeadLetterAlarm, DeadLetterAlarmArgs
from components.api import Api, ApiArgs
from components.functions import Function, FunctionArgs, Layers, LayersArgs, Platform
from components.identity import Identity, IdentityArgs
from components.keys import Keys, KeysArgs
from components.logs import LogPolicy, ServiceWriters, ServiceWritersArgs
from components.names import Names
from components.queues import FailureQueue, FailureQueueArgs, WorkQueue, WorkQueueArgs
from components.schedules import Schedule, ScheduleArgs
from components.sources import QueueSource, QueueSourceArgs, StreamSource, StreamSourceArgs
from components.tables import CUSTOMER_INDEX, DEADLINE_INDEX, Tables, TablesArgs
from components.workflow import TicketWorkflow, TicketWorkflowArgs
from support import routes
from support.timings import VISIBILITY_PER_TIMEOUT

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
    ),
    on_aws,
)
logs = LogPolicy(retention_days=config.retention.log_days, key_arn=keys.logs.arn)
log_access = ServiceWriters(
    "log-access", ServiceWritersArgs(names=names, writers=(search.writer(names), events.writer(names))), on_aws
)
alarms = AlarmTopic(
    "alarms", AlarmTopicArgs(names=names, key=keys.queues, subscriptions=config.alarms.subscriptions), on_aws
)

# --- data, and who may see it

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
        names=names, key=keys.search, logs=logs, settings=config.search, log_access=log_access, protect=protect
    ),
    on_aws,
)
language = models.LanguageModels("models", models.LanguageModelsArgs(names=names, settings=config.models), on_aws)

# --- messages: queues, workflow, events

KB_INGEST_TIMEOUT = 120
FEEDBACK_TIMEOUT = 30
DLQ_TIMEOUT = 30

ticket_queue = WorkQueue(
    "ticket-queue",
    WorkQueueArgs(
        names=names,
        key=keys.queues,
        thing="tickets",
        visibility_timeout=timings.visibility,
        max_receives=timings.max_receives,
        alarm_topic_arn=alarms.arn,
        failures_timeout=DLQ_TIMEOUT,
    ),
    on_aws,
)
ingest_queue = WorkQueue(
    "ingest-queue",
    WorkQueueArgs(
        names=names,
        key=keys.queues,
        thing="kb-ingest",
        visibility_timeout=VISIBILITY_PER_TIMEOUT * KB_INGEST_TIMEOUT,
        max_receives=timings.max_receives,
        alarm_topic_arn=alarms.arn,
        failures_timeout=DLQ_TIMEOUT,
        producers=(knowledge_base.producer(names),),
    ),
    on_aws,
)
feedback_queue = WorkQueue(
    "feedback-queue",
    WorkQueueArgs(
        names=names,
        key=keys.queues,
        thing="feedback",
        visibility_timeout=VISIBILITY_PER_TIMEOUT * FEEDBACK_TIMEOUT,
        max_receives=timings.max_receives,
        alarm_topic_arn=alarms.arn,
        failures_timeout=DLQ_TIMEOUT,
    ),
    on_aws,
)
failed_events = FailureQueue(
    "events-dlq",
    FailureQueueArgs(
        names=names,
        key=keys.queues,
        thing="events-dlq",
        alarm_topic_arn=alarms.arn,
        producers=(events.producer(names),),
    ),
    on_aws,
)
failed_calls = FailureQueue(
    "async-failures",
    FailureQueueArgs(names=names, key=keys.queues, thing="async-failures", alarm_topic_arn=alarms.arn),
    on_aws,
)
documents = knowledge_base.KnowledgeBase(
    "knowledge-base",
    knowledge_base.KnowledgeBaseArgs(names=names, key=keys.data, ingest=ingest_queue, protect=protect),
    on_aws,
)
workflow = TicketWorkflow(
    "ticket-workflow",
    TicketWorkflowArgs(names=names, logs=logs, timings=timings, tickets=tables.tickets, queue=ticket_queue),
    on_aws,
)
bus = events.Events("events", events.EventsArgs(names=names, logs=logs, undelivered=failed_events), on_aws)

# --- functions

layers = Layers("layers", LayersArgs(names=names, target=config.functions.target, bundles=bundles), on_aws)
platform = Platform(
    names=names,
    target=config.functions.target,
    bundles=bundles,
    layers=layers,
    environment_key=keys.data,
    logs=logs,
    log_level=config.functions.log_level,
    failures=failed_calls,
    reserved_concurrency=config.functions.reserved_concurrency,
)
for_pages = {"CORS_ALLOWED_ORIGINS": ",".join(config.api.cors_allowed_origins)}
for_generation: dict[str, pulumi.Input[str]] = {
    "GENERATION_MODEL_ID": language.generation_model_id,
    "GUARDRAIL_ID": language.guardrail_id,
    "GUARDRAIL_VERSION": language.guardrail_version,
}
for_search: dict[str, pulumi.Input[str]] = {"OPENSEARCH_ENDPOINT": domain.endpoint, "SEARCH_INDEX": search.INDEX}
for_work = {
    "MAX_RECEIVES": str(timings.max_receives),
    "BACKOFF_BASE_SECONDS": str(timings.backoff_base),
    "BACKOFF_CAP_SECONDS": str(timings.backoff_cap),
}
for_unhurried_work = {
    "MAX_RECEIVES": str(timings.max_receives),
    "BACKOFF_BASE_SECONDS": str(timings.unhurried_backoff_base),
    "BACKOFF_CAP_SECONDS": str(timings.unhurried_backoff_cap),
}

create_ticket = Function(
    "create_ticket",
    FunctionArgs(
        platform=platform,
        description="POST /tickets: opens a ticket and starts the work on it",
        memory=512,
        timeout=timings.api_function_timeout,
        environment={
            **for_pages,
            "TICKETS_TABLE": tables.tickets.name,
            "IDEMPOTENCY_TABLE": tables.idempotency_keys.name,
            "STATE_MACHINE_ARN": workflow.arn,
            "PROCESS_DEADLINE_SECONDS": str(timings.process_deadline),
            "ESTIMATED_COMPLETION_SECONDS": str(timings.estimated_completion),
            "TICKET_RETENTION_DAYS": str(config.retention.ticket_days),
            "IDEMPOTENCY_SECONDS": str(config.retention.idempotency_hours * 3600),
        },
        grants=(
            tables.tickets.items("GetItem", "PutItem", "UpdateItem"),
            tables.idempotency_keys.items("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            workflow.start(),
        ),
    ),
    on_aws,
)
list_tickets = Function(
    "list_tickets",
    FunctionArgs(
        platform=platform,
        description="GET /tickets: a customer's tickets, newest first",
        memory=512,
        timeout=timings.api_function_timeout,
        environment={**for_pages, "TICKETS_TABLE": tables.tickets.name, "CURSOR_KEY_ARN": keys.cursor.arn},
        grants=(tables.tickets.query(CUSTOMER_INDEX), keys.cursor.sign()),
    ),
    on_aws,
)
get_ticket = Function(
    "get_ticket",
    FunctionArgs(
        platform=platform,
        description="GET /tickets/{id}: a ticket's public fields",
        memory=512,
        timeout=timings.api_function_timeout,
        environment={**for_pages, "TICKETS_TABLE": tables.tickets.name},
        grants=(tables.tickets.items("GetItem"),),
    ),
    on_aws,
)
get_solution = Function(
    "get_solution",
    FunctionArgs(
        platform=platform,
        description="GET /tickets/{id}/solution: a ticket's solution",
        memory=1024,
        timeout=timings.api_function_timeout,
        environment={
            **for_pages,
            "TICKETS_TABLE": tables.tickets.name,
            "SOLUTIONS_TABLE": tables.solutions.name,
        },
        grants=(tables.tickets.items("GetItem"), tables.solutions.items("GetItem")),
    ),
    on_aws,
)
get_solution_stream = Function(
    "get_solution_stream",
    FunctionArgs(
        platform=platform,
        description="GET /tickets/{id}/solution/stream: a ticket's solution, as the model writes it",
        memory=1024,
        timeout=timings.stream_function_timeout,
        streams=True,
        environment={
            **for_pages,
            **for_generation,
            "TICKETS_TABLE": tables.tickets.name,
            "SOLUTIONS_TABLE": tables.solutions.name,
            "STREAM_SECONDS": str(timings.stream_seconds),
            "HEARTBEAT_SECONDS": str(timings.heartbeat_comment),
        },
        grants=(tables.tickets.items("GetItem"), tables.solutions.items("GetItem"), language.stream()),
    ),
    on_aws,
)
review_ticket = Function(
    "review_ticket",
    FunctionArgs(
        platform=platform,
        description="GET and POST /tickets/{id}/review: an operator's verdict on a solution",
        memory=512,
        timeout=timings.api_function_timeout,
        environment={
            **for_pages,
            "TICKETS_TABLE": tables.tickets.name,
            "SOLUTIONS_TABLE": tables.solutions.name,
        },
        grants=(tables.tickets.items("GetItem", "UpdateItem"), tables.solutions.items("GetItem", "PutItem")),
    ),
    on_aws,
)
kb_search = Function(
    "kb_search",
    FunctionArgs(
        platform=platform,
        description="POST /kb/search: passages of the knowledge base",
        memory=512,
        timeout=timings.api_function_timeout,
        environment={
            **for_pages,
            **for_search,
            "SEARCH_PIPELINE": search.PIPELINE,
            "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
        },
        grants=(domain.read(), language.embed()),
    ),
    on_aws,
)
kb_ingest = Function(
    "kb_ingest",
    FunctionArgs(
        platform=platform,
        description="Brings the search index up to date with the documents",
        memory=512,
        timeout=KB_INGEST_TIMEOUT,
        environment={
            **for_search,
            **for_unhurried_work,
            "INGEST_QUEUE_URL": ingest_queue.url,
            "INGEST_DLQ_URL": ingest_queue.failures.url,
            "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
            "KB_BUCKET": documents.name,
        },
        grants=(
            ingest_queue.consume(),
            ingest_queue.postpone(),
            ingest_queue.failures.send(),
            documents.read(),
            domain.write(),
            language.embed(),
        ),
    ),
    on_aws,
)
process_ticket = Function(
    "process_ticket",
    FunctionArgs(
        platform=platform,
        description="Works on the tickets of the ticket queue: retrieve, write, check",
        memory=1024,
        timeout=timings.process_ticket_timeout,
        environment={
            **for_search,
            **for_generation,
            **for_work,
            "TICKETS_TABLE": tables.tickets.name,
            "SOLUTIONS_TABLE": tables.solutions.name,
            "TICKET_QUEUE_URL": ticket_queue.url,
            "TICKET_DLQ_URL": ticket_queue.failures.url,
            "SEARCH_PIPELINE": search.PIPELINE,
            "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
            "MIN_PASSAGE_SCORE": str(config.models.min_passage_score),
        },
        grants=(
            ticket_queue.consume(),
            ticket_queue.postpone(),
            ticket_queue.failures.send(),
            tables.tickets.items("GetItem"),
            tables.solutions.items("GetItem", "PutItem"),
            domain.read(),
            language.embed(),
            language.generate(),
            workflow.answer(),
        ),
    ),
    on_aws,
)
dlq_processor = Function(
    "dlq_processor",
    FunctionArgs(
        platform=platform,
        description="Empties the failure queues: keeps each message, tells it, ends its ticket",
        memory=256,
        timeout=DLQ_TIMEOUT,
        environment={
            "FAILURES_TABLE": tables.failures.name,
            "TICKETS_TABLE": tables.tickets.name,
            "ALARM_TOPIC_ARN": alarms.arn,
        },
        grants=(
            ticket_queue.failures.consume(),
            ingest_queue.failures.consume(),
            feedback_queue.failures.consume(),
            tables.failures.items("PutItem"),
            tables.tickets.items("UpdateItem"),
            workflow.give_up(),
            alarms.publish(),
        ),
    ),
    on_aws,
)
reconcile = Function(
    "reconcile",
    FunctionArgs(
        platform=platform,
        description="Mends tickets that are open past their deadline",
        memory=256,
        timeout=timings.reconcile_timeout,
        environment={
            "TICKETS_TABLE": tables.tickets.name,
            "SOLUTIONS_TABLE": tables.solutions.name,
            "STATE_MACHINE_ARN": workflow.arn,
            "PROCESS_DEADLINE_SECONDS": str(timings.process_deadline),
            "ESTIMATED_COMPLETION_SECONDS": str(timings.estimated_completion),
            "MAX_ATTEMPTS": str(timings.max_attempts),
        },
        grants=(
            tables.tickets.query(DEADLINE_INDEX),
            tables.tickets.items("UpdateItem"),
            tables.solutions.items("GetItem"),
            workflow.start(),
            workflow.watch(),
        ),
    ),
    on_aws,
)
publish_events = Function(
    "publish_events",
    FunctionArgs(
        platform=platform,
        description="Tells the event bus what happened to tickets",
        memory=256,
        timeout=60,
        environment={"EVENT_BUS_NAME": bus.name},
        grants=(tables.tickets.read_stream(), failed_events.send(), bus.publish()),
    ),
    on_aws,
)
itsm_authorizer = Function(
    openapi.AUTHORIZER,
    FunctionArgs(
        platform=platform,
        description="Checks the signatures of ITSM partners",
        memory=256,
        timeout=10,
        environment={"API_KEYS_TABLE": tables.api_keys.name, "PARTNER_KEY_ARN": keys.partners.arn},
        grants=(
            tables.api_keys.items("GetItem"),
            # A secret is bound to its partner; for a key that nobody has, a decoy is decrypted, so that both take
            # the same calls.
            keys.partners.decrypt_bound("api_key"),
            keys.partners.encrypt_bound("api_key", "decoy"),
        ),
    ),
    on_aws,
)
feedback_writer = Function(
    "feedback_writer",
    FunctionArgs(
        platform=platform,
        description="Keeps feedback on the caller's own tickets, drops the rest",
        memory=256,
        timeout=FEEDBACK_TIMEOUT,
        environment={
            **for_unhurried_work,
            "TICKETS_TABLE": tables.tickets.name,
            "FEEDBACK_TABLE": tables.feedback.name,
            "FEEDBACK_QUEUE_URL": feedback_queue.url,
            "FEEDBACK_DLQ_URL": feedback_queue.failures.url,
        },
        grants=(
            feedback_queue.consume(),
            feedback_queue.postpone(),
            feedback_queue.failures.send(),
            tables.tickets.items("GetItem"),
            tables.feedback.items("PutItem"),
        ),
    ),
    on_aws,
)
setup_environment: dict[str, pulumi.Input[str]] = {
    **for_search,
    "SEARCH_PIPELINE": search.PIPELINE,
    "EMBEDDING_DIMENSIONS": str(search.EMBEDDING_DIMENSIONS),
    "ROLE_MAPPINGS": iam.to_json(
        {
            search.READER: [names.role_arn("kb_search"), names.role_arn("process_ticket")],
            search.WRITER: [names.role_arn("kb_ingest")],
        }
    ),
}
search_bootstrap = Function(
    search.ADMINISTRATOR,
    FunctionArgs(
        platform=platform,
        description="Makes the search domain ready; run by the deployment",
        memory=256,
        timeout=120,
        environment=setup_environment,
        grants=(domain.administer(),),
        role=domain.administrator,
    ),
    on_aws,
)

# --- what starts them

search.SearchSetup(
    "search-setup",
    search.SearchSetupArgs(
        bootstrap=search_bootstrap,
        environment=setup_environment,
        code=f"{bundles.functions[search.ADMINISTRATOR].sha256} {bundles.support.sha256}",
        roles=(kb_search, process_ticket, kb_ingest),
    ),
    on_aws,
)
QueueSource(
    "ticket-work",
    QueueSourceArgs(
        queue=ticket_queue,
        function=process_ticket,
        batch_size=10,
        window=timings.batch_window,
        maximum_concurrency=config.functions.process_ticket_concurrency,
    ),
    on_aws,
)
QueueSource(
    "document-changes",
    QueueSourceArgs(queue=ingest_queue, function=kb_ingest, batch_size=5, maximum_concurrency=5),
    on_aws,
)
QueueSource(
    "feedback",
    QueueSourceArgs(queue=feedback_queue, function=feedback_writer, batch_size=10, maximum_concurrency=5),
    on_aws,
)
for thing, queue in (("tickets", ticket_queue), ("documents", ingest_queue), ("feedback", feedback_queue)):
    QueueSource(
        f"failed-{thing}",
        QueueSourceArgs(queue=queue.failures, function=dlq_processor, batch_size=10, maximum_concurrency=2),
        on_aws,
    )
DeadLetterAlarm("dead-letters", DeadLetterAlarmArgs(names=names, processor=dlq_processor, topic_arn=alarms.arn), on_aws)
StreamSource(
    "ticket-changes", StreamSourceArgs(table=tables.tickets, function=publish_events, failures=failed_events), on_aws
)
Schedule(
    "overdue-tickets",
    ScheduleArgs(
        names=names,
        function=reconcile,
        description="Looks for tickets that are open past their deadline",
        minutes=timings.reconcile_minutes,
    ),
    on_aws,
)
behind_api = (
    create_ticket,
    list_tickets,
    get_ticket,
    get_solution,
    get_solution_stream,
    review_ticket,
    kb_search,
)
behind_it = (
    itsm_authorizer,
    kb_ingest,
    process_ticket,
    feedback_writer,
    dlq_processor,
    reconcile,
    publish_events,
    search_bootstrap,
)
api = Api(
    "api",
    ApiArgs(
        names=names,
        logs=logs,
        settings=config.api,
        timings=timings,
        routes=routes.ROUTES,
        functions={function.key: function for function in behind_api},
        targets={"status": tables.tickets, "feedback": feedback_queue},
        authorizer=itsm_authorizer,
        identity=identity,
    ),
    on_aws,
)

# --- what others need to know

pulumi.export("region", config.region)
pulumi.export("api_url", api.url)
pulumi.export("api_id", api.id)
pulumi.export("usage_plan_ids", {tier: plan.id for tier, plan in api.usage_plans.items()})
pulumi.export("partner_key_arn", keys.partners.arn)
pulumi.export("user_pool_id", identity.pool_id)
pulumi.export("user_pool_client_id", identity.client_id)
pulumi.export("kb_bucket", documents.bucket.bucket)
pulumi.export("tables", {table.thing: table.table.name for table in tables.all})
pulumi.export(
    "queue_urls",
    {
        "tickets": ticket_queue.url,
        "tickets-dlq": ticket_queue.failures.url,
        "kb-ingest": ingest_queue.url,
        "kb-ingest-dlq": ingest_queue.failures.url,
        "feedback": feedback_queue.url,
        "feedback-dlq": feedback_queue.failures.url,
        "events-dlq": failed_events.url,
        "async-failures": failed_calls.url,
    },
)
pulumi.export("event_bus", bus.bus.name)
pulumi.export("state_machine_arn", workflow.machine.arn)
pulumi.export("search_endpoint", domain.endpoint)
pulumi.export("search_index", search.INDEX)
pulumi.export("search_pipeline", search.PIPELINE)
pulumi.export("embedding_model_id", models.EMBEDDING_MODEL_ID)
pulumi.export("functions", {function.key: function.function.name for function in (*behind_api, *behind_it)})
