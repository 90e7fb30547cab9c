"""No wildcard grants: every policy document names its actions, its resources and who may use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, Statement, json_object, read
from policies.findings import Finding, Group, ResourceCheck, Rule, Severity, not_known
from policies.values import Found, Unknown, look_up, many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policies.values import Resource

_IAM_GUIDE: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide"

DOCUMENT: Final = Rule(
    id="iam-document",
    demand="A policy document is valid IAM JSON",
    severity=Severity.HIGH,
    controls=("IAM JSON policy grammar",),
    remediation='Write {"Version": "2012-10-17", "Statement": [...]} with Effect, Action and Resource or Principal.',
    url=f"{_IAM_GUIDE}/reference_policies_grammar.html",
)
ACTION: Final = Rule(
    id="iam-action",
    demand="A grant names exactly the actions used",
    severity=Severity.HIGH,
    controls=("Security Hub IAM.1", "Security Hub IAM.21", "CKV_AWS_63", "AwsSolutions-IAM5"),
    remediation="Name each action in full; `harness privileges` lists the ones used.",
    url=f"{_IAM_GUIDE}/best-practices.html#grant-least-privilege",
)
RESOURCE: Final = Rule(
    id="iam-resource",
    demand="A grant names the resources it is for",
    severity=Severity.HIGH,
    controls=("CKV_AWS_355", "AwsSolutions-IAM5"),
    remediation='Name the resource by its ARN; "*" is right only for actions that take no resource.',
    url=f"{_IAM_GUIDE}/reference_policies_elements_resource.html",
)
PRINCIPAL: Final = Rule(
    id="iam-principal",
    demand="Nobody is let in without being named or bounded",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_33", "CKV_AWS_60", "CKV_AWS_168", "CKV_AWS_169", "AWS Config sns-topic-no-public-access"),
    remediation="Name the role, account or service, or bound it with a condition such as aws:SourceArn.",
    url=f"{_IAM_GUIDE}/reference_policies_elements_principal.html",
)
NEGATION: Final = Rule(
    id="iam-negation",
    demand="No grant is written as everything but something",
    severity=Severity.HIGH,
    controls=("Security Hub IAM.1", "AwsSolutions-IAM5"),
    remediation="List what is allowed with Action, Resource and Principal.",
    url=f"{_IAM_GUIDE}/reference_policies_elements_notaction.html",
)
MANAGED_POLICY: Final = Rule(
    id="iam-managed-policy",
    demand="No role has a policy that AWS writes for everybody",
    severity=Severity.MEDIUM,
    controls=("AwsSolutions-IAM4", "CKV2_AWS_56"),
    remediation="Write a policy of the role's own with the actions it uses.",
    url=f"{_IAM_GUIDE}/access_policies_managed-vs-inline.html",
)
PERMISSION: Final = Rule(
    id="lambda-permission",
    demand="A function may be called only from a source that is named",
    severity=Severity.HIGH,
    controls=("Security Hub Lambda.1", "CKV_AWS_364"),
    remediation="Set sourceArn (and sourceAccount where the ARN has no account) on the permission.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html",
)

TAKE_NO_RESOURCE: Final = frozenset(
    {
        # Service Authorization Reference, "Actions, resources, and condition keys for …": no resource type listed.
        *("cloudwatch:putmetricdata", "sts:getcalleridentity", "kms:listaliases", "kms:listkeys"),
        "dynamodb:liststreams",
        *("xray:puttracesegments", "xray:puttelemetryrecords"),
        *("xray:getsamplingrules", "xray:getsamplingtargets", "xray:getsamplingstatisticsummaries"),
        *("ec2:describenetworkinterfaces", "ec2:describesubnets", "ec2:describesecuritygroups", "ec2:describevpcs"),
        "secretsmanager:getrandompassword",
        # IAM is asked for all alarms, whichever are described (aws-samples/amazon-cloudwatch-auto-alarms #1), and AWS's
        # own policy for CodeDeploy has "*" (AWSCodeDeployRoleForLambdaLimited).
        "cloudwatch:describealarms",
        # AWS Step Functions developer guide, "Logging to CloudWatch Logs": vended log delivery takes only "*".
        *("logs:createlogdelivery", "logs:getlogdelivery", "logs:updatelogdelivery", "logs:deletelogdelivery"),
        *("logs:listlogdeliveries", "logs:putresourcepolicy", "logs:describeresourcepolicies"),
        "logs:describeloggroups",
    }
)
"""Actions for which AWS allows no resource but ``*``, in lower case."""

ON_WHAT_LAMBDA_MAKES: Final = frozenset(
    {
        # AWS Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
        *("ec2:createnetworkinterface", "ec2:deletenetworkinterface"),
        *("ec2:assignprivateipaddresses", "ec2:unassignprivateipaddresses"),
    }
)
"""Actions on network interfaces that Lambda makes under ids of its own: all of the account's, but no other's."""

ALLOWED_MANAGED_POLICIES: Final = frozenset(
    {
        # The account-wide role with which API Gateway writes logs: it is the policy that AWS's guide asks for.
        "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    }
)

BOUNDING_KEYS: Final = frozenset(
    {
        *("aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceip"),
        *("aws:sourcevpc", "aws:sourcevpce", "aws:userid"),
        *("aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths"),
        "kms:calleraccount",
    }
)
"""Conditions that make ``*`` a known set (S3 user guide, "The meaning of public"; KMS guide for its own key)."""
_BOUNDING_OPERATORS: Final = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
)
"""The ``…IfExists`` and ``ForAllValues:`` forms hold when the key is absent, so they bound nothing."""
_EVERYWHERE: Final = frozenset({"0.0.0.0/0", "::/0"})

CALLERS: Final = frozenset(
    {
        "aws:apigateway/restApi:RestApi",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cognito/userPool:UserPool",
        "aws:s3/bucket:Bucket",
        "aws:sns/topic:Topic",
    }
)
"""What calls functions and has an ARN that names it alone."""

_WILD: Final = re.compile(r"[*?]")
_ARN_PARTS: Final = 6
_NAME_FIRST: Final = frozenset({"s3", "sqs", "sns", "execute-api"})
"""Services whose ARNs begin their last part with the name; the others put a type before it, as in ``table/``."""
_ROOT: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:root|\d{12}")


def _statements(value: Found) -> Iterator[Statement | Finding]:
    for each in read(value.value, value.path):
        if isinstance(each, Problem):
            yield Finding(DOCUMENT, each.path, each.text)
        elif isinstance(each, Unknown):
            yield not_known(DOCUMENT, each, value.path)
        else:
            yield from (not_known(DOCUMENT, unknown) for unknown in each.unknowns())
            yield from _negations(each)
            yield each


def _identity(value: Found) -> Iterator[Finding]:
    """A policy of a role: exact actions on named resources."""
    for each in _statements(value):
        if isinstance(each, Finding):
            yield each
            continue
        wild = [action for action in each.texts("Action") if _WILD.search(action)]
        if wild:
            yield Finding(ACTION, f"{each.path}.Action", f"grants {', '.join(wild)}")
        yield from _wide_resources(each)


def _attached(value: Found) -> Iterator[Finding]:
    """A policy of a resource: who may do what with it."""
    for each in _statements(value):
        if isinstance(each, Finding):
            yield each
            continue
        yield from _whole_services(each, each.texts("Action"))
        yield from _wide_resources(each)
        yield from _anybody(each)


def _trust(value: Found) -> Iterator[Finding]:
    """Who may take a role."""
    for each in _statements(value):
        if isinstance(each, Finding):
            yield each
            continue
        yield from _whole_services(each, each.texts("Action"))
        yield from _anybody(each)


def _of_key(value: Found) -> Iterator[Finding]:
    """The policy of a KMS key, where ``"Resource": "*"`` is this key (KMS developer guide, "Key policies")."""
    for each in _statements(value):
        if isinstance(each, Finding):
            yield each
            continue
        principals = list(each.principals())
        # Without this statement nobody could manage the key, and KMS refuses the policy (facts/aws.md row 3).
        administration = bool(principals) and all(kind == "AWS" and _ROOT.fullmatch(name) for kind, name in principals)
        if not administration:
            yield from _whole_services(each, each.texts("Action"))
        yield from _anybody(each)


def _negations(statement: Statement) -> Iterator[Finding]:
    for element in ("NotAction", "NotResource", "NotPrincipal"):
        if element in statement.elements:
            yield Finding(NEGATION, f"{statement.path}.{element}", "allows everything but what it lists")


def _whole_services(statement: Statement, actions: Iterable[str]) -> Iterator[Finding]:
    whole = [action for action in actions if action.rpartition(":")[2][:1] in {"*", "?"}]
    if whole:
        yield Finding(ACTION, f"{statement.path}.Action", f"grants {', '.join(whole)}")


def _wide_resources(statement: Statement) -> Iterator[Finding]:
    path = f"{statement.path}.Resource"
    if not statement.elements.keys() & {"Resource", "NotResource"}:
        yield Finding(DOCUMENT, path, "is missing")
    for resource in statement.texts("Resource"):
        if resource == "*":
            could_be_named = sorted(
                action for action in statement.texts("Action") if action.lower() not in TAKE_NO_RESOURCE
            )
            if could_be_named:
                yield Finding(RESOURCE, path, f'is "*" for {", ".join(could_be_named)}')
        elif (wide := _too_wide(resource)) is not None and not _of_lambdas_making(statement, resource):
            yield Finding(RESOURCE, path, f'"{resource}" {wide}')


def _of_lambdas_making(statement: Statement, resource: str) -> bool:
    """Whether the actions are on interfaces that Lambda makes, in one region of one account."""
    *place, _ = resource.split(":", _ARN_PARTS - 1)
    named = len(place) == _ARN_PARTS - 1 and all(place) and not any(_WILD.search(part) for part in place)
    return named and {action.lower() for action in statement.texts("Action")} <= ON_WHAT_LAMBDA_MAKES


def _too_wide(resource: str) -> str | None:
    if resource.startswith("execute-api:/"):
        return None  # The short form of an API's own policy: this API.
    parts = resource.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS or parts[0] != "arn":
        return "is no ARN"
    _, _, service, _, _, name = parts
    if any(_WILD.search(part) for part in parts[1:5]):
        return "is of any service, region or account"
    segments = [segment for segment in re.split("[:/]", name) if segment]
    named = segments[0 if service in _NAME_FIRST else 1 :]
    if not (named or segments) or not _WILD.sub("", (named or segments)[0]):
        return f"is every resource of {service}"
    return None


def _anybody(statement: Statement) -> Iterator[Finding]:
    path = f"{statement.path}.Principal"
    if not statement.elements.keys() & {"Principal", "NotPrincipal"}:
        yield Finding(DOCUMENT, path, "is missing")
    if any(_WILD.search(name) for _, name in statement.principals()) and not _bounded(statement):
        yield Finding(PRINCIPAL, path, "lets anybody in: it holds a wildcard and no condition bounds it")


def _bounded(statement: Statement) -> bool:
    return any(
        operator.lower().removeprefix("foranyvalue:") in _BOUNDING_OPERATORS
        and key.lower() in BOUNDING_KEYS
        and bool(values)
        and all(_WILD.sub("", value) and value not in _EVERYWHERE for value in values)
        for operator, key, values in statement.conditions()
    )


def _managed(value: Found) -> Iterator[Finding]:
    for arn in many(value.value):
        if isinstance(arn, Unknown):
            yield not_known(MANAGED_POLICY, arn)
        elif ":iam::aws:policy/" in (text := str(arn)) and text.partition("policy/")[2] not in ALLOWED_MANAGED_POLICIES:
            yield Finding(MANAGED_POLICY, value.path, f"attaches {text}")


def _role(resource: Resource) -> Iterator[Finding]:
    yield from _trust(look_up(resource, "assumeRolePolicy"))
    yield from _managed(look_up(resource, "managedPolicyArns"))
    inline = look_up(resource, "inlinePolicies")
    for index, policy in enumerate(many(inline.value)):
        path = f"inlinePolicies[{index}]"
        if isinstance(policy, Unknown):
            yield not_known(DOCUMENT, policy)
        elif isinstance(policy, Mapping) and "policy" in policy:
            yield from _identity(Found(f"{path}.policy", policy["policy"]))


def _rest_api(resource: Resource) -> Iterator[Finding]:
    policy = look_up(resource, "policy")
    if policy.value is not None:
        yield from _attached(policy)
    body = look_up(resource, "body")
    if body.value is None:
        return
    document = json_object(body.value, body.path)
    if isinstance(document, Unknown):
        yield not_known(DOCUMENT, document)
    elif isinstance(document, Mapping) and (inside := document.get("x-amazon-apigateway-policy")) is not None:
        # A document that cannot be read is told by the rules on timeouts, which it is about in the first place.
        yield from _attached(Found("body.x-amazon-apigateway-policy", inside))


def _permission(resource: Resource) -> Iterator[Finding]:
    principal = look_up(resource, "principal").value
    bounds = [look_up(resource, key).value for key in ("sourceArn", "sourceAccount", "principalOrgId")]
    if isinstance(principal, Unknown):
        yield not_known(PERMISSION, principal)
    elif any(isinstance(bound, str) and _WILD.sub("", bound) for bound in bounds):
        return
    elif principal == "*" or str(principal).endswith((".amazonaws.com", ".amazonaws.com.cn")):
        unknown = next((bound for bound in bounds if isinstance(bound, Unknown)), None)
        if unknown is not None:
            yield not_known(PERMISSION, unknown, settled_by=CALLERS)
        else:
            yield Finding(PERMISSION, "sourceArn", f"is missing, so any source of {principal} may call the function")


def _document(judge: Callable[[Found], Iterator[Finding]], path: str, *, required: bool = True) -> ResourceCheck:
    def check(resource: Resource) -> Iterator[Finding]:
        found = look_up(resource, path)
        if required or found.value is not None:
            yield from judge(found)

    return check


GROUP: Final = Group(
    name="no-wildcard-grants",
    description="Grants name their actions, their resources and who may use them (least privilege).",
    rules=(ACTION, RESOURCE, PRINCIPAL, NEGATION, MANAGED_POLICY, PERMISSION, DOCUMENT),
    checks=MappingProxyType(
        {
            "aws:iam/role:Role": _role,
            "aws:iam/rolePolicy:RolePolicy": _document(_identity, "policy"),
            "aws:iam/policy:Policy": _document(_identity, "policy"),
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment": lambda it: _managed(look_up(it, "policyArn")),
            # A key without a policy gets KMS's default one: administration by IAM.
            "aws:kms/key:Key": _document(_of_key, "policy", required=False),
            "aws:sqs/queue:Queue": _document(_attached, "policy", required=False),
            "aws:sqs/queuePolicy:QueuePolicy": _document(_attached, "policy"),
            "aws:sns/topic:Topic": _document(_attached, "policy", required=False),
            "aws:sns/topicPolicy:TopicPolicy": _document(_attached, "policy"),
            "aws:s3/bucket:Bucket": _document(_attached, "policy", required=False),
            "aws:s3/bucketPolicy:BucketPolicy": _document(_attached, "policy"),
            "aws:opensearch/domain:Domain": _document(_attached, "accessPolicies", required=False),
            "aws:opensearch/domainPolicy:DomainPolicy": _document(_attached, "accessPolicies"),
            "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": _document(_attached, "policyDocument"),
            # An endpoint without a policy lets everybody in the VPC do everything with the service.
            "aws:ec2/vpcEndpoint:VpcEndpoint": _document(_attached, "policy"),
            "aws:apigateway/restApi:RestApi": _rest_api,
            "aws:lambda/permission:Permission": _permission,
        }
    ),
)
