"""Every component is of use by itself, with the defaults of its docstring, and can be overridden child by child.

Each program below is the smallest that uses one component: what it is given, and nothing that it is not.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from harness import graph as graphs
from harness import stack_file
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.graph import Graph, Resource

PREAMBLE: Final = """
import functools

import pulumi
import pulumi_aws as aws

from components import functions, iam, queues, settings
from components.keys import Key, KeyArgs
from components.logs import LogPolicy
from components.names import Names
from support.timings import Timings

names = Names(environment="alone", partition="aws", region="eu-central-1", account_id="111111111111")
TOPIC = names.topic_arn("alarms")
KEY_ARN = "arn:aws:kms:eu-central-1:111111111111:key/1"


@functools.cache
def key(data_class="data", **more):
    return Key(f"{data_class}-key", KeyArgs(names=names, data_class=data_class, purpose="p", protect=False, **more))


def logs():
    return LogPolicy(retention_days=30, key_arn=KEY_ARN)


def log_access():
    from components.logs import ServiceWriters, ServiceWritersArgs

    return ServiceWriters("log-access", ServiceWritersArgs(names=names, writers=()))


def network():
    from components.network import Network, NetworkArgs

    return Network("network", NetworkArgs(names=names, logs=logs(), settings=settings.Network()))


def failure_queue():
    args = queues.FailureQueueArgs(names=names, key=key("queues"), thing="async-failures", alarm_topic_arn=TOPIC)
    return queues.FailureQueue("async-failures", args)


def work_queue(thing="tickets", **more):
    args = queues.WorkQueueArgs(
        names=names,
        key=key("queues"),
        thing=thing,
        visibility_timeout=360,
        max_receives=5,
        alarm_topic_arn=TOPIC,
        failures_timeout=30,
        **more,
    )
    return queues.WorkQueue(f"{thing}-queue", args)


def table(**more):
    from components.tables import Attribute, Table, TableArgs

    args = TableArgs(
        names=names, key=key("tables"), thing="things", hash_key=Attribute("id"), deletion_protection=False, **more
    )
    return Table("things", args)


def platform(**more):
    target = functions.bundling.BundleTarget.host()
    bundles = functions.bundle(target)
    return functions.Platform(
        names=names,
        target=target,
        bundles=bundles,
        layers=functions.Layers("layers", functions.LayersArgs(names=names, target=target, bundles=bundles)),
        environment_key=key(),
        logs=logs(),
        log_level="INFO",
        failures=failure_queue(),
        reserved_concurrency={},
        **more,
    )


def function(made_with=None, key="get_ticket", **more):
    variables = functions.contract.variables(functions.contract.FUNCTIONS[key])
    args = functions.FunctionArgs(
        platform=made_with or platform(),
        description="d",
        memory=256,
        timeout=10,
        environment=dict.fromkeys(variables, "1"),
        **more,
    )
    return functions.Function(key, args)


def stage():
    api = aws.apigateway.RestApi("api", name="api")
    deployment = aws.apigateway.Deployment("api", rest_api=api.id)
    return aws.apigateway.Stage("api", rest_api=api.id, deployment=deployment.id, stage_name="v1")
"""

ALONE: Final = {
    "support:access_logs:AccessLogs": """
from components.access_logs import AccessLogs, AccessLogsArgs

distribution = "arn:aws:cloudfront::111111111111:distribution/E1"
args = AccessLogsArgs(names=names, key_arn=KEY_ARN, distribution_arn=distribution, days=30, protect=True)
AccessLogs("logs", args)
""",
    "support:alarms:AlarmTopic": """
from components.alarms import AlarmTopic, AlarmTopicArgs

AlarmTopic("alarms", AlarmTopicArgs(names=names, key=key("queues"), subscriptions={"team": "team@example.com"}))
""",
    "support:alarms:DeadLetterAlarm": """
from components.alarms import DeadLetterAlarm, DeadLetterAlarmArgs

processor = function(key="dlq_processor")
DeadLetterAlarm("dead-letters", DeadLetterAlarmArgs(names=names, processor=processor, topic_arn=TOPIC))
""",
    "support:api:Api": """
from components.api import Api, ApiArgs
from components.identity import Identity, IdentityArgs
from support.routes import ROUTES

made_with = platform()
[route] = [route for route in ROUTES if route.operation_id == "getTicket"]
args = ApiArgs(
    names=names,
    logs=logs(),
    settings=settings.Api(),
    manage_account_settings=True,
    timings=Timings(),
    routes=[route],
    functions={"get_ticket": function(made_with)},
    targets={},
    authorizer=function(made_with, "itsm_authorizer"),
    identity=Identity("users", IdentityArgs(names=names, mfa="ON", password_sign_in=False, deletion_protection=True)),
)
Api("api", args)
""",
    "support:audit:Audit": """
from components.audit import Audit, AuditArgs

Audit("audit", AuditArgs(names=names, days=365, protect=True))
""",
    "support:buckets:RecordBucket": """
from components.buckets import RecordBucket, RecordBucketArgs

args = RecordBucketArgs(names=names, thing="records", key_arn=KEY_ARN, days=30, protect=True, writers=[])
RecordBucket("records", args)
""",
    "support:canary:Canary": """
from components.canary import Canary, CanaryArgs

args = CanaryArgs(
    platform=platform(),
    key=key(),
    api_url="https://api.example.com/v1",
    minutes=5,
    timings=Timings(),
    protect=True,
)
Canary("canary", args)
""",
    "support:distribution:Distribution": """
from components.distribution import Distribution, DistributionArgs

acl = "arn:aws:wafv2:us-east-1:111111111111:global/webacl/a/1"
origin = "https://a.execute-api.eu-central-1.amazonaws.com/v1"
Distribution("cdn", DistributionArgs(names=names, origin=origin, secret=pulumi.Output.secret("s"), web_acl_arn=acl))
""",
    "support:domain_name:Address": """
from components.domain_name import Address, AddressArgs

args = AddressArgs(
    domain_name="api.example.com", zone_id="Z1", target="d1.cloudfront.net", target_zone_id="Z2", types=("A", "AAAA")
)
Address("address", args)
""",
    "support:domain_name:RegionalDomain": """
from components.domain_name import RegionalDomain, RegionalDomainArgs

certificate = "arn:aws:acm:eu-central-1:111111111111:certificate/1"
args = RegionalDomainArgs(domain_name="api.example.com", certificate_arn=certificate, stage=stage())
RegionalDomain("domain", args)
""",
    "support:edge:Edge": """
from components.edge import Edge, EdgeArgs

args = EdgeArgs(
    names=names, settings=settings.Edge(), stage=stage(), logs=logs(), log_access=log_access(), protect=True
)
Edge("edge", args)
""",
    "support:endpoints:Endpoints": """
from components.endpoints import Endpoints, EndpointsArgs

inside = network()
may = {
    "s3:GetObject": "arn:aws:s3:::documents/*",
    "dynamodb:GetItem": names.table_arn("things"),
    "sqs:SendMessage": names.queue_arn("work"),
}
statements = [
    iam.Statement(sid=f"Use{number}", actions=(action,), resources=(arn,))
    for number, (action, arn) in enumerate(may.items())
]
user = function(key="connectivity_check", network=inside, grants=(iam.Grant(tuple(statements)),))
Endpoints("endpoints", EndpointsArgs(names=names, network=inside, services=("sqs",), users=(user,)))
""",
    "support:events:Events": """
from components.events import Events, EventsArgs

Events("events", EventsArgs(names=names, logs=logs(), undelivered=failure_queue()))
""",
    "support:functions:Function": "function()",
    "support:functions:Layers": """
target = functions.bundling.BundleTarget.host()
args = functions.LayersArgs(names=names, target=target, bundles=functions.bundle(target))
functions.Layers("layers", args)
""",
    "support:identity:Identity": """
from components.identity import Identity, IdentityArgs

Identity("users", IdentityArgs(names=names, mfa="ON", password_sign_in=False, deletion_protection=True))
""",
    "support:keys:Key": "key()",
    "support:keys:Keys": """
from components.keys import Keys, KeysArgs

bucket, rule = names.bucket_arn("documents"), names.event_rule_arn("events", "log")
Keys("keys", KeysArgs(names=names, protect=True, bucket_arn=bucket, rule_arn=rule))
""",
    "support:knowledge_base:KnowledgeBase": """
from components import knowledge_base as kb

ingest = work_queue("kb-ingest", producers=(kb.producer(names),))
kb.KnowledgeBase("documents", kb.KnowledgeBaseArgs(names=names, key=key(), ingest=ingest, protect=True))
""",
    "support:logs:ServiceWriters": "log_access()",
    "support:models:LanguageModels": """
from components.models import LanguageModels, LanguageModelsArgs

LanguageModels("models", LanguageModelsArgs(names=names, settings=settings.Models()))
""",
    "support:network:Network": "network()",
    "support:observability:Observability": """
from components.dashboards import Watched
from components.observability import Observability, ObservabilityArgs

watched = Watched(
    names=names,
    api_name="api",
    functions=["get_ticket"],
    queues={"tickets": 360},
    tables=["tickets"],
    models=["amazon.nova-pro-v1:0"],
)
args = ObservabilityArgs(watched=watched, topic_arn=TOPIC, volume_gib=10, account_concurrency=1_000)
Observability("observability", args)
""",
    "support:origin_secret:OriginSecret": """
from components.origin_secret import OriginSecret, OriginSecretArgs

OriginSecret("secret", OriginSecretArgs(number=1))
""",
    "support:provisioned:ProvisionedConcurrency": """
from components.provisioned import ProvisionedConcurrency, ProvisionedConcurrencyArgs

args = ProvisionedConcurrencyArgs(
    names=names, key="get_ticket", alias=function().alias, provisioned=settings.Provisioned(least=1, most=2)
)
ProvisionedConcurrency("warm", args)
""",
    "support:queues:FailureQueue": "failure_queue()",
    "support:queues:WorkQueue": "work_queue()",
    "support:release:Releases": """
from components.release import Releases, ReleasesArgs

released = function(platform(release="canary"))
args = ReleasesArgs(names=names, functions=(released,), answering=frozenset({"get_ticket"}), topic_arn=TOPIC)
Releases("releases", args)
""",
    "support:schedules:Schedule": """
from components.schedules import Schedule, ScheduleArgs

Schedule("hourly", ScheduleArgs(names=names, function=function(), description="d", minutes=60))
""",
    "support:search:SearchDomain": """
from components.search import SearchDomain, SearchDomainArgs

args = SearchDomainArgs(
    names=names,
    key=key("search"),
    logs=logs(),
    settings=settings.Search(),
    log_access=log_access(),
    network=network(),
    owns_service_role=True,
    protect=True,
)
SearchDomain("search", args)
""",
    "support:search:SearchSetup": """
from components.search import SearchSetup, SearchSetupArgs

SearchSetup("setup", SearchSetupArgs(bootstrap=function(key="search_bootstrap"), environment={}, code="1", roles=()))
""",
    "support:sources:QueueSource": """
from components.sources import QueueSource, QueueSourceArgs

work, worker = work_queue(), function(key="process_ticket")
QueueSource("work", QueueSourceArgs(queue=work, function=worker, batch_size=10, maximum_concurrency=2))
""",
    "support:sources:StreamSource": """
from components.sources import StreamSource, StreamSourceArgs

made_with = platform()
reader = function(made_with, "publish_events")
args = StreamSourceArgs(table=table(stream=True), function=reader, failures=made_with.failures)
StreamSource("changes", args)
""",
    "support:tables:Table": "table()",
    "support:tables:Tables": """
from components.tables import Tables, TablesArgs

Tables("tables", TablesArgs(names=names, key=key(), deletion_protection=True))
""",
    "support:web_acl:WebAcl": """
from components.web_acl import WebAcl, WebAclArgs

args = WebAclArgs(
    names=names, thing="api", scope="REGIONAL", rate_limit=2_000, logs=logs(), log_access=log_access()
)
WebAcl("acl", args)
""",
    "support:workflow:TicketWorkflow": """
from components.workflow import TicketWorkflow, TicketWorkflowArgs

args = TicketWorkflowArgs(names=names, logs=logs(), timings=Timings(), tickets=table(), queue=work_queue())
TicketWorkflow("workflow", args)
""",
}
"""Token -> a program that uses the component."""

MARKED: Final = f"""
import runpy

import pulumi

construct = pulumi.ComponentResource.__init__


def constructed(self, token, name, props=None, opts=None, *rest, **more):
    def mark(args):
        more = pulumi.ResourceOptions(ignore_changes=[f"{{token}} {{name}}"])
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, more))

    mine = pulumi.ResourceOptions(transformations=[mark])
    construct(self, token, name, props, pulumi.ResourceOptions.merge(opts, mine), *rest, **more)


pulumi.ComponentResource.__init__ = constructed
try:
    runpy.run_path({str(REPOSITORY / "__main__.py")!r}, run_name="__main__")
finally:
    pulumi.ComponentResource.__init__ = construct
"""
"""The whole program, where each component is given a transformation that leaves the component's mark."""

ONE_CHANGE: Final = """
def longer(args):
    if args.type_ == "aws:sqs/queue:Queue" and args.name.endswith("-dlq"):
        args.props["message_retention_seconds"] = 60
    return pulumi.ResourceTransformationResult(args.props, args.opts)


args = queues.WorkQueueArgs(
    names=names,
    key=key("queues"),
    thing="tickets",
    visibility_timeout=360,
    max_receives=5,
    alarm_topic_arn=TOPIC,
    failures_timeout=30,
)
queues.WorkQueue("work", args, pulumi.ResourceOptions(transformations=[longer]))
queues.WorkQueue("other", args)
"""


def built(folder: Path, text: str) -> Graph:
    (folder / "__main__.py").write_text(text)
    return graphs.build_with("prod", stack_file.config(REPOSITORY, "prod"), root=folder)


@functools.cache
def marked() -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        return built(Path(folder), MARKED)


def components(graph: Graph) -> Iterator[Resource]:
    return (resource for resource in graph if not resource.custom)


def test_every_component_of_the_service_has_a_program_here(graph_of: Callable[[str], Graph]) -> None:
    used = {
        component.type for stack in ("local", "dev", "staging", "prod") for component in components(graph_of(stack))
    }
    assert used <= ALONE.keys()


@pytest.mark.parametrize("token", ALONE)
def test_a_component_is_of_use_by_itself_with_its_defaults(token: str, tmp_path: Path) -> None:
    graph = built(tmp_path, PREAMBLE + ALONE[token])
    [component] = [each for each in components(graph) if each.type == token][:1]
    children = [resource for resource in graph if resource.parent == component.urn]
    assert children


def test_every_child_can_be_overridden_through_the_component_that_it_lies_in() -> None:
    graph = marked()
    for resource in graph:
        if not resource.custom or resource.type.startswith("pulumi:providers:"):
            continue
        marks, parent = set(), graph.resources.get(resource.parent)
        while parent is not None:
            marks.add(f"{parent.type} {parent.name}")
            parent = graph.resources.get(parent.parent)
        assert marks, resource.urn
        assert {mark for mark in resource.ignore_changes if mark.startswith("support:")} == marks, resource.urn


def test_marks_leave_everything_else_as_it_is(graph_of: Callable[[str], Graph]) -> None:
    plain = {urn: resource.inputs for urn, resource in graph_of("prod").resources.items()}
    assert {urn: resource.inputs for urn, resource in marked().resources.items()} == plain


def test_a_change_of_one_child_is_a_change_of_that_child_only(tmp_path: Path) -> None:
    graph = built(tmp_path, PREAMBLE + ONE_CHANGE)
    queues = {queue.name: queue.inputs for queue in graph.of_type("aws:sqs/queue:Queue")}
    assert queues["work-dlq"]["messageRetentionSeconds"] == 60
    assert queues["other-dlq"]["messageRetentionSeconds"] == 14 * 24 * 3600
    unchanged = {name: value for name, value in queues["work-dlq"].items() if name != "messageRetentionSeconds"}
    assert unchanged == {name: queues["other-dlq"][name] for name in unchanged}
    assert queues["work"]["messageRetentionSeconds"] == queues["other"]["messageRetentionSeconds"]
