"""What can be made to go wrong on request: one vocabulary for the emulator, which obeys it, and for who asks.

The emulator imports this in an environment of its own: the standard library only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

DOOR: Final = "/_harness/"
"""Path on the emulator; only who shows the front's key is let in."""
RELAY: Final = "/_relay/"
"""Path on the emulator of what it passes on: calls of functions to the model's stand-in and to the search node."""
ANY: Final = "*"

Kind = Literal["watch", "error", "throttling", "latency", "silence", "disconnect", "crash", "duplicate"]
"""watch: nothing goes wrong, the calls are only recorded. error: ``error`` is answered. throttling: the service's own
error for too many calls. latency: the call takes ``latency_ms`` longer. silence: no answer, ever. disconnect: the
connection ends without an answer. crash: the calling function is killed. duplicate: a message is delivered ``times``
times at once."""
When = Literal["before", "after"]
"""Whether it goes wrong before the call has its effect, or after: then the caller is only not told."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DELIVER: Final = "Deliver"
"""Operation of ``sqs``: an event source hands a message to its function. Nobody calls it, so it can be watched, come
late (later messages overtake it) and be doubled."""
DELIVERY_KINDS: Final[tuple[Kind, ...]] = ("watch", "latency", "duplicate")
SEARCH: Final = "opensearch"
MODEL: Final = "bedrock-runtime"

TARGETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DynamoDB_20120810": "dynamodb",
        "AmazonSQS": "sqs",
        "AWSStepFunctions": "stepfunctions",
        "AWSEvents": "events",
        "TrentService": "kms",
        "secretsmanager": "secretsmanager",
    }
)
"""What `X-Amz-Target` begins with -> the service, by boto3's name."""
SCOPES: Final[Mapping[str, str]] = MappingProxyType({"s3": "s3", "sns": "sns"})
"""Name in the credential scope, for services that name their operation elsewhere -> the service."""
SERVICES: Final = (*TARGETS.values(), *SCOPES.values(), SEARCH, MODEL)

THROTTLING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dynamodb": "ProvisionedThroughputExceededException",
        "s3": "SlowDown",
        "sns": "Throttling",
        SEARCH: "rejected_execution_exception",
    }
)
"""Service -> its error for too many calls; for others it is ThrottlingException."""
COMMON: Final[Mapping[str, int]] = MappingProxyType(
    {
        "AccessDeniedException": 400,
        "ExpiredTokenException": 403,
        "InternalFailure": 500,
        "InternalServerError": 500,
        "RequestTimeout": 408,
        "ServiceUnavailable": 503,
        "Throttling": 400,
        "ThrottlingException": 400,
        "ValidationException": 400,
    }
)
"""Errors of every service, which its own model does not list -> HTTP status."""
OTHERS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "s3": {"AccessDenied": 403, "InternalError": 500, "SlowDown": 503},
        SEARCH: {
            "cluster_block_exception": 403,
            "index_not_found_exception": 404,
            "no_shard_available_action_exception": 503,
            "rejected_execution_exception": 429,
            "security_exception": 403,
        },
    }
)
"""Errors that are in no model of botocore's, by service -> HTTP status."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Holds for the calls that every condition fits; the first rule that fits a call is the one it meets."""

    kind: Kind
    service: str = ANY
    """boto3's name, or ``opensearch``."""
    operation: str = ANY
    """As AWS calls it: ``PutItem``."""
    caller: str = ANY
    """Function key (``process_ticket``), or the name of the function or of its role. Any of them calls in a role's
    name: the administrator's calls meet no rule."""
    contains: str = ""
    """Only calls with this in their body; a task token or a receipt handle stands for the message it belongs to."""
    event: str = ""
    """Only calls of a function that works on an event with this in it."""
    when: When = "before"
    error: str = ""
    """Code to answer with, for kind ``error``."""
    latency_ms: int = 0
    """What the call takes longer, for any kind."""
    times: int = 3
    """Deliveries at once, for kind ``duplicate``."""
    count: int | None = 1
    """Calls that it goes wrong for; None for all."""
    skip: int = 0
    """Calls to be spared before that."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Rule:
        """A rule from JSON's members. Raises ValueError for what is none."""
        types: dict[str, tuple[type, ...]] = {"latency_ms": (int,), "times": (int,), "skip": (int,)}
        types["count"] = (int, type(None))
        unknown = sorted(set(document) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"a rule has no {', '.join(unknown)}")
        for name, value in document.items():
            if type(value) not in types.get(name, (str,)):
                raise ValueError(f"{name} cannot be {value!r}")
        if "kind" not in document:
            raise ValueError(f"kind is missing; there are: {', '.join(KINDS)}")
        rule = cls(**document)
        if faults := rule.faults():
            raise ValueError("; ".join(faults))
        return rule

    def faults(self) -> list[str]:
        """What is wrong with it, as far as it can be told without the services' models."""
        delivery = self.service == "sqs" and self.operation == DELIVER
        checks = (
            (self.kind in KINDS, f"there is no kind {self.kind!r}; there are: {', '.join(KINDS)}"),
            (
                self.service in {ANY, *SERVICES},
                f"there is no service {self.service!r}; there are: {', '.join(SERVICES)}",
            ),
            (self.when in get_args(When), f"when is before or after, not {self.when!r}"),
            (self.latency_ms >= 0, "latency_ms is below 0"),
            (self.skip >= 0, "skip is below 0"),
            (self.count is None or self.count >= 1, "count is below 1"),
            (2 <= self.times <= 10, "times is not within 2..10"),
            ((self.kind == "error") == bool(self.error), "kind error, and no other, names an error"),
            (self.kind != "latency" or self.latency_ms > 0, "kind latency needs latency_ms"),
            (self.operation == ANY or self.service != ANY, "an operation needs its service"),
            (self.kind != "duplicate" or delivery, f"only sqs {DELIVER} can be doubled"),
            (not delivery or self.kind in DELIVERY_KINDS, f"{DELIVER} knows: {', '.join(DELIVERY_KINDS)}"),
        )
        return [message for holds, message in checks if not holds]

    def concerns(self, service: str, operation: str) -> bool:
        """Whether it may hold for such a call."""
        if operation == DELIVER:
            # Nobody who speaks of all calls means what is none.
            return (self.service, self.operation) == (service, operation)
        return self.service in {ANY, service} and self.operation in {ANY, operation}


def is_called(name: str, *known: str) -> bool:
    """Whether ``name`` is one of ``known``, or the last part of one: ``process_ticket`` of ``support-local-…``."""
    return name == ANY or any(one == name or one.endswith(f"-{name}") for one in known)
