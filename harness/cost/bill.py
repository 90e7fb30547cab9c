"""A month's bill, line by line, from a stack's resource graph."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.cost import free
from harness.cost.profiles import HOURS, SECONDS
from harness.cost.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.cost.prices import PriceTable
    from harness.cost.profiles import Profile
    from harness.graph import Graph, Resource

_POLLERS: Final = 5
"""Connections with which Lambda looks into a queue at least (Lambda developer guide, with-sqs, scaling)."""
_COMPRESSED: Final = 0.15
"""Of what was written to a log group, as it is stored and billed."""
_TRANSITIONS: Final = 4
"""Of an execution that goes well: its start, the task and the write of the outcome, the end."""
_CHARACTERS: Final = 5
"""Of a token."""
_MODELS: Final = "support:models:LanguageModels"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing on the bill."""

    component: str
    what: str
    quantity: float
    unit: str
    usd: float
    """A month."""
    price: str
    """Key in the price table."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A month's bill; US dollars."""

    stack: str
    profile: str
    region: str
    as_of: str
    provenance: str
    total: float
    components: Mapping[str, float]
    """Component -> US dollars a month, dearest first."""
    lines: tuple[Line, ...]
    unpriced: Mapping[str, tuple[str, ...]]
    """What has no price here, by resource type (or by model): its names. It is NOT in the total."""
    assumed_idle: tuple[str, ...]
    """Functions, tables and queues whose traffic is not known here; they are in with no traffic."""
    free: Mapping[str, str]
    """Resource type -> why it costs nothing."""


def estimate(graph: Graph, profile: Profile, table: PriceTable, *, name: str = "") -> Estimate:
    """The bill of a stack under a profile called ``name``."""
    return _Bill(graph, profile, table, name).estimate()


@dataclass
class _Bill:
    graph: Graph
    profile: Profile
    price_table: PriceTable
    name: str
    lines: list[Line] = field(default_factory=list)
    unpriced: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    idle: set[str] = field(default_factory=set)
    free: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._traffic = Traffic(self.graph, self.profile)
        self._calls = self._traffic.calls()
        self._prefix = f"support-{self.graph.settings.environment}-"

    def estimate(self) -> Estimate:
        for resource in self.graph:
            if resource.type == _MODELS:
                self._models(resource)
            elif resource.custom:
                self._of(resource)
        self._everywhere()
        by_component: dict[str, float] = defaultdict(float)
        for line in self.lines:
            by_component[line.component] += line.usd
        return Estimate(
            stack=self.graph.stack,
            profile=self.name,
            region=self.price_table.region,
            as_of=self.price_table.as_of,
            provenance=self.price_table.provenance,
            total=sum(by_component.values()),
            components=dict(sorted(by_component.items(), key=lambda item: (-item[1], item[0]))),
            lines=tuple(self.lines),
            unpriced={kind: tuple(sorted(names)) for kind, names in sorted(self.unpriced.items())},
            assumed_idle=tuple(sorted(self.idle)),
            free=dict(sorted(self.free.items())),
        )

    def _of(self, resource: Resource) -> None:
        make = _PRICED.get(resource.type)
        if make is not None:
            make(self, resource)
        elif resource.type in free.REASONS:
            self.free[resource.type] = free.REASONS[resource.type]
        else:
            self.unpriced[resource.type].append(resource.name)

    def _add(self, component: str, what: str, price: str, quantity: float) -> None:
        known = self.price_table.prices.get(price)
        if known is None:
            self.unpriced[price].append(what)
        elif quantity:
            usd = known.of(quantity)
            self.lines.append(
                Line(component=component, what=what, quantity=quantity, unit=known.unit, usd=usd, price=price)
            )

    def _component(self, resource: Resource) -> str:
        """Name of the outermost component around a resource."""
        name, parent = resource.name, resource.parent
        while parent in self.graph.resources:
            above = self.graph.resources[parent]
            name, parent = above.name, above.parent
        return name

    def _short(self, resource: Resource, key: str = "name") -> str:
        return str(resource.inputs.get(key, resource.name)).removeprefix(self._prefix)

    # --- functions

    def function(self, resource: Resource) -> None:
        component, key = self._component(resource), resource.name
        calls, seconds = self._calls.get(key), self.profile.duration(key)
        if calls is None or seconds is None:
            self.idle.add(f"function {key}")
            return
        processor = (resource.inputs.get("architectures") or ["x86_64"])[0]
        kind = "provisioned_duration" if key in self._warm() else "duration"
        memory = float(resource.inputs.get("memorySize", 128)) / 1024
        self._add(component, f"{key}: calls", "lambda_request", calls)
        self._add(component, f"{key}: time", f"lambda_{kind}_{processor}", calls * seconds * memory)

    def _warm(self) -> Mapping[str, float]:
        """Function key -> environments kept warm, at least."""
        names = {str(each.inputs["name"]): each.name for each in self.graph.of_type(_FUNCTION)}
        kept: dict[str, float] = {}
        for config in self.graph.of_type("aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"):
            key = names.get(str(config.inputs["functionName"]).rpartition(":")[2])
            if key is not None:
                kept[key] = float(config.inputs["provisionedConcurrentExecutions"])
        for target in self.graph.of_type("aws:appautoscaling/target:Target"):
            key = names.get(str(target.inputs["resourceId"]).split(":")[1])
            if key is not None:
                kept[key] = float(target.inputs["minCapacity"])
        return kept

    def kept_warm(self, resource: Resource) -> None:
        """Once for each function, whichever of the two resources comes first."""
        name = str(resource.inputs.get("functionName") or str(resource.inputs.get("resourceId", "")).split(":")[1])
        function = next((each for each in self.graph.of_type(_FUNCTION) if each.inputs["name"] == name), None)
        if function is None:
            self.unpriced[resource.type].append(resource.name)
            return
        what = f"{function.name}: kept warm"
        if any(line.what == what for line in self.lines):
            return
        processor = (function.inputs.get("architectures") or ["x86_64"])[0]
        memory = float(function.inputs.get("memorySize", 128)) / 1024
        quantity = self._warm()[function.name] * memory * SECONDS
        self._add(self._component(resource), what, f"lambda_provisioned_{processor}", quantity)

    # --- API and edge

    def api(self, resource: Resource) -> None:
        component = self._component(resource)
        self._add(component, "requests", "api_request", self._traffic.requests)
        if not self.graph.settings.edge.cloudfront:
            self._add(component, "answers to the internet", "transfer_out", self._traffic.answered_gb)

    def stage(self, resource: Resource) -> None:
        if resource.inputs.get("cacheClusterEnabled"):
            size = resource.inputs["cacheClusterSize"]
            self._add(self._component(resource), f"cache of {size} GB", f"api_cache_{size}", HOURS)

    def distribution(self, resource: Resource) -> None:
        component = self._component(resource)
        self._add(component, "requests through CloudFront", "cloudfront_request", self._traffic.requests)
        self._add(component, "answers through CloudFront", "cloudfront_transfer", self._traffic.answered_gb)

    def web_acl(self, resource: Resource) -> None:
        component, scope = self._component(resource), str(resource.inputs["scope"]).lower()
        self._add(component, f"web ACL ({scope})", "waf_acl", 1)
        self._add(component, f"rules of the web ACL ({scope})", "waf_rule", len(resource.inputs.get("rules") or ()))
        self._add(component, f"requests judged ({scope})", "waf_request", self._traffic.requests)

    def pool(self, resource: Resource) -> None:
        self._add(self._component(resource), "users", "cognito_user", max(0.0, self.profile.users - 10_000))

    # --- data

    def table(self, resource: Resource) -> None:
        component, thing = self._component(resource), self._short(resource)
        items = self._traffic.items().get(thing)
        if items is None:
            self.idle.add(f"table {thing}")
            return
        self._add(component, f"{thing}: writes", "dynamodb_write", items.writes)
        self._add(component, f"{thing}: reads", "dynamodb_read", items.reads)
        self._add(component, f"{thing}: items", "dynamodb_storage", items.kept_gb)
        if (resource.inputs.get("pointInTimeRecovery") or {}).get("enabled"):
            self._add(component, f"{thing}: recovery", "dynamodb_recovery", items.kept_gb)

    def bucket(self, resource: Resource) -> None:
        component, name = self._component(resource), self._short(resource, "bucket")
        kilobytes, objects = {
            "knowledge-base": (self.profile.documents_kept * self.profile.document_kb, self.profile.documents),
            # A line for each request, or for each event, packed into a file every few minutes.
            "edge": (self._traffic.requests * 0.2 * self.graph.settings.edge.log_days / 30, HOURS * 12),
            "audit": (self._traffic.table_calls * 0.1 * self.graph.settings.audit.trail_days / 30, HOURS * 12),
        }.get(component, (0.0, 0.0))
        if not kilobytes:
            self.idle.add(f"bucket {name}")
        self._add(component, f"{name}: objects", "s3_storage", kilobytes / 1e6)
        self._add(component, f"{name}: writes", "s3_write", objects)
        self._add(component, f"{name}: reads", "s3_read", objects)

    def domain(self, resource: Resource) -> None:
        component = self._component(resource)
        cluster: Mapping[str, Any] = resource.inputs.get("clusterConfig") or {}
        count = float(cluster.get("instanceCount", 1))
        self._add(component, "data nodes", f"opensearch_{cluster['instanceType']}", count * HOURS)
        if cluster.get("dedicatedMasterEnabled"):
            masters = float(cluster["dedicatedMasterCount"])
            self._add(component, "master nodes", f"opensearch_{cluster['dedicatedMasterType']}", masters * HOURS)
        volume = float((resource.inputs.get("ebsOptions") or {}).get("volumeSize", 0))
        self._add(component, "storage", "opensearch_storage", count * volume)

    # --- messages

    def queue(self, resource: Resource) -> None:
        component, thing = self._component(resource), self._short(resource)
        messages = self._traffic.messages().get(thing)
        if messages is None:
            self.idle.add(f"queue {thing}")
            return
        wait = float(resource.inputs.get("receiveWaitTimeSeconds", 0)) or 20.0
        polled = any(
            str(each.inputs["eventSourceArn"]) == resource.outputs.get("arn") for each in self.graph.of_type(_MAPPING)
        )
        self._add(component, f"{thing}: messages", "sqs_request", 3 * messages)
        self._add(component, f"{thing}: looked into", "sqs_request", _POLLERS * SECONDS / wait if polled else 0.0)

    def machine(self, resource: Resource) -> None:
        transitions = self.profile.tickets * _TRANSITIONS
        self._add(self._component(resource), "state transitions", "states_transition", transitions)

    def bus(self, resource: Resource) -> None:
        self._add(self._component(resource), "events", "event", self._traffic.events)

    def topic(self, resource: Resource) -> None:
        messages = self.profile.tickets * self.profile.failure_share
        self._add(self._component(resource), "messages", "sns_message", messages)

    # --- models

    def _models(self, resource: Resource) -> None:
        from components.models import EMBEDDING_MODEL_ID  # noqa: PLC0415  # imports the SDK, which takes seconds

        generation = self.graph.settings.models.foundation_model_id
        written, profile = self._traffic.solutions_written, self.profile
        name = resource.name
        self._add(name, "prompts", f"bedrock_{generation}_input", written * profile.tokens_read)
        self._add(name, "answers", f"bedrock_{generation}_output", written * profile.tokens_written)
        embedded = self._traffic.tokens_embedded
        self._add(name, "embeddings", f"bedrock_{EMBEDDING_MODEL_ID}_input", embedded)

    def guardrail(self, resource: Resource) -> None:
        characters = self._traffic.solutions_written * self.profile.tokens_written * _CHARACTERS
        self._add(self._component(resource), "answers past the guardrail", "bedrock_guardrail", characters / 1000)

    # --- network

    def endpoint(self, resource: Resource) -> None:
        service = str(resource.inputs["serviceName"]).rpartition(".")[2]
        if resource.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
            self.free["aws:ec2/vpcEndpoint:VpcEndpoint (gateway)"] = "gateway endpoints cost nothing"
            return
        component, zones = self._component(resource), len(resource.inputs.get("subnetIds") or ())
        self._add(component, f"endpoint {service}", "endpoint_hour", zones * HOURS)
        if service == "bedrock-runtime":
            self._add(component, "through endpoints", "endpoint_transfer", self._traffic.vpc_gb)

    def nat(self, resource: Resource) -> None:
        component = self._component(resource)
        self._add(component, "NAT gateway", "nat_hour", HOURS)
        if not any(each.inputs.get("vpcEndpointType") == "Interface" for each in self.graph.of_type(_VPC_ENDPOINT)):
            self._add(component, "through NAT", "nat_transfer", self._traffic.vpc_gb)

    def address(self, resource: Resource) -> None:
        self._add(self._component(resource), "public address", "public_address", HOURS)

    # --- keys, observability, audit

    def key(self, resource: Resource) -> None:
        component, name = self._component(resource), resource.name.removesuffix("-key")
        requests = {
            "cursor": 2 * self._calls["list_tickets"],
            "partners": self._traffic.partner_requests,
            # SQS takes a new data key every five minutes, and so for each of its queues.
            "queues": 8 * SECONDS / 300,
        }
        self._add(component, f"{name} key", "kms_key", 1)
        self._add(component, f"{name} key: requests", "kms_request", requests.get(name, SECONDS / 300))

    def secret(self, resource: Resource) -> None:
        self._add(self._component(resource), f"secret {self._short(resource)}", "secret", 1)

    def alarm(self, resource: Resource) -> None:
        self._add(self._component(resource), f"alarm {self._short(resource)}", "alarm", 1)

    def composite_alarm(self, resource: Resource) -> None:
        self._add(self._component(resource), f"alarm {self._short(resource, 'alarmName')}", "composite_alarm", 1)

    def dashboard(self, resource: Resource) -> None:
        self._add(self._component(resource), f"dashboard {resource.name}", "dashboard", 1)

    def trail(self, resource: Resource) -> None:
        told = str(resource.inputs.get("advancedEventSelectors") or resource.inputs.get("eventSelectors") or "")
        events = self._traffic.table_calls if "DynamoDB" in told else 0.0
        events += self.profile.documents * 3 if "S3" in told else 0.0
        self._add(self._component(resource), "data events", "data_event", events)

    def log_group(self, resource: Resource) -> None:
        component, name = self._component(resource), str(resource.inputs["name"])
        written = self._written(resource, name)
        months = float(resource.inputs.get("retentionInDays", 0)) / 30
        self._add(component, f"log {name}", "log_ingestion", written)
        self._add(component, f"log {name}: kept", "log_storage", written * months * _COMPRESSED)

    def _written(self, resource: Resource, name: str) -> float:
        """GB a month."""
        requests = self._traffic.requests
        if name.startswith("/aws/lambda/"):
            return self._calls.get(resource.name, 0.0) * self.profile.log_kb / 1e6
        if name.startswith(("/aws/apigateway/", "aws-waf-logs-")):
            return requests * 0.7 / 1e6
        if name.startswith("API-Gateway-Execution-Logs"):
            return requests * (2.5 if self.graph.settings.api.execution_log == "INFO" else 0.01) / 1e6
        if name.startswith(("/aws/events/", "/aws/vendedlogs/states/")):
            return self._traffic.events * 2 / 1e6
        # Flow logs, search: in the order of what passes.
        return (self.profile.tickets + self.profile.searches) * 1.0 / 1e6

    def _everywhere(self) -> None:
        """What no one resource stands for."""
        if self.graph.of_type(_FUNCTION):
            self._add("(all functions)", "metrics of our own", "custom_metric", self.profile.custom_metrics)
            self._add("(all functions)", "traces", "trace", self._traffic.requests * self.profile.trace_share)


_FUNCTION: Final = "aws:lambda/function:Function"
_MAPPING: Final = "aws:lambda/eventSourceMapping:EventSourceMapping"
_VPC_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"

_PRICED: Final[Mapping[str, Callable[[_Bill, Resource], None]]] = MappingProxyType(
    {
        "aws:apigateway/restApi:RestApi": _Bill.api,
        "aws:apigateway/stage:Stage": _Bill.stage,
        "aws:appautoscaling/target:Target": _Bill.kept_warm,
        "aws:bedrock/guardrail:Guardrail": _Bill.guardrail,
        "aws:cloudfront/distribution:Distribution": _Bill.distribution,
        "aws:cloudtrail/trail:Trail": _Bill.trail,
        "aws:cloudwatch/compositeAlarm:CompositeAlarm": _Bill.composite_alarm,
        "aws:cloudwatch/dashboard:Dashboard": _Bill.dashboard,
        "aws:cloudwatch/eventBus:EventBus": _Bill.bus,
        "aws:cloudwatch/logGroup:LogGroup": _Bill.log_group,
        "aws:cloudwatch/metricAlarm:MetricAlarm": _Bill.alarm,
        "aws:cognito/userPool:UserPool": _Bill.pool,
        "aws:dynamodb/table:Table": _Bill.table,
        "aws:ec2/eip:Eip": _Bill.address,
        "aws:ec2/natGateway:NatGateway": _Bill.nat,
        "aws:ec2/vpcEndpoint:VpcEndpoint": _Bill.endpoint,
        "aws:kms/key:Key": _Bill.key,
        "aws:lambda/function:Function": _Bill.function,
        "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": _Bill.kept_warm,
        "aws:opensearch/domain:Domain": _Bill.domain,
        "aws:s3/bucket:Bucket": _Bill.bucket,
        "aws:secretsmanager/secret:Secret": _Bill.secret,
        "aws:sfn/stateMachine:StateMachine": _Bill.machine,
        "aws:sns/topic:Topic": _Bill.topic,
        "aws:sqs/queue:Queue": _Bill.queue,
        "aws:wafv2/webAcl:WebAcl": _Bill.web_acl,
    }
)
"""Resource type -> what puts it on the bill."""
