"""What holds for every service: the provider's own settings, tags, regions, names, and what outlives a mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.exemptions import matches
from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import PROTECT, Unknown, look_through, look_up, many
from policies.wants import Off, On, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

PROVIDER: Final = "pulumi:providers:aws"
NATIVE_PROVIDER: Final = "pulumi:providers:aws-native"
PROVIDERS: Final = (PROVIDER, NATIVE_PROVIDER)

TABLE: Final = "aws:dynamodb/table:Table"
BUCKET: Final = "aws:s3/bucket:Bucket"
BUCKET_V2: Final = "aws:s3/bucketV2:BucketV2"
QUEUE: Final = "aws:sqs/queue:Queue"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
KEY: Final = "aws:kms/key:Key"
KEY_ALIAS: Final = "aws:kms/alias:Alias"
WEB_ACL: Final = "aws:wafv2/webAcl:WebAcl"

_GUIDE: Final = "https://www.pulumi.com/registry/packages/aws/installation-configuration/"
_ACCOUNT: Final = "123456789012"
_REGION: Final = "eu-central-1"
_TAGS: Final = {"service": "shop", "environment": "prod"}


def _provider(**inputs: object) -> Given:
    return Given(PROVIDER, "aws", {"region": _REGION, **inputs})


# --- the provider's settings ------------------------------------------------------------------------------------------


def _setting(provider: Resource, name: str) -> Value:
    """A setting of a provider, which reaches the engine as JSON text where it is more than text."""
    value = look_up(provider, name).value
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return _plain(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def _plain(value: object) -> Value:
    """What JSON holds, with nothing that is not known: the engine says that of the whole text."""
    return value


_ROLE_ACCOUNT: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")


def _account(provider: Resource, _settings: Settings) -> Iterator[Verdict]:
    allowed = _setting(provider, "allowedAccountIds")
    if isinstance(allowed, Unknown):
        yield cannot_judge(allowed)
        return
    ids = [str(each) for each in many(allowed)]
    if ids and all(re.fullmatch(r"\d{12}", each) for each in ids):
        return
    roles = _setting(provider, "assumeRoles")
    if isinstance(roles, Unknown):
        yield cannot_judge(roles)
        return
    arns = [found.value for role in many(roles) for found in look_through(role, "roleArn")]
    if isinstance(arns[-1] if arns else None, Unknown):
        yield cannot_judge(Unknown("assumeRoles"))
    elif not (arns and _ROLE_ACCOUNT.fullmatch(str(arns[-1]))):
        problem = "is not set" if allowed is None else f"is {shown(allowed)}, no list of accounts"
        yield Verdict("allowedAccountIds", problem)


def _takes_no_role(provider: Resource) -> bool:
    return not many(_setting(provider, "assumeRoles"))


ACCOUNT: Final = Rule(
    id="general-account",
    demand="The AWS provider works in one account only, whose credentials ever it finds",
    why="Credentials come from the environment. With those of another account, a deployment makes everything anew "
    "there, and one that deletes deletes what happens to have the same name.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected SEC01-BP01",),
    mend="Set allowedAccountIds on the provider, or aws:allowedAccountIds in the stack's configuration.",
    url=_GUIDE,
    guards=(
        Guard(
            type=PROVIDER,
            path="allowedAccountIds",
            absent="a role may be assumed, which is in one account",
            weaker=((), "[]", "", ("*",), None),
            when=_takes_no_role,
        ),
        Guard(
            type=NATIVE_PROVIDER,
            path="allowedAccountIds",
            absent="a role may be assumed, which is in one account",
            weaker=((), "[]", "", ("*",), None),
            when=_takes_no_role,
        ),
    ),
    violating=(_provider(),),
    compliant=(_provider(allowedAccountIds=(_ACCOUNT,)),),
    outside_production=Level.ADVISORY,
    check=_account,
)


def _unverified(provider: Resource, _settings: Settings) -> Iterator[Verdict]:
    insecure = look_up(provider, "insecure").value
    if isinstance(insecure, Unknown):
        yield cannot_judge(insecure)
    elif insecure not in (None, "", False, "false"):
        yield Verdict("insecure", f"is {shown(insecure)}, not false")


PROVIDER_TLS: Final = Rule(
    id="general-provider-tls",
    demand="The provider checks whose certificate it is shown",
    why="Else whoever is on the way between the deployment and AWS reads and changes what is deployed, secrets too.",
    severity=Severity.HIGH,
    controls=("Well-Architected SEC09-BP02",),
    mend="Leave insecure out.",
    url="https://www.pulumi.com/registry/packages/aws/api-docs/provider/#insecure_python",
    guards=(
        Guard(type=PROVIDER, path="insecure", absent="certificates are checked then", weaker=(True, "true", "1")),
        Guard(
            type=NATIVE_PROVIDER, path="insecure", absent="certificates are checked then", weaker=(True, "true", "1")
        ),
    ),
    violating=(_provider(insecure=True),),
    compliant=(_provider(insecure=False),),
    check=_unverified,
)


@dataclass(frozen=True)
class _NotSet:
    """Nothing; and what is there is never told."""

    settled_by: frozenset[str] = frozenset()
    text: str = "not set"

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - all wants answer alike
        return None if value == "" else "is set: whoever reads the stack's state or configuration can use it"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002
        return ("example",)


_WEB_IDENTITY: Final = "assumeRoleWithWebIdentity.webIdentityToken"


def _web_token(provider: Resource, _settings: Settings) -> Iterator[Verdict]:
    if provider.type not in PROVIDERS:
        return
    name = "assumeRoleWithWebIdentity"
    for found in look_through({name: _setting(provider, name)}, _WEB_IDENTITY):
        if isinstance(found.value, Unknown):
            yield cannot_judge(found.value)
        elif found.value:
            yield Verdict(found.path, "is set: whoever reads the stack's state or configuration can use it")


_FROM_ENVIRONMENT: Final = "the environment gives them, or a role"

STATIC_KEYS: Final = Rule(
    id="general-static-keys",
    demand="The AWS provider's settings hold no credentials",
    why="They would be in the stack's configuration, in its state and in every copy of both, and be valid until "
    "somebody remembers to replace them.",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_41", "Well-Architected SEC02-BP02"),
    mend="Take the keys out and replace them; have the environment give short-lived ones: OIDC in a pipeline, "
    "IAM Identity Center for people.",
    url=_GUIDE,
    guards=(
        *(
            Guard(type=type_, path=path, want=_NotSet(), absent=_FROM_ENVIRONMENT)
            for type_ in PROVIDERS
            for path in ("accessKey", "secretKey", "token")
        ),
        Guard(type=PROVIDER, path=_WEB_IDENTITY, absent="a file holds it, and it is short-lived", weaker=("example",)),
    ),
    violating=(_provider(accessKey="AKIA…", secretKey="…"),),
    compliant=(
        _provider(
            assumeRoleWithWebIdentity={
                "roleArn": f"arn:aws:iam::{_ACCOUNT}:role/deploys",
                "webIdentityTokenFile": "/var/run/secrets/token",
            }
        ),
    ),
    check=_web_token,
)


# --- tags -------------------------------------------------------------------------------------------------------------

_TAGGED: Final = (
    *(TABLE, BUCKET, BUCKET_V2, QUEUE, LOG_GROUP, KEY, WEB_ACL),
    *("aws:lambda/function:Function", "aws:iam/role:Role", "aws:sns/topic:Topic", "aws:sfn/stateMachine:StateMachine"),
    *("aws:opensearch/domain:Domain", "aws:cognito/userPool:UserPool", "aws:secretsmanager/secret:Secret"),
    *("aws:apigateway/restApi:RestApi", "aws:apigateway/stage:Stage", "aws:cloudwatch/eventBus:EventBus"),
    *("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudfront/distribution:Distribution", "aws:ec2/vpc:Vpc"),
    *("aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/instance:Instance"),
    *("aws:rds/instance:Instance", "aws:rds/cluster:Cluster", "aws:ecs/service:Service", "aws:ecs/cluster:Cluster"),
    *("aws:lb/loadBalancer:LoadBalancer", "aws:ecr/repository:Repository", "aws:cloudtrail/trail:Trail"),
)
"""What is asked for tags of its own where the provider gives none: what costs money or holds data."""


def _missing(tags: Value, settings: Settings) -> list[str]:
    """Keys that tags lack."""
    keys = {key for key, value in tags.items() if value != ""} if isinstance(tags, Mapping) else set()
    if not settings.tags:
        return [] if keys else ["any tag"]
    return [key for key in settings.tags if key not in keys]


def _tags(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    bare = [each for each in stack.of_type(*_TAGGED) if _lacks_tags(each, settings)]
    providers = list(stack.of_type(*PROVIDERS))
    if not bare and any(stack.of_type(*_TAGGED)):
        return
    for provider in providers:
        tags = _setting(provider, "defaultTags")
        if not isinstance(tags, Unknown):
            tags = next(look_through(tags, "tags")).value
        if isinstance(tags, Unknown):
            yield cannot_judge(Unknown("defaultTags"), urn=provider.urn)
        elif missing := _missing(tags, settings):
            others = f", and {bare[0].name} has none of its own" if bare else ""
            yield Verdict("defaultTags", f"lacks {', '.join(missing)}{others}", urn=provider.urn)
    if not providers:
        for each in bare:
            missing = _missing(look_up(each, "tags").value, settings)
            yield Verdict("tags", f"lacks {', '.join(missing)}, and no provider gives them", urn=each.urn)


def _lacks_tags(resource: Resource, settings: Settings) -> bool:
    """Whether tags of its own do not suffice; where they are not known they may not."""
    own = [look_up(resource, name).value for name in ("tags", "tagsAll")]
    merged = {key: value for tags in own if isinstance(tags, Mapping) for key, value in tags.items()}
    return bool(_missing(merged, settings))


def _bare_beside(stack: Stack, _provider: Resource) -> bool:
    """For the proof: whether something relies on the provider's tags."""
    there = list(stack.of_type(*_TAGGED))
    return not there or any(not look_up(each, "tags").value for each in there)


TAGS: Final = Rule(
    id="general-tags",
    demand="Everything is tagged",
    why="Tags say whose a resource is and what it costs whom. Without them nobody dares to delete it, and nobody knows "
    "whom to call about it at night.",
    severity=Severity.LOW,
    controls=("Well-Architected COST03-BP02", "Security Hub, tagging controls"),
    mend="Set defaultTags on the provider, with the keys that the settings of the policies name (`tags`).",
    url="https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
    guards=tuple(
        Guard(type=each, path="defaultTags", weaker=({"tags": {}}, '{"tags": {}}', "{}", ""), beside=_bare_beside)
        for each in PROVIDERS
    ),
    violating=(_provider(), Given(QUEUE, "orders", {"name": "orders"})),
    compliant=(_provider(defaultTags={"tags": _TAGS}), Given(QUEUE, "orders", {"name": "orders"})),
    check_stack=_tags,
)


# --- regions ----------------------------------------------------------------------------------------------------------

EDGE: Final = "us-east-1"
"""Where CloudFront has its certificates, web ACLs and logs."""
_AT_THE_EDGE: Final = (
    *(WEB_ACL, "aws:wafv2/ipSet:IpSet", "aws:wafv2/ruleGroup:RuleGroup"),
    *("aws:acm/certificate:Certificate", "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"),
    *("aws:cloudwatch/logDeliverySource:LogDeliverySource", "aws:cloudwatch/logDelivery:LogDelivery"),
    *("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:sns/topic:Topic", LOG_GROUP, KEY, KEY_ALIAS),
)
"""What may have to be there."""
_EDGE_LOGS: Final = ("aws-waf-logs-", "/aws/cloudfront/", "/aws/lambda/us-east-1.")
"""Beginnings of the names of log groups that CloudFront's helpers write."""
_REGIONAL: Final = (
    *(TABLE, BUCKET, BUCKET_V2, QUEUE),
    *("aws:lambda/function:Function", "aws:sfn/stateMachine:StateMachine", "aws:cloudwatch/eventBus:EventBus"),
    *("aws:opensearch/domain:Domain", "aws:cognito/userPool:UserPool", "aws:secretsmanager/secret:Secret"),
    *("aws:apigateway/restApi:RestApi", "aws:apigatewayv2/api:Api", "aws:bedrock/guardrail:Guardrail"),
    *("aws:cloudtrail/trail:Trail", "aws:ec2/vpc:Vpc", "aws:ec2/instance:Instance", "aws:ebs/volume:Volume"),
    *("aws:rds/instance:Instance", "aws:rds/cluster:Cluster", "aws:efs/fileSystem:FileSystem"),
    *("aws:kinesis/stream:Stream", "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"),
    *("aws:elasticache/replicationGroup:ReplicationGroup", "aws:ecr/repository:Repository"),
    *("aws:backup/vault:Vault", "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination"),
)
"""What holds or handles data, and is in one region."""
_BESIDE_DATA: Final = frozenset({"aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination"})
"""Of those, what must be where its source is: what holds the data is elsewhere."""


def _is_allowed(region: Value, settings: Settings) -> bool:
    return isinstance(region, str) and any(matches(region, pattern) for pattern in settings.regions)


def _is_of_the_edge(resource: Resource) -> bool:
    if resource.type == LOG_GROUP:
        return str(look_up(resource, "name").value or "").startswith(_EDGE_LOGS)
    return resource.type in _AT_THE_EDGE or resource.type in _BESIDE_DATA


def _regions(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    providers = list(stack.of_type(*PROVIDERS))
    homes = [each for each in providers if _is_allowed(look_up(each, "region").value, settings)]
    listed = " or ".join(settings.regions) or "any that is allowed"
    for provider in providers:
        region = look_up(provider, "region").value
        if isinstance(region, Unknown):
            yield cannot_judge(region, urn=provider.urn)
        elif not region:
            yield Verdict("region", "is not set, so whoever deploys decides by their environment", urn=provider.urn)
        elif provider not in homes and not (region == EDGE and homes):
            yield Verdict("region", f"is {shown(region)}, not {listed}", urn=provider.urn)
    for resource in stack.of_type(*_REGIONAL, *_AT_THE_EDGE):
        region = look_up(resource, "region").value
        if isinstance(region, Unknown):
            yield cannot_judge(region, urn=resource.urn)
        elif (
            region is not None
            and not _is_allowed(region, settings)
            and not (region == EDGE and _is_of_the_edge(resource))
        ):
            yield Verdict("region", f"is {shown(region)}, not {listed}", urn=resource.urn)


_PROVIDERS_OWN: Final = "the provider's holds then"
_OPT_IN: Final = "me-south-1"
"""A region that no account has without asking, so no project's default."""

REGIONS: Final = Rule(
    id="general-regions",
    demand="Data stay in the regions that the project chose",
    why="Where data lie decides which law they are under and what customers were promised. In a region that nobody "
    "looks at, nobody sees either what is left there and paid for.",
    severity=Severity.HIGH,
    controls=("AWS Control Tower, region deny", "Well-Architected SEC07-BP02"),
    mend="Leave region out, so that it is the provider's, and set the provider's to one that is allowed; or add it to "
    "`regions` in the settings of the policies.",
    url="https://docs.aws.amazon.com/wellarchitected/latest/framework/sec_data_classification_define_protection.html",
    guards=(
        *(Guard(type=each, path="region", weaker=(_OPT_IN, "")) for each in PROVIDERS),
        *(
            Guard(type=each, path="region", absent=_PROVIDERS_OWN, weaker=(_OPT_IN, ""))
            for each in (*_REGIONAL, *_AT_THE_EDGE)
        ),
    ),
    violating=(_provider(), Given(QUEUE, "orders", {"name": "orders", "region": _OPT_IN})),
    compliant=(_provider(), Given(QUEUE, "orders", {"name": "orders", "region": _REGION})),
    check_stack=_regions,
)


# --- names ------------------------------------------------------------------------------------------------------------

_NAMES: Final = (
    *((TABLE, "name"), (BUCKET, "bucket"), (BUCKET_V2, "bucket"), (QUEUE, "name"), (LOG_GROUP, "name")),
    *((KEY_ALIAS, "name"), (WEB_ACL, "name"), ("aws:lambda/function:Function", "name"), ("aws:iam/role:Role", "name")),
    *(("aws:sns/topic:Topic", "name"), ("aws:sfn/stateMachine:StateMachine", "name")),
    *(("aws:opensearch/domain:Domain", "domainName"), ("aws:cognito/userPool:UserPool", "name")),
    *(("aws:secretsmanager/secret:Secret", "name"), ("aws:apigateway/restApi:RestApi", "name")),
    *(("aws:cloudwatch/eventBus:EventBus", "name"), ("aws:cloudwatch/metricAlarm:MetricAlarm", "name")),
    *(("aws:cloudtrail/trail:Trail", "name"), ("aws:bedrock/guardrail:Guardrail", "name")),
    *(("aws:codedeploy/application:Application", "name"), ("aws:cloudwatch/dashboard:Dashboard", "dashboardName")),
    *(("aws:rds/instance:Instance", "identifier"), ("aws:rds/cluster:Cluster", "clusterIdentifier")),
)
"""Types that are told apart by a name, and the property that it is."""
_MADE_UP: Final = re.compile(r".*[-_][0-9a-f]{7,}")
"""Names that Pulumi makes up, which differ each time."""
_GIVEN_BY_AWS: Final = re.compile(r"API-Gateway-Execution-Logs_.+|RDSOSMetrics")
"""Names of log groups that AWS's services choose themselves."""
_RANDOM: Final = frozenset(
    {
        *("random:index/randomId:RandomId", "random:index/randomPet:RandomPet"),
        *("random:index/randomString:RandomString", "random:index/randomUuid:RandomUuid"),
        *("aws:apigateway/restApi:RestApi", "aws:apigatewayv2/api:Api"),
    }
)
"""What makes a name that is not known yet differ each time: random texts, and ids that AWS draws."""


def _names(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    for type_, path in _NAMES:
        name = look_up(resource, path).value if type_ == resource.type else None
        if isinstance(name, Unknown):
            yield cannot_judge(name, settled_by=_RANDOM)
        elif name is not None and not _is_well_named(str(name), resource.stack, settings):
            patterns = " or ".join(pattern.replace("{stack}", resource.stack) for pattern in settings.names)
            yield Verdict(path, f"is {shown(name)}, not like {patterns}")


def _is_well_named(name: str, stack: str, settings: Settings) -> bool:
    if _MADE_UP.fullmatch(name) or _GIVEN_BY_AWS.fullmatch(name):
        return True
    return any(matches(name, pattern.replace("{stack}", stack)) for pattern in settings.names)


NAMES: Final = Rule(
    id="general-names",
    demand="What is given a name on AWS has its stack's name in it, or is named by Pulumi",
    why="Two stacks in one account that use one name fight over the resource, or one of them takes it over. And in a "
    "log or a bill, a name is all that tells production from a trial.",
    severity=Severity.LOW,
    controls=("Well-Architected OPS05-BP08", "Pulumi guide, autonaming"),
    mend="Put pulumi.get_stack() into the name, or leave it out; `names` in the settings of the policies has other "
    "patterns, if the project has.",
    url="https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming",
    guards=tuple(
        Guard(type=type_, path=path, absent="Pulumi makes one up then", weaker=("orders", "")) for type_, path in _NAMES
    ),
    violating=(Given(QUEUE, "orders", {"name": "orders"}),),
    compliant=(Given(QUEUE, "orders", {"name": "orders-1a2b3c4"}),),
    level=Level.ADVISORY,
    check=_names,
)


# --- what outlives a mistake ------------------------------------------------------------------------------------------

STATEFUL: Final = (
    *(TABLE, BUCKET, BUCKET_V2, KEY, "aws:kms/replicaKey:ReplicaKey"),
    *("aws:cognito/userPool:UserPool", "aws:opensearch/domain:Domain", "aws:elasticsearch/domain:Domain"),
    *("aws:secretsmanager/secret:Secret", "aws:cloudtrail/trail:Trail"),
    *("aws:rds/instance:Instance", "aws:rds/cluster:Cluster", "aws:docdb/cluster:Cluster"),
    *("aws:neptune/cluster:Cluster", "aws:efs/fileSystem:FileSystem", "aws:ebs/volume:Volume"),
    *("aws:elasticache/replicationGroup:ReplicationGroup", "aws:backup/vault:Vault", "aws:route53/zone:Zone"),
)
"""What cannot be made anew as it was, or by which others' data are read."""

PROTECTED: Final = Rule(
    id="general-protected",
    demand="In production, what holds data is protected from deletion by Pulumi",
    why="A renamed resource, a moved component or a forgotten alias makes a deployment delete and replace. Of a queue "
    "that costs seconds; of a table it costs the data. With a key or a trail, all that it stands for is gone.",
    severity=Severity.HIGH,
    controls=("Well-Architected REL09-BP02", "Pulumi guide, resource option protect"),
    mend="Set protect=True in the resource's options; to delete it on purpose, take that back first.",
    url="https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
    guards=tuple(Guard(type=each, path=PROTECT, want=On()) for each in STATEFUL),
    violating=(Given(TABLE, "orders", {"name": "orders-1a2b3c4", "hashKey": "id"}),),
    compliant=(Given(TABLE, "orders", {"name": "orders-1a2b3c4", "hashKey": "id"}, protect=True),),
    outside_production=Level.DISABLED,
)

_NOT_BY_DEFAULT: Final = "it is not by default"

KEPT: Final = Rule(
    id="general-kept",
    demand="In production, nothing is deleted together with what it holds",
    why="What is not empty cannot be deleted by mistake: AWS refuses, and somebody looks. An option that empties it "
    "first takes that away.",
    severity=Severity.HIGH,
    controls=("Well-Architected REL09-BP02", "cfn_nag, DeletionPolicy rules"),
    mend="Leave it out, or set it to false.",
    url="https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/#forcedestroy_python",
    guards=(
        Guard(type=BUCKET, path="forceDestroy", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type=BUCKET_V2, path="forceDestroy", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type="aws:ecr/repository:Repository", path="forceDelete", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type="aws:route53/zone:Zone", path="forceDestroy", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type="aws:backup/vault:Vault", path="forceDestroy", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type="aws:rds/instance:Instance", path="skipFinalSnapshot", want=Off(), absent=_NOT_BY_DEFAULT),
        Guard(type="aws:rds/cluster:Cluster", path="skipFinalSnapshot", want=Off(), absent=_NOT_BY_DEFAULT),
    ),
    violating=(Given(BUCKET, "pages", {"bucket": "pages-1a2b3c4", "forceDestroy": True}),),
    compliant=(Given(BUCKET, "pages", {"bucket": "pages-1a2b3c4", "forceDestroy": False}),),
    outside_production=Level.DISABLED,
)

RULES: Final = (ACCOUNT, PROVIDER_TLS, STATIC_KEYS, TAGS, REGIONS, NAMES, PROTECTED, KEPT)
