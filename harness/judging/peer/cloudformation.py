"""The bad stack as a CloudFormation template: Pulumi's names in CloudFormation's spelling, and where they differ, how.

What CloudFormation writes inside another resource (a bucket's versioning, a user's own policies) goes there; so one
resource of the template can stand for several of Pulumi's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from policies.rule import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.rule import Given

Properties: TypeAlias = "dict[str, object]"

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
VERBATIM: Final = frozenset({"policy", "assumeRolePolicy", "accessPolicies", "variables", "tags", "body", "definition"})
"""Properties whose keys are not names of the provider."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a type is written in a template; what is not said is Pulumi's name with a capital letter."""

    type: str
    names: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Pulumi's name -> CloudFormation's, at any depth."""
    shape: Callable[[Properties], Properties] | None = None
    """Makes the properties as CloudFormation nests them, after names."""
    arn: str = "Fn::GetAtt"
    """``Ref`` for types that ``Ref`` gives the ARN of."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """How a type is written inside another resource."""

    of: str
    """The property that says which."""
    write: Callable[[Properties, Properties], None]
    """Takes the other resource's properties and this one's, both in CloudFormation's names."""


@dataclass(frozen=True)
class Template:
    """A stack as CloudFormation takes it."""

    document: Mapping[str, object]
    made_of: Mapping[str, tuple[str, ...]]
    """Logical id -> names of the resources that it stands for, its own first."""

    @property
    def text(self) -> str:
        """As a file."""
        return json.dumps(self.document, indent=1)

    @property
    def names(self) -> Mapping[str, str]:
        """As the peer calls a resource -> its name."""
        resources = cast("Mapping[str, Mapping[str, str]]", self.document["Resources"])
        return {f"{resources[id_]['Type']}.{id_}": names[0] for id_, names in self.made_of.items()}


def template(stack: Iterable[Given]) -> Template:
    """The equal of a stack.

    Raises:
        KeyError: it has a type that neither `FORMS` nor `INSIDE` knows.
    """
    given = {each.name: each for each in stack}
    resources: dict[str, dict[str, object]] = {}
    made_of: dict[str, list[str]] = {}
    inner = {each.name for each in given.values() if each.type in INSIDE and each.name not in OTHERWISE}
    for each in sorted(given.values(), key=lambda each: each.name in inner):
        if each.name not in inner:
            form = OTHERWISE.get(each.name) or FORMS[each.type]
            properties = _properties(each, form.names, given)
            if form.shape is not None:
                properties = form.shape(properties)
            resources[logical_id(each.name)] = {"Type": form.type, "Properties": properties}
            made_of[logical_id(each.name)] = [each.name]
        else:
            inside = INSIDE[each.type]
            other = cast("Ref", each.inputs[inside.of]).resource
            target = cast("Properties", resources[logical_id(other)]["Properties"])
            inside.write(target, _properties(each, _NOTHING, given))
            made_of[logical_id(other)].append(each.name)
    return Template(
        {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources},
        {id_: tuple(names) for id_, names in made_of.items()},
    )


def logical_id(name: str) -> str:
    """``queue-policy`` is ``QueuePolicy``."""
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))


def _properties(given: Given, names: Mapping[str, str], stack: Mapping[str, Given]) -> Properties:
    return cast("Properties", _written(given.inputs, names, stack))


def _written(value: object, names: Mapping[str, str], stack: Mapping[str, Given], *, verbatim: bool = False) -> object:
    if isinstance(value, Ref):
        return _reference(value, stack)
    if isinstance(value, Mapping):
        return {
            key if verbatim else names.get(key, key[:1].upper() + key[1:]): _written(
                each, names, stack, verbatim=verbatim or key in VERBATIM
            )
            for key, each in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_written(each, names, stack, verbatim=verbatim) for each in value]
    return value


def _reference(ref: Ref, stack: Mapping[str, Given]) -> object:
    form = FORMS[stack[ref.resource].type]
    if ref.output == "arn" and form.arn == "Fn::GetAtt":
        return {"Fn::GetAtt": [logical_id(ref.resource), "Arn"]}
    return {"Ref": logical_id(ref.resource)}


# --- shapes


def _moved(properties: Properties, moves: Mapping[str, str]) -> Properties:
    """Each property under its new name, a list around the value where that ends with ``[]``."""
    moved: Properties = {}
    for name, value in properties.items():
        to = moves.get(name, name)
        moved[to.removesuffix("[]")] = [value] if to.endswith("[]") else value
    return moved


def _listed(*moves: tuple[str, str]) -> Callable[[Properties], Properties]:
    return lambda properties: _moved(properties, dict(moves))


def _without_policy(properties: Properties) -> Properties:
    """In CloudFormation, policies of queues and buckets are always resources apart, of which there are others."""
    return {name: value for name, value in properties.items() if name != "Policy"}


def _function(properties: Properties) -> Properties:
    return {**properties, "Code": {"ZipFile": "def handler(event, context):\n    return event\n"}}


def _state_machine(properties: Properties) -> Properties:
    return {**properties, "StateMachineType": "STANDARD"}


def _table(properties: Properties) -> Properties:
    shaped = {name: value for name, value in properties.items() if name not in {"Name", "HashKey", "Attributes"}}
    shaped["TableName"] = properties["Name"]
    shaped["KeySchema"] = [{"AttributeName": properties["HashKey"], "KeyType": "HASH"}]
    shaped["AttributeDefinitions"] = [
        {"AttributeName": each["Name"], "AttributeType": each["Type"]}
        for each in cast("list[Mapping[str, object]]", properties["Attributes"])
    ]
    if isinstance(recovery := shaped.pop("PointInTimeRecovery", None), Mapping):
        shaped["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": recovery["Enabled"]}
    if isinstance(encryption := shaped.pop("ServerSideEncryption", None), Mapping):
        shaped["SSESpecification"] = {"SSEEnabled": encryption["Enabled"]}
    return shaped


def _global_table(properties: Properties) -> Properties:
    shaped = _table(properties)
    del shaped["PointInTimeRecoverySpecification"]
    shaped["Replicas"] = [
        {
            "Region": each["Region"],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": each["PointInTimeRecovery"]},
        }
        for each in cast("list[Mapping[str, object]]", properties["Replicas"])
    ]
    return shaped


def _policy_of(holders: str) -> Callable[[Properties], Properties]:
    """An inline policy that names the one who has it."""
    return lambda properties: {
        "PolicyName": properties["Name"],
        "PolicyDocument": properties["Policy"],
        f"{holders}s": [properties[holders]],
    }


def _role(properties: Properties) -> Properties:
    shaped = _moved(properties, {"Name": "RoleName"})
    policies = cast("list[Mapping[str, object]]", shaped.pop("InlinePolicies", []))
    if policies:
        shaped["Policies"] = [{"PolicyName": each["Name"], "PolicyDocument": each["Policy"]} for each in policies]
    return shaped


def _user_pool(properties: Properties) -> Properties:
    return {**properties, "Policies": {"PasswordPolicy": properties.pop("PasswordPolicy", {})}}


def _security_group(properties: Properties) -> Properties:
    shaped = {**properties, "GroupDescription": properties["GroupName"]}
    for direction in ("Ingress", "Egress"):
        rules = cast("list[Properties]", shaped.pop(direction, []))
        written = [
            {**{name: value for name, value in rule.items() if name != "CidrBlocks"}, "CidrIp": cidr}
            for rule in rules
            for cidr in cast("list[str]", rule["CidrBlocks"])
        ]
        if written:
            shaped[f"SecurityGroup{direction}"] = written
    return shaped


def _distribution(properties: Properties) -> Properties:
    return {"DistributionConfig": properties}


def _web_acl(properties: Properties) -> Properties:
    return {"Rules": [], **properties}


def _trail(properties: Properties) -> Properties:
    return {"IsLogging": True, **properties}


# --- what is written inside another resource


def _method_settings(stage: Properties, own: Properties) -> None:
    resource, _, method = cast("str", own["MethodPath"]).rpartition("/")
    settings = cast("Properties", own["Settings"])
    stage["MethodSettings"] = [{"ResourcePath": f"/{resource}", "HttpMethod": method, **settings}]


def _bucket_acl(bucket: Properties, own: Properties) -> None:
    # Grants to single grantees cannot be written: AWS keeps them for what is there already.
    if "Acl" in own:
        bucket["AccessControl"] = logical_id(cast("str", own["Acl"]))


def _bucket_versioning(bucket: Properties, own: Properties) -> None:
    bucket["VersioningConfiguration"] = own["VersioningConfiguration"]


def _bucket_public_access(bucket: Properties, own: Properties) -> None:
    bucket["PublicAccessBlockConfiguration"] = {name: value for name, value in own.items() if name != "Bucket"}


def _inline_policy(holder: Properties, own: Properties) -> None:
    policies = cast("list[object]", holder.setdefault("Policies", []))
    policies.append({"PolicyName": own["Name"], "PolicyDocument": own["Policy"]})


def _login(user: Properties, own: Properties) -> None:
    settings = {name: value for name, value in own.items() if name != "User"}
    user["LoginProfile"] = {"Password": "{{resolve:secretsmanager:login}}", **settings}


def _event_target(rule: Properties, own: Properties) -> None:
    rule["Targets"] = [{"Id": own["TargetId"], "Arn": own["Arn"]}]


_DOMAIN: Final = MappingProxyType(
    {
        "encryptAtRest": "EncryptionAtRestOptions",
        "nodeToNodeEncryption": "NodeToNodeEncryptionOptions",
        "enforceHttps": "EnforceHTTPS",
        "tlsSecurityPolicy": "TLSSecurityPolicy",
        "vpcOptions": "VPCOptions",
    }
)

FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "aws:apigateway/restApi:RestApi": Form(type="AWS::ApiGateway::RestApi"),
        "aws:apigateway/resource:Resource": Form(type="AWS::ApiGateway::Resource", names={"restApi": "RestApiId"}),
        "aws:apigateway/method:Method": Form(
            type="AWS::ApiGateway::Method", names={"restApi": "RestApiId", "authorization": "AuthorizationType"}
        ),
        "aws:apigateway/deployment:Deployment": Form(
            type="AWS::ApiGateway::Deployment", names={"restApi": "RestApiId"}
        ),
        "aws:apigateway/stage:Stage": Form(
            type="AWS::ApiGateway::Stage",
            names={
                "restApi": "RestApiId",
                "deployment": "DeploymentId",
                "accessLogSettings": "AccessLogSetting",
                "xrayTracingEnabled": "TracingEnabled",
            },
        ),
        "aws:apigateway/domainName:DomainName": Form(type="AWS::ApiGateway::DomainName"),
        "aws:lambda/function:Function": Form(
            type="AWS::Lambda::Function", names={"name": "FunctionName"}, shape=_function
        ),
        "aws:lambda/functionUrl:FunctionUrl": Form(
            type="AWS::Lambda::Url", names={"functionName": "TargetFunctionArn", "authorizationType": "AuthType"}
        ),
        "aws:lambda/permission:Permission": Form(type="AWS::Lambda::Permission", names={"function": "FunctionName"}),
        "aws:lambda/eventSourceMapping:EventSourceMapping": Form(type="AWS::Lambda::EventSourceMapping"),
        "aws:sfn/stateMachine:StateMachine": Form(
            type="AWS::StepFunctions::StateMachine",
            names={"name": "StateMachineName", "definition": "DefinitionString"},
            shape=_state_machine,
            arn="Ref",
        ),
        "aws:sqs/queue:Queue": Form(type="AWS::SQS::Queue", names={"name": "QueueName"}, shape=_without_policy),
        "aws:sqs/queuePolicy:QueuePolicy": Form(
            type="AWS::SQS::QueuePolicy", shape=_listed(("QueueUrl", "Queues[]"), ("Policy", "PolicyDocument"))
        ),
        "aws:sns/topic:Topic": Form(type="AWS::SNS::Topic", names={"name": "TopicName"}, arn="Ref"),
        "aws:sns/topicPolicy:TopicPolicy": Form(
            type="AWS::SNS::TopicPolicy", shape=_listed(("Arn", "Topics[]"), ("Policy", "PolicyDocument"))
        ),
        "aws:sns/topicSubscription:TopicSubscription": Form(type="AWS::SNS::Subscription", names={"topic": "TopicArn"}),
        "aws:cloudwatch/eventBus:EventBus": Form(type="AWS::Events::EventBus"),
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy": Form(type="AWS::Events::EventBusPolicy"),
        "aws:cloudwatch/eventRule:EventRule": Form(type="AWS::Events::Rule"),
        "aws:dynamodb/table:Table": Form(type="AWS::DynamoDB::Table", shape=_table),
        "aws:opensearch/domain:Domain": Form(type="AWS::OpenSearchService::Domain", names=_DOMAIN),
        "aws:s3/bucket:Bucket": Form(type="AWS::S3::Bucket", names={"bucket": "BucketName"}, shape=_without_policy),
        "aws:s3/bucketPolicy:BucketPolicy": Form(type="AWS::S3::BucketPolicy", names={"policy": "PolicyDocument"}),
        "aws:kms/key:Key": Form(type="AWS::KMS::Key", names={"policy": "KeyPolicy", "isEnabled": "Enabled"}),
        "aws:secretsmanager/secret:Secret": Form(type="AWS::SecretsManager::Secret", arn="Ref"),
        "aws:secretsmanager/secretPolicy:SecretPolicy": Form(
            type="AWS::SecretsManager::ResourcePolicy", names={"secretArn": "SecretId", "policy": "ResourcePolicy"}
        ),
        "aws:cloudwatch/logGroup:LogGroup": Form(type="AWS::Logs::LogGroup", names={"name": "LogGroupName"}),
        "aws:iam/role:Role": Form(
            type="AWS::IAM::Role", names={"assumeRolePolicy": "AssumeRolePolicyDocument"}, shape=_role
        ),
        "aws:iam/rolePolicy:RolePolicy": Form(type="AWS::IAM::Policy", shape=_policy_of("Role")),
        "aws:iam/policy:Policy": Form(
            type="AWS::IAM::ManagedPolicy",
            shape=_listed(("Name", "ManagedPolicyName"), ("Policy", "PolicyDocument")),
            arn="Ref",
        ),
        "aws:iam/user:User": Form(type="AWS::IAM::User", names={"name": "UserName"}),
        "aws:iam/group:Group": Form(type="AWS::IAM::Group", names={"name": "GroupName"}),
        "aws:cognito/userPool:UserPool": Form(
            type="AWS::Cognito::UserPool", names={"name": "UserPoolName"}, shape=_user_pool
        ),
        "aws:cognito/userPoolClient:UserPoolClient": Form(
            type="AWS::Cognito::UserPoolClient", names={"name": "ClientName"}
        ),
        "aws:cognito/identityPool:IdentityPool": Form(type="AWS::Cognito::IdentityPool"),
        "aws:ec2/vpc:Vpc": Form(type="AWS::EC2::VPC"),
        "aws:ec2/subnet:Subnet": Form(type="AWS::EC2::Subnet"),
        "aws:ec2/securityGroup:SecurityGroup": Form(
            type="AWS::EC2::SecurityGroup", names={"name": "GroupName", "protocol": "IpProtocol"}, shape=_security_group
        ),
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Form(
            type="AWS::EC2::SecurityGroupIngress", names={"securityGroupId": "GroupId", "cidrIpv4": "CidrIp"}
        ),
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Form(
            type="AWS::EC2::SecurityGroupEgress", names={"securityGroupId": "GroupId", "cidrIpv4": "CidrIp"}
        ),
        "aws:wafv2/webAclAssociation:WebAclAssociation": Form(
            type="AWS::WAFv2::WebACLAssociation", names={"webAclArn": "WebACLArn"}
        ),
        "aws:ec2/vpcEndpoint:VpcEndpoint": Form(type="AWS::EC2::VPCEndpoint"),
        "aws:cloudfront/distribution:Distribution": Form(
            type="AWS::CloudFront::Distribution",
            names={
                "cloudfrontDefaultCertificate": "CloudFrontDefaultCertificate",
                "httpPort": "HTTPPort",
                "httpsPort": "HTTPSPort",
                "originSslProtocols": "OriginSSLProtocols",
                "orderedCacheBehaviors": "CacheBehaviors",
            },
            shape=_distribution,
        ),
        "aws:wafv2/webAcl:WebAcl": Form(
            type="AWS::WAFv2::WebACL", names={"cloudwatchMetricsEnabled": "CloudWatchMetricsEnabled"}, shape=_web_acl
        ),
        "aws:cloudtrail/trail:Trail": Form(
            type="AWS::CloudTrail::Trail", names={"name": "TrailName", "enableLogging": "IsLogging"}, shape=_trail
        ),
        "aws:codedeploy/application:Application": Form(
            type="AWS::CodeDeploy::Application", names={"name": "ApplicationName"}
        ),
        "aws:codedeploy/deploymentGroup:DeploymentGroup": Form(
            type="AWS::CodeDeploy::DeploymentGroup", names={"appName": "ApplicationName"}
        ),
    }
)
"""Pulumi's type -> how the template writes it."""

OTHERWISE: Final[Mapping[str, Form]] = MappingProxyType(
    {
        # The peer looks at a policy of its own for who has it, and at a user for what the policies in it allow.
        "policy-of-a-user": Form(type="AWS::IAM::Policy", shape=_policy_of("User")),
        # It knows more of domains under the name that they had before.
        "search-by-its-old-name": Form(type="AWS::Elasticsearch::Domain", names=_DOMAIN),
        "table-in-two-regions": Form(
            type="AWS::DynamoDB::GlobalTable", names={"regionName": "Region"}, shape=_global_table
        ),
    }
)
"""Name of a resource -> how the template writes it, where that is not how it writes others of the type."""

INSIDE: Final[Mapping[str, Inside]] = MappingProxyType(
    {
        "aws:apigateway/methodSettings:MethodSettings": Inside(of="stageName", write=_method_settings),
        "aws:s3/bucketAcl:BucketAcl": Inside(of="bucket", write=_bucket_acl),
        "aws:s3/bucketVersioning:BucketVersioning": Inside(of="bucket", write=_bucket_versioning),
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Inside(of="bucket", write=_bucket_public_access),
        "aws:iam/userPolicy:UserPolicy": Inside(of="user", write=_inline_policy),
        "aws:iam/groupPolicy:GroupPolicy": Inside(of="group", write=_inline_policy),
        "aws:iam/userLoginProfile:UserLoginProfile": Inside(of="user", write=_login),
        "aws:cloudwatch/eventTarget:EventTarget": Inside(of="rule", write=_event_target),
    }
)
"""Pulumi's type -> how the template writes it inside another resource."""
