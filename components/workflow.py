"""The ticket workflow: a state machine hands work to a queue and records how it ended (spec section 3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.logs import LogPolicy, log_group
from components.names import checked
from components.rendering import render

if TYPE_CHECKING:
    from components.names import Names
    from components.queues import WorkQueue
    from components.tables import Table
    from support.timings import Timings

THING: Final = "ticket-workflow"
TEMPLATE: Final = Path(__file__).parent / "templates" / "ticket_workflow.asl.json"

LOG_DELIVERY: Final = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""Checked when the state machine is made; AWS knows no narrower resource (facts/aws.md row 17)."""
TRACING: Final = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


@dataclass(frozen=True, kw_only=True)
class TicketWorkflowArgs:
    names: Names
    logs: LogPolicy
    timings: Timings
    tickets: Table
    queue: WorkQueue


class TicketWorkflow(pulumi.ComponentResource):
    """The state machine and its role.

    Default settings:
        - type: Standard, so that an execution's name is taken once
        - log: every event, without input and output (tickets hold personal data), vended, encrypted
        - tracing: on
        - role: send to the ticket queue, update single tickets, deliver logs and traces
    """

    def __init__(
        self, resource_name: str, args: TicketWorkflowArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:workflow:TicketWorkflow", resource_name, None, opts)
        self._names = names = args.names
        child = pulumi.ResourceOptions(parent=self)
        self.arn = names.state_machine_arn(THING)
        group_name = log_group_name(names)
        group = log_group(resource_name, group_name, args.logs, child)
        role = aws.iam.Role(
            resource_name,
            name=names.role(THING),
            assume_role_policy=iam.trust(
                "states.amazonaws.com",
                {"StringEquals": {"aws:SourceAccount": names.account_id}, "ArnLike": {"aws:SourceArn": self.arn}},
            ),
            opts=child,
        )
        grants = (args.queue.send(), args.tickets.items("UpdateItem"), _DELIVERY)
        policies = iam.attach(resource_name, role, grants, child)
        definition = args.queue.url.apply(
            lambda url: render(
                json.loads(TEMPLATE.read_text()),
                {
                    "Partition": names.partition,
                    "TicketQueueUrl": url,
                    "TicketsTable": args.tickets.name,
                    "HeartbeatSeconds": args.timings.heartbeat,
                    "TaskTimeoutSeconds": args.timings.task_timeout,
                    "WorkflowTimeoutSeconds": args.timings.workflow_timeout,
                },
            )
        )
        self.machine = aws.sfn.StateMachine(
            resource_name,
            name=names.state_machine(THING),
            type="STANDARD",
            role_arn=role.arn,
            definition=definition,
            logging_configuration={
                "level": "ALL",
                "include_execution_data": False,
                "log_destination": f"{names.log_group_arn(group_name)}:*",
            },
            tracing_configuration={"enabled": True},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[group, *policies, *iam.dependencies(grants)]),
        )
        self.register_outputs({"arn": self.machine.arn})

    def start(self) -> iam.Grant:
        """Start executions."""
        return self._grant("StartWorkflow", "states:StartExecution")

    def answer(self) -> iam.Grant:
        """Answer the task tokens of its executions, and tell that work on them goes on."""
        return self._grant(
            "AnswerWorkflow", "states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"
        )

    def end(self) -> iam.Grant:
        """End the tasks of its executions."""
        return self._grant("EndWorkflow", "states:SendTaskSuccess", "states:SendTaskFailure")

    def watch(self) -> iam.Grant:
        """Ask what its executions do."""
        executions = self._names.arn("states", f"execution:{self._names.state_machine(THING)}:*")
        return self._grant("WatchWorkflow", "states:DescribeExecution", on=executions)

    def _grant(self, sid: str, *actions: str, on: str | None = None) -> iam.Grant:
        return iam.Grant((iam.Statement(sid=sid, actions=actions, resources=(on or self.arn,)),), (self.machine,))


_DELIVERY = iam.Grant(
    (
        iam.Statement(sid="DeliverLogs", actions=LOG_DELIVERY, resources=("*",)),
        iam.Statement(sid="DeliverTraces", actions=TRACING, resources=("*",)),
    )
)


def log_group_name(names: Names) -> str:
    # The prefix keeps the region's log resource policy from growing with every state machine (facts/aws.md row 17).
    return checked("log group", f"/aws/vendedlogs/states/{names.state_machine(THING)}")
