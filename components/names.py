"""Every physical name and every ARN that can be told before anything exists.

A name is ``support-<environment>-<thing>``. ARNs are composed from names, so that policies are known, and can be
judged, in the first preview. A composed ARN carries no dependency: whoever uses one also depends on the resource
itself (facts/aws.md row 1), which is what :class:`components.iam.Grant` is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.settings import Settings

STAGE: Final = "v1"
"""The API's only stage: paths read ``/v1/tickets``."""
ALIAS: Final = "live"
"""The alias by which every function is called."""

CANARY: Final = "canary"
"""The secret with the key of the canary's partner."""

Kind = Literal[
    "alarm",
    "alias of a key",
    "API",
    "bucket",
    "dashboard",
    "deployment application",
    "deployment group",
    "event bus",
    "event rule",
    "function",
    "guardrail",
    "layer",
    "log delivery",
    "log group",
    "queue",
    "response headers policy",
    "role",
    "saved query",
    "scaling policy",
    "search domain",
    "security group",
    "secret",
    "state machine",
    "table",
    "topic",
    "trail",
    "usage plan",
    "user pool",
    "web ACL",
]


class _Rule(NamedTuple):
    longest: int
    pattern: str


_RULES: Final[Mapping[Kind, _Rule]] = {
    # Lengths and characters: botocore's service models and the services' developer guides (facts/aws.md row 7).
    "alarm": _Rule(255, r"[\w-]+"),
    "alias of a key": _Rule(256, r"alias/[a-zA-Z0-9/_-]+"),
    "API": _Rule(255, r"[a-zA-Z0-9 ._-]+"),
    "bucket": _Rule(63, r"[a-z0-9][a-z0-9.-]+[a-z0-9]"),
    "dashboard": _Rule(255, r"[a-zA-Z0-9_-]+"),
    "deployment application": _Rule(100, r"[\w+=,.@-]+"),
    "deployment group": _Rule(100, r"[\w+=,.@-]+"),
    "event bus": _Rule(256, r"[/.\w-]+"),
    "event rule": _Rule(64, r"[.\w-]+"),
    "function": _Rule(64, r"[a-zA-Z0-9_-]+"),
    "guardrail": _Rule(50, r"[0-9a-zA-Z_-]+"),
    "layer": _Rule(140, r"[a-zA-Z0-9_-]+"),
    "log delivery": _Rule(60, r"[\w-]+"),
    "log group": _Rule(512, r"[\w./#-]+"),
    "queue": _Rule(80, r"[a-zA-Z0-9_-]+"),
    "response headers policy": _Rule(128, r"[a-zA-Z0-9_-]+"),
    "role": _Rule(64, r"[\w+=,.@-]+"),
    "saved query": _Rule(255, r"[^:*]+"),
    "scaling policy": _Rule(256, r"[\w-]+"),
    "search domain": _Rule(28, r"[a-z][a-z0-9-]{2,}"),
    # 255, less a hyphen and what the provider draws.
    "security group": _Rule(228, r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]+"),
    "secret": _Rule(512, r"[a-zA-Z0-9/_+=.@-]+"),
    "state machine": _Rule(80, r"[a-zA-Z0-9_-]+"),
    "table": _Rule(255, r"[a-zA-Z0-9_.-]{3,}"),
    "topic": _Rule(256, r"[a-zA-Z0-9_-]+"),
    "trail": _Rule(128, r"[a-zA-Z0-9][a-zA-Z0-9._-]+[a-zA-Z0-9]"),
    "usage plan": _Rule(255, r"[a-zA-Z0-9 ._-]+"),
    "user pool": _Rule(128, r"[\w\s+=,.@-]+"),
    "web ACL": _Rule(128, r"[\w-]+"),
}


class PhysicalNameError(pulumi.RunError):
    """AWS would refuse a name; Pulumi prints this without a traceback."""


def checked(kind: Kind, name: str) -> str:
    """``name``, if AWS takes it for such a thing.

    Raises:
        PhysicalNameError: it is too long or holds other characters than AWS allows.
    """
    rule = _RULES[kind]
    if len(name) > rule.longest:
        raise PhysicalNameError(
            f"{name!r} is too long for the name of a {kind}: {len(name)} characters, at most {rule.longest}. "
            "Shorten energy-support:environment."
        )
    if re.fullmatch(rule.pattern, name, re.ASCII) is None:
        raise PhysicalNameError(f"{name!r} cannot be the name of a {kind}: it must match {rule.pattern}")
    return name


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names and ARNs of one stack; every method takes the thing's own short name."""

    environment: str
    partition: str
    region: str
    account_id: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            environment=settings.environment,
            partition=settings.partition,
            region=settings.region,
            account_id=settings.account_id,
        )

    def in_region(self, region: str) -> Self:
        """The stack's names in another region: some of what CloudFront needs is in its own (facts/aws.md row 64)."""
        return replace(self, region=region)

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return f"support-{self.environment}"

    @property
    def metrics_namespace(self) -> str:
        """The environment's own: alarms tell stacks of one account apart by it."""
        return f"EnergySupport/{self.environment}"

    def physical(self, kind: Kind, thing: str) -> str:
        """``support-<environment>-<thing>``, checked against what AWS allows for ``kind``."""
        return checked(kind, f"{self.prefix}-{thing}")

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """``arn:<partition>:<service>:<region>:<account>:<resource>``; without region for global services."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account_id}:{resource}"

    # --- IAM

    @property
    def account_root(self) -> str:
        """The account itself, as a principal."""
        return self.arn("iam", "root", regional=False)

    def role(self, thing: str) -> str:
        return self.physical("role", thing)

    def role_arn(self, thing: str) -> str:
        return self.arn("iam", f"role/{self.role(thing)}", regional=False)

    # --- Lambda

    def function(self, key: str) -> str:
        return self.physical("function", key)

    def alias_arn(self, key: str) -> str:
        """The function by its alias ``live``, the only way in which it is called."""
        return self.arn("lambda", f"function:{self.function(key)}:{ALIAS}")

    def function_log_group(self, key: str) -> str:
        return checked("log group", f"/aws/lambda/{self.function(key)}")

    # --- data

    def table(self, thing: str) -> str:
        return self.physical("table", thing)

    def table_arn(self, thing: str) -> str:
        return self.arn("dynamodb", f"table/{self.table(thing)}")

    def bucket(self, thing: str) -> str:
        """With the account, because bucket names are one space for all accounts."""
        return self.physical("bucket", f"{thing}-{self.account_id}")

    def bucket_arn(self, thing: str) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket(thing)}"

    @property
    def search_domain(self) -> str:
        return checked("search domain", self.prefix)

    @property
    def search_domain_arn(self) -> str:
        return self.arn("es", f"domain/{self.search_domain}")

    # --- messages

    def queue(self, thing: str) -> str:
        return self.physical("queue", thing)

    def queue_arn(self, thing: str) -> str:
        return self.arn("sqs", self.queue(thing))

    def topic(self, thing: str) -> str:
        return self.physical("topic", thing)

    def topic_arn(self, thing: str) -> str:
        return self.arn("sns", self.topic(thing))

    def event_bus(self, thing: str) -> str:
        return self.physical("event bus", thing)

    def event_bus_arn(self, thing: str) -> str:
        return self.arn("events", f"event-bus/{self.event_bus(thing)}")

    def event_rule(self, thing: str) -> str:
        return self.physical("event rule", thing)

    def event_rule_arn(self, bus: str, thing: str) -> str:
        return self.arn("events", f"rule/{self.event_bus(bus)}/{self.event_rule(thing)}")

    def state_machine(self, thing: str) -> str:
        return self.physical("state machine", thing)

    def state_machine_arn(self, thing: str) -> str:
        return self.arn("states", f"stateMachine:{self.state_machine(thing)}")

    # --- audit, secrets, alarms

    def trail(self, thing: str) -> str:
        return self.physical("trail", thing)

    def trail_arn(self, thing: str) -> str:
        return self.arn("cloudtrail", f"trail/{self.trail(thing)}")

    def secret(self, thing: str) -> str:
        return self.physical("secret", thing)

    def secret_pattern(self, thing: str) -> str:
        """The secret's ARN, but for the six characters that Secrets Manager puts after the name."""
        return self.arn("secretsmanager", f"secret:{self.secret(thing)}-??????")

    def alarm(self, thing: str) -> str:
        return self.physical("alarm", thing)

    def alarm_arn(self, thing: str) -> str:
        return self.arn("cloudwatch", f"alarm:{self.alarm(thing)}")

    # --- the rest

    def log_group_arn(self, name: str) -> str:
        """Without ``:*``, as the provider gives it (facts/aws.md row 14)."""
        return self.arn("logs", f"log-group:{name}")

    def key_alias(self, data_class: str) -> str:
        return checked("alias of a key", f"alias/{self.prefix}-{data_class}")

    def foundation_model_arn(self, model_id: str, region: str | None = None) -> str:
        """Foundation models belong to no account (facts/aws.md row 69)."""
        return f"arn:{self.partition}:bedrock:{region or self.region}::foundation-model/{model_id}"

    def inference_profile_arn(self, profile_id: str) -> str:
        return self.arn("bedrock", f"inference-profile/{profile_id}")

    # --- what API Gateway calls

    def invocation_uri(self, key: str) -> str:
        """A function by its alias, whose whole answer is waited for."""
        return self.service_uri("lambda", f"path/2015-03-31/functions/{self.alias_arn(key)}/invocations")

    def streaming_uri(self, key: str) -> str:
        """A function by its alias, whose answer is passed on as it comes (facts/aws.md row 23)."""
        arn = self.alias_arn(key)
        return self.service_uri("lambda", f"path/2021-11-15/functions/{arn}/response-streaming-invocations")

    def service_uri(self, service: str, path: str) -> str:
        """One action of a service, or one path of its API."""
        return f"arn:{self.partition}:apigateway:{self.region}:{service}:{path}"
