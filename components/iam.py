"""Permissions as values: what is allowed on a thing, handed to whoever needs it when that is built.

A thing (table, queue, bucket …) has one method for each way of using it, which returns a :class:`Grant`: the exact
actions, on exactly that thing, with the key actions that its encryption asks for (facts/aws.md row 12), and the
resources that must exist before the grant is of use (row 1). Why values: docs/decisions/0003-grants-are-values.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import pulumi
import pulumi_aws as aws

VERSION: Final = "2012-10-17"
"""Set in every document: without it the provider waits for a queue's policy until it times out (row 8)."""

UNSCOPED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "xray:PutTraceSegments": "X-Ray has no resource for segments",
        "xray:PutTelemetryRecords": "X-Ray has no resource for telemetry",
        "xray:GetSamplingRules": "X-Ray sampling is asked for as a whole",
        "xray:GetSamplingTargets": "X-Ray sampling is asked for as a whole",
        "ec2:DescribeNetworkInterfaces": "EC2 lists the region's interfaces, or none",
        "ec2:DescribeSubnets": "EC2 lists the region's subnets, or none",
        "secretsmanager:GetRandomPassword": "makes a text, and reads nothing",
        "dynamodb:ListStreams": "lists streams of the account; Lambda's poller asks for it",
        "cloudwatch:DescribeAlarms": "IAM is asked for all alarms, whichever are described",
        "logs:CreateLogDelivery": "vended logs have no resource (Step Functions developer guide, cw-logs)",
        "logs:GetLogDelivery": "as CreateLogDelivery",
        "logs:UpdateLogDelivery": "as CreateLogDelivery",
        "logs:DeleteLogDelivery": "as CreateLogDelivery",
        "logs:ListLogDeliveries": "as CreateLogDelivery",
        "logs:PutResourcePolicy": "as CreateLogDelivery",
        "logs:DescribeResourcePolicies": "as CreateLogDelivery",
        "logs:DescribeLogGroups": "as CreateLogDelivery",
    }
)
"""The only actions that may be granted on ``*``, and why AWS allows nothing narrower."""

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]

_ACTION = re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]+")
_SID = re.compile(r"[A-Za-z0-9]+")


class PolicyLintError(Exception):
    """A statement grants more than this project allows: a mistake in the program, not in its configuration."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One allowance in an identity's policy.

    Raises:
        PolicyLintError: for a wildcard in an action, or the resource ``*`` where AWS allows a narrower one.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    conditions: Conditions = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _SID.fullmatch(self.sid):
            raise PolicyLintError(f"{self.sid!r} is no statement id: letters and digits only")
        if not self.actions or not self.resources:
            raise PolicyLintError(f"{self.sid}: actions and resources must be named")
        for action in self.actions:
            if not _ACTION.fullmatch(action):
                raise PolicyLintError(f"{self.sid}: {action!r} is not one exact action")
        if "*" in [resource for resource in self.resources if isinstance(resource, str)]:
            scoped = [action for action in self.actions if action not in UNSCOPED]
            if scoped:
                raise PolicyLintError(f"{self.sid}: {', '.join(scoped)} can be granted on less than '*'")

    @property
    def known(self) -> bool:
        """Whether all resources are known before anything exists."""
        return all(isinstance(resource, str) for resource in self.resources)

    def render(self) -> dict[str, Any]:
        """The statement as IAM reads it; resources may still be outputs."""
        rendered: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": list(self.resources),
        }
        if self.conditions:
            rendered["Condition"] = {operator: dict(keys) for operator, keys in self.conditions.items()}
        return rendered


@dataclass(frozen=True)
class Grant:
    """What is allowed, and what must exist before it is of use."""

    statements: tuple[Statement, ...]
    depends_on: tuple[pulumi.Resource, ...] = ()


def to_json(value: Mapping[str, Any]) -> str:
    """JSON that is the same text on every run, so that nothing changes where nothing changed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def document(*statements: Mapping[str, Any]) -> str:
    """A policy of known statements."""
    return to_json({"Version": VERSION, "Statement": list(statements)})


def trust(service: str, conditions: Conditions | None = None) -> str:
    """A role's trust policy for one AWS service."""
    statement: dict[str, Any] = {
        "Sid": "AssumedByService",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if conditions:
        statement["Condition"] = conditions
    return document(statement)


def tls_only(resources: Sequence[str], actions: str) -> dict[str, Any]:
    """A resource policy's statement that refuses every call over plain HTTP."""
    return {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def merged(grants: Iterable[Grant]) -> tuple[Statement, ...]:
    """The statements of all grants, those with the same id as one.

    Raises:
        PolicyLintError: two statements with the same id speak of different resources or conditions.
    """
    by_sid: dict[str, Statement] = {}
    for statement in (statement for grant in grants for statement in grant.statements):
        known = by_sid.setdefault(statement.sid, statement)
        same = len(known.resources) == len(statement.resources) and all(
            # Outputs have no equality: the same thing hands out the same output.
            a is b or (isinstance(a, str) and isinstance(b, str) and a == b)
            for a, b in zip(known.resources, statement.resources, strict=True)
        )
        if not same or known.conditions != statement.conditions:
            raise PolicyLintError(f"two statements are called {statement.sid} and differ in more than their actions")
        actions = tuple(dict.fromkeys((*known.actions, *statement.actions)))
        by_sid[statement.sid] = Statement(
            sid=known.sid, actions=actions, resources=known.resources, conditions=known.conditions
        )
    return tuple(by_sid.values())


def attach(
    resource_name: str, role: aws.iam.Role, grants: Sequence[Grant], opts: pulumi.ResourceOptions
) -> tuple[aws.iam.RolePolicy, ...]:
    """Write ``grants`` into ``role`` as inline policies.

    ``grants`` holds what is known in a preview; ``keys`` holds statements on what has no name before it exists
    (KMS keys), so that these do not make the others unknown and unjudged.

    Returns:
        The policies; whatever uses the role depends on all of them (facts/aws.md row 2).
    """
    statements = merged(grants)
    known = [statement.render() for statement in statements if statement.known]
    later = [statement.render() for statement in statements if not statement.known]
    policies = []
    if known:
        policies.append(
            aws.iam.RolePolicy(
                f"{resource_name}-grants", name="grants", role=role.name, policy=document(*known), opts=opts
            )
        )
    if later:
        policies.append(
            aws.iam.RolePolicy(
                f"{resource_name}-keys",
                name="keys",
                role=role.name,
                policy=pulumi.Output.from_input({"Version": VERSION, "Statement": later}).apply(to_json),
                opts=opts,
            )
        )
    return tuple(policies)


def dependencies(grants: Iterable[Grant]) -> list[pulumi.Resource]:
    """Everything that must exist before ``grants`` are of use."""
    found: dict[int, pulumi.Resource] = {id(r): r for grant in grants for r in grant.depends_on}
    return list(found.values())
