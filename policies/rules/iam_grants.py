"""What roles and resources' policies allow: named actions that exist, on named resources that these act on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.actions import PERMISSIONS_MANAGEMENT, data_version, matching, may_match, split
from policies.rule import Given, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_conditions import WILD, bounded
from policies.rules.iam_places import (
    OF_RESOURCES,
    ROLE_POLICY,
    Kind,
    allow,
    allowing,
    document,
    guards,
    statements,
)
from policies.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.actions import Action
    from policies.documents import Statement
    from policies.rule import Example
    from policies.rules.iam_places import Place
    from policies.settings import Settings
    from policies.values import Resource

GUIDE: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_REFERENCE: Final = "https://docs.aws.amazon.com/service-authorization/latest/reference"
_TABLE: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
_QUEUE: Final = "arn:aws:sqs:eu-west-1:123456789012:orders"
_MODEL: Final = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
_ANYBODY_OF_OURS: Final = {"Principal": {"AWS": "arn:aws:iam::123456789012:role/orders"}}


def role_policy(*allowed: Mapping[str, object]) -> Example:
    """An example: a role's policy."""
    return (Given(ROLE_POLICY, "orders", {"role": "orders", "policy": document(*allowed)}),)


# --- actions

_WHOLE_ACCOUNT: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:root|\d{12}")


def _is_administration(place: Place, statement: Statement) -> bool:
    """Whether it leaves a key to IAM: without this nobody could manage the key, and KMS refuses the policy."""
    principals = list(statement.principals())
    return (
        place.kind is Kind.KEY
        and bool(principals)
        and all(kind == "AWS" and _WHOLE_ACCOUNT.fullmatch(name) for kind, name in principals)
    )


def _is_whole(pattern: str) -> bool:
    """Whether a pattern is a whole service, or whatever ends alike."""
    return pattern.rpartition(":")[2][:1] in {"*", "?"}


def _opens(place: Place, pattern: str) -> bool:
    """Whether a pattern in a resource's policy also lets others write that policy; a key's administrators may."""
    return (
        place.kind in {Kind.RESOURCE, Kind.OWN}
        and WILD.search(pattern) is not None
        and any(PERMISSIONS_MANAGEMENT in action.levels for action in matching(pattern))
    )


def _named_actions(place: Place, statement: Statement) -> Iterator[Verdict]:
    actions = statement.texts("Action")
    if place.kind is Kind.IDENTITY:
        wild = [action for action in actions if WILD.search(action)]
    elif _is_administration(place, statement):
        wild = []
    else:
        wild = [action for action in actions if _is_whole(action) or _opens(place, action)]
    if wild:
        yield Verdict(f"{statement.path}.Action", f"grants {', '.join(wild)}")


_EVERYTHING: Final = allow("*", _TABLE)
_WHOLE_SERVICE: Final = (allow("*", "*", **_ANYBODY_OF_OURS), allow("sqs:*", _QUEUE, **_ANYBODY_OF_OURS))

ACTION: Final = Rule(
    id="iam-action",
    demand="A grant names exactly the actions used",
    why="A wildcard also grants what nobody thought of, and what AWS will add: whoever gets into one function may then "
    "do with its role what the function never does.",
    severity=Severity.HIGH,
    controls=(
        *("Security Hub IAM.1", "Security Hub IAM.21", "CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_72", "CKV_AWS_107"),
        *("CKV_AWS_287", "AwsSolutions-IAM5"),
    ),
    mend="Name each action in full; CloudTrail and IAM's last accessed information tell which are used.",
    url=f"{GUIDE}/best-practices.html#grant-least-privilege",
    guards=guards(
        {
            Kind.IDENTITY: (_EVERYTHING, allow("dynamodb:*", _TABLE), allow("dynamodb:Get*", _TABLE)),
            Kind.TRUST: (allow("sts:*", Principal={"Service": "lambda.amazonaws.com"}),),
            Kind.RESOURCE: _WHOLE_SERVICE,
            Kind.OWN: _WHOLE_SERVICE,
            Kind.KEY: (allow("kms:*", "*", **_ANYBODY_OF_OURS),),
        }
    ),
    violating=role_policy(allow("dynamodb:*", _TABLE)),
    compliant=role_policy(allow(["dynamodb:GetItem", "dynamodb:PutItem"], _TABLE)),
    not_applicable=role_policy({**allow("*", "*"), "Effect": "Deny"}),
    check=allowing(_named_actions, "Action"),
)


def _existing(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    for _, each in statements(resource, frozenset(Kind)):
        if isinstance(each, Unknown):
            yield cannot_judge(each)
            continue
        # A denial that is misspelt denies nothing, which is worse than a grant that grants nothing.
        for element in ("Action", "NotAction"):
            yield from (cannot_judge(unknown) for unknown in each.unknowns(element))
            if unheard := [text for text in each.texts(element) if next(matching(text), None) is None]:
                problem = f"names {', '.join(unheard)}, which AWS does not have (its actions as of {data_version()})"
                yield Verdict(f"{each.path}.{element}", problem)


_MISSPELT: Final = "sqs:SendMesage"
_IN_TRUST: Final = allow("sts:AssumeRoles", Principal={"Service": "lambda.amazonaws.com"})

ACTION_EXISTS: Final = Rule(
    id="iam-action-exists",
    demand="Each action in a policy is one that AWS has",
    why="IAM takes a misspelt action without a word: a grant of it fails at run time only, a denial of it never.",
    severity=Severity.MEDIUM,
    controls=("IAM Access Analyzer INVALID_ACTION", "cfn-lint W3037"),
    mend="Look the action up in the Service Authorization Reference; often an API's operation is another action "
    "(Converse is bedrock:InvokeModel).",
    url=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
    guards=guards(
        {
            Kind.IDENTITY: (allow("dynamodb:GetItems", _TABLE), allow("dynamo:GetItem", _TABLE)),
            Kind.TRUST: (_IN_TRUST,),
            **{kind: (allow(_MISSPELT, "*", **_ANYBODY_OF_OURS),) for kind in OF_RESOURCES},
        }
    ),
    violating=role_policy(allow("bedrock:Converse", _MODEL)),
    compliant=role_policy(allow("bedrock:InvokeModel", _MODEL)),
    check=_existing,
)


# --- resources

_WHOLE: Final = frozenset(
    {
        # IAM is asked for all alarms, whichever are described (aws-samples/amazon-cloudwatch-auto-alarms #1), and AWS's
        # own policy for CodeDeploy has "*" (AWSCodeDeployRoleForLambdaLimited).
        *("cloudwatch:describealarms", "cloudwatch:describealarmhistory", "cloudwatch:describealarmsformetric"),
        # Metrics have no ARN (CloudWatch user guide, "Using condition keys to limit access to CloudWatch namespaces");
        # the resource that the reference lists is a dataset, which is something else.
        *("cloudwatch:putmetricdata", "cloudwatch:getmetricdata", "cloudwatch:getmetricstatistics"),
        *("cloudwatch:listmetrics", "cloudwatch:getmetricwidgetimage"),
    }
)
"""Actions that are granted on ``*``, though AWS's reference lists a resource for them."""

_ON_WHAT_LAMBDA_MAKES: Final = frozenset(
    {
        # AWS Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
        *("ec2:createnetworkinterface", "ec2:deletenetworkinterface"),
        *("ec2:assignprivateipaddresses", "ec2:unassignprivateipaddresses"),
    }
)
"""Actions on network interfaces that Lambda makes under ids of its own: all of the account's, but no other's."""

_ID_FIRST: Final = frozenset({"autoscaling"})
"""Services whose ARNs have an id that AWS chooses before the name (EC2 Auto Scaling user guide, "How Amazon EC2 Auto
Scaling works with IAM")."""

_HERE: Final = "execute-api:/"
"""How an API's own policy begins a resource: this API."""
_ARN_PARTS: Final = 6
_SEPARATORS: Final = re.compile("[:/]")
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")


def _of_chosen(key: str) -> bool:
    """Whether a condition's key tells which resource it is, so that ``*`` is a known set (ABAC)."""
    return key == "kms:resourcealiases" or ":resourcetag/" in key


def wide(statement: Statement, resource: str) -> str | None:
    """What makes a resource, which is not ``*``, more than something named; None if nothing does."""
    if resource.startswith(_HERE):
        return None
    parts = split(_VARIABLE.sub("x", resource))
    if parts is None:
        return "is no ARN"
    _, _, service, region, account, name = parts
    # What has no account is public and has the same name everywhere: a model, an object.
    if WILD.search(service) or WILD.search(account) or (account and WILD.search(region)):
        return "is of any service, region or account"
    if _of_lambdas_making(statement, resource):
        return None
    if any(_is_any(name, index) for index in _places_of_names(statement, resource, name)):
        return f"is every resource of {service}" if service not in _ID_FIRST or _is_any(name, -1) else None
    return None


def _places_of_names(statement: Statement, resource: str, name: str) -> set[int]:
    """Where, of an ARN's last part, names begin, by what the statement's actions act on."""
    patterns = {pattern for action in _actions(statement) for pattern in (*action.resources, *action.also)}
    fitting = [pattern for pattern in patterns if may_match(pattern, resource)]
    if not fitting:
        return {1 if len(_segments(name)) > 1 else 0}
    return {_first_variable(pattern.split(":", _ARN_PARTS - 1)[-1]) for pattern in fitting}


def _first_variable(name: str) -> int:
    return next((index for index, part in enumerate(_segments(name)) if "${" in part), 0)


def _segments(name: str) -> list[str]:
    return [part for part in _SEPARATORS.split(name) if part]


def _is_any(name: str, index: int) -> bool:
    """Whether the part of a name at ``index`` is nothing but a wildcard, or one before it reaches over it."""
    parts = _segments(name)
    if index >= len(parts):
        return name.endswith("*")
    return not WILD.sub("", parts[index])


def _of_lambdas_making(statement: Statement, resource: str) -> bool:
    """Whether the actions are on interfaces that Lambda makes, in one region of one account."""
    parts = split(resource)
    named = parts is not None and all(parts) and not any(WILD.search(part) for part in parts[:-1])
    return named and {action.lower() for action in statement.texts("Action")} <= _ON_WHAT_LAMBDA_MAKES


def _actions(statement: Statement) -> Iterator[Action]:
    """The actions that a statement names, or that its patterns stand for; of a bare ``*`` none."""
    for pattern in statement.texts("Action"):
        if pattern.partition(":")[0] != "*":
            yield from matching(pattern)


def _on_everything(statement: Statement) -> list[str]:
    """The statement's actions that could be granted on less than ``*``."""
    return sorted(pattern for pattern in statement.texts("Action") if _takes_a_resource(pattern))


def _takes_a_resource(pattern: str) -> bool:
    """Whether an action that a pattern stands for acts on something that can be named; what is unheard of might."""
    if pattern.partition(":")[0] == "*":
        return True
    found = [action for action in matching(pattern) if action.name.lower() not in _WHOLE]
    return any(action.resources for action in found) or next(matching(pattern), None) is None


def _named_resources(place: Place, statement: Statement) -> Iterator[Verdict]:
    path = f"{statement.path}.Resource"
    nameable = _on_everything(statement)
    # Where "*" is right, whatever is narrower is, too.
    if not nameable or bounded(statement, _of_chosen):
        return
    unknown = next(statement.unknowns("Condition"), None)
    for resource in statement.texts("Resource"):
        if not WILD.sub("", resource):
            problem = f'is "{resource}" for {", ".join(nameable)}' if place.kind is not Kind.OWN else None
        elif (problem := wide(statement, resource)) is not None:
            problem = f'"{resource}" {problem}'
        if problem is not None:
            yield Verdict(path, problem) if unknown is None else cannot_judge(unknown)


_ALL_TABLES: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/*"
_OF_ANY_ACCOUNT: Final = "arn:aws:sqs:*:*:orders"

RESOURCE: Final = Rule(
    id="iam-resource",
    demand="A grant names the resources it is for",
    why='With "*", or every table of the account, a role reads and writes what belongs to others, today and what is '
    "made tomorrow.",
    severity=Severity.HIGH,
    controls=(
        *("CKV_AWS_355", "CKV_AWS_356", "CKV_AWS_107", "CKV_AWS_108", "CKV_AWS_111", "CKV_AWS_287", "CKV_AWS_288"),
        *("CKV_AWS_290", "AwsSolutions-IAM5"),
    ),
    mend='Name the resource by its ARN; "*" is right only for actions that take no resource.',
    url=f"{GUIDE}/reference_policies_elements_resource.html",
    guards=guards(
        {
            Kind.IDENTITY: (
                *(allow("dynamodb:GetItem", "*"), allow("dynamodb:GetItem", _ALL_TABLES)),
                allow(["xray:PutTraceSegments", "sqs:SendMessage"], "*"),
            ),
            Kind.RESOURCE: (
                allow("s3:GetObject", "*", **_ANYBODY_OF_OURS),
                allow("sqs:SendMessage", _OF_ANY_ACCOUNT, **_ANYBODY_OF_OURS),
            ),
            Kind.OWN: (allow("sqs:SendMessage", _OF_ANY_ACCOUNT, **_ANYBODY_OF_OURS),),
        }
    ),
    violating=role_policy(allow("dynamodb:GetItem", _ALL_TABLES)),
    compliant=role_policy(allow("dynamodb:GetItem", _TABLE), allow("xray:PutTraceSegments", "*")),
    check=allowing(_named_resources, "Action", "Resource", kinds=frozenset({Kind.IDENTITY, Kind.RESOURCE, Kind.OWN})),
)


def _fitting(_place: Place, statement: Statement) -> Iterator[Verdict]:
    resources = statement.texts("Resource")
    if "NotAction" in statement.elements or any(not WILD.sub("", resource) for resource in resources):
        return
    resources = tuple(resource for resource in resources if not resource.startswith(_HERE))
    known = list(_actions(statement))
    everything = any(pattern.partition(":")[0] == "*" for pattern in statement.texts("Action"))
    if everything or not known or not resources:
        return
    if next(statement.unknowns("Action"), None) is None:
        for resource in resources:
            if not any(action.takes(resource) for action in known):
                problem = f'"{resource}" is nothing that {_listed(known)} can act on'
                yield Verdict(f"{statement.path}.Resource", problem)
    if next(statement.unknowns("Resource"), None) is None:
        for pattern in statement.texts("Action"):
            actions = list(matching(pattern))
            if actions and not any(action.takes(resource) for action in actions for resource in resources):
                on = "no resource: it is granted by nothing but *" if not _types(actions) else "none of the resources"
                yield Verdict(f"{statement.path}.Action", f"grants {pattern} in vain: it acts on {on}")


def _types(actions: list[Action]) -> bool:
    return any(action.resources or action.also for action in actions)


_MANY: Final = 4


def _listed(actions: list[Action]) -> str:
    names = sorted({action.name for action in actions})
    return ", ".join(names[:_MANY]) + (" and others" if len(names) > _MANY else "")


RESOURCE_FITS: Final = Rule(
    id="iam-resource-fits",
    demand="Each action of a grant acts on one of its resources, and each resource is acted on by one of its actions",
    why="A grant of an action on a thing that it never acts on grants nothing: the call fails at run time, and is then "
    "often mended with a wildcard. Or it was meant for another action, which is then granted by somebody else.",
    severity=Severity.MEDIUM,
    controls=("parliament RESOURCE_MISMATCH", "Service Authorization Reference"),
    mend="Give each action the ARNs of the types that the Service Authorization Reference lists for it: an object's "
    'for s3:GetObject, the bucket\'s for s3:ListBucket; what takes no resource gets a statement of its own on "*".',
    url=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
    guards=guards(
        {
            Kind.IDENTITY: (
                *(allow("sqs:SendMessage", _TABLE), allow("s3:GetObject", "arn:aws:s3:::orders")),
                *(allow("xray:PutTraceSegments", _TABLE), allow(["dynamodb:GetItem"], [_TABLE, _QUEUE])),
            ),
            **{kind: (allow("sqs:SendMessage", _TABLE, **_ANYBODY_OF_OURS),) for kind in (Kind.RESOURCE, Kind.OWN)},
        }
    ),
    violating=role_policy(allow("s3:GetObject", "arn:aws:s3:::orders")),
    compliant=role_policy(
        allow("s3:GetObject", "arn:aws:s3:::orders/*"), allow("s3:ListBucket", "arn:aws:s3:::orders")
    ),
    check=allowing(_fitting, "Action", "Resource", kinds=frozenset({Kind.IDENTITY, Kind.RESOURCE, Kind.OWN})),
)


# --- negations


def _not_all_but(_place: Place, statement: Statement) -> Iterator[Verdict]:
    for element in ("NotAction", "NotResource", "NotPrincipal"):
        if element in statement.elements:
            yield Verdict(f"{statement.path}.{element}", "allows everything but what it lists")


_ALL_BUT: Final = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*", **_ANYBODY_OF_OURS}

NEGATION: Final = Rule(
    id="iam-negation",
    demand="No grant is written as everything but something",
    why="What is not listed is granted: every action of every service that AWS has or will have, or every resource or "
    "caller there is. It reads like a denial, and is none.",
    severity=Severity.HIGH,
    controls=("Security Hub IAM.1", "AwsSolutions-IAM5", "IAM Access Analyzer ALLOW_WITH_NOT_PRINCIPAL"),
    mend="List what is allowed with Action, Resource and Principal.",
    url=f"{GUIDE}/reference_policies_elements_notaction.html",
    guards=guards(
        {
            Kind.IDENTITY: (
                {"Effect": "Allow", "NotAction": "iam:*", "Resource": _TABLE},
                {"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": _QUEUE},
            ),
            Kind.TRUST: ({"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "123456789012"}},),
            **dict.fromkeys(OF_RESOURCES, (_ALL_BUT,)),
        }
    ),
    violating=role_policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    compliant=role_policy(allow("dynamodb:GetItem", _TABLE)),
    not_applicable=role_policy({"Effect": "Deny", "NotAction": "dynamodb:GetItem", "Resource": "*"}),
    check=allowing(_not_all_but, "NotAction", "NotResource", "NotPrincipal"),
)
