"""The ticket workflow: a state machine hands work to a queue and records how it ended (spec section 3)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.logs import LogPolicy, log_group
from components.names import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.names import Names
    from components.queues import WorkQueue
    from components.tables import Table
    from support.timings import Timings

THING: Final = "ticket-workflow"
TEMPLATE: Final = Path(__file__).parent / "templates" / "ticket_workflow.asl.json"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

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
        # The prefix keeps the region's log resource policy from growing with every state machine (row 17).
        group_name = checked("log group", f"/aws/vendedlogs/states/{names.state_machine(THING)}")
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

    def give_up(self) -> iam.Grant:
        """Fail the tasks of its executions."""
        return self._grant("FailWorkflow", "states:SendTaskFailure")

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


def render(template: Mapping[str, Any], values: Mapping[str, str | int]) -> str:
    """``template`` with ``${Name}`` replaced; a text that is nothing but a placeholder takes the value's type.

    Raises:
        ValueError: a placeholder has no value, or a value no placeholder.
    """
    used: set[str] = set()

    def value_of(name: str) -> str | int:
        used.add(name)
        if name not in values:
            raise ValueError(f"the template asks for {name}, which is not given")
        return values[name]

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(child) for key, child in node.items()}
        if isinstance(node, list):
            return [walk(child) for child in node]
        if not isinstance(node, str):
            return node
        whole = _PLACEHOLDER.fullmatch(node)
        return value_of(whole[1]) if whole else _PLACEHOLDER.sub(lambda match: str(value_of(match[1])), node)

    rendered = walk(template)
    if unused := values.keys() - used:
        raise ValueError(f"the template does not ask for {', '.join(sorted(unused))}")
    return iam.to_json(rendered)
