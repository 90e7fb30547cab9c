"""What runs by the clock (spec section 3, step 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from components.functions import Function
    from components.names import Names


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    names: Names
    function: Function
    description: str
    minutes: int
    """From one run to the next."""


class Schedule(pulumi.ComponentResource):
    """A function's alias, called again and again.

    Default settings:
        - rule: on the account's default bus, the only one that has schedules (EventBridge user guide, rules that run
          on a schedule)
        - call: asynchronous, of the alias, which lets in this rule and nothing else
        - a run that cannot be delivered is given up before the next is due, and goes to no failure queue: the next
          one does its work
    """

    def __init__(self, resource_name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:schedules:Schedule", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        rule = aws.cloudwatch.EventRule(
            resource_name,
            name=args.names.event_rule(resource_name),
            description=args.description,
            schedule_expression=rate(args.minutes),
            opts=child,
        )
        permission = args.function.permit(
            resource_name, principal="events.amazonaws.com", source_arn=rule.arn, parent=self
        )
        aws.cloudwatch.EventTarget(
            resource_name,
            rule=rule.name,
            target_id=args.function.key,
            arn=args.function.alias.arn,
            # The shortest age that EventBridge takes (API reference, RetryPolicy).
            retry_policy={"maximum_event_age_in_seconds": 60, "maximum_retry_attempts": 1},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )
        self.register_outputs({})


def rate(minutes: int) -> str:
    """EventBridge's expression, whose unit must agree with its number (user guide, rate expressions)."""
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"
