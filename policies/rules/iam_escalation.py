"""What a role could do to get more rights than it has, or to give rights to others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from policies.actions import PERMISSIONS_MANAGEMENT, grants, matching
from policies.rule import Level, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_conditions import WILD, bounded
from policies.rules.iam_grants import GUIDE, role_policy, wide
from policies.rules.iam_places import ROLE, ROLE_POLICY, Kind, allow, allowing, guards, statements
from policies.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.documents import Statement
    from policies.rules.iam_places import Place
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource

_IDENTITY: Final = frozenset({Kind.IDENTITY})
_ROLE: Final = "arn:aws:iam::123456789012:role/worker"
_FUNCTION: Final = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
PASSING: Final = "iam:PassRole"


# --- escalation

BY_THEMSELVES: Final = (
    # Rhino Security Labs, "AWS IAM Privilege Escalation - Methods and Mitigation"; cloudsplaining's list; checkov
    # CKV_AWS_110 and CKV_AWS_286.
    *("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"),
    *("iam:PutRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy"),
    *("iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:AttachGroupPolicy"),
    *("iam:AddUserToGroup", "iam:UpdateAssumeRolePolicy"),
    *("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"),
    # What the boundary kept away is there at once.
    *("iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"),
    *("iam:PutRolePermissionsBoundary", "iam:PutUserPermissionsBoundary"),
    *("sso:AttachManagedPolicyToPermissionSet", "sso:PutInlinePolicyToPermissionSet"),
)
"""Actions that raise rights on whatever they are granted, unless a condition bounds what may be given."""

ON_ANYTHING: Final = (
    # The same sources: each makes something act that has another role; on one that is named that is its purpose.
    *("sts:AssumeRole", "lambda:UpdateFunctionCode", "glue:UpdateDevEndpoint", "ecs:ExecuteCommand"),
    *("ssm:SendCommand", "ssm:StartSession", "ec2-instance-connect:SendSSHPublicKey"),
    "sagemaker:CreatePresignedNotebookInstanceUrl",
)
"""Actions that raise rights where they are granted on everything."""

WITH_A_ROLE: Final = (
    # The same sources, and the services' pages that ask for PassRole.
    *("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"),
    *("ec2:RunInstances", "ec2:AssociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation"),
    *("ecs:RunTask", "ecs:StartTask", "ecs:RegisterTaskDefinition", "ecs:CreateService", "batch:RegisterJobDefinition"),
    *("glue:CreateDevEndpoint", "glue:CreateJob", "glue:UpdateJob"),
    *("cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:CreateChangeSet"),
    *("codebuild:CreateProject", "codebuild:UpdateProject", "datapipeline:CreatePipeline"),
    *("sagemaker:CreateNotebookInstance", "sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"),
    *("states:CreateStateMachine", "states:UpdateStateMachine", "scheduler:CreateSchedule", "events:PutTargets"),
    *("autoscaling:CreateLaunchConfiguration", "apprunner:CreateService", "cognito-identity:SetIdentityPoolRoles"),
)
"""Actions that, with ``iam:PassRole`` on any role, let something work with that role."""

_SELF: Final = "${aws:username}"
"""In an ARN: the user who calls (IAM user guide, "Allows IAM users to manage their own credentials")."""


@lru_cache(maxsize=1024)
def _among(patterns: tuple[str, ...], actions: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some actions that a statement's ``Action`` grants; the same statements are met again and again."""
    return tuple(action for action in actions if any(grants(pattern, action) for pattern in patterns))


def _granted(statement: Statement, actions: tuple[str, ...]) -> tuple[str, ...]:
    return _among(statement.texts("Action"), actions)


def _anything(statement: Statement) -> bool:
    """Whether a statement is on more than what it names."""
    return any(not WILD.sub("", resource) or wide(statement, resource) for resource in statement.texts("Resource"))


def _gives_within_bounds(statement: Statement) -> bool:
    """Whether what may be given is bounded (IAM user guide, "Permissions boundaries")."""
    return bounded(statement, lambda key: key in {"iam:permissionsboundary", "iam:policyarn"})


def _to_itself(statement: Statement) -> bool:
    resources = statement.texts("Resource")
    return bool(resources) and all(resource.endswith(_SELF) for resource in resources)


def _raising(statement: Statement) -> list[str]:
    """The actions of one statement that raise rights."""
    found: list[str] = []
    # What a condition that is not known yet bounds, is not known either.
    if not _gives_within_bounds(statement) and next(statement.unknowns("Condition"), None) is None:
        own = (
            ("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile") if _to_itself(statement) else ()
        )
        found += [action for action in _granted(statement, BY_THEMSELVES) if action not in own]
    if _anything(statement):
        found += _granted(statement, ON_ANYTHING)
    return found


@dataclass
class _Passing:
    """What a role may do with roles, by all its policies."""

    passes: Statement | None = None
    """A statement that lets it pass any role."""
    makes: tuple[str, ...] = ()
    """Actions that it may pass one to."""

    def add(self, statement: Statement) -> None:
        if _granted(statement, (PASSING,)) and _anything(statement):
            self.passes = statement
        self.makes += _granted(statement, WITH_A_ROLE)

    @property
    def verdict(self) -> Verdict | None:
        if self.passes is None or not self.makes:
            return None
        made = ", ".join(dict.fromkeys(self.makes))
        return Verdict(f"{self.passes.path}.Action", f"lets it pass any role, to what it makes with {made}")


_NEEDS: Final = ("Action", "Resource", "Condition")


def _escalating(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    passing: dict[str, _Passing] = {}
    for _, each in statements(resource, _IDENTITY):
        if isinstance(each, Unknown):
            yield cannot_judge(each)
        elif each.allows:
            yield from (cannot_judge(unknown) for unknown in each.unknowns("Effect", *_NEEDS))
            if found := _raising(each):
                yield Verdict(f"{each.path}.Action", f"lets it raise its own rights by {', '.join(found)}")
            passing.setdefault(each.path.partition(".Statement")[0], _Passing()).add(each)
    yield from (each.verdict for each in passing.values() if each.verdict is not None)


def _escalating_together(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    """What policies, of which none does alone, let a role do together."""
    for role in stack.of_type(ROLE):
        together, alone = _Passing(), False
        policies = [role, *stack.about(role, ROLE_POLICY, "role")]
        for policy in policies:
            own: dict[str, _Passing] = {}
            for _, each in statements(policy, _IDENTITY):
                if not isinstance(each, Unknown) and each.allows:
                    together.add(each)
                    own.setdefault(each.path.partition(".Statement")[0], _Passing()).add(each)
            alone = alone or any(each.verdict is not None for each in own.values())
        if together.verdict is not None and not alone:
            made = ", ".join(dict.fromkeys(together.makes))
            problem = f"may by all its policies pass any role, to what it makes with {made}"
            yield Verdict("name", problem, urn=role.urn)


_PASSED: Final = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}

ESCALATION: Final = Rule(
    id="iam-escalation",
    demand="No role can raise its own rights",
    why="Who may write a policy, or make something that works with a stronger role, has all the rights that these "
    "give, whatever the rest of the policies say.",
    severity=Severity.CRITICAL,
    controls=(
        *("CKV_AWS_109", "CKV_AWS_110", "CKV_AWS_286", "CKV_AWS_289", "CKV2_AWS_40"),
        "cloudsplaining privilege escalation",
    ),
    mend="Leave it to the deployment; or bound it by iam:PermissionsBoundary or iam:PolicyARN, and name the roles that "
    "may be passed.",
    url=f"{GUIDE}/access_policies_boundaries.html#access_policies_boundaries-delegate",
    guards=guards(
        {
            Kind.IDENTITY: (
                *(allow("iam:PutRolePolicy", _ROLE), allow("iam:CreatePolicyVersion", "*")),
                *(allow("sts:AssumeRole", "*"), allow(["iam:PassRole", "lambda:CreateFunction"], "*")),
            )
        }
    ),
    violating=role_policy(allow(["iam:PassRole", "lambda:CreateFunction"], "*")),
    compliant=role_policy(allow("iam:PassRole", _ROLE, Condition=_PASSED), allow("lambda:CreateFunction", _FUNCTION)),
    check=_escalating,
    check_stack=_escalating_together,
)


# --- PassRole


def _passing(_place: Place, statement: Statement) -> Iterator[Verdict]:
    if not _granted(statement, (PASSING,)):
        return
    path = statement.path
    for resource in statement.texts("Resource"):
        if not WILD.sub("", resource) or wide(statement, resource):
            yield Verdict(f"{path}.Resource", f'lets it pass any role: "{resource}"')
    known = next(statement.unknowns("Condition"), None) is None
    if known and not bounded(statement, lambda key: key in {"iam:passedtoservice", "iam:associatedresourcearn"}):
        yield Verdict(f"{path}.Condition", "does not say to which service it passes a role (iam:PassedToService)")


PASS_ROLE_RULE: Final = Rule(
    id="iam-pass-role",
    demand="A grant of iam:PassRole names the roles and the service that gets them",
    why="Who may pass a role to something that it controls has the rights of that role.",
    severity=Severity.HIGH,
    controls=("cfn_nag F38", "IAM Access Analyzer PASS_ROLE_WITH_STAR_IN_RESOURCE"),
    mend="Name the roles by ARN in Resource, and the service under the condition iam:PassedToService.",
    url=f"{GUIDE}/id_roles_use_passrole.html",
    guards=guards(
        {
            Kind.IDENTITY: (
                *(allow(PASSING, "*", Condition=_PASSED), allow(PASSING, _ROLE)),
                allow(PASSING, "arn:aws:iam::123456789012:role/*", Condition=_PASSED),
                allow(PASSING, _ROLE, Condition={"StringLike": {"iam:PassedToService": "*"}}),
            )
        }
    ),
    violating=role_policy(allow(PASSING, _ROLE)),
    compliant=role_policy(allow(PASSING, _ROLE, Condition=_PASSED)),
    not_applicable=role_policy(allow("iam:GetRole", _ROLE)),
    check=allowing(_passing, *_NEEDS, kinds=_IDENTITY),
)


# --- permissions of others

_ASKED_FOR: Final = frozenset(
    {
        # Step Functions developer guide, "Using CloudWatch Logs to log execution history": log delivery asks for it.
        "logs:putresourcepolicy"
    }
)


def _managing(_place: Place, statement: Statement) -> Iterator[Verdict]:
    if _gives_within_bounds(statement) or next(statement.unknowns("Condition"), None) is not None:
        return
    found = sorted(
        {
            action.name
            for pattern in statement.texts("Action")
            if pattern.partition(":")[0] != "*"
            for action in matching(pattern)
            if PERMISSIONS_MANAGEMENT in action.levels
            and action.name.lower() not in _ASKED_FOR
            and action.name not in BY_THEMSELVES
            and not (action.name == "kms:CreateGrant" and _for_services(statement))
        }
    )
    if found:
        yield Verdict(f"{statement.path}.Action", f"lets it change who may do what, by {', '.join(found)}")


def _for_services(statement: Statement) -> bool:
    """Whether grants are made by AWS's services only (KMS developer guide, "kms:GrantIsForAWSResource")."""
    return any(
        operator.lower() == "bool" and key.lower() == "kms:grantisforawsresource" and values == ("true",)
        for operator, key, values in statement.conditions()
    )


PERMISSIONS: Final = Rule(
    id="iam-permissions-management",
    demand="What runs does not change who may do what",
    why="A function that may write a bucket's or a key's policy can open it to anybody; whoever gets into it, too.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_109", "CKV_AWS_289"),
    mend="Leave policies to the deployment; where it must be, bound it with a permissions boundary.",
    url=f"{GUIDE}/access_policies_understand-policy-summary-access-level-summaries.html",
    level=Level.ADVISORY,
    guards=guards(
        {Kind.IDENTITY: (allow("s3:PutBucketPolicy", "arn:aws:s3:::orders"), allow("lambda:AddPermission", _FUNCTION))}
    ),
    violating=role_policy(allow("s3:PutBucketPolicy", "arn:aws:s3:::orders")),
    compliant=role_policy(allow("s3:PutObject", "arn:aws:s3:::orders/*")),
    check=allowing(_managing, "Action", "Condition", kinds=_IDENTITY),
)


# --- models

_MODEL_CALLS: Final = (
    *("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:CreateModelInvocationJob"),
)
"""What Converse and ConverseStream ask for too (Bedrock API reference)."""


def _of_models(_place: Place, statement: Statement) -> Iterator[Verdict]:
    if not _granted(statement, tuple(_MODEL_CALLS)):
        return
    for resource in statement.texts("Resource"):
        if not WILD.sub("", resource):
            yield Verdict(f"{statement.path}.Resource", f'lets it call every model: "{resource}"')
        elif (problem := wide(statement, resource)) is not None:
            yield Verdict(f"{statement.path}.Resource", f'lets it call every model: "{resource}" {problem}')


_MODEL: Final = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
_ALL_MODELS: Final = "arn:aws:bedrock:eu-west-1::foundation-model/*"

BEDROCK_MODELS: Final = Rule(
    id="iam-bedrock-models",
    demand="A grant to call models of Bedrock names the models or inference profiles",
    why="Models differ in price by a factor of a hundred, and in what was agreed about them: who may call any may run "
    "up a bill, and send customers' words to a model that nobody has looked at.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected Generative AI Lens GENSEC01-BP01",),
    mend="Name the ARNs of the foundation model or of the inference profile and, for it, of its models in each region.",
    url="https://docs.aws.amazon.com/bedrock/latest/userguide/security_iam_id-based-policy-examples.html",
    guards=guards(
        {
            Kind.IDENTITY: (
                *(allow("bedrock:InvokeModel", "*"), allow("bedrock:InvokeModelWithResponseStream", _ALL_MODELS)),
                allow("bedrock:Invoke*", "*"),
            )
        }
    ),
    violating=role_policy(allow("bedrock:InvokeModel", _ALL_MODELS)),
    compliant=role_policy(allow("bedrock:InvokeModel", _MODEL)),
    not_applicable=role_policy(allow("bedrock:ListFoundationModels", "*")),
    check=allowing(_of_models, "Action", "Resource", kinds=_IDENTITY),
)
