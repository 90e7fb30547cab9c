"""The stack's typed configuration: the only reader of ``pulumi.Config``, and the only place that knows of stacks.

Everything else takes values from here, so what differs between environments is what their ``Pulumi.<stack>.yaml``
files hold, and nothing else. All defaults stand in this file; a stack file holds only what differs from them.

A wrong configuration is refused as a whole: :class:`SettingsError` lists every missing, malformed, contradictory or
unknown key at once, each with what is wrong and an example.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

import pulumi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from components.bundling import BundleError, BundleTarget
from support import environment as function_environment
from support.timings import Timings

NAMESPACE: Final = "energy-support"
HOST: Final = "host"
"""For a runtime or an architecture: that of the interpreter which runs this program."""
UNRESERVED_FLOOR: Final = 100
"""Concurrent executions that Lambda insists on keeping unreserved (Lambda developer guide, reserved concurrency)."""

LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""Days that CloudWatch Logs accepts, "for ever" left out (CloudWatch Logs API, PutRetentionPolicy)."""
FunctionKey = Annotated[str, StringConstraints(pattern=f"^({'|'.join(function_environment.FUNCTIONS)})$")]
LATENCY_CRITICAL: Final = frozenset({"get_solution"})
"""Functions that are kept warm where the settings say so (spec section 5)."""
Release = Literal["all-at-once", "canary"]
"""How a new version of a function takes over."""
Violation: TypeAlias = tuple[str, str]
"""Key below the group, what is wrong with it."""

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
TagKey = Annotated[str, StringConstraints(pattern=r"^[\p{L}\p{Z}\p{N}_.:/=+@-]+$", max_length=128)]
TagValue = Annotated[str, StringConstraints(pattern=r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$", max_length=256)]
"""What every service takes (Tagging AWS Resources user guide, "Tag naming limits and requirements")."""
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.-]+(:\d{1,5})?$")]
DomainInstance = Annotated[
    str, StringConstraints(pattern=r"^(t3|[cmr][5-8]g|or[12]|[mr]7i|i[48]g)\.(small|medium|large|\d*xlarge)\.search$")
]
"""Families that the service offers; botocore's own list lags it (facts/aws.md row 53)."""


class _Group(BaseModel):
    """Settings that belong together; ``energy-support:<group>.<field>`` is the key of one of them."""

    # Every default is checked as well, so that a wrong one is found by the first test that runs.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    def violations(self) -> Iterator[Violation]:
        """Rules between the group's fields that do not hold; asked only when each field is right by itself."""
        return iter(())


def _as_text(value: object) -> object:
    """A number that AWS takes as text, however it stands in the stack file."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


CacheGib = Annotated[Literal["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"], BeforeValidator(_as_text)]
"""Sizes of a stage's cache (API Gateway API, CacheClusterSize)."""
ZoneId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,4}\d-az\d$")]
InterfaceEndpoint = Literal[
    "bedrock-runtime", "events", "kms", "lambda", "logs", "monitoring", "secretsmanager", "sqs", "states", "sts", "xray"
]
"""Last part of the service's name (``com.amazonaws.<region>.sqs``)."""
DomainName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]
CertificateArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}$")
]
HostedZoneId = Annotated[str, StringConstraints(pattern=r"^Z[A-Z0-9]{6,31}$")]
Tier = Literal["standard", "premium"]
"""Tiers of ITSM partners (spec section 1)."""


@dataclass(frozen=True, kw_only=True)
class TierLimits:
    """What a partner of one tier may call."""

    rate: float
    """Requests a second, on average."""
    burst: int
    """Requests at once."""
    daily_quota: int


class Api(_Group):
    """The REST API."""

    cors_allowed_origins: tuple[Origin, ...] = Field(
        default=(),
        description="Origins whose pages may read answers; empty for none. The gateway's own error responses can name "
        "one origin only: the first.",
        examples=[["https://support.example.com"]],
    )
    throttle_rate: float = Field(
        default=50, gt=0, le=10_000, description="Requests a second and method, on average.", examples=[50]
    )
    throttle_burst: int = Field(
        default=100, ge=1, le=5_000, description="Requests a method takes at once.", examples=[100]
    )
    standard_rate: float = Field(
        default=10, gt=0, le=10_000, description="Requests a second of a partner of tier standard.", examples=[10]
    )
    standard_burst: int = Field(
        default=20, ge=1, le=5_000, description="Requests at once of a partner of tier standard.", examples=[20]
    )
    standard_daily_quota: int = Field(
        default=20_000, ge=1, description="Requests a day of a partner of tier standard.", examples=[20000]
    )
    premium_rate: float = Field(
        default=50, gt=0, le=10_000, description="Requests a second of a partner of tier premium.", examples=[50]
    )
    premium_burst: int = Field(
        default=100, ge=1, le=5_000, description="Requests at once of a partner of tier premium.", examples=[100]
    )
    premium_daily_quota: int = Field(
        default=200_000, ge=1, description="Requests a day of a partner of tier premium.", examples=[200000]
    )
    cache_gib: CacheGib | None = Field(
        default=None,
        description="Size of the gateway's cache, in GiB, paid by the hour; none for no cache.",
        examples=["0.5"],
    )
    cache_seconds: int = Field(
        default=30,
        ge=1,
        le=300,
        description="How long the gateway may answer a caller with the same solution.",
        examples=[30],
    )
    execution_log: Literal["INFO", "ERROR"] = Field(
        default="INFO", description="Level of the gateway's execution log.", examples=["ERROR"]
    )

    @property
    def tiers(self) -> Mapping[Tier, TierLimits]:
        """The usage plans of partners."""
        return {
            "standard": TierLimits(
                rate=self.standard_rate, burst=self.standard_burst, daily_quota=self.standard_daily_quota
            ),
            "premium": TierLimits(
                rate=self.premium_rate, burst=self.premium_burst, daily_quota=self.premium_daily_quota
            ),
        }

    def violations(self) -> Iterator[Violation]:
        standard, premium = self.tiers["standard"], self.tiers["premium"]
        for limit in ("rate", "burst", "daily_quota"):
            least, most = getattr(standard, limit), getattr(premium, limit)
            if most < least:
                yield f"premium_{limit}", f"must not be less than standard_{limit} ({least:g}; got {most:g})"


class Identity(_Group):
    """The Cognito user pool."""

    mfa: Literal["OPTIONAL", "ON"] = Field(
        default="ON", description="Whether users must or may use a second factor (TOTP).", examples=["ON"]
    )
    password_sign_in: bool = Field(
        default=False,
        description="Allow USER_PASSWORD_AUTH, which sends the password over TLS; SRP is always allowed. For tests.",
        examples=[False],
    )


class Network(_Group):
    """The VPC, in which those functions sit that reach the search domain."""

    zone_ids: Annotated[tuple[ZoneId, ...], Field(min_length=2, max_length=3)] = Field(
        default=("euc1-az1", "euc1-az2"),
        description="Availability zones by id (names differ between accounts): one private subnet in each. An "
        "interface endpoint must be offered in all of them.",
        examples=[["euc1-az1", "euc1-az2"]],
    )
    endpoints: tuple[InterfaceEndpoint, ...] = Field(
        default=("bedrock-runtime", "secretsmanager", "sqs", "states", "xray"),
        description="AWS services reached privately, by interface endpoints, paid by the hour and zone. S3 and "
        "DynamoDB are reached by gateway endpoints, which are free and always there.",
        examples=[["bedrock-runtime", "secretsmanager", "sqs", "states", "xray"]],
    )
    nat_gateway: bool = Field(
        default=False,
        description="Whether functions in the VPC reach the internet, by a NAT gateway in a public subnet.",
        examples=[False],
    )

    def violations(self) -> Iterator[Violation]:
        for field, values in (("zone_ids", self.zone_ids), ("endpoints", self.endpoints)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                yield field, f"names {', '.join(twice)} more than once"
        if not self.nat_gateway:
            missing = sorted(NEEDED_ENDPOINTS - set(self.endpoints))
            if missing:
                yield "endpoints", f"must name {', '.join(missing)}: without nat_gateway there is no other way to them"


NEEDED_ENDPOINTS: Final = frozenset({"bedrock-runtime", "secretsmanager", "sqs", "states"})
"""Services that functions in the VPC call (facts/aws.md row 46)."""


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """Execution environments that are kept warm."""

    least: int
    most: int


_SOURCE_CONCURRENCY: Final[Mapping[str, int]] = {"kb_ingest": 5, "feedback_writer": 5, "dlq_processor": 6}
"""Of what nobody waits for."""


class Functions(_Group):
    """What all Lambda functions share, and their concurrency."""

    runtime: str = Field(
        default="python3.13",
        pattern=r"^(host|python3\.\d{2})$",
        description="Lambda runtime, or host for that of the interpreter which runs the program (local stack).",
        examples=["python3.13"],
    )
    architecture: Literal["arm64", "x86_64", "host"] = Field(
        default="arm64", description="Processor, or host (local stack).", examples=["arm64"]
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Level of the functions' own logs.", examples=["INFO"]
    )
    account_concurrency: int = Field(
        default=1_000,
        ge=10,
        description="Concurrent executions that the account has in this region (a service quota; 10 if new).",
        examples=[1000],
    )
    reserved_concurrency: Mapping[FunctionKey, Annotated[int, Field(ge=1)]] = Field(
        default={},
        description="Concurrent executions kept for a function, which are also its limit; none for the others.",
        examples=[{"process_ticket": 100, "get_solution": 100}],
    )
    provisioned_minimum: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="Execution environments kept warm for each latency-critical function; 0 for none.",
        examples=[10],
    )
    provisioned_maximum: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="As many as utilisation may raise it to (target tracking at 0.70); 0 for none.",
        examples=[100],
    )
    release: Release = Field(
        default="all-at-once",
        description="How a new version takes over: at once with the deployment, or in steps, rolled back when an alarm "
        "rings (CodeDeploy, started by `harness release` after `pulumi up`).",
        examples=["canary"],
    )
    process_ticket_concurrency: int = Field(
        default=100,
        ge=2,
        le=1_000,
        description="Batches of tickets worked on at the same time (maximum concurrency of the event source).",
        examples=[100],
    )
    batching_window_seconds: int = Field(
        default=5,
        ge=0,
        le=300,
        description="Longest wait for a batch of tickets to fill; 0 starts at once.",
        examples=[5],
    )

    @property
    def source_concurrency(self) -> Mapping[str, int]:
        """Batches that the event sources of a function may have at work at the same time, all of them together."""
        return {"process_ticket": self.process_ticket_concurrency, **_SOURCE_CONCURRENCY}

    @property
    def releases_gradually(self) -> bool:
        """Whether `harness release` moves calls to new versions, and not the deployment."""
        return self.release == "canary"

    @property
    def provisioned_concurrency(self) -> Mapping[str, Provisioned]:
        """Of each latency-critical function; empty where none is kept warm."""
        if not self.provisioned_minimum:
            return {}
        kept = Provisioned(least=self.provisioned_minimum, most=self.provisioned_maximum)
        return dict.fromkeys(sorted(LATENCY_CRITICAL), kept)

    @property
    def target(self) -> BundleTarget:
        """What archives are made for."""
        if self.architecture == HOST:
            return BundleTarget.host()
        return BundleTarget(self.runtime, self.architecture)

    @property
    def timings(self) -> Timings:
        """The one table of timings (spec section 3)."""
        return Timings(batch_window=self.batching_window_seconds)

    def violations(self) -> Iterator[Violation]:
        if (self.runtime == HOST) != (self.architecture == HOST):
            yield "runtime", "and architecture must both be host, or neither"
        else:
            try:
                _ = self.target
            except BundleError as error:
                yield "runtime", error.message
        for problem in self.timings.violations():
            yield "batching_window_seconds", f"makes the timings contradict each other: {problem}"
        yield from self._concurrency_violations()

    def _concurrency_violations(self) -> Iterator[Violation]:
        if bool(self.provisioned_minimum) != bool(self.provisioned_maximum):
            yield "provisioned_maximum", "and provisioned_minimum must both be 0, or neither"
        elif self.provisioned_maximum < self.provisioned_minimum:
            problem = f"must not be less than provisioned_minimum ({self.provisioned_minimum})"
            yield "provisioned_maximum", f"{problem} (got {self.provisioned_maximum})"
        for key in sorted(LATENCY_CRITICAL) if self.provisioned_maximum else ():
            kept = self.reserved_concurrency.get(key)
            if kept is None or kept < self.provisioned_maximum:
                problem = f"must be at least provisioned_maximum ({self.provisioned_maximum}), which counts inside it"
                yield f"reserved_concurrency.{key}", f"{problem} (got {kept or 'none'})"
        reserved = sum(self.reserved_concurrency.values())
        if reserved and reserved + UNRESERVED_FLOOR > self.account_concurrency:
            problem = (
                f"adds up to {reserved}; with the {UNRESERVED_FLOOR} that Lambda keeps unreserved that is more than "
                f"account_concurrency ({self.account_concurrency})"
            )
            yield "reserved_concurrency", problem
        for key, most in self.source_concurrency.items():
            workers = self.reserved_concurrency.get(key)
            if workers is not None and workers < most:
                source = "process_ticket_concurrency" if key == "process_ticket" else "what its event sources start"
                problem = (
                    f"must be at least {source} ({most}): the event source would be throttled and its messages end in "
                    f"the dead-letter queue (got {workers})"
                )
                yield f"reserved_concurrency.{key}", problem


class Search(_Group):
    """The OpenSearch domain."""

    engine_version: str = Field(
        default="OpenSearch_3.1",
        pattern=r"^OpenSearch_\d+\.\d+$",
        description="A version that the managed service offers; 2.11 or newer (hybrid queries with normalisation).",
        examples=["OpenSearch_3.1"],
    )
    instance_type: DomainInstance = Field(
        default="m7g.medium.search", description="Data nodes' type.", examples=["m7g.medium.search"]
    )
    instance_count: int = Field(default=2, ge=1, le=80, description="Data nodes.", examples=[2])
    zones: Literal[1, 2, 3] = Field(
        default=2, description="Availability zones that the data nodes are spread over.", examples=[2]
    )
    masters: Literal[0, 3, 5] = Field(
        default=0,
        description="Dedicated master nodes; an even number or a single one cannot elect.",
        examples=[3],
    )
    master_type: DomainInstance = Field(
        default="m7g.medium.search", description="Master nodes' type.", examples=["m7g.medium.search"]
    )
    volume_gib: int = Field(
        default=20, ge=10, le=3_072, description="Storage of a data node (gp3), in GiB.", examples=[20]
    )

    @property
    def burstable(self) -> bool:
        """Whether data nodes are T3: no Auto-Tune, and not for production (facts/aws.md row 53)."""
        return self.instance_type.startswith("t3.")

    def violations(self) -> Iterator[Violation]:
        if self.instance_count % self.zones:
            problem = f"must be a multiple of zones ({self.zones}), or it is refused (got {self.instance_count})"
            yield "instance_count", problem
        if tuple(int(part) for part in self.engine_version.removeprefix("OpenSearch_").split(".")) < (2, 11):
            yield "engine_version", f"must be at least OpenSearch_2.11 (got {self.engine_version})"


class Models(_Group):
    """The language models on Amazon Bedrock."""

    generation_model_id: str = Field(
        default="eu.amazon.nova-pro-v1:0",
        pattern=r"^[a-z0-9.-]+\.[a-z0-9.-]+(:\d+)?$",
        description="Foundation model, or a cross-region inference profile of one (prefix such as eu.).",
        examples=["eu.amazon.nova-pro-v1:0"],
    )
    generation_regions: tuple[Region, ...] = Field(
        default=("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"),
        description="Regions that the inference profile may route to; the function is allowed the model in each. "
        "Empty for a model that is called in the stack's own region.",
        examples=[["eu-central-1", "eu-west-1"]],
    )
    min_passage_score: float = Field(
        default=0.35,
        ge=0,
        le=1,
        description="Cosine (0 to 1) to the symptom below which a passage is taken for noise.",
        examples=[0.35],
    )
    guardrail: bool = Field(default=True, description="Whether answers pass a Bedrock guardrail.", examples=[True])

    @property
    def profile(self) -> bool:
        """Whether the generation model is an inference profile."""
        return self.generation_model_id.split(".", 1)[0] in _PROFILE_PREFIXES

    @property
    def foundation_model_id(self) -> str:
        """The generation model itself, without the profile's prefix."""
        return self.generation_model_id.split(".", 1)[1] if self.profile else self.generation_model_id

    def violations(self) -> Iterator[Violation]:
        if self.profile != bool(self.generation_regions):
            rule = "must name the profile's regions" if self.profile else "must be empty"
            yield "generation_regions", f"{rule}: generation_model_id is {self.generation_model_id}"


_PROFILE_PREFIXES = ("eu", "us", "apac", "us-gov")


class Retention(_Group):
    """How long things are kept."""

    log_days: LogRetention = Field(default=30, description="Log groups, in days.", examples=[365])
    ticket_days: int = Field(default=30, ge=1, le=3_650, description="Tickets and solutions, in days.", examples=[30])
    idempotency_hours: int = Field(
        default=24, ge=1, le=168, description="Answers remembered for an Idempotency-Key, in hours.", examples=[24]
    )


class Alarms(_Group):
    """Who hears of alarms."""

    subscriptions: Mapping[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")],
        Annotated[str, StringConstraints(pattern=r"^(https://\S+|[^@\s]+@[^@\s]+|arn:aws[a-z-]*:(sqs|lambda):\S+)$")],
    ] = Field(
        default={},
        description="Name and address of each receiver: an HTTPS URL, an e-mail address (its owner must confirm), or "
        "the ARN of a queue or function.",
        examples=[{"on-call": "https://events.example.com/integration/alarms"}],
    )


class Edge(_Group):
    """What stands before the API."""

    waf: bool = Field(default=True, description="Whether a web ACL guards the API's stage.", examples=[True])
    cloudfront: bool = Field(
        default=True,
        description="Whether callers come through CloudFront, with a web ACL of its own; the API then refuses others.",
        examples=[True],
    )
    rate_limit: int = Field(
        default=2_000,
        ge=10,
        le=2_000_000_000,
        description="Requests in five minutes from one client's address, after which it is blocked for a while. "
        "Partners' routes are counted by themselves, up to twice what api.premium_rate allows one of them.",
        examples=[2000],
    )
    domain_name: DomainName | None = Field(
        default=None,
        description="The service's own host name, on CloudFront where there is one, otherwise on the API.",
        examples=["api.support.example.com"],
    )
    certificate_arn: CertificateArn | None = Field(
        default=None,
        description="ACM certificate of domain_name: in us-east-1 for CloudFront, otherwise in the stack's region.",
        examples=["arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"],
    )
    hosted_zone_id: HostedZoneId | None = Field(
        default=None,
        description="Route 53 zone that gets domain_name's records; none if they are kept elsewhere.",
        examples=["Z0123456789ABCDEFGHIJ"],
    )
    origin_secret_number: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="Which secret CloudFront shows to the API. Count it up to rotate: the API takes this one and the "
        "one before.",
        examples=[2],
    )
    log_days: int = Field(
        default=90, ge=1, le=3_650, description="How long CloudFront's access logs are kept, in days.", examples=[365]
    )

    def violations(self) -> Iterator[Violation]:
        if (self.domain_name is None) != (self.certificate_arn is None):
            yield "certificate_arn", "and domain_name must both be given, or neither"
        if self.hosted_zone_id is not None and self.domain_name is None:
            yield "hosted_zone_id", "is of no use without domain_name"
        if self.cloudfront and not self.waf:
            yield "waf", "must be true where cloudfront is: it is what refuses callers that go around CloudFront"
        if self.cloudfront and self.certificate_arn is not None and ":us-east-1:" not in self.certificate_arn:
            yield "certificate_arn", f"must be in us-east-1, where CloudFront looks for it (got {self.certificate_arn})"


class Observability(_Group):
    """What is watched beside the alarms of queues."""

    canary: bool = Field(
        default=False,
        description="Whether a scheduled ticket walks through the whole service, and an alarm rings when it fails. Its "
        "partner's key must be put into the secret that the stack makes for it.",
        examples=[True],
    )
    canary_minutes: int = Field(
        default=5, ge=1, le=60, description="Minutes from one such ticket to the next.", examples=[5]
    )


class Audit(_Group):
    """CloudTrail."""

    trail: bool = Field(
        default=True,
        description="Whether this stack records the account's management events, and what is read and written in its "
        "own bucket and tables. Off where an organisation's trail does so already.",
        examples=[True],
    )
    trail_days: int = Field(default=365, ge=1, le=3_650, description="How long the records are kept.", examples=[365])


class Settings(_Group):
    """The whole configuration of one stack."""

    environment: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,19}$",
        description="Name of the environment; every physical name begins with support-<environment>. At most 20 "
        "characters, so that the longest name (the search domain's, 28) still fits.",
        examples=["prod"],
    )
    account_id: str = Field(
        pattern=r"^\d{12}$",
        description="AWS account that the stack is deployed to; any other is refused. Quote it in YAML.",
        examples=["123456789012"],
    )
    region: Region = Field(description="AWS region of the stack.", examples=["eu-central-1"])
    deletion_protection: bool = Field(
        default=True,
        description="Protect what holds data (tables, user pool, domain, bucket, keys) from deletion and replacement.",
        examples=[True],
    )
    tags: Mapping[TagKey, TagValue] = Field(
        default={},
        description="Tags of every resource, beside service and environment.",
        examples=[{"team": "support"}],
    )
    manage_account_settings: bool = Field(
        default=True,
        description="Whether this stack owns what an account has once in a region: the API Gateway log role and the "
        "service-linked role of OpenSearch. One stack of an account only: destroying it takes them from the others.",
        examples=[True],
    )
    network: Network = Network()
    api: Api = Api()
    identity: Identity = Identity()
    functions: Functions = Functions()
    search: Search = Search()
    models: Models = Models()
    retention: Retention = Retention()
    alarms: Alarms = Alarms()
    edge: Edge = Edge()
    observability: Observability = Observability()
    audit: Audit = Audit()

    def violations(self) -> Iterator[Violation]:
        if self.search.zones > len(self.network.zone_ids):
            problem = f"must not be more than the subnets of network.zone_ids ({len(self.network.zone_ids)})"
            yield "search.zones", f"{problem} (got {self.search.zones})"
        if self.edge.cloudfront and self.edge.domain_name is None:
            # CloudFront developer guide, DownloadDistValuesGeneral: security policy.
            yield "edge.domain_name", "must be given where edge.cloudfront is: under its own name it takes TLS 1.0 too"

    @property
    def partition(self) -> str:
        """The partition of the region, for ARNs."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((p for prefix, p in prefixes.items() if self.region.startswith(prefix)), "aws")


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with the configuration."""

    key: str
    """As in the stack file: ``energy-support:search.instance_count``."""
    problem: str
    example: str | None
    """A value that would do, as JSON; None where none can help (an unknown key)."""

    def __str__(self) -> str:
        example = f" (example: {self.example})" if self.example else ""
        return f"{self.key}: {self.problem}{example}"


class SettingsError(pulumi.RunError):
    """The configuration is wrong; ``faults`` holds everything that is. Pulumi prints it without a traceback."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        count = "1 setting is wrong" if len(faults) == 1 else f"{len(faults)} settings are wrong"
        super().__init__(f"{count}:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults


def load() -> Settings:
    """The settings of the stack that is being run.

    Raises:
        SettingsError: with everything that is wrong.
    """
    # pulumi.Config answers for known names only; the whole bag is needed to refuse unknown ones.
    known = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    return parse(known)


def parse(config: Mapping[str, str]) -> Settings:
    """Settings from a stack's configuration as the engine hands it over: every value a string, groups as JSON.

    Keys of other namespaces (``pulumi:…``) are left alone.

    Raises:
        SettingsError: with everything that is wrong.
    """
    prefix = f"{NAMESPACE}:"
    values = {
        key.removeprefix(prefix): _decode(key.removeprefix(prefix), text)
        for key, text in config.items()
        if key.startswith(prefix)
    }
    faults: list[Fault] = []
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += [_fault(tuple(found["loc"]), _problem(found)) for found in error.errors()]
    # The rules between fields too, of every group that is right by itself: one report, not one a run.
    for name, group in _groups():
        try:
            checked = group.model_validate(values.get(name, {}))
        except ValidationError:
            continue
        faults += [_fault((name, *path.split(".")), problem) for path, problem in checked.violations()]
    if settings is not None:
        faults += [_fault(tuple(path.split(".")), problem) for path, problem in settings.violations()]
    if settings is None or faults:
        raise SettingsError(tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.key)))
    return settings


def _groups() -> Iterator[tuple[str, type[_Group]]]:
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Group):
            yield name, info.annotation


def _decode(name: str, text: str) -> Any:
    """What a stack file's value was before the engine made it a string."""
    field = Settings.model_fields.get(name)
    if field is None or field.annotation is str:
        # What a key without a value becomes.
        return None if text in {"", "null"} else text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _fault(location: tuple[int | str, ...], problem: str) -> Fault:
    field = _field(location)
    example = None
    if field is not None and field.examples:
        example = json.dumps(field.examples[0])
    elif len(location) == 1 and (group := dict(_groups()).get(str(location[0]))) is not None:
        name, first = next(iter(group.model_fields.items()))
        example = json.dumps({name: (first.examples or [first.default])[0]})
    elif (similar := _similar(location)) is not None:
        problem = f"{problem}; did you mean {similar}?"
    return Fault(key=f"{NAMESPACE}:" + ".".join(str(part) for part in location), problem=problem, example=example)


def _field(location: tuple[int | str, ...]) -> FieldInfo | None:
    """The declared field that a location lies in, or None."""
    model: type[BaseModel] = Settings
    for part in location:
        info = model.model_fields.get(str(part))
        if info is None:
            return None
        if not (isinstance(info.annotation, type) and issubclass(info.annotation, _Group)):
            return info
        model = info.annotation
    return None


def _similar(location: tuple[int | str, ...]) -> str | None:
    """A declared name that an unknown one was probably meant to be."""
    group = dict(_groups()).get(str(location[0])) if len(location) > 1 else Settings
    names = [] if group is None else list(group.model_fields)
    return next(iter(difflib.get_close_matches(str(location[-1]), names, n=1)), None)


def _problem(error: Any) -> str:
    """Pydantic's error in the words of someone who edits a stack file."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a setting"
        case "model_type":
            return "must hold settings, one to a line"
        case _ if error["input"] is None:
            return "has no value"
        case _:
            message = re.sub(r"^Input should |^Value should |^String should ", "should ", str(error["msg"]))
            return f"{message} (got {json.dumps(error['input'], default=str)})"
