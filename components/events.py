"""The event bus that tells the rest of the company about tickets, and a log of what was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.logs import LogPolicy, ServiceWriter, log_group
from components.names import checked
from components.queues import Producer

if TYPE_CHECKING:
    from components.names import Names
    from components.queues import FailureQueue

BUS: Final = "events"
RULE: Final = "event-log"
SOURCE: Final = "ai-service.tickets"
"""``source`` of every event that the service publishes (spec section 3)."""
RETRY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class EventsArgs:
    names: Names
    logs: LogPolicy
    undelivered: FailureQueue
    """Where events go that the log could not take; its policy must let the rule send."""


class Events(pulumi.ComponentResource):
    """The bus, and a rule that writes every event of the service to a log group.

    Default settings:
        - log: encrypted, with the stack's retention; delivery tried for a day, then the failure queue
    """

    def __init__(self, resource_name: str, args: EventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:events:Events", resource_name, None, opts)
        names = args.names
        child = pulumi.ResourceOptions(parent=self)
        self.name = names.event_bus(BUS)
        self.arn = names.event_bus_arn(BUS)
        self.bus = aws.cloudwatch.EventBus(resource_name, name=self.name, opts=child)
        group = log_group(resource_name, log_group_name(names), args.logs, child)
        rule = aws.cloudwatch.EventRule(
            resource_name,
            name=names.event_rule(RULE),
            description="Every event of the ticket service, to its log",
            event_bus_name=self.bus.name,
            event_pattern=iam.to_json({"source": [SOURCE]}),
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            resource_name,
            rule=rule.name,
            event_bus_name=self.bus.name,
            target_id="log",
            arn=names.log_group_arn(log_group_name(names)),
            retry_policy={"maximum_event_age_in_seconds": RETRY_SECONDS, "maximum_retry_attempts": 185},
            dead_letter_config={"arn": args.undelivered.arn},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[group, args.undelivered.queue, args.undelivered.policy]
            ),
        )
        self.register_outputs({"name": self.bus.name})

    def publish(self) -> iam.Grant:
        """Put events on the bus, in the service's own name only."""
        statement = iam.Statement(
            sid="PublishEvents",
            actions=("events:PutEvents",),
            resources=(self.arn,),
            # A call names a source for each of its entries: of a key with several values, all must be looked at.
            conditions={"ForAllValues:StringEquals": {"events:source": SOURCE}},
        )
        return iam.Grant((statement,), (self.bus,))


def log_group_name(names: Names) -> str:
    return checked("log group", f"/aws/events/{names.event_bus(BUS)}")


def rule_arn(names: Names) -> str:
    return names.event_rule_arn(BUS, RULE)


def writer(names: Names) -> ServiceWriter:
    """What the log group's resource policy must allow."""
    return ServiceWriter(
        sid="EventLog",
        services=("events.amazonaws.com", "delivery.logs.amazonaws.com"),
        group_arns=(names.log_group_arn(log_group_name(names)),),
        source_arn=rule_arn(names),
    )


def producer(names: Names) -> Producer:
    """What the failure queue's policy must allow."""
    return Producer(sid="UndeliveredEvents", service="events.amazonaws.com", source_arn=rule_arn(names))
