"""What roles are granted, against what they were seen to use: each action is used, or justified by name with a reason.

The emulator enforces IAM and notes what it allows (`emulator_uses`). What AWS's services do in a role's name by
themselves (Lambda's poller, the delivery of logs) no emulator asks IAM for: such actions stand in
``justified_privileges.toml``, each with the reason why it is granted all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx
import msgspec

from harness.access import Access, listed
from harness.errors import HarnessError
from harness.fault_rules import DOOR
from harness.front.handover import HEADER
from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.graph import Graph
    from harness.local_stack import LocalStack

FILE: Final = Path(__file__).with_name("justified_privileges.toml")
ROLE: Final = "aws:iam/role:Role"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
EVERYTHING: Final = "*"
_SERVICES: Final = frozenset({"apigateway", "lambda"})
"""Sessions in which the front works for a role, as these services do on AWS."""
_SECONDS: Final = 30.0

Status = Literal["used", "justified", "unexplained"]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action of one statement of a role."""

    role: str
    statement: str
    action: str
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A grant, and what speaks for it."""

    grant: Grant
    last_used: float | None
    """Unix time; None if nobody was seen to."""
    reason: str
    """Why it is granted all the same; empty if nothing was written down."""

    @property
    def status(self) -> Status:
        if self.last_used is not None:
            return "used"
        return "justified" if self.reason else "unexplained"


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A policy of AWS's own that a role has."""

    role: str
    policy: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Unscoped:
    """An action that is granted on everything, because AWS knows nothing narrower."""

    role: str
    action: str
    reason: str
    """Empty if it is not one of ``components.iam.UNSCOPED``."""


@dataclass(frozen=True, kw_only=True)
class Report:
    judged: tuple[Judged, ...]
    attached: tuple[Attached, ...]
    unscoped: tuple[Unscoped, ...]

    def with_status(self, status: Status) -> tuple[Judged, ...]:
        return tuple(each for each in self.judged if each.status == status)

    @property
    def wildcards(self) -> tuple[Grant, ...]:
        """Actions that are patterns."""
        return tuple(each.grant for each in self.judged if EVERYTHING in each.grant.action)

    @property
    def faults(self) -> tuple[str, ...]:
        """What must not be, one sentence each."""
        return (
            *(f"{_named(each.grant)} is neither used nor justified" for each in self.with_status("unexplained")),
            *(f"{_named(grant)} is a pattern, not one action" for grant in self.wildcards),
            *(f"{each.role}: {each.action} is granted on everything" for each in self.unscoped if not each.reason),
            *(f"{each.role}: {each.policy} is attached without a reason" for each in self.attached if not each.reason),
        )


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was seen."""

    role: str
    session: str
    action: str
    resource: str
    """``*`` where nobody knows it."""
    at: float
    """Unix time of the last such call."""


class Justification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why actions are granted that nobody is seen to use."""

    statements: tuple[str, ...]
    """Ids of statements."""
    reason: str
    actions: tuple[str, ...] = ()
    """Of these statements; all if none is named."""
    roles: tuple[str, ...] = ()
    """Their names after ``support-<environment>-``; any if none is named."""

    def covers(self, grant: Grant) -> bool:
        return (
            grant.statement in self.statements
            and (not self.actions or grant.action in self.actions)
            and (not self.roles or any(grant.role.endswith(f"-{role}") for role in self.roles))
        )


class JustifiedAttachment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    policy: str
    """Last part of its ARN."""
    reason: str


class Justifications(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    justified: tuple[Justification, ...]
    attached: tuple[JustifiedAttachment, ...] = ()

    def reason(self, grant: Grant) -> str:
        return next((each.reason for each in self.justified if each.covers(grant)), "")

    def reason_of_attachment(self, policy_arn: str) -> str:
        return next((each.reason for each in self.attached if policy_arn.endswith(f"/{each.policy}")), "")


@cache
def justifications() -> Justifications:
    """What stands in the file."""
    return msgspec.toml.decode(FILE.read_bytes(), type=Justifications)


# --- what is granted


def granted_by(role: str, statements: Iterable[Mapping[str, Any]]) -> Iterator[Grant]:
    """Each action of statements, which only allow."""
    for statement in statements:
        for action in listed(statement["Action"]):
            resources = tuple(listed(statement["Resource"]))
            yield Grant(role=role, statement=str(statement.get("Sid", "")), action=action, resources=resources)


def of_graph(graph: Graph) -> tuple[Grant, ...]:
    """What a stack's program grants."""
    access = Access(graph)
    return tuple(
        grant
        for role in graph.of_type(ROLE)
        for grant in granted_by(str(role.inputs["name"]), access.statements_of(role))
    )


def attached_in_graph(graph: Graph) -> tuple[tuple[str, str], ...]:
    """Role and ARN of each policy of AWS's own."""
    return tuple((str(each.inputs["role"]), str(each.inputs["policyArn"])) for each in graph.of_type(ATTACHMENT))


# --- what is judged


def judge(
    grants: Iterable[Grant],
    uses: Sequence[Use],
    known: Justifications,
    *,
    attached: Iterable[tuple[str, str]] = (),
    since: Mapping[str, float] | None = None,
) -> Report:
    """What speaks for each grant.

    Args:
        grants: What is granted.
        uses: What was seen.
        known: What was written down.
        attached: Role and ARN of each policy of AWS's own.
        since: Role -> Unix time from which on uses count: when the code was deployed that works in its name.
    """
    from components.iam import UNSCOPED  # noqa: PLC0415  # imports the SDK, which takes seconds

    seen: dict[tuple[str, str], list[Use]] = {}
    for use in uses:
        if _by_a_service(use) and use.at >= (since or {}).get(use.role, 0.0):
            seen.setdefault((use.role, use.action), []).append(use)
    found = sorted(grants, key=lambda grant: (grant.role, grant.statement, grant.action))
    return Report(
        judged=tuple(
            Judged(
                grant=grant,
                last_used=max(
                    (use.at for use in seen.get((grant.role, grant.action), ()) if _on(use, grant)), default=None
                ),
                reason=known.reason(grant),
            )
            for grant in found
        ),
        attached=tuple(
            Attached(role=role, policy=policy, reason=known.reason_of_attachment(policy)) for role, policy in attached
        ),
        unscoped=tuple(
            Unscoped(role=grant.role, action=grant.action, reason=UNSCOPED.get(grant.action, ""))
            for grant in found
            if EVERYTHING in grant.resources
        ),
    )


def of_local(stack: LocalStack) -> Report:
    """The running local stack's roles, judged by what was seen since their functions were deployed.

    Raises:
        HarnessError: it does not run, or nothing was ever called.
    """
    uses = _uses(stack)
    if not any(_by_a_service(use) for use in uses):
        raise HarnessError("No role was seen to do anything.", "Run the tests first: `harness test`.")
    client, prefix = stack.client("iam"), "support-local-"
    roles = [
        str(role["RoleName"])
        for page in client.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if str(role["RoleName"]).startswith(prefix)
    ]
    grants: list[Grant] = []
    attached: list[tuple[str, str]] = []
    for role in sorted(roles):
        for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
            document = client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            grants += granted_by(role, document["Statement"])
        policies = client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        attached += [(role, str(policy["PolicyArn"])) for policy in policies]
    return judge(grants, uses, justifications(), attached=attached, since=_deployed(stack))


def _uses(stack: LocalStack) -> tuple[Use, ...]:
    url, key = stack.services.endpoints().emulator + DOOR, stack.services.door_key()
    try:
        answer = httpx.get(f"{url}uses", headers={HEADER: key}, timeout=_SECONDS, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise HarnessError(f"The emulator does not tell what was used: {error}", "See `harness status`.") from error
    return tuple(typed.decode(answer.content, dict[str, tuple[Use, ...]])["uses"])


def _deployed(stack: LocalStack) -> Mapping[str, float]:
    """Role of a function -> when a version was first published with the code and the layers that it has now."""
    client = stack.client("lambda")
    found: dict[str, float] = {}
    for name in stack.outputs().functions.values():
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [version for page in pages for version in page["Versions"]]
        latest = next(version for version in versions if version["Version"] == "$LATEST")
        same = [version for version in versions if _code(version) == _code(latest)]
        published = [datetime.fromisoformat(version["LastModified"]).timestamp() for version in same]
        found[str(latest["Role"]).rpartition("/")[2]] = min(published)
    return found


def _code(version: Mapping[str, Any]) -> tuple[str, ...]:
    layers = tuple(str(layer["Arn"]) for layer in version.get("Layers") or ())
    return (str(version["CodeSha256"]), *layers)


def _by_a_service(use: Use) -> bool:
    """Whether a function or the gateway called, and not somebody who has assumed the role to try it."""
    return use.session == use.role or use.session in _SERVICES


def _on(use: Use, grant: Grant) -> bool:
    """Whether the call was about what the grant names."""
    return use.resource == EVERYTHING or any(fnmatchcase(use.resource, pattern) for pattern in grant.resources)


def _named(grant: Grant) -> str:
    return f"{grant.role}: {grant.action} ({grant.statement})"
