"""AWS Lambda: functions themselves. What becomes of failed invocations: `policies.rules.lambda_failures`."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policies.limits import FUNCTION_TIMEOUT, FUNCTION_ZONES, RESERVED_CONCURRENCY, RUNTIME_NOTICE
from policies.links import ALIAS, FUNCTION, origins, texts, unexplained
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.secret_text import secret_in
from policies.values import Unknown, look_up, many, unknowns
from policies.wants import AtLeast, AtMost, CustomerKey, Like, OneOf, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

FUNCTION_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
SUBNET: Final = "aws:ec2/subnet:Subnet"
SEARCH_DOMAIN: Final = "aws:opensearch/domain:Domain"

RUNTIMES: Final[Mapping[str, dt.date]] = tomllib.loads(
    (Path(__file__).parents[1] / "runtimes.toml").read_text(encoding="utf-8")
)
"""Runtime -> the day from which AWS mends it no more."""
_LASTING: Final = max(RUNTIMES, key=lambda runtime: RUNTIMES[runtime])

_GUIDE: Final = "https://docs.aws.amazon.com/lambda/latest/dg"
_ARN: Final = "arn:aws:lambda:eu-west-1:123456789012:function:"
_KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/1"


def _function(name: str, **inputs: object) -> Given:
    return Given(FUNCTION, name, {"name": name, **inputs}, {"arn": f"{_ARN}{name}", "name": name})


TIMEOUT: Final = Rule(
    id="lambda-timeout",
    demand="A function states its timeout, and Lambda can keep it",
    why="Unstated it is 3 seconds, which is too short for most work and which nobody has decided; and every other "
    "timeout on the way of a call is derived from it.",
    severity=Severity.MEDIUM,
    controls=("serverless-rules LambdaDefaultTimeout", "Well-Architected REL05-BP05"),
    mend="Set timeout, in seconds, from what the function waits for.",
    url=f"{_GUIDE}/configuration-timeout.html",
    guards=(Guard(type=FUNCTION, path="timeout", want=AtMost(FUNCTION_TIMEOUT, least=1)),),
    violating=(_function("worker"),),
    compliant=(_function("worker", timeout=60),),
)

TRACING: Final = Rule(
    id="lambda-tracing",
    demand="A function traces its calls with X-Ray",
    why="Without it, nobody can tell afterwards where the time of a slow call went, or which of several services "
    "failed first.",
    severity=Severity.LOW,
    controls=("CKV_AWS_50", "serverless-rules LambdaTracing", "Security Hub Lambda.7"),
    mend="Set tracingConfig.mode to Active.",
    url=f"{_GUIDE}/services-xray.html",
    guards=(
        Guard(type=FUNCTION, path="tracingConfig.mode", want=OneOf(("Active",), refused=("PassThrough", "active"))),
    ),
    violating=(_function("worker", tracingConfig={"mode": "PassThrough"}),),
    compliant=(_function("worker", tracingConfig={"mode": "Active"}),),
)

CONCURRENCY: Final = Rule(
    id="lambda-concurrency",
    demand="A function has executions reserved, which are its limit as well",
    why="All functions of an account share its concurrency: one that is called in a loop, or attacked, throttles all "
    "the others.",
    severity=Severity.LOW,
    controls=("CKV_AWS_115", "cfn_nag W92"),
    mend="Set reservedConcurrentExecutions to what the function may need at most.",
    url=f"{_GUIDE}/configuration-concurrency.html",
    guards=(Guard(type=FUNCTION, path="reservedConcurrentExecutions", want=AtLeast(RESERVED_CONCURRENCY)),),
    violating=(_function("worker", reservedConcurrentExecutions=-1),),
    compliant=(_function("worker", reservedConcurrentExecutions=10),),
    # An account has 1,000 for all its functions: which are worth a part of them is for people to choose.
    level=Level.ADVISORY,
    outside_production=Level.DISABLED,
)


def _has_environment(resource: Resource) -> bool | Unknown:
    variables = look_up(resource, "environment.variables").value
    return variables if isinstance(variables, Unknown) else bool(variables)


ENCRYPTION: Final = Rule(
    id="lambda-encryption",
    demand="A function's environment is encrypted with a customer-managed key",
    why="Everyone who may look at a function's configuration reads its environment, unless a key of one's own asks "
    "for a grant of its own, which shows in an audit.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_173",),
    mend="Set kmsKeyArn to the ARN of a key of one's own.",
    url=f"{_GUIDE}/configuration-envvars-encryption.html",
    guards=(Guard(type=FUNCTION, path="kmsKeyArn", want=CustomerKey(), when=_has_environment),),
    violating=(_function("worker", environment={"variables": {"TABLE": "orders"}}),),
    compliant=(_function("worker", environment={"variables": {"TABLE": "orders"}}, kmsKeyArn=_KEY),),
    not_applicable=(_function("worker"),),
)

_TELL_NO_SECRET: Final = frozenset(
    {
        *("aws:apigateway/restApi:RestApi", "aws:apigateway/stage:Stage", "aws:bedrock/guardrail:Guardrail"),
        *("aws:cloudfront/distribution:Distribution", "aws:cloudwatch/eventBus:EventBus", LOG_GROUP),
        *("aws:cognito/userPool:UserPool", "aws:dynamodb/table:Table", "aws:iam/role:Role", "aws:kms/alias:Alias"),
        *("aws:kms/key:Key", "aws:kinesis/stream:Stream", ALIAS, FUNCTION, SEARCH_DOMAIN, "aws:s3/bucket:Bucket"),
        *("aws:s3/bucketV2:BucketV2", "aws:secretsmanager/secret:Secret", "aws:sfn/stateMachine:StateMachine"),
        *("aws:sns/topic:Topic", "aws:sqs/queue:Queue", SUBNET, "aws:ec2/vpc:Vpc"),
    }
)
"""Types that have no secret among their outputs."""
_MAKE_SECRETS: Final = frozenset(
    {
        "random:index/randomPassword:RandomPassword",
        "aws:iam/accessKey:AccessKey",
        "aws:iam/serviceSpecificCredential:ServiceSpecificCredential",
    }
)
"""Types from which a function's environment can take nothing but a secret."""


def _secrets(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    if resource.type != FUNCTION:
        return
    variables = look_up(resource, "environment.variables")
    if isinstance(variables.value, Unknown):
        yield cannot_judge(variables.value, settled_by=_TELL_NO_SECRET)
    elif isinstance(variables.value, Mapping):
        for name, value in variables.value.items():
            path = f"{variables.path}.{name}"
            if any(unknowns(value)):
                yield cannot_judge(Unknown(path), settled_by=_TELL_NO_SECRET)
            elif noun := secret_in(name, str(value)):
                yield Verdict(path, f"looks like {noun}")


def _made_from_secrets(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for function in stack.of_type(FUNCTION):
        for origin in origins(function, "environment"):
            if origin.type in _MAKE_SECRETS:
                yield Verdict("environment.variables", f"is made from the secret {origin.name}", urn=function.urn)


SECRETS: Final = Rule(
    id="lambda-secrets",
    demand="A function's environment holds no secret",
    why="It is shown in the console, in every description of the function, in each of its versions for ever, and in "
    "the stack's state.",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_45", "Well-Architected SEC02-BP03"),
    mend="Put the secret in Secrets Manager, give the function its name, and revoke the one that was shown.",
    url=f"{_GUIDE}/configuration-envvars.html",
    guards=(
        Guard(
            type=FUNCTION,
            path="environment.variables",
            absent="what is not there holds nothing",
            weaker=(
                {"SETTING": "AKIAIOSFODNN7EXAMPLE"},
                {"DATABASE_PASSWORD": "example"},
                {"API_TOKEN": "0a1b2c3d4e5f6071"},
                {"SETTING": "-----BEGIN RSA PRIVATE KEY-----\nexample"},
                {"DATABASE": "postgres://app:example@db.example.com/app"},
            ),
        ),
    ),
    violating=(_function("worker", environment={"variables": {"DATABASE_PASSWORD": "example"}}),),
    compliant=(_function("worker", environment={"variables": {"DATABASE_SECRET": "orders/database"}}),),
    not_applicable=(_function("worker"),),
    check=_secrets,
    check_stack=_made_from_secrets,
)


def _is_archive(resource: Resource) -> bool | Unknown:
    package = look_up(resource, "packageType").value
    return package if isinstance(package, Unknown) else package != "Image"


def _runtime(resource: Resource) -> str | Verdict | None:
    """A function's runtime; what keeps it from being judged, or None for an image, which brings its own."""
    runtime, archive = look_up(resource, "runtime").value, _is_archive(resource)
    if isinstance(archive, Unknown):
        return cannot_judge(archive)
    if not archive:
        return None
    if isinstance(runtime, Unknown):
        return cannot_judge(runtime)
    if str(runtime) not in RUNTIMES:
        return Verdict("runtime", f"is {shown(runtime)}, of which policies/runtimes.toml knows no end")
    return str(runtime)


def _ended(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    runtime = _runtime(resource)
    if isinstance(runtime, Verdict):
        yield runtime
    elif runtime is not None and RUNTIMES[runtime] <= settings.today:
        yield Verdict("runtime", f"is {runtime}, which AWS mends no more since {RUNTIMES[runtime]}")


def _ending(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    runtime, days = _runtime(resource), settings.limit(RUNTIME_NOTICE)
    if isinstance(runtime, Verdict):
        yield runtime
    elif runtime is not None and RUNTIMES[runtime] - dt.timedelta(days=days) <= settings.today:
        yield Verdict("runtime", f"is {runtime}, which AWS mends until {RUNTIMES[runtime]} only")


_IMAGE: Final = (_function("worker", packageType="Image", imageUri="123456789012.dkr.ecr.example/worker:1"),)

RUNTIME: Final = Rule(
    id="lambda-runtime",
    demand="A function's runtime is one that AWS still mends",
    why="A deprecated runtime gets no security fixes, and some months later functions on it can be neither made nor "
    "changed.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_363", "AwsSolutions-L1", "Security Hub Lambda.2"),
    mend="Move the function to a newer runtime; if AWS has a new one, add its end to policies/runtimes.toml.",
    url=f"{_GUIDE}/lambda-runtimes.html",
    guards=(
        Guard(
            type=FUNCTION,
            path="runtime",
            when=_is_archive,
            weaker=("python3.7", "nodejs16.x", "go1.x", "no-such-runtime"),
        ),
    ),
    violating=(_function("worker", runtime="python3.7"),),
    compliant=(_function("worker", runtime=_LASTING),),
    not_applicable=_IMAGE,
    check=_ended,
)

RUNTIME_ENDING: Final = Rule(
    id="lambda-runtime-ending",
    demand="A function's runtime does not end soon",
    why="Moving to another runtime takes tests and time, and the day is known long before.",
    severity=Severity.LOW,
    controls=("Well-Architected OPS05-BP05",),
    mend="Plan the move to a newer runtime now.",
    url=f"{_GUIDE}/lambda-runtimes.html#runtime-support-policy",
    guards=(Guard(type=FUNCTION, path="runtime", when=_is_archive, weaker=("python3.7", "no-such-runtime")),),
    violating=(_function("worker", runtime="python3.7"),),
    compliant=(_function("worker", runtime=_LASTING),),
    not_applicable=_IMAGE,
    level=Level.ADVISORY,
    check=_ending,
)

URL: Final = Rule(
    id="lambda-url",
    demand="A function's own address asks callers for credentials",
    why="With NONE, anybody who learns or guesses the address calls the function, at the owner's cost and with the "
    "function's rights; no gateway throttles, checks or logs it.",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_258",),
    mend="Set authorizationType to AWS_IAM, or put an API or CloudFront before the function.",
    url=f"{_GUIDE}/urls-auth.html",
    guards=(Guard(type=FUNCTION_URL, path="authorizationType", want=OneOf(("AWS_IAM",), refused=("NONE",))),),
    violating=(Given(FUNCTION_URL, "url", {"functionName": "worker", "authorizationType": "NONE"}),),
    compliant=(Given(FUNCTION_URL, "url", {"functionName": "worker", "authorizationType": "AWS_IAM"}),),
)

_SITE: Final = "https://support.example.com"

URL_ORIGINS: Final = Rule(
    id="lambda-url-origins",
    demand="A function's own address answers scripts of the web sites that it names",
    why="With *, any page that a signed-in user opens may call the function in the user's name and read the answer.",
    severity=Severity.MEDIUM,
    controls=("CKV2_AWS_75", "OWASP API8:2023 Security Misconfiguration"),
    mend="List in cors.allowOrigins the sites whose scripts call it, each in full; leave cors out if none does.",
    url=f"{_GUIDE}/urls-configuration.html#urls-cors",
    guards=(
        Guard(
            type=FUNCTION_URL,
            path="cors.allowOrigins[]",
            want=Like(r"https?://[^*]+", "a site's address without a wildcard", refused=("*", "https://*", "")),
            absent="no other site's scripts may read its answers then",
        ),
    ),
    violating=(Given(FUNCTION_URL, "url", {"functionName": "worker", "cors": {"allowOrigins": ["*"]}}),),
    compliant=(Given(FUNCTION_URL, "url", {"functionName": "worker", "cors": {"allowOrigins": [_SITE]}}),),
)

_VPC_ONLY: Final = (
    SEARCH_DOMAIN,
    *("aws:rds/instance:Instance", "aws:rds/cluster:Cluster", "aws:rds/proxy:Proxy"),
    *("aws:docdb/cluster:Cluster", "aws:neptune/cluster:Cluster", "aws:redshift/cluster:Cluster"),
    *("aws:elasticache/cluster:Cluster", "aws:elasticache/replicationGroup:ReplicationGroup"),
    *("aws:elasticache/serverlessCache:ServerlessCache", "aws:memorydb/cluster:Cluster"),
    *("aws:msk/cluster:Cluster", "aws:msk/serverlessCluster:ServerlessCluster", "aws:mq/broker:Broker"),
)
"""Types of what can only be reached inside a VPC; a search domain if it is placed there."""


def _is_in_vpc(function: Resource) -> bool:
    subnets = look_up(function, "vpcConfig.subnetIds").value
    return isinstance(subnets, Unknown) or bool(many(subnets))


def _addressed(stack: Stack, function: Resource) -> list[Resource]:
    """What a function is given the address of, of the types that may be in a VPC.

    Its environment is made from them, and says something else of them than their name or ARN, with which the service's
    own API is called and not what is in the VPC.
    """
    known = list(texts(look_up(function, "environment.variables").value))
    named = {each.urn for text in known for each in stack.named(text, *_VPC_ONLY)}
    return [each for each in stack.referred(function, "environment", *_VPC_ONLY) if each.urn not in named]


def _reach_vpc(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    path = "vpcConfig.subnetIds"
    for function in stack.of_type(FUNCTION):
        unknown = unexplained(function, path)
        if unknown is not None:
            yield cannot_judge(unknown, urn=function.urn)
        elif not _is_in_vpc(function):
            yield from _outside(stack, function, path)


def _outside(stack: Stack, function: Resource, path: str) -> Iterator[Verdict]:
    unknown = unexplained(function, "environment.variables")
    if unknown is not None:
        yield cannot_judge(unknown, urn=function.urn)
    for each in _addressed(stack, function):
        placed = look_up(each, "vpcOptions").value if each.type == SEARCH_DOMAIN else True
        if isinstance(placed, Unknown):
            yield cannot_judge(placed, urn=each.urn)
        elif placed and any(unknowns(look_up(function, "environment.variables").value)):
            yield cannot_judge(Unknown("environment.variables"), urn=function.urn)
        elif placed:
            problem = f"is not set, and the function is given the address of {each.name}, which is in a VPC"
            yield Verdict(path, problem, urn=function.urn)


def _needs_vpc(stack: Stack, function: Resource) -> bool:
    return any(
        each.type != SEARCH_DOMAIN or bool(look_up(each, "vpcOptions").value) for each in _addressed(stack, function)
    )


def _is_outside(_stack: Stack, function: Resource) -> bool:
    return not _is_in_vpc(function)


def _is_used_outside(stack: Stack, domain: Resource) -> bool:
    return any(
        not _is_in_vpc(function) and domain.urn in {each.urn for each in _addressed(stack, function)}
        for function in stack.of_type(FUNCTION)
    )


def _domain(name: str, **inputs: object) -> Given:
    outputs = {
        "arn": f"arn:aws:es:eu-west-1:123456789012:domain/{name}",
        "endpoint": f"{name}-1.eu-west-1.es.amazonaws.com",
    }
    return Given(SEARCH_DOMAIN, name, {"domainName": name, **inputs}, outputs)


_PRIVATE: Final = _domain("private", vpcOptions={"subnetIds": ["subnet-1", "subnet-2"]})
_SEARCHING: Final = {"variables": {"ENDPOINT": Ref("private", "endpoint")}}
_TWO_SUBNETS: Final = {"subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]}

VPC: Final = Rule(
    id="lambda-vpc",
    demand="A function that uses something in a VPC sits in the VPC",
    why="It cannot reach it from outside, so every call fails; and what makes it reachable from outside instead "
    "opens it to everybody.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_117", "cfn_nag W89", "Security Hub Lambda.3"),
    mend="Set vpcConfig to private subnets and a security group that may reach it.",
    url=f"{_GUIDE}/configuration-vpc.html",
    guards=(
        Guard(
            type=FUNCTION,
            path="vpcConfig.subnetIds",
            absent="nothing that the function uses is in a VPC",
            weaker=((), None),
            beside=_needs_vpc,
        ),
        Guard(type=FUNCTION, path="environment.variables", absent="it is given no address then", beside=_is_outside),
        Guard(type=SEARCH_DOMAIN, path="vpcOptions", absent="it is in no VPC then", beside=_is_used_outside),
    ),
    violating=(_PRIVATE, _function("search", environment=_SEARCHING)),
    compliant=(
        _PRIVATE,
        _function("search", environment=_SEARCHING, vpcConfig=_TWO_SUBNETS),
        _domain("public"),
        _function("worker", environment={"variables": {"ENDPOINT": Ref("public", "endpoint")}}),
    ),
    not_applicable=(_function("worker", environment={"variables": {"TABLE": "orders"}}),),
    check_stack=_reach_vpc,
)


def _zones(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    least = settings.limit(FUNCTION_ZONES)
    for function in stack.of_type(FUNCTION):
        found = look_up(function, "vpcConfig.subnetIds")
        open_question = unexplained(function, "vpcConfig.subnetIds")
        if open_question is not None:
            yield cannot_judge(open_question, urn=function.urn)
        elif found.value is not None:
            yield from _in_zones(stack, function, found.value, least)


def _in_zones(stack: Stack, function: Resource, subnets: Value, least: float) -> Iterator[Verdict]:
    ids = set(texts(subnets))
    declared = _subnets(stack, function)
    count = len(declared) if isinstance(subnets, Unknown) else len(ids) + sum(1 for _ in unknowns(subnets))
    if count == 0:
        return
    # A subnet of another stack is taken to be in a zone of its own: nothing here can tell.
    elsewhere = max(count - len(declared), 0)
    told = [_zone(each) for each in declared]
    zones = len({each for each in told if isinstance(each, str)}) + elsewhere
    if zones >= least:
        return
    if zones + sum(1 for each in told if not isinstance(each, str)) >= least:
        yield cannot_judge(Unknown("vpcConfig.subnetIds"), urn=function.urn)
    else:
        problem = f"lie in {zones:g} zone{'' if zones == 1 else 's'}, not {least:g} or more"
        yield Verdict("vpcConfig.subnetIds", problem, urn=function.urn)


def _subnets(stack: Stack, function: Resource) -> list[Resource]:
    """The subnets of this stack in which a function sits: those that are named, as far as that is known."""
    value = look_up(function, "vpcConfig.subnetIds").value
    found = [each for text in texts(value) for each in stack.named(text, SUBNET)]
    if any(unknowns(value)):
        found += stack.referred(function, "vpcConfig.subnetIds", SUBNET)
    return list({each.urn: each for each in found}.values())


def _zone(subnet: Resource) -> Value:
    """What says in which zone a subnet lies: an id, which holds for all accounts, or this account's name for it."""
    zone_id = look_up(subnet, "availabilityZoneId").value
    return zone_id if zone_id is not None else look_up(subnet, "availabilityZone").value


def _decides_zones(stack: Stack, subnet: Resource) -> bool:
    """Whether a function would sit in too few zones without a subnet."""
    return any(
        subnet in (subnets := _subnets(stack, function))
        and len({str(_zone(each)) for each in subnets}) <= FUNCTION_ZONES.default
        for function in stack.of_type(FUNCTION)
    )


def _has_zone_id(stack: Stack, subnet: Resource) -> bool:
    return _decides_zones(stack, subnet) and look_up(subnet, "availabilityZoneId").value is not None


def _has_zone_name(stack: Stack, subnet: Resource) -> bool:
    return _decides_zones(stack, subnet) and look_up(subnet, "availabilityZoneId").value is None


def _subnet(number: int, **inputs: object) -> Given:
    return Given(SUBNET, f"subnet-{number}", {"vpcId": "vpc-1", **inputs}, {"id": f"subnet-{number}"})


ZONES: Final = Rule(
    id="lambda-zones",
    demand="A function in a VPC sits in more than one zone",
    why="When its only zone fails, it cannot run at all; outside a VPC, Lambda sees to that itself.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Lambda.5",),
    mend="Add subnets of other availability zones to vpcConfig.subnetIds.",
    url=f"{_GUIDE}/security-resilience.html",
    guards=(
        Guard(
            type=FUNCTION,
            path="vpcConfig.subnetIds",
            absent="a function outside a VPC is in all zones",
            weaker=(("subnet-9",), ("subnet-9", "subnet-9")),
        ),
        Guard(
            type=SUBNET,
            path="availabilityZoneId",
            absent="availabilityZone says it",
            beside=_has_zone_id,
        ),
        Guard(type=SUBNET, path="availabilityZone", absent="availabilityZoneId says it", beside=_has_zone_name),
    ),
    violating=(_function("worker", vpcConfig={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}),),
    compliant=(
        _subnet(1, availabilityZoneId="euw1-az1"),
        _subnet(2, availabilityZoneId="euw1-az2"),
        _function("worker", vpcConfig={"subnetIds": [Ref("subnet-1", "id"), Ref("subnet-2", "id")]}),
        _subnet(3, availabilityZone="eu-west-1a"),
        _subnet(4, availabilityZone="eu-west-1b"),
        _function("search", vpcConfig={"subnetIds": [Ref("subnet-3", "id"), Ref("subnet-4", "id")]}),
    ),
    not_applicable=(_function("worker"),),
    check_stack=_zones,
)


def _log_groups(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    groups_open = any(unexplained(each, "name") is not None for each in stack.of_type(LOG_GROUP))
    for function in stack.of_type(FUNCTION):
        group = look_up(function, "loggingConfig.logGroup").value
        if not group:
            yield from _own_group(stack, function, groups_open=groups_open)
        elif not _groups(stack, function):
            unknown = isinstance(group, Unknown) or groups_open
            yield _no_group(function, f"is {shown(group)}, which this stack does not declare", unknown=unknown)


def _own_group(stack: Stack, function: Resource, *, groups_open: bool) -> Iterator[Verdict]:
    name = look_up(function, "name").value
    if _groups(stack, function):
        return
    declared = f"/aws/lambda/{name}" if isinstance(name, str) else "of the function's name"
    problem = f"is not set, and this stack declares no log group {declared}"
    yield _no_group(function, problem, unknown=groups_open or not isinstance(name, str))


def _groups(stack: Stack, function: Resource) -> list[Resource]:
    """The log groups of this stack that a function writes to."""
    group, name = look_up(function, "loggingConfig.logGroup").value, look_up(function, "name").value
    if isinstance(group, Unknown):
        return stack.referred(function, "loggingConfig.logGroup", LOG_GROUP)
    if group:
        return stack.named(str(group), LOG_GROUP)
    found = stack.named(f"/aws/lambda/{name}", LOG_GROUP) if isinstance(name, str) else []
    return found or [
        each
        for each in stack.of_type(LOG_GROUP)
        if isinstance(look_up(each, "name").value, Unknown) and function in stack.referred(each, "name", FUNCTION)
    ]


def _no_group(function: Resource, problem: str, *, unknown: bool) -> Verdict:
    if unknown:
        return cannot_judge(Unknown("loggingConfig.logGroup"), urn=function.urn)
    return Verdict("loggingConfig.logGroup", problem, urn=function.urn)


LOGS: Final = Rule(
    id="lambda-log-group",
    demand="A function's log group is declared beside it",
    why="Otherwise Lambda makes one at the first call: unencrypted by a key of one's own, kept for ever, and left "
    "behind when the stack is destroyed.",
    severity=Severity.MEDIUM,
    controls=("serverless-rules CloudWatchLogGroupRetentionPeriod", "Well-Architected SEC04-BP01"),
    mend="Declare a LogGroup with retention and key, and set loggingConfig.logGroup to its name.",
    url=f"{_GUIDE}/monitoring-cloudwatchlogs-loggroups.html",
    guards=(
        Guard(
            type=FUNCTION,
            path="loggingConfig.logGroup",
            absent="it is /aws/lambda/ and the function's name then",
            weaker=("/nobody/declared/this",),
        ),
    ),
    violating=(_function("worker", loggingConfig={"logFormat": "JSON", "logGroup": "/worker"}),),
    compliant=(
        Given(LOG_GROUP, "group", {"name": "/worker", "retentionInDays": 30}, {"name": "/worker"}),
        _function("worker", loggingConfig={"logFormat": "JSON", "logGroup": Ref("group", "name")}),
    ),
    check_stack=_log_groups,
    companions=(Companion(of=FUNCTION, find=_groups),),
)

RULES: Final = (
    TIMEOUT,
    TRACING,
    CONCURRENCY,
    ENCRYPTION,
    SECRETS,
    RUNTIME,
    RUNTIME_ENDING,
    URL,
    URL_ORIGINS,
    VPC,
    ZONES,
    LOGS,
)
