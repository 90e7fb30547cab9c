"""Who is let in from elsewhere: other accounts, and whoever an identity provider vouches for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_conditions import CALLERS, WILD, bounded
from policies.rules.iam_grants import GUIDE
from policies.rules.iam_places import (
    OF_RESOURCES,
    ROLE,
    WITH_PRINCIPALS,
    Kind,
    allow,
    allowing,
    document,
    guards,
    statements,
)
from policies.values import Unknown, look_up, many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from policies.documents import Statement
    from policies.rule import Example
    from policies.rules.iam_places import Place
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

PERMISSION: Final = "aws:lambda/permission:Permission"
FOR_NOBODY: Final = "AWS refuses a permission for nobody"
ACCOUNT: Final = "123456789012"
"""In examples: one's own."""
_ANOTHER_ACCOUNT: Final = "999999999999"
_QUEUE: Final = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders"
ASSUME: Final = "sts:AssumeRole"


def trusting(*trusted: Mapping[str, object]) -> Example:
    """An example: a role."""
    outputs = {"arn": f"arn:aws:iam::{ACCOUNT}:role/orders"}
    return (Given(ROLE, "orders", {"name": "orders", "assumeRolePolicy": document(*trusted)}, outputs),)


# --- other accounts

_ARN_OF_ANOTHER: Final = frozenset(
    {
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:s3control/accessGrant:AccessGrant",
    }
)
"""Resources whose ``arn`` is not their own."""
_PROVIDER: Final = "pulumi:providers:aws"
ACCOUNT_ID: Final = re.compile(r"\d{12}")
_OF_ORGANISATION: Final = frozenset({"aws:principalorgid", "aws:principalorgpaths"})
IN_TRUST: Final = frozenset({*_OF_ORGANISATION, "sts:externalid", "aws:multifactorauthpresent"})


def own_accounts(stack: Stack) -> frozenset[str]:
    """The accounts that a stack is in, as far as a preview tells.

    By its providers and by what exists; before anything does, by what its resources' policies say that they are about.
    """
    found: set[str] = set()
    for resource in stack.resources:
        if resource.type == _PROVIDER:
            found |= {str(each) for each in many(_listed(resource.properties.get("allowedAccountIds")))}
        arn = resource.properties.get("arn")
        if isinstance(arn, str) and resource.type not in _ARN_OF_ANOTHER:
            found.add(account_of(arn))
    return _ids(found) or _ids(
        account_of(arn)
        for resource in stack.resources
        for _, each in statements(resource, OF_RESOURCES)
        if not isinstance(each, Unknown)
        for arn in each.texts("Resource")
    )


def _ids(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text for text in texts if ACCOUNT_ID.fullmatch(text))


def _listed(value: Value) -> Value:
    """A provider's list, which the engine keeps as JSON text."""
    return re.findall(ACCOUNT_ID, value) if isinstance(value, str) else value


def account_of(principal: str) -> str:
    """The account of an ARN, or the account itself."""
    parts = principal.split(":")
    return parts[4] if len(parts) > len(("arn", "aws", "iam", "")) else principal


def _is_whole(principal: str) -> bool:
    return principal.endswith(":root") or bool(ACCOUNT_ID.fullmatch(principal))


def _from_elsewhere(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    own = own_accounts(stack)
    for resource in stack.resources:
        for place, each in statements(resource, WITH_PRINCIPALS):
            if isinstance(each, Unknown):
                yield cannot_judge(each, urn=resource.urn)
            elif each.allows:
                for unknown in each.unknowns("Effect", "Principal"):
                    yield cannot_judge(unknown, urn=resource.urn)
                yield from _of_others(place, each, own, resource)
        if resource.type == PERMISSION:
            yield from _permitted(resource, own)


def _of_others(place: Place, statement: Statement, own: frozenset[str], resource: Resource) -> Iterator[Verdict]:
    strangers = [
        name
        for kind, name in statement.principals()
        if kind == "AWS"
        and ACCOUNT_ID.fullmatch(account_of(name))
        and account_of(name) not in own
        # A resource may well be opened to a role that is named; a role that is to be taken needs more.
        and (place.kind is Kind.TRUST or _is_whole(name))
    ]
    keys = IN_TRUST if place.kind is Kind.TRUST else CALLERS
    if not strangers or bounded(statement, lambda key: key in keys) or _with_second_factor(statement):
        return
    unknown = next(statement.unknowns("Condition"), None)
    if unknown is not None:
        yield cannot_judge(unknown, urn=resource.urn)
        return
    yield _stranger(f"{statement.path}.Principal", strangers, own, resource)


def _stranger(path: str, strangers: list[str], own: frozenset[str], resource: Resource) -> Verdict:
    if not own:
        problem = f"names {', '.join(strangers)}, and nothing in this preview tells the stack's own account"
        return Verdict(path, problem, unknown=True, urn=resource.urn)
    return Verdict(path, f"lets {', '.join(strangers)} in, of another account, without a bound", urn=resource.urn)


def _with_second_factor(statement: Statement) -> bool:
    return any(
        operator.lower() == "bool" and key.lower() == "aws:multifactorauthpresent" and values == ("true",)
        for operator, key, values in statement.conditions()
    )


def _permitted(resource: Resource, own: frozenset[str]) -> Iterator[Verdict]:
    principal, organisation = (look_up(resource, name).value for name in ("principal", "principalOrgId"))
    unknown = next((value for value in (principal, organisation) if isinstance(value, Unknown)), None)
    if unknown is not None:
        yield cannot_judge(unknown, urn=resource.urn)
    elif isinstance(principal, str) and _is_whole(principal) and account_of(principal) not in own and not organisation:
        yield _stranger("principal", [principal], own, resource)


_STRANGER: Final = {"AWS": f"arn:aws:iam::{_ANOTHER_ACCOUNT}:root"}
_IN_OURS: Final = Given(_PROVIDER, "account", {"allowedAccountIds": [ACCOUNT]})
"""Tells a preview the stack's own account."""


def _call_by(principal: str) -> Given:
    return Given(PERMISSION, "call", {"action": "lambda:InvokeFunction", "function": "orders", "principal": principal})


CROSS_ACCOUNT: Final = Rule(
    id="iam-cross-account",
    demand="Another account is let in only under a condition: an external id for roles, or one's own organisation",
    why="Whom another account lets use the grant is up to that account. A supplier who serves several customers can be "
    "told by one of them to work on another's role, unless the role asks for an id that only the two know.",
    severity=Severity.HIGH,
    controls=(
        *("IAM user guide, The confused deputy problem", "IAM Access Analyzer external access"),
        *("CKV_AWS_61", "CKV_AWS_385"),
    ),
    mend="Ask for sts:ExternalId in a role's trust, or for aws:PrincipalOrgID; in a resource's policy name the role.",
    url=f"{GUIDE}/confused-deputy.html",
    guards=(
        *guards(
            {
                Kind.TRUST: (
                    allow(ASSUME, Principal=_STRANGER),
                    allow(ASSUME, Principal={"AWS": f"arn:aws:iam::{_ANOTHER_ACCOUNT}:role/theirs"}),
                    allow(ASSUME, Principal=_STRANGER, Condition={"StringLike": {"sts:ExternalId": "*"}}),
                ),
                **{
                    kind: (allow("sqs:SendMessage", _QUEUE, Principal={"AWS": [_ANOTHER_ACCOUNT]}),)
                    for kind in OF_RESOURCES
                },
            }
        ),
        Guard(type=PERMISSION, path="principal", absent=FOR_NOBODY, weaker=(_ANOTHER_ACCOUNT,)),
    ),
    violating=(_IN_OURS, *trusting(allow(ASSUME, Principal=_STRANGER)), _call_by(_ANOTHER_ACCOUNT)),
    compliant=(
        _IN_OURS,
        *trusting(
            allow(ASSUME, Principal=_STRANGER, Condition={"StringEquals": {"sts:ExternalId": "5f0c2b7e-9d1a-4c57"}})
        ),
        _call_by(f"arn:aws:iam::{_ANOTHER_ACCOUNT}:role/theirs"),
    ),
    not_applicable=trusting(allow(ASSUME, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})),
    check_stack=_from_elsewhere,
)


# --- identity providers

_BY_AUDIENCE: Final = frozenset(
    {"cognito-identity.amazonaws.com", "accounts.google.com", "www.amazon.com", "graph.facebook.com"}
)
"""Issuers whose audience is one's own application (IAM user guide, "Keys for web identity federation")."""
_SEPARATOR: Final = re.compile(r"[:/]")


def _federated(_place: Place, statement: Statement) -> Iterator[Verdict]:
    for kind, name in statement.principals():
        if kind == "Federated" and not _knows_whose(statement, name):
            problem = f"takes whatever token {name} gives to anybody: no condition names the subject"
            yield Verdict(f"{statement.path}.Condition", problem)


def _knows_whose(statement: Statement, name: str) -> bool:
    if ":saml-provider/" in name:
        return bounded(statement, lambda key: key.startswith("saml:"))
    issuer = name.partition(":oidc-provider/")[2] or name
    if issuer in _BY_AUDIENCE:
        return bounded(statement, lambda key: key.startswith(f"{issuer}:"))
    subject = f"{issuer}:sub".lower()
    values = [value for _, key, values in statement.conditions() if key.lower() == subject for value in values]
    return bounded(statement, lambda key: key == subject) and all(_names_subject(value) for value in values)


def _names_subject(value: str) -> bool:
    """Whether two parts of a subject are named in full before a wildcard: ``repo:organisation/*``, not ``repo:*``."""
    wild = WILD.search(value)
    if wild is None:
        return bool(value)
    *complete, _ = _SEPARATOR.split(value[: wild.start()])
    return len([part for part in complete if part]) > 1


_GITHUB: Final = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"}
_WEB: Final = "sts:AssumeRoleWithWebIdentity"
_AUDIENCE: Final = {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}

FEDERATION: Final = Rule(
    id="iam-federated-trust",
    demand="A role that takes tokens of an identity provider says whose",
    why="GitHub, GitLab and others give tokens to everybody who has an account there. Without the subject, the "
    "workflow of a stranger's repository may take the role.",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_358", "CKV_AWS_393", "IAM user guide, Configuring a role for GitHub OIDC identity provider"),
    mend="Demand the provider's :sub under StringEquals or StringLike, with the organisation and repository named.",
    url=f"{GUIDE}/id_roles_create_for-idp_oidc.html",
    guards=guards(
        {
            Kind.TRUST: (
                allow(_WEB, Principal=_GITHUB, Condition=_AUDIENCE),
                allow(
                    _WEB,
                    Principal=_GITHUB,
                    Condition={"StringLike": {"token.actions.githubusercontent.com:sub": "repo:*"}},
                ),
            )
        }
    ),
    violating=trusting(allow(_WEB, Principal=_GITHUB, Condition=_AUDIENCE)),
    compliant=trusting(
        allow(
            _WEB,
            Principal=_GITHUB,
            Condition={
                **_AUDIENCE,
                "StringLike": {"token.actions.githubusercontent.com:sub": "repo:example/orders:ref:refs/heads/main"},
            },
        )
    ),
    not_applicable=trusting(allow(ASSUME, Principal={"Service": "lambda.amazonaws.com"})),
    check=allowing(_federated, "Principal", "Condition", kinds=frozenset({Kind.TRUST})),
)
