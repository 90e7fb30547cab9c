"""AWS IAM: every policy document, statement by statement, and what is attached to roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, Statement, read
from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_accounts import CROSS_ACCOUNT, FEDERATION
from policies.rules.iam_escalation import BEDROCK_MODELS, ESCALATION, PASS_ROLE_RULE, PERMISSIONS
from policies.rules.iam_grants import ACTION, ACTION_EXISTS, GUIDE, NEGATION, RESOURCE, RESOURCE_FITS, role_policy
from policies.rules.iam_places import PLACES, ROLE, Kind, allow, as_value, documents
from policies.rules.iam_trust import CONFUSED_DEPUTY, LAMBDA_PERMISSION, PRINCIPAL
from policies.rules.iam_users import USERS
from policies.values import Unknown, look_up
from policies.wants import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.rules.iam_places import Place
    from policies.settings import Settings
    from policies.values import Resource, Value

_TABLE: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def _valid(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    for place in PLACES:
        if place.type == resource.type and not place.absent and look_up(resource, place.path).value is None:
            yield Verdict(place.path, "is missing")
    for place, found in documents(resource):
        for each in read(found.value, found.path):
            if isinstance(each, Problem):
                yield Verdict(each.path, each.text)
            elif isinstance(each, Unknown):
                yield cannot_judge(each)
            else:
                yield from (cannot_judge(unknown) for unknown in each.unknowns())
                yield from _of_kind(place, each)


def _of_kind(place: Place, statement: Statement) -> Iterator[Verdict]:
    """What a statement must have, and must not have, where it stands."""
    path, has = statement.path, statement.elements.keys()
    names_principal, names_resource = has & {"Principal", "NotPrincipal"}, has & {"Resource", "NotResource"}
    if place.kind is Kind.IDENTITY and names_principal:
        yield Verdict(f"{path}.Principal", "has no place in a policy of a role: it is about whoever has the role")
    if place.kind is not Kind.IDENTITY and not names_principal:
        yield Verdict(f"{path}.Principal", "is missing")
    if place.kind is Kind.TRUST and names_resource:
        yield Verdict(f"{path}.Resource", "has no place in the trust of a role: it is about the role")
    # Amazon ECR's policies are about their repository and name none (ECR user guide, "Repository policies").
    if place.kind is not Kind.TRUST and not place.type.startswith("aws:ecr/") and not names_resource:
        yield Verdict(f"{path}.Resource", "is missing")


def _unreadable(place: Place) -> tuple[str, ...]:
    """What must be refused instead of a document."""
    if place.path == "body":
        return (as_value(place),)
    broken = ("not JSON", "[]", '{"Version": "2012-10-17"}', '{"Statement": []}', as_value(place))
    return broken if place.absent else ("", *broken)


DOCUMENT: Final = Rule(
    id="iam-document",
    demand="A policy document is valid IAM JSON",
    why="A document that AWS refuses stops a deployment half-way; one that AWS reads in another way than its author "
    "grants what nobody meant.",
    severity=Severity.HIGH,
    controls=("IAM JSON policy grammar", "cfn-lint E3510", "cfn-lint E3512"),
    mend='Write {"Version": "2012-10-17", "Statement": [...]} with Effect, Action and Resource or Principal.',
    url=f"{GUIDE}/reference_policies_grammar.html",
    guards=tuple(
        Guard(type=place.type, path=place.path, absent=place.absent, weaker=_unreadable(place)) for place in PLACES
    ),
    violating=role_policy({"Effect": "Allow", "Actions": "dynamodb:GetItem", "Resource": _TABLE}),
    compliant=role_policy(allow("dynamodb:GetItem", _TABLE)),
    check=_valid,
)


# --- policies of AWS's own

_ALLOWED: Final = frozenset(
    {
        # API Gateway takes a role for its logs only with the rights of this policy, on all log groups (API Gateway
        # developer guide, "Set up CloudWatch logging for REST APIs").
        "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    }
)


@dataclass(frozen=True)
class _Own:
    """A policy of the account's own, by ARN; of AWS's own only one that a service demands."""

    settled_by: frozenset[str] = frozenset({"aws:iam/policy:Policy"})
    text: str = "a policy of one's own"

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 (all wants answer the same)
        if not isinstance(value, str) or not value.startswith("arn:"):
            return f"is {shown(value)}, which is no policy's ARN"
        aws = ":iam::aws:policy/" in value and value.partition("policy/")[2] not in _ALLOWED
        return f"attaches {value}, which AWS wrote for everybody" if aws else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002 (all wants answer the same)
        names = ("AdministratorAccess", "IAMFullAccess", "service-role/AWSLambdaBasicExecutionRole")
        return ("", *(f"arn:aws:iam::aws:policy/{name}" for name in names))


_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_ATTACHING: Final = (
    (_ATTACHMENT, "policyArn"),
    ("aws:iam/userPolicyAttachment:UserPolicyAttachment", "policyArn"),
    ("aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "policyArn"),
    ("aws:iam/policyAttachment:PolicyAttachment", "policyArn"),
    ("aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive", "policyArns[]"),
    ("aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive", "policyArns[]"),
    (ROLE, "managedPolicyArns[]"),
)


def _attachment(arn: str) -> tuple[Given, ...]:
    return (Given(_ATTACHMENT, "orders", {"role": "orders", "policyArn": arn}),)


MANAGED_POLICY: Final = Rule(
    id="iam-managed-policy",
    demand="No role has a policy that AWS writes for everybody",
    why="AWS's own policies are on every resource of the account, and AWS adds actions to them when a service grows.",
    severity=Severity.MEDIUM,
    controls=("AwsSolutions-IAM4", "CKV2_AWS_56", "CKV_AWS_274"),
    mend="Write a policy of the role's own with the actions it uses.",
    url=f"{GUIDE}/access_policies_managed-vs-inline.html",
    guards=tuple(
        Guard(type=type_, path=path, want=_Own(), absent="what is not attached grants nothing")
        for type_, path in _ATTACHING
    ),
    violating=_attachment("arn:aws:iam::aws:policy/AmazonSQSFullAccess"),
    compliant=_attachment("arn:aws:iam::123456789012:policy/orders"),
)

RULES: Final = (
    DOCUMENT,
    ACTION,
    ACTION_EXISTS,
    RESOURCE,
    RESOURCE_FITS,
    PRINCIPAL,
    NEGATION,
    MANAGED_POLICY,
    ESCALATION,
    PASS_ROLE_RULE,
    PERMISSIONS,
    CROSS_ACCOUNT,
    FEDERATION,
    CONFUSED_DEPUTY,
    BEDROCK_MODELS,
    LAMBDA_PERMISSION,
    USERS,
)
