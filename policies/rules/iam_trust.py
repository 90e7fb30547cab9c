"""Who is let in: nobody unnamed, and AWS's services for those only who are named."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.rules.iam_accounts import (
    ACCOUNT,
    ACCOUNT_ID,
    ASSUME,
    FOR_NOBODY,
    IN_TRUST,
    PERMISSION,
    account_of,
    trusting,
)
from policies.rules.iam_conditions import CALLERS, SOURCES, WILD, bounded, denied_to_others, names_arn
from policies.rules.iam_grants import GUIDE
from policies.rules.iam_places import OF_RESOURCES, WITH_PRINCIPALS, Kind, allow, allowing, document, guards, statements
from policies.values import Unknown, look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.documents import Statement
    from policies.rule import Example
    from policies.rules.iam_places import Place
    from policies.settings import Settings
    from policies.values import Resource, Value

QUEUE_POLICY: Final = "aws:sqs/queuePolicy:QueuePolicy"
_QUEUE: Final = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders"


def _queue_policy(*allowed: Mapping[str, object]) -> Example:
    inputs = {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders", "policy": document(*allowed)}
    return (Given(QUEUE_POLICY, "orders", inputs),)


# --- anybody


def _anybody(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    by_document: dict[str, list[Statement]] = defaultdict(list)
    for _, each in statements(resource, WITH_PRINCIPALS):
        if isinstance(each, Unknown):
            yield cannot_judge(each)
        else:
            by_document[each.path.partition(".Statement")[0]].append(each)
    for together in by_document.values():
        for statement in together:
            if statement.allows:
                yield from _lets_in(statement, together)


def _lets_in(statement: Statement, together: list[Statement]) -> Iterator[Verdict]:
    yield from (cannot_judge(unknown) for unknown in statement.unknowns("Effect", "Principal"))
    if not any(WILD.search(name) for _, name in statement.principals()):
        return
    if bounded(statement, lambda key: key in CALLERS | SOURCES) or denied_to_others(statement, together):
        return
    unknown = next(statement.unknowns("Condition"), None)
    if unknown is not None:
        yield cannot_judge(unknown)
    else:
        problem = "lets anybody in: it holds a wildcard and no condition bounds it"
        yield Verdict(f"{statement.path}.Principal", problem)


_TO_ANYBODY: Final = allow("sqs:SendMessage", _QUEUE, Principal="*")

PRINCIPAL: Final = Rule(
    id="iam-principal",
    demand="Nobody is let in without being named or bounded",
    why='"*" is everybody who has an account with AWS, or no account at all; lists of open resources are sold.',
    severity=Severity.CRITICAL,
    controls=(
        *("Security Hub SQS.3", "Security Hub KMS.5", "Security Hub EventBridge.3", "CKV_AWS_33", "CKV_AWS_60"),
        *("CKV_AWS_168", "CKV_AWS_169", "CKV_AWS_387", "CKV_AWS_70", "AWS Config sns-topic-no-public-access"),
    ),
    mend="Name the role, account or service, or bound it with a condition such as aws:SourceArn.",
    url=f"{GUIDE}/reference_policies_elements_principal.html",
    guards=guards(
        {
            Kind.TRUST: (allow(ASSUME, Principal="*"), allow(ASSUME, Principal={"AWS": "*"})),
            **{
                kind: (
                    _TO_ANYBODY,
                    allow("sqs:SendMessage", _QUEUE, Principal={"AWS": ["*"]}),
                    {**_TO_ANYBODY, "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}},
                )
                for kind in OF_RESOURCES
            },
        }
    ),
    violating=_queue_policy(_TO_ANYBODY),
    compliant=_queue_policy({**_TO_ANYBODY, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}),
    not_applicable=_queue_policy({**_TO_ANYBODY, "Effect": "Deny"}),
    check=_anybody,
)


# --- services that act for others

ACT_FOR_OTHERS: Final = frozenset(
    {
        # Each service's guide, "Cross-service confused deputy prevention", or its page on the role:
        "states.amazonaws.com",  # Step Functions developer guide, procedure-create-iam-role
        "scheduler.amazonaws.com",  # EventBridge Scheduler user guide, cross-service-confused-deputy-prevention
        *("events.amazonaws.com", "pipes.amazonaws.com"),  # EventBridge user guide
        "bedrock.amazonaws.com",  # Bedrock user guide, cross-service-confused-deputy-prevention
        "vpc-flow-logs.amazonaws.com",  # VPC user guide, flow-logs-iam-role
        "logs.amazonaws.com",  # CloudWatch Logs user guide, SubscriptionFilters
        "config.amazonaws.com",  # Config developer guide, iamrole-permissions
        "codebuild.amazonaws.com",  # CodeBuild user guide
        "codedeploy.amazonaws.com",  # CodeDeploy user guide, security_confused_deputy
        "sagemaker.amazonaws.com",  # SageMaker developer guide, security-confused-deputy-prevention
        "glue.amazonaws.com",  # Glue developer guide
        "iot.amazonaws.com",  # IoT developer guide
        "ssm.amazonaws.com",  # Systems Manager user guide
    }
)
"""Services that take a role on behalf of what a customer names, and say on whose behalf.

Others, such as Lambda, EC2, ECS and API Gateway, take a role only for what the role's own account has made with
``iam:PassRole``, and say nothing of a source.
"""
_WITHOUT_A_SOURCE: Final = frozenset(
    {
        # AWS's examples put no condition here (EventBridge user guide, "Permissions for CloudWatch Logs"): not every
        # service says for whom it makes a stream, and an empty stream is all that can come of it.
        "logs:createlogstream"
    }
)
_REGION: Final = re.compile(r"\.[a-z]{2}(-[a-z]+)+-\d(?=\.amazonaws\.com)")


def _is_of_source(key: str) -> bool:
    return key in {*SOURCES, *IN_TRUST, "kms:calleraccount"} or key.startswith("kms:encryptioncontext:")


def _deputy(place: Place, statement: Statement) -> Iterator[Verdict]:
    services = [name for kind, name in statement.principals() if kind == "Service"]
    if place.kind is Kind.TRUST:
        services = [name for name in services if _REGION.sub("", name) in ACT_FOR_OTHERS]
    elif {action.lower() for action in statement.texts("Action")} <= _WITHOUT_A_SOURCE:
        return
    if services and next(statement.unknowns("Condition"), None) is None and not bounded(statement, _is_of_source):
        problem = f"does not bound on whose behalf {', '.join(services)} acts"
        yield Verdict(f"{statement.path}.Condition", problem)


_FROM_TOPIC: Final = allow("sqs:SendMessage", _QUEUE, Principal={"Service": "sns.amazonaws.com"})
_TOPIC: Final = {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders"}

CONFUSED_DEPUTY: Final = Rule(
    id="iam-confused-deputy",
    demand="An AWS service that is let in acts for a source that is named",
    why="sns.amazonaws.com is SNS on behalf of any topic of any customer: a stranger's topic may send to the queue, "
    "and a stranger's trail write to the bucket, since it is the service that calls.",
    severity=Severity.HIGH,
    controls=(
        "IAM user guide, Cross-service confused deputy prevention",
        "IAM Access Analyzer RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL",
    ),
    mend="Add a condition on aws:SourceArn, or on aws:SourceAccount where the ARN is not known.",
    url=f"{GUIDE}/confused-deputy.html#cross-service-confused-deputy-prevention",
    guards=guards(
        {
            Kind.TRUST: (allow(ASSUME, Principal={"Service": "states.amazonaws.com"}),),
            **{
                kind: (
                    _FROM_TOPIC,
                    {**_FROM_TOPIC, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}},
                    {**_FROM_TOPIC, "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}},
                )
                for kind in OF_RESOURCES
            },
        }
    ),
    violating=_queue_policy(_FROM_TOPIC),
    compliant=_queue_policy({**_FROM_TOPIC, "Condition": {"ArnEquals": _TOPIC}}),
    not_applicable=trusting(allow(ASSUME, Principal={"Service": "lambda.amazonaws.com"})),
    check=allowing(_deputy, "Principal", "Action", "Condition", kinds=WITH_PRINCIPALS),
)


# --- functions

CALL: Final = frozenset(
    {
        "aws:apigateway/restApi:RestApi",
        "aws:apigatewayv2/api:Api",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:cognito/userPool:UserPool",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
        "aws:scheduler/schedule:Schedule",
        "aws:sns/topic:Topic",
    }
)
"""What calls functions and has an ARN that names it alone."""
_BUCKETS: Final = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"})
_OF_S3: Final = "s3.amazonaws.com"


def _permission(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    principal = look_up(resource, "principal").value
    if isinstance(principal, Unknown):
        yield cannot_judge(principal)
    elif isinstance(principal, str) and not principal.startswith("arn:") and not ACCOUNT_ID.fullmatch(principal):
        yield from _source(resource, principal)


def _source(resource: Resource, principal: str) -> Iterator[Verdict]:
    arn = look_up(resource, "sourceArn").value
    others = [look_up(resource, name).value for name in ("sourceAccount", "principalOrgId", "eventSourceToken")]
    if any(_known_text(other) for other in others):
        return
    if isinstance(arn, Unknown):
        # A bucket's ARN names no account.
        yield cannot_judge(arn, settled_by=CALL - _BUCKETS if principal == _OF_S3 else CALL)
        return
    named = isinstance(arn, str) and names_arn(arn)
    # A bucket's name can be taken by another account once it is given up (Security Hub Lambda.1).
    if named and not (principal == _OF_S3 and not account_of(str(arn))):
        return
    unknown = next((other for other in others if isinstance(other, Unknown)), None)
    if unknown is not None:
        yield cannot_judge(unknown)
    elif named:
        yield Verdict("sourceAccount", "is not set, and the bucket's ARN does not say whose bucket it is")
    else:
        is_ = "is not set" if arn is None else f"is {arn}"
        yield Verdict("sourceArn", f"{is_}, so any source of {principal} may call the function")


def _known_text(value: Value) -> bool:
    return isinstance(value, str) and bool(WILD.sub("", value).strip())


_OF_API: Final = {"action": "lambda:InvokeFunction", "function": "orders", "principal": "apigateway.amazonaws.com"}
_OPEN: Final = ("", "*", "arn:aws:execute-api:*:*:*")

LAMBDA_PERMISSION: Final = Rule(
    id="lambda-permission",
    demand="A function may be called only from a source that is named",
    why="apigateway.amazonaws.com is every API of every customer: without the source's ARN anybody can make an API "
    "that calls the function.",
    severity=Severity.HIGH,
    controls=("Security Hub Lambda.1", "CKV_AWS_301", "CKV_AWS_364"),
    mend="Set sourceArn (and sourceAccount where the ARN has no account) on the permission.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html",
    guards=(
        Guard(
            type=PERMISSION,
            path="sourceArn",
            absent="an account, an organisation or a role may be named instead",
            weaker=_OPEN,
        ),
        Guard(type=PERMISSION, path="principal", absent=FOR_NOBODY),
    ),
    violating=(Given(PERMISSION, "api", _OF_API),),
    compliant=(
        Given(PERMISSION, "api", {**_OF_API, "sourceArn": f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abc/*/GET/orders"}),
    ),
    not_applicable=(Given(PERMISSION, "role", {**_OF_API, "principal": f"arn:aws:iam::{ACCOUNT}:role/caller"}),),
    check=_permission,
)
