"""IAM users, whose credentials last until somebody thinks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_grants import GUIDE
from policies.values import Unknown, look_up, many, unknowns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.values import Resource

_OF_USERS: Final = {
    "aws:iam/user:User": ("name", "makes an IAM user"),
    "aws:iam/accessKey:AccessKey": ("user", "gives an IAM user a key that does not expire"),
    "aws:iam/userLoginProfile:UserLoginProfile": ("user", "gives an IAM user a password"),
    "aws:iam/userPolicy:UserPolicy": ("user", "gives an IAM user rights of its own"),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("user", "gives an IAM user rights of its own"),
}
"""Type -> the property that names the user, and what it does."""
_ATTACHMENT: Final = "aws:iam/policyAttachment:PolicyAttachment"
_POLICY: Final = "arn:aws:iam::123456789012:policy/orders"


def _of_users(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    if resource.type != _ATTACHMENT:
        yield Verdict(*_OF_USERS[resource.type])
        return
    users = look_up(resource, "users").value
    if isinstance(users, Unknown):
        yield cannot_judge(users)
    elif any(not isinstance(each, Unknown) for each in many(users)):
        yield Verdict("users", "gives IAM users rights of their own")
    else:
        yield from (cannot_judge(each) for each in unknowns(users))


USERS: Final = Rule(
    id="iam-users",
    demand="People and programs work with roles, not as IAM users",
    why="A user's key or password is good until somebody takes it back, and works from anywhere: most break-ins begin "
    "with one that was left in a repository. What a role gives ends by itself.",
    severity=Severity.HIGH,
    controls=(
        *("CKV_AWS_40", "CKV_AWS_273", "CKV2_AWS_22", "Security Hub IAM.2", "CIS AWS Foundations 3.0 1.15"),
        *("cfn_nag F10", "cfn_nag F11", "cfn_nag F12"),
    ),
    mend="Let people sign in through IAM Identity Center, and programs take a role: by their service, or by OIDC.",
    url=f"{GUIDE}/best-practices.html#bp-users-federation-idp",
    guards=(
        *(Guard(type=type_, path=path) for type_, (path, _) in _OF_USERS.items()),
        Guard(type=_ATTACHMENT, path="users", absent="no user has it then", weaker=(("somebody",),)),
    ),
    violating=(Given("aws:iam/userPolicy:UserPolicy", "orders", {"user": "somebody", "policy": "{}"}),),
    compliant=(Given(_ATTACHMENT, "orders", {"users": (), "roles": ("orders",), "policyArn": _POLICY}),),
    check=_of_users,
)
