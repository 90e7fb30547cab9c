"""Each resource type lives its life against the emulator: creation, refresh, change, drift, deletion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from harness.provider import differ
from harness.provider.recorded import Recorded
from harness.provider.registry import all_types, resource_type
from harness.provider.values import ARCHIVE, ASSET, SIGNATURE, UNKNOWN, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.provider.resource import Prop


@dataclass(frozen=True)
class Life:
    """A resource's inputs, a change that is made in place, and a second one."""

    inputs: dict[str, Any]
    changes: tuple[dict[str, Any], ...] = ()
    """None takes a property away."""
    stays: bool = False
    """A refresh finds it after its deletion as well: AWS has no way to take it away, or there was nothing to find."""


def text(value: Any) -> str:
    return json.dumps(value)


def policy(*actions: str, **extra: Any) -> str:
    statement = {"Sid": "A", "Effect": "Allow", "Action": list(actions), "Resource": "*", **extra}
    return text({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return text({"Version": "2012-10-17", "Statement": [statement]})


def archive(code: str) -> dict[str, Any]:
    asset = {SIGNATURE: ASSET, "hash": f"hash of {code}", "text": code}
    return {SIGNATURE: ARCHIVE, "hash": f"hash of {code}", "assets": {"h.py": asset}}


HANDLER = "def h(event, context):\n    print('called')\n    return {'got': event}\n"


@dataclass
class World:
    """What the resources under test refer to, made when it is first asked for."""

    engine: Any
    account: str
    region: str = "eu-west-1"

    def make(self, kind: str, inputs: dict[str, Any]) -> Any:
        return self.engine.create(kind, inputs, "prerequisite")

    @cached_property
    def role(self) -> Any:
        return self.make("aws:iam/role:Role", {"name": "role", "assumeRolePolicy": trust("lambda.amazonaws.com")})

    @cached_property
    def queue(self) -> Any:
        return self.make("aws:sqs/queue:Queue", {"name": "queue"})

    @cached_property
    def other_queue(self) -> Any:
        return self.make("aws:sqs/queue:Queue", {"name": "other-queue"})

    @cached_property
    def key(self) -> Any:
        return self.make("aws:kms/key:Key", {"description": "key"})

    @cached_property
    def other_key(self) -> Any:
        return self.make("aws:kms/key:Key", {"description": "other key"})

    @cached_property
    def bucket(self) -> Any:
        return self.make("aws:s3/bucket:Bucket", {"bucket": f"bucket-{self.account}"})

    @cached_property
    def bus(self) -> Any:
        return self.make("aws:cloudwatch/eventBus:EventBus", {"name": "bus"})

    @cached_property
    def rule(self) -> Any:
        pattern = text({"source": ["a"]})
        inputs = {"name": "rule", "eventBusName": self.bus["name"], "eventPattern": pattern}
        return self.make("aws:cloudwatch/eventRule:EventRule", inputs)

    @cached_property
    def topic(self) -> Any:
        return self.make("aws:sns/topic:Topic", {"name": "topic"})

    @cached_property
    def log_group(self) -> Any:
        return self.make("aws:cloudwatch/logGroup:LogGroup", {"name": "/aws/group"})

    @cached_property
    def table(self) -> Any:
        inputs = {
            "name": "table",
            "hashKey": "id",
            "attributes": [{"name": "id", "type": "S"}],
            "billingMode": "PAY_PER_REQUEST",
            "streamEnabled": True,
            "streamViewType": "NEW_AND_OLD_IMAGES",
        }
        return self.make("aws:dynamodb/table:Table", inputs)

    @cached_property
    def layers(self) -> list[Any]:
        inputs = {"code": archive("x = 1"), "compatibleRuntimes": ["python3.13"]}
        kind = "aws:lambda/layerVersion:LayerVersion"
        return [self.make(kind, {**inputs, "layerName": name}) for name in ("first", "second")]

    @cached_property
    def function(self) -> Any:
        return self.make("aws:lambda/function:Function", self.function_inputs("function", HANDLER))

    def function_inputs(self, name: str, code: str) -> dict[str, Any]:
        return {
            "name": name,
            "role": self.role["arn"],
            "handler": "h.h",
            "runtime": "python3.13",
            "code": archive(code),
            "publish": True,
        }

    @cached_property
    def alias(self) -> Any:
        inputs = {"name": "live", "functionName": self.function["name"], "functionVersion": self.function["version"]}
        return self.make("aws:lambda/alias:Alias", inputs)

    @cached_property
    def pool(self) -> Any:
        return self.make("aws:cognito/userPool:UserPool", {"name": "pool"})

    @cached_property
    def domain(self) -> Any:
        return self.make("aws:opensearch/domain:Domain", {"domainName": "domain"})

    @cached_property
    def vpc(self) -> Any:
        return self.make("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})

    @cached_property
    def subnets(self) -> list[Any]:
        blocks = ("10.0.11.0/24", "10.0.12.0/24")
        return [self.make("aws:ec2/subnet:Subnet", {"vpcId": self.vpc.id, "cidrBlock": block}) for block in blocks]

    @cached_property
    def security_groups(self) -> list[Any]:
        kind = "aws:ec2/securityGroup:SecurityGroup"
        inputs = {"vpcId": self.vpc.id, "namePrefix": "group-"}
        return [self.make(kind, inputs) for _ in range(2)]

    @cached_property
    def route_tables(self) -> list[Any]:
        return [self.make("aws:ec2/routeTable:RouteTable", {"vpcId": self.vpc.id}) for _ in range(2)]

    @cached_property
    def internet_gateway(self) -> Any:
        return self.make("aws:ec2/internetGateway:InternetGateway", {"vpcId": self.vpc.id})

    @cached_property
    def address(self) -> Any:
        return self.make("aws:ec2/eip:Eip", {"domain": "vpc"})

    @cached_property
    def nat_gateway(self) -> Any:
        inputs = {"subnetId": self.subnets[0].id, "allocationId": self.address["allocationId"]}
        return self.make("aws:ec2/natGateway:NatGateway", inputs)

    @cached_property
    def gateway_endpoint(self) -> Any:
        inputs = {"vpcId": self.vpc.id, "serviceName": f"com.amazonaws.{self.region}.s3"}
        return self.make("aws:ec2/vpcEndpoint:VpcEndpoint", inputs)

    @cached_property
    def api(self) -> Any:
        return self.make("aws:apigateway/restApi:RestApi", {"name": "api", "body": text(document())})

    @cached_property
    def deployments(self) -> list[Any]:
        kind = "aws:apigateway/deployment:Deployment"
        return [self.make(kind, {"restApi": self.api.id, "triggers": {"body": turn}}) for turn in ("1", "2")]

    @cached_property
    def stage(self) -> Any:
        inputs = {"restApi": self.api.id, "deployment": self.deployments[0].id, "stageName": "v1"}
        return self.make("aws:apigateway/stage:Stage", inputs)

    @cached_property
    def web_acl(self) -> Any:
        inputs = {
            "name": "acl",
            "scope": "REGIONAL",
            "defaultAction": {"allow": {}},
            "visibilityConfig": visibility("acl"),
        }
        return self.make("aws:wafv2/webAcl:WebAcl", inputs)

    @cached_property
    def log_source(self) -> Any:
        base = f"arn:aws:bedrock:eu-west-1:{self.account}:knowledge-base/ABCDEFGHIJ"
        inputs = {"name": "from", "logType": "APPLICATION_LOGS", "resourceArn": base}
        return self.make("aws:cloudwatch/logDeliverySource:LogDeliverySource", inputs)

    @cached_property
    def log_destination(self) -> Any:
        there = {"destinationResourceArn": "arn:aws:s3:::logs"}
        inputs = {"name": "to", "outputFormat": "json", "deliveryDestinationConfiguration": there}
        return self.make("aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination", inputs)


def document(**operations: Any) -> dict[str, Any]:
    mock = {
        "responses": {"200": {"description": "fine"}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 200}'},
            "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": "{}"}}},
        },
    }
    return {
        "openapi": "3.0.1",
        "info": {"title": "api", "version": "1"},
        "paths": {"/tickets": {"get": mock, **operations}},
    }


class Unknowable:
    """A resource that is only planned: every output is unknown."""

    id = UNKNOWN

    def __getitem__(self, name: str) -> str:
        return UNKNOWN


class Unmade(World):
    """A world in which nothing has been made yet."""

    def __init__(self) -> None:
        super().__init__(None, "111122223333")

    def make(self, _kind: str, _inputs: dict[str, Any]) -> Any:
        return Unknowable()


LIVES: dict[str, Callable[[World], Life]] = {}


def life(kind: str) -> Callable[[Callable[[World], Life]], Callable[[World], Life]]:
    def keep(make: Callable[[World], Life]) -> Callable[[World], Life]:
        LIVES[kind] = make
        return make

    return keep


TAGS = {"tags": {"a": "1", "b": "2"}}
OTHER_TAGS = {"tags": {"a": "1", "c": "3"}}


@life("aws:iam/role:Role")
def role(_world: World) -> Life:
    inputs = {"name": "r", "assumeRolePolicy": trust("lambda.amazonaws.com"), "description": "x", **TAGS}
    return Life(
        inputs,
        (
            {"assumeRolePolicy": trust("states.amazonaws.com")},
            {"description": None, "maxSessionDuration": 7200, **OTHER_TAGS},
        ),
    )


@life("aws:iam/rolePolicy:RolePolicy")
def role_policy(world: World) -> Life:
    inputs = {"name": "p", "role": world.role["name"], "policy": policy("sqs:SendMessage")}
    return Life(inputs, ({"policy": policy("sqs:SendMessage", "sqs:ReceiveMessage")},))


@life("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
def attachment(world: World) -> Life:
    arn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    return Life({"role": world.role["name"], "policyArn": arn})


@life("aws:iam/serviceLinkedRole:ServiceLinkedRole")
def service_linked_role(_world: World) -> Life:
    inputs = {"awsServiceName": "opensearchservice.amazonaws.com", "description": "d", **TAGS}
    return Life(inputs, ({"description": "e", **OTHER_TAGS}, {"description": None}))


@life("aws:kms/key:Key")
def key(world: World) -> Life:
    root = policy("kms:*", Principal={"AWS": f"arn:aws:iam::{world.account}:root"})
    more = policy("kms:*", "kms:Decrypt", Principal={"AWS": f"arn:aws:iam::{world.account}:root"})
    inputs = {"description": "k", "enableKeyRotation": True, "deletionWindowInDays": 7, "policy": root, **TAGS}
    return Life(inputs, ({"description": "other", "policy": more}, {"enableKeyRotation": None, **OTHER_TAGS}))


@life("aws:kms/alias:Alias")
def key_alias(world: World) -> Life:
    return Life({"name": "alias/a", "targetKeyId": world.key["keyId"]}, ({"targetKeyId": world.other_key["arn"]},))


@life("aws:dynamodb/table:Table")
def table(world: World) -> Life:
    index = {
        "name": "by-customer",
        "projectionType": "ALL",
        "keySchemas": [
            {"attributeName": "customer", "keyType": "HASH"},
            {"attributeName": "created", "keyType": "RANGE"},
        ],
    }
    names = (("id", "S"), ("customer", "S"), ("created", "N"))
    inputs = {
        "name": "tickets",
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "id",
        "attributes": [{"name": name, "type": kind} for name, kind in names],
        "globalSecondaryIndexes": [index],
        "streamEnabled": True,
        "streamViewType": "NEW_AND_OLD_IMAGES",
        "ttl": {"enabled": True, "attributeName": "ttl"},
        "pointInTimeRecovery": {"enabled": True},
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": world.key["arn"]},
        "deletionProtectionEnabled": True,
        **TAGS,
    }
    old_form = {"name": "by-customer", "hashKey": "customer", "rangeKey": "created", "projectionType": "KEYS_ONLY"}
    return Life(
        inputs,
        (
            {"ttl": {"enabled": True, "attributeName": "expires"}, "deletionProtectionEnabled": False, **OTHER_TAGS},
            {"globalSecondaryIndexes": [old_form], "deletionProtectionEnabled": False},
            {"ttl": None, "pointInTimeRecovery": None, "deletionProtectionEnabled": False},
            {"streamViewType": "KEYS_ONLY", "deletionProtectionEnabled": False},
        ),
    )


@life("aws:sqs/queue:Queue")
def queue(world: World) -> Life:
    redrive = {"deadLetterTargetArn": world.other_queue["arn"], "maxReceiveCount": 5}
    inputs = {
        "name": "q",
        "visibilityTimeoutSeconds": 360,
        "messageRetentionSeconds": 1209600,
        "receiveWaitTimeSeconds": 20,
        "redrivePolicy": text(redrive),
        "kmsMasterKeyId": world.key["arn"],
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"visibilityTimeoutSeconds": 60, "redrivePolicy": text({**redrive, "maxReceiveCount": 3}), **OTHER_TAGS},
            {"redrivePolicy": None, "receiveWaitTimeSeconds": None, "kmsMasterKeyId": None},
        ),
    )


@life("aws:sqs/queuePolicy:QueuePolicy")
def queue_policy(world: World) -> Life:
    inputs = {
        "queueUrl": world.queue["url"],
        "policy": policy("sqs:SendMessage", Principal={"Service": "s3.amazonaws.com"}),
    }
    return Life(inputs, ({"policy": policy("sqs:*", Principal={"Service": "s3.amazonaws.com"})},))


@life("aws:s3/bucket:Bucket")
def bucket(world: World) -> Life:
    return Life({"bucket": f"b-{world.account}", "forceDestroy": True, **TAGS}, (OTHER_TAGS, {"tags": None}))


@life("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def public_access_block(world: World) -> Life:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return Life({"bucket": world.bucket.id, **dict.fromkeys(names, True)}, ({"blockPublicAcls": None},))


@life("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def bucket_encryption(world: World) -> Life:
    by_default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": world.key["arn"]}
    rule = {"applyServerSideEncryptionByDefault": by_default, "bucketKeyEnabled": True}
    plain_rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    return Life({"bucket": world.bucket.id, "rules": [rule]}, ({"rules": [plain_rule]},), stays=True)


@life("aws:s3/bucketVersioning:BucketVersioning")
def bucket_versioning(world: World) -> Life:
    inputs = {"bucket": world.bucket.id, "versioningConfiguration": {"status": "Enabled"}}
    return Life(inputs, ({"versioningConfiguration": {"status": "Suspended"}},), stays=True)


@life("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def bucket_ownership(world: World) -> Life:
    inputs = {"bucket": world.bucket.id, "rule": {"objectOwnership": "BucketOwnerEnforced"}}
    return Life(inputs, ({"rule": {"objectOwnership": "BucketOwnerPreferred"}},))


@life("aws:s3/bucketPolicy:BucketPolicy")
def bucket_policy(world: World) -> Life:
    inputs = {"bucket": world.bucket.id, "policy": policy("s3:GetObject", Principal="*")}
    return Life(inputs, ({"policy": policy("s3:*", Principal="*")},))


@life("aws:s3/bucketNotification:BucketNotification")
def bucket_notification(world: World) -> Life:
    told = {"queueArn": world.queue["arn"], "events": ["s3:ObjectCreated:*"], "filterPrefix": "kb/"}
    other = {"queueArn": world.queue["arn"], "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "id": "both"}
    return Life(
        {"bucket": world.bucket.id, "queues": [told]}, ({"queues": [other]}, {"queues": None, "eventbridge": True})
    )


@life("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def bucket_lifecycle(world: World) -> Life:
    rule = {
        "id": "old",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
    }
    other = {**rule, "noncurrentVersionExpiration": {"noncurrentDays": 90}}
    return Life({"bucket": world.bucket.id, "rules": [rule]}, ({"rules": [other]},))


@life("aws:cloudwatch/logGroup:LogGroup")
def log_group(world: World) -> Life:
    inputs = {"name": "/aws/lambda/f", "retentionInDays": 14, "kmsKeyId": world.key["arn"], **TAGS}
    return Life(inputs, ({"retentionInDays": 30, **OTHER_TAGS}, {"retentionInDays": None, "kmsKeyId": None}))


@life("aws:cloudwatch/logResourcePolicy:LogResourcePolicy")
def log_resource_policy(_world: World) -> Life:
    allowed = policy("logs:PutLogEvents", Principal={"Service": "es.amazonaws.com"})
    inputs = {"policyName": "es", "policyDocument": allowed}
    return Life(inputs, ({"policyDocument": policy("logs:*", Principal={"Service": "es.amazonaws.com"})},))


@life("aws:cloudwatch/eventBus:EventBus")
def event_bus(_world: World) -> Life:
    return Life(
        {"name": "events", "description": "x", **TAGS}, ({"description": "y", **OTHER_TAGS}, {"description": None})
    )


@life("aws:cloudwatch/eventRule:EventRule")
def event_rule(world: World) -> Life:
    inputs = {"name": "all", "eventBusName": world.bus["name"], "eventPattern": text({"source": ["a"]}), **TAGS}
    return Life(
        inputs,
        ({"eventPattern": text({"source": ["b"]}), "description": "d", **OTHER_TAGS}, {"state": "DISABLED"}),
    )


@life("aws:cloudwatch/eventTarget:EventTarget")
def event_target(world: World) -> Life:
    inputs = {
        "targetId": "t",
        "rule": world.rule["name"],
        "eventBusName": world.bus["name"],
        "arn": world.queue["arn"],
        "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 3},
        "deadLetterConfig": {"arn": world.other_queue["arn"]},
    }
    return Life(inputs, ({"arn": world.other_queue["arn"]}, {"deadLetterConfig": None, "input": text({"a": 1})}))


@life("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(world: World) -> Life:
    inputs = {
        "name": "depth",
        "alarmDescription": "d",
        "namespace": "AWS/SQS",
        "metricName": "ApproximateNumberOfMessagesVisible",
        "dimensions": {"QueueName": "q"},
        "statistic": "Maximum",
        "period": 60,
        "evaluationPeriods": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "threshold": 1,
        "treatMissingData": "notBreaching",
        "alarmActions": [world.topic["arn"]],
        **TAGS,
    }
    return Life(inputs, ({"threshold": 2.5, **OTHER_TAGS}, {"dimensions": {"QueueName": "p"}, "alarmActions": None}))


@life("aws:cloudwatch/dashboard:Dashboard")
def dashboard(_world: World) -> Life:
    widget = {"type": "text", "width": 6, "height": 6, "properties": {"markdown": "a"}}
    inputs = {"dashboardName": "service", "dashboardBody": text({"widgets": [widget]})}
    return Life(inputs, ({"dashboardBody": text({"start": "-PT6H", "widgets": [widget]})},))


@life("aws:cloudwatch/queryDefinition:QueryDefinition")
def query_definition(_world: World) -> Life:
    inputs = {"name": "support/errors", "queryString": "filter level = 'ERROR'", "logGroupNames": ["/aws/lambda/f"]}
    return Life(inputs, ({"queryString": "stats count(*)"}, {"logGroupNames": None}))


@life("aws:cloudtrail/trail:Trail")
def trail(world: World) -> Life:
    def selector(name: str, **fields: list[str]) -> dict[str, Any]:
        return {"name": name, "fieldSelectors": [{"field": "resources.ARN", **fields}]}

    inputs = {
        "name": "audit",
        "s3BucketName": world.bucket["bucket"],
        "kmsKeyId": world.key["arn"],
        "isMultiRegionTrail": True,
        "enableLogFileValidation": True,
        "advancedEventSelectors": [selector("tables", equals=["arn:a"]), selector("objects", startsWiths=["arn:b/"])],
        **TAGS,
    }
    changes = (
        {"enableLogFileValidation": False, "enableLogging": False, **OTHER_TAGS},
        {"kmsKeyId": None, "advancedEventSelectors": [selector("tables", notEquals=["arn:a"])]},
        {"advancedEventSelectors": None},
    )
    return Life(inputs, changes)


@life("aws:secretsmanager/secret:Secret")
def secret(world: World) -> Life:
    inputs = {"name": "canary", "description": "d", "kmsKeyId": world.key["arn"], "recoveryWindowInDays": 0, **TAGS}
    return Life(inputs, ({"description": "e", "kmsKeyId": world.other_key["arn"], **OTHER_TAGS}, {"description": None}))


@life("aws:sns/topic:Topic")
def topic(world: World) -> Life:
    inputs = {"name": "alarms", "kmsMasterKeyId": world.key["arn"], "displayName": "A", **TAGS}
    return Life(inputs, ({"displayName": "B", **OTHER_TAGS}, {"kmsMasterKeyId": None}))


@life("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(world: World) -> Life:
    inputs = {
        "arn": world.topic["arn"],
        "policy": policy("sns:Publish", Principal={"Service": "cloudwatch.amazonaws.com"}),
    }
    other = policy("sns:Publish", Principal={"Service": "events.amazonaws.com"})
    return Life(inputs, ({"policy": other},), stays=True)


@life("aws:sns/topicSubscription:TopicSubscription")
def topic_subscription(world: World) -> Life:
    inputs = {"topic": world.topic["arn"], "protocol": "sqs", "endpoint": world.queue["arn"]}
    return Life(inputs, ({"rawMessageDelivery": True}, {"filterPolicy": text({"a": ["b"]})}))


@life("aws:lambda/layerVersion:LayerVersion")
def layer(_world: World) -> Life:
    return Life({"layerName": "l", "code": archive("x = 1"), "compatibleRuntimes": ["python3.13"], "description": "d"})


@life("aws:lambda/function:Function")
def function(world: World) -> Life:
    inputs = {
        **world.function_inputs("f", HANDLER),
        "description": "d",
        "architectures": ["x86_64"],
        "layers": [layer["arn"] for layer in world.layers],
        "memorySize": 512,
        "timeout": 28,
        "environment": {"variables": {"AA": "1", "BB": "2"}},
        "kmsKeyArn": world.key["arn"],
        "loggingConfig": {
            "logGroup": world.log_group["name"],
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
        },
        "tracingConfig": {"mode": "Active"},
        "deadLetterConfig": {"targetArn": world.queue["arn"]},
        "reservedConcurrentExecutions": 5,
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"environment": {"variables": {"AA": "9", "CC": "3"}}, "timeout": 10, **OTHER_TAGS},
            {"code": archive(HANDLER + "# changed\n")},
            {"layers": None, "environment": None, "tracingConfig": None, "reservedConcurrentExecutions": None},
            {"deadLetterConfig": None, "kmsKeyArn": None, "description": None},
        ),
    )


@life("aws:lambda/alias:Alias")
def alias(world: World) -> Life:
    inputs = {"name": "live", "functionName": world.function["name"], "functionVersion": "1", "description": "d"}
    return Life(inputs, ({"functionVersion": "$LATEST"}, {"description": None}))


@life("aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig")
def provisioned_concurrency(world: World) -> Life:
    inputs = {
        "functionName": world.function["name"],
        "qualifier": world.alias["name"],
        "provisionedConcurrentExecutions": 10,
    }
    return Life(inputs, ({"provisionedConcurrentExecutions": 20},))


SCALED = {
    "serviceNamespace": "lambda",
    "resourceId": "function:f:live",
    "scalableDimension": "lambda:function:ProvisionedConcurrency",
}


@life("aws:appautoscaling/target:Target")
def scaling_target(_world: World) -> Life:
    inputs = {**SCALED, "minCapacity": 10, "maxCapacity": 100, **TAGS}
    return Life(inputs, ({"maxCapacity": 50, **OTHER_TAGS}, {"minCapacity": 5, "tags": None}))


@life("aws:appautoscaling/policy:Policy")
def scaling_policy(_world: World) -> Life:
    metric = {"predefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}
    tracking = {"targetValue": 0.7, "predefinedMetricSpecification": metric}
    inputs = {
        **SCALED,
        "name": "utilisation",
        "policyType": "TargetTrackingScaling",
        "targetTrackingScalingPolicyConfiguration": tracking,
    }
    return Life(inputs, ({"targetTrackingScalingPolicyConfiguration": {**tracking, "targetValue": 0.5}},))


@life("aws:codedeploy/application:Application")
def application(_world: World) -> Life:
    return Life({"name": "functions", "computePlatform": "Lambda", **TAGS}, (OTHER_TAGS, {"tags": None}))


@life("aws:codedeploy/deploymentGroup:DeploymentGroup")
def deployment_group(world: World) -> Life:
    events = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
    inputs = {
        "appName": "functions",
        "deploymentGroupName": "f",
        "serviceRoleArn": world.role["arn"],
        "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "alarmConfiguration": {"enabled": True, "alarms": ["f-crashes"]},
        "autoRollbackConfiguration": {"enabled": True, "events": events},
        **TAGS,
    }
    more = {"enabled": True, "alarms": ["f-crashes", "f-server-errors"]}
    return Life(inputs, ({"alarmConfiguration": more, **OTHER_TAGS}, {"autoRollbackConfiguration": None}))


@life("aws:lambda/permission:Permission")
def permission(world: World) -> Life:
    inputs = {
        "action": "lambda:InvokeFunction",
        "function": world.function["name"],
        "qualifier": world.alias["name"],
        "principal": "apigateway.amazonaws.com",
        "sourceArn": f"arn:aws:execute-api:eu-west-1:{world.account}:abc/v1/GET/tickets",
    }
    return Life(inputs)


@life("aws:lambda/eventSourceMapping:EventSourceMapping")
def event_source_mapping(world: World) -> Life:
    inputs = {
        "eventSourceArn": world.queue["arn"],
        "functionName": world.alias["arn"],
        "batchSize": 10,
        "maximumBatchingWindowInSeconds": 5,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "scalingConfig": {"maximumConcurrency": 100},
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"batchSize": 5, "maximumBatchingWindowInSeconds": None, **OTHER_TAGS},
            {"scalingConfig": None, "enabled": False},
        ),
    )


@life("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
def function_event_invoke_config(world: World) -> Life:
    inputs = {
        "functionName": world.function["name"],
        "qualifier": world.alias["name"],
        "maximumRetryAttempts": 1,
        "maximumEventAgeInSeconds": 3600,
        "destinationConfig": {"onFailure": {"destination": world.queue["arn"]}},
    }
    return Life(inputs, ({"maximumRetryAttempts": 0}, {"destinationConfig": None}))


@life("aws:lambda/invocation:Invocation")
def invocation(world: World) -> Life:
    inputs = {"functionName": world.function["name"], "input": text({"a": 1}), "lifecycleScope": "CRUD"}
    return Life(inputs, ({"input": text({"a": 2})},), stays=True)


@life("aws:sfn/stateMachine:StateMachine")
def state_machine(world: World) -> Life:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    other = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}
    inputs = {
        "name": "m",
        "type": "STANDARD",
        "roleArn": world.role["arn"],
        "definition": text(definition),
        "loggingConfiguration": {
            "level": "ALL",
            "includeExecutionData": False,
            "logDestination": f"{world.log_group['arn']}:*",
        },
        "tracingConfiguration": {"enabled": True},
        **TAGS,
    }
    return Life(
        inputs,
        ({"definition": text(other), **OTHER_TAGS}, {"loggingConfiguration": None, "tracingConfiguration": None}),
    )


@life("aws:cognito/userPool:UserPool")
def user_pool(_world: World) -> Life:
    attribute = {
        "name": "customer_id",
        "attributeDataType": "String",
        "mutable": True,
        "stringAttributeConstraints": {"minLength": "1", "maxLength": "64"},
    }
    passwords = {
        "minimumLength": 14,
        "requireLowercase": True,
        "requireNumbers": True,
        "requireSymbols": True,
        "requireUppercase": True,
        "temporaryPasswordValidityDays": 3,
    }
    inputs = {
        "name": "users",
        "userPoolTier": "ESSENTIALS",
        "usernameAttributes": ["email"],
        "autoVerifiedAttributes": ["email"],
        "usernameConfiguration": {"caseSensitive": False},
        "adminCreateUserConfig": {"allowAdminCreateUserOnly": True},
        "accountRecoverySetting": {"recoveryMechanisms": [{"name": "verified_email", "priority": 1}]},
        "passwordPolicy": passwords,
        "mfaConfiguration": "OPTIONAL",
        "softwareTokenMfaConfiguration": {"enabled": True},
        "schemas": [attribute],
        "deletionProtection": "INACTIVE",
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"passwordPolicy": {**passwords, "minimumLength": 20}, "mfaConfiguration": "ON", **OTHER_TAGS},
            {"mfaConfiguration": None, "softwareTokenMfaConfiguration": None},
            {"schemas": [attribute, {**attribute, "name": "region"}]},  # last: an attribute never goes away
        ),
    )


@life("aws:cognito/userPoolClient:UserPoolClient")
def user_pool_client(world: World) -> Life:
    inputs = {
        "name": "api",
        "userPoolId": world.pool.id,
        "generateSecret": False,
        "explicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "preventUserExistenceErrors": "ENABLED",
        "enableTokenRevocation": True,
        "readAttributes": ["email", "email_verified"],
        "writeAttributes": ["email"],
        "idTokenValidity": 60,
        "accessTokenValidity": 60,
        "refreshTokenValidity": 12,
        "tokenValidityUnits": {"idToken": "minutes", "accessToken": "minutes", "refreshToken": "hours"},
    }
    flows = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"]
    return Life(inputs, ({"explicitAuthFlows": flows}, {"idTokenValidity": 30}))


@life("aws:cognito/userGroup:UserGroup")
def user_group(world: World) -> Life:
    return Life(
        {"name": "customer", "userPoolId": world.pool.id, "description": "d"}, ({"description": "e"}, {"precedence": 3})
    )


@life("aws:opensearch/domain:Domain")
def domain(world: World) -> Life:
    inputs: dict[str, Any] = {
        "domainName": "search",
        "engineVersion": "OpenSearch_3.1",
        "clusterConfig": {
            "instanceType": "m7g.medium.search",
            "instanceCount": 2,
            "zoneAwarenessEnabled": True,
            "zoneAwarenessConfig": {"availabilityZoneCount": 2},
            "dedicatedMasterEnabled": False,
        },
        "ebsOptions": {"ebsEnabled": True, "volumeType": "gp3", "volumeSize": 20},
        "autoTuneOptions": {"desiredState": "ENABLED"},
        "softwareUpdateOptions": {"autoSoftwareUpdateEnabled": True},
        "encryptAtRest": {"enabled": True, "kmsKeyId": world.key["arn"]},
        "nodeToNodeEncryption": {"enabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        "advancedSecurityOptions": {
            "enabled": True,
            "anonymousAuthEnabled": False,
            "internalUserDatabaseEnabled": False,
            "masterUserOptions": {"masterUserArn": world.role["arn"]},
        },
        "logPublishingOptions": [
            {"logType": "AUDIT_LOGS", "cloudwatchLogGroupArn": world.log_group["arn"], "enabled": True}
        ],
        **TAGS,
    }
    return Life(inputs, ({"ebsOptions": {**inputs["ebsOptions"], "volumeSize": 30}, **OTHER_TAGS},))


@life("aws:opensearch/domainPolicy:DomainPolicy")
def domain_policy(world: World) -> Life:
    inputs = {
        "domainName": world.domain["domainName"],
        "accessPolicies": policy("es:ESHttpGet", Principal={"AWS": "*"}),
    }
    return Life(inputs, ({"accessPolicies": policy("es:*", Principal={"AWS": "*"})},))


@life("aws:ec2/vpc:Vpc")
def vpc(_world: World) -> Life:
    inputs = {"cidrBlock": "10.1.0.0/16", "enableDnsSupport": True, "enableDnsHostnames": True, **TAGS}
    return Life(inputs, ({"enableDnsHostnames": False, **OTHER_TAGS}, {"enableDnsHostnames": None}))


@life("aws:ec2/subnet:Subnet")
def subnet(world: World) -> Life:
    inputs = {"vpcId": world.vpc.id, "cidrBlock": "10.0.21.0/24", "availabilityZoneId": "euw1-az2", **TAGS}
    return Life(inputs, ({"mapPublicIpOnLaunch": True, **OTHER_TAGS}, {"tags": None}))


@life("aws:ec2/internetGateway:InternetGateway")
def internet_gateway(world: World) -> Life:
    return Life({"vpcId": world.vpc.id, **TAGS}, ({"vpcId": None, **OTHER_TAGS},))


@life("aws:ec2/eip:Eip")
def address(_world: World) -> Life:
    return Life({"domain": "vpc", **TAGS}, (OTHER_TAGS,))


@life("aws:ec2/natGateway:NatGateway")
def nat_gateway(world: World) -> Life:
    return Life({"subnetId": world.subnets[0].id, "allocationId": world.address["allocationId"], **TAGS}, (OTHER_TAGS,))


@life("aws:ec2/routeTable:RouteTable")
def route_table(world: World) -> Life:
    return Life({"vpcId": world.vpc.id, **TAGS}, (OTHER_TAGS,))


@life("aws:ec2/route:Route")
def route(world: World) -> Life:
    inputs = {
        "routeTableId": world.route_tables[0].id,
        "destinationCidrBlock": "0.0.0.0/0",
        "gatewayId": world.internet_gateway.id,
    }
    return Life(inputs, ({"gatewayId": None, "natGatewayId": world.nat_gateway.id},))


@life("aws:ec2/routeTableAssociation:RouteTableAssociation")
def route_table_association(world: World) -> Life:
    first, second = world.route_tables
    return Life({"subnetId": world.subnets[0].id, "routeTableId": first.id}, ({"routeTableId": second.id},))


@life("aws:ec2/securityGroup:SecurityGroup")
def security_group(world: World) -> Life:
    inputs = {"vpcId": world.vpc.id, "namePrefix": "functions-", "description": "d", **TAGS}
    return Life(inputs, (OTHER_TAGS, {"revokeRulesOnDelete": True}))


@life("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
def default_security_group(world: World) -> Life:
    return Life({"vpcId": world.vpc.id, "ingress": [], "egress": [], **TAGS}, (OTHER_TAGS, {"tags": None}), stays=True)


@life("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
def ingress_rule(world: World) -> Life:
    group, other = world.security_groups
    inputs = {
        "securityGroupId": group.id,
        "referencedSecurityGroupId": other.id,
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "description": "d",
        **TAGS,
    }
    return Life(inputs, ({"toPort": 444, "description": "e", **OTHER_TAGS},))


@life("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
def egress_rule(world: World) -> Life:
    inputs = {
        "securityGroupId": world.security_groups[0].id,
        "prefixListId": world.gateway_endpoint["prefixListId"],
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "description": "d",
        **TAGS,
    }
    return Life(inputs, ({"description": "e", **OTHER_TAGS},))


@life("aws:ec2/vpcEndpoint:VpcEndpoint")
def vpc_endpoint(world: World) -> Life:
    allowed = policy("sqs:SendMessage", Principal="*")
    inputs = {
        "vpcId": world.vpc.id,
        "serviceName": f"com.amazonaws.{world.region}.sqs",
        "vpcEndpointType": "Interface",
        "privateDnsEnabled": True,
        "subnetIds": [subnet.id for subnet in world.subnets],
        "securityGroupIds": [world.security_groups[0].id],
        "policy": allowed,
        **TAGS,
    }
    fewer = {"subnetIds": inputs["subnetIds"][:1], "privateDnsEnabled": None}
    more = policy("sqs:SendMessage", "sqs:ReceiveMessage", Principal="*")
    return Life(inputs, ({"policy": more, **OTHER_TAGS}, fewer, {"policy": None}))


@life("aws:ec2/flowLog:FlowLog")
def flow_log(world: World) -> Life:
    inputs = {
        "vpcId": world.vpc.id,
        "trafficType": "ALL",
        "logDestination": world.log_group["arn"],
        "logDestinationType": "cloud-watch-logs",
        "iamRoleArn": world.role["arn"],
        "maxAggregationInterval": 60,
        **TAGS,
    }
    return Life(inputs, (OTHER_TAGS,))


@life("aws:apigateway/restApi:RestApi")
def rest_api(_world: World) -> Life:
    inputs = {
        "name": "support",
        "description": "d",
        "body": text(document()),
        "failOnWarnings": True,
        "putRestApiMode": "overwrite",
        "endpointConfiguration": {"types": "REGIONAL"},
        **TAGS,
    }
    more = document()
    more["paths"]["/tickets/{id}"] = more["paths"]["/tickets"]
    return Life(inputs, ({"body": text(more), "description": "e", **OTHER_TAGS}, {"description": None}))


@life("aws:apigateway/deployment:Deployment")
def deployment(world: World) -> Life:
    return Life({"restApi": world.api.id, "triggers": {"body": "hash"}, "description": "d"}, ({"description": "e"},))


@life("aws:apigateway/stage:Stage")
def stage(world: World) -> Life:
    logs = {"destinationArn": world.log_group["arn"], "format": text({"id": "$context.requestId"})}
    inputs = {
        "restApi": world.api.id,
        "deployment": world.deployments[0].id,
        "stageName": "v1",
        "accessLogSettings": logs,
        "xrayTracingEnabled": True,
        "cacheClusterEnabled": True,
        "cacheClusterSize": "0.5",
        "variables": {"a": "1", "b": "2"},
        "description": "d",
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"deployment": world.deployments[1].id, "variables": {"a": "3", "c": "4"}, **OTHER_TAGS},
            {"accessLogSettings": None, "xrayTracingEnabled": None, "description": None},
            {"cacheClusterSize": "1.6"},
            {"cacheClusterEnabled": False, "cacheClusterSize": None},
        ),
    )


@life("aws:apigateway/methodSettings:MethodSettings")
def method_settings(world: World) -> Life:
    settings = {
        "metricsEnabled": True,
        "loggingLevel": "INFO",
        "throttlingRateLimit": 50,
        "throttlingBurstLimit": 100,
        "cachingEnabled": True,
        "cacheDataEncrypted": True,
        "cacheTtlInSeconds": 30,
        "requireAuthorizationForCacheControl": True,
        "unauthorizedCacheControlHeaderStrategy": "FAIL_WITH_403",
    }
    place = {"restApi": world.api.id, "stageName": world.stage["stageName"]}
    inputs = {**place, "methodPath": "tickets/{id}/solution/GET", "settings": settings}
    fewer = {"metricsEnabled": True, "throttlingRateLimit": 12.5}
    return Life(inputs, ({"settings": {**settings, "loggingLevel": "ERROR"}}, {"settings": fewer}))


@life("aws:apigateway/usagePlan:UsagePlan")
def usage_plan(world: World) -> Life:
    inputs = {
        "name": "partners-standard",
        "description": "d",
        "apiStages": [
            {
                "apiId": world.api.id,
                "stage": world.stage["stageName"],
                "throttles": [{"path": "/tickets/GET", "rateLimit": 2, "burstLimit": 4}],
            }
        ],
        "quotaSettings": {"limit": 1000, "period": "DAY", "offset": 2},
        "throttleSettings": {"rateLimit": 12.5, "burstLimit": 20},
        **TAGS,
    }
    return Life(
        inputs,
        (
            {"quotaSettings": {"limit": 2000, "period": "WEEK"}, **OTHER_TAGS},
            {"throttleSettings": {"rateLimit": 5}, "description": None, "name": "partners"},
            {"quotaSettings": None, "throttleSettings": None},
        ),
    )


@life("aws:apigateway/account:Account")
def gateway_account(world: World) -> Life:
    return Life({"cloudwatchRoleArn": world.role["arn"]}, ({"cloudwatchRoleArn": None},), stays=True)


@life("aws:bedrock/guardrail:Guardrail")
def guardrail(_world: World) -> Life:
    inputs = {
        "name": "answers",
        "description": "d",
        "blockedInputMessaging": "no",
        "blockedOutputsMessaging": "no",
        "contentPolicyConfig": {
            "filtersConfigs": [{"type": "HATE", "inputStrength": "NONE", "outputStrength": "HIGH"}]
        },
        "topicPolicyConfig": {
            "topicsConfigs": [{"name": "live", "type": "DENY", "definition": "d", "examples": ["e"]}]
        },
        **TAGS,
    }
    return Life(inputs, ({"blockedInputMessaging": "never", **OTHER_TAGS},))


def visibility(metric: str) -> dict[str, Any]:
    return {"metricName": metric, "cloudwatchMetricsEnabled": True, "sampledRequestsEnabled": True}


def shown(secret: str) -> dict[str, Any]:
    match = {
        "fieldToMatch": {"singleHeader": {"name": "x-origin-verify"}},
        "positionalConstraint": "EXACTLY",
        "searchString": secret,
        "textTransformations": [{"priority": 0, "type": "NONE"}],
    }
    return {"byteMatchStatement": match}


@life("aws:wafv2/webAcl:WebAcl")
def web_acl(_world: World) -> Life:
    either = {"orStatement": {"statements": [shown("one"), shown("other")]}}
    closed = {
        "name": "closed",
        "priority": 0,
        "action": {"block": {}},
        "statement": {"notStatement": {"statement": either}},
        "visibilityConfig": visibility("closed"),
    }
    match = {
        "fieldToMatch": {"uriPath": {}},
        "positionalConstraint": "STARTS_WITH",
        "searchString": "/v1/itsm/",
        "textTransformations": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
    }
    path = {"byteMatchStatement": match}
    rate = {
        "limit": 2000,
        "evaluationWindowSec": 300,
        "aggregateKeyType": "FORWARDED_IP",
        "scopeDownStatement": {"notStatement": {"statement": path}},
        "forwardedIpConfig": {"headerName": "X-Forwarded-For", "fallbackBehavior": "NO_MATCH"},
    }
    answer = {"responseCode": 429, "responseHeaders": [{"name": "retry-after", "value": "300"}]}
    limited = {
        "name": "limited",
        "priority": 1,
        "action": {"block": {"customResponse": answer}},
        "statement": {"rateBasedStatement": rate},
        "visibilityConfig": visibility("limited"),
    }
    group = {
        "vendorName": "AWS",
        "name": "AWSManagedRulesCommonRuleSet",
        "ruleActionOverrides": [{"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}],
    }
    managed = {
        "name": "managed",
        "priority": 2,
        "overrideAction": {"none": {}},
        "statement": {"managedRuleGroupStatement": group},
        "visibilityConfig": visibility("managed"),
    }
    inputs = {
        "name": "api",
        "scope": "REGIONAL",
        "description": "guards",
        "defaultAction": {"allow": {}},
        "rules": [closed, limited, managed],
        "visibilityConfig": visibility("api"),
        "dataProtectionConfig": {"dataProtections": [{"action": "SUBSTITUTION", "field": {"fieldType": "BODY"}}]},
        **TAGS,
    }
    counting = {**closed, "action": {"count": {}}}
    return Life(
        inputs,
        (
            {"rules": [counting, limited, managed], **OTHER_TAGS},
            {"rules": [managed, closed]},
            {"defaultAction": {"block": {}}, "visibilityConfig": visibility("other")},
        ),
    )


@life("aws:wafv2/webAclAssociation:WebAclAssociation")
def web_acl_association(world: World) -> Life:
    stage = "arn:aws:apigateway:eu-west-1::/restapis/abc/stages/v1"
    return Life({"resourceArn": stage, "webAclArn": world.web_acl["arn"]})


@life("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
def web_acl_logging(world: World) -> Life:
    conditions = [{"actionCondition": {"action": action}} for action in ("BLOCK", "COUNT")]
    kept = {"behavior": "KEEP", "requirement": "MEETS_ANY", "conditions": conditions}
    inputs = {
        "resourceArn": world.web_acl["arn"],
        "logDestinationConfigs": [f"arn:aws:logs:eu-west-1:{world.account}:log-group:aws-waf-logs-api"],
        "loggingFilter": {"defaultBehavior": "DROP", "filters": [kept]},
    }
    redacted = [{"singleHeader": {"name": "authorization"}}]
    return Life(inputs, ({"redactedFields": redacted}, {"loggingFilter": None}))


@life("aws:cloudfront/distribution:Distribution")
def distribution(world: World) -> Life:
    origin = {
        "originId": "api",
        "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
        "customOriginConfig": {
            "httpPort": 80,
            "httpsPort": 443,
            "originProtocolPolicy": "https-only",
            "originSslProtocols": ["TLSv1.2"],
            "originReadTimeout": 60,
            "originKeepaliveTimeout": 60,
        },
        "customHeaders": [{"name": "x-origin-verify", "value": "secret"}],
    }
    behaviour = {
        "targetOriginId": "api",
        "viewerProtocolPolicy": "https-only",
        "allowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
        "cachedMethods": ["GET", "HEAD"],
        "compress": False,
        "cachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "originRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
    }
    inputs = {
        "comment": "c",
        "enabled": True,
        "aliases": ["api.example.com"],
        "httpVersion": "http2and3",
        "isIpv6Enabled": True,
        "priceClass": "PriceClass_100",
        "webAclId": world.web_acl["arn"],
        "origins": [origin],
        "defaultCacheBehavior": behaviour,
        "customErrorResponses": [{"errorCode": 404, "errorCachingMinTtl": 0}],
        "restrictions": {"geoRestriction": {"restrictionType": "none"}},
        "viewerCertificate": {
            "acmCertificateArn": f"arn:aws:acm:us-east-1:{world.account}:certificate/c",
            "sslSupportMethod": "sni-only",
            "minimumProtocolVersion": "TLSv1.2_2021",
        },
        **TAGS,
    }
    rotated = {**origin, "customHeaders": [{"name": "x-origin-verify", "value": "other"}]}
    countries = {"geoRestriction": {"restrictionType": "whitelist", "locations": ["IT", "DE"]}}
    return Life(
        inputs,
        (
            {"origins": [rotated], **OTHER_TAGS},
            {"restrictions": countries, "defaultCacheBehavior": {**behaviour, "compress": True}},
            {"aliases": None, "viewerCertificate": {"cloudfrontDefaultCertificate": True}},
            {"webAclId": None, "comment": None, "tags": None},
        ),
    )


@life("aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy")
def response_headers_policy(_world: World) -> Life:
    headers = {
        "strictTransportSecurity": {"accessControlMaxAgeSec": 60, "includeSubdomains": True, "override": True},
        "contentTypeOptions": {"override": True},
        "frameOptions": {"frameOption": "DENY", "override": True},
        "referrerPolicy": {"referrerPolicy": "no-referrer", "override": True},
        "contentSecurityPolicy": {"contentSecurityPolicy": "default-src 'none'", "override": True},
    }
    inputs = {"name": "api", "comment": "c", "securityHeadersConfig": headers}
    framed = {**headers, "frameOptions": {"frameOption": "SAMEORIGIN", "override": True}}
    return Life(inputs, ({"securityHeadersConfig": framed}, {"comment": None}))


@life("aws:cloudwatch/logDeliverySource:LogDeliverySource")
def log_delivery_source(world: World) -> Life:
    base = f"arn:aws:bedrock:eu-west-1:{world.account}:knowledge-base/ABCDEFGHIJ"
    inputs = {"name": "source", "logType": "APPLICATION_LOGS", "resourceArn": base, **TAGS}
    return Life(inputs, (OTHER_TAGS,))


@life("aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination")
def log_delivery_destination(_world: World) -> Life:
    there = {"destinationResourceArn": "arn:aws:s3:::logs"}
    inputs = {"name": "destination", "outputFormat": "json", "deliveryDestinationConfiguration": there, **TAGS}
    elsewhere = {"destinationResourceArn": "arn:aws:s3:::other-logs"}
    return Life(inputs, ({"deliveryDestinationConfiguration": elsewhere, **OTHER_TAGS},))


@life("aws:cloudwatch/logDelivery:LogDelivery")
def log_delivery(world: World) -> Life:
    inputs = {
        "deliverySourceName": world.log_source["name"],
        "deliveryDestinationArn": world.log_destination["arn"],
        "recordFields": ["date", "time"],
        "s3DeliveryConfigurations": [{"suffixPath": "/{yyyy}/{MM}/{dd}", "enableHiveCompatiblePath": False}],
    }
    return Life(inputs, ({"recordFields": ["date"]}, {"s3DeliveryConfigurations": None}))


@life("aws:apigateway/domainName:DomainName")
def host_name(world: World) -> Life:
    inputs = {
        "domainName": "api.example.com",
        "regionalCertificateArn": f"arn:aws:acm:eu-west-1:{world.account}:certificate/c",
        "endpointConfiguration": {"types": "REGIONAL"},
        "securityPolicy": "TLS_1_2",
        **TAGS,
    }
    other = f"arn:aws:acm:eu-west-1:{world.account}:certificate/d"
    return Life(inputs, ({"regionalCertificateArn": other, **OTHER_TAGS},))


@life("aws:apigateway/basePathMapping:BasePathMapping")
def base_path_mapping(world: World) -> Life:
    inputs = {"domainName": "api.example.com", "restApi": world.api.id, "stageName": "v1", "basePath": "v1"}
    return Life(inputs, ({"stageName": "v2"},))


@life("aws:route53/record:Record")
def record(_world: World) -> Life:
    alias = {"name": "d1.cloudfront.net", "zoneId": "Z2FDTNDATAQYW2", "evaluateTargetHealth": False}
    inputs = {"zoneId": "Z0123456789ABC", "name": "api.example.com", "type": "A", "aliases": [alias]}
    return Life(inputs, ({"aliases": None, "records": ["192.0.2.1"], "ttl": 60},))


@life("random:index/randomPassword:RandomPassword")
def password(_world: World) -> Life:
    return Life({"length": 48, "special": False}, stays=True)


# --- the promises


@pytest.fixture
def world(engine: Any, account: str) -> World:
    return World(engine, account)


KINDS = sorted(LIVES)
TABLE = "aws:dynamodb/table:Table"
UNCHANGING = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:lambda/layerVersion:LayerVersion",
    "aws:lambda/permission:Permission",
    "aws:wafv2/webAclAssociation:WebAclAssociation",
    "random:index/randomPassword:RandomPassword",
}
"""Every change of one makes a new one."""


def without(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if value is not None}


def covers(there: Any, given: Any) -> bool:
    """Whether all that was given is there; AWS may have added defaults beside it."""
    if isinstance(given, dict) and isinstance(there, dict) and SIGNATURE not in given:
        return all(covers(there.get(name), value) for name, value in given.items())
    return bool(there == given)


def same(prop: Prop, one: Any, other: Any) -> bool:
    return differ.same(one, other, prop.kind)


def details(difference: Any) -> dict[str, int]:
    return {path: entry.kind for path, entry in difference.detailedDiff.items()}


def test_every_type_has_a_life_here() -> None:
    assert sorted(kind.pulumi_type for kind in all_types()) == KINDS
    assert {kind for kind in KINDS if not LIVES[kind](Unmade()).changes} == UNCHANGING


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_created_is_there_as_given_shows_no_drift_and_goes_away(kind: str, world: World) -> None:
    """Outputs are read back, so a property that the emulator drops is noticed here unless it is listed as recorded."""
    engine, story, table = world.engine, LIVES[kind](world), resource_type(kind).properties
    inputs = story.inputs | ({"deletionProtectionEnabled": False} if kind == TABLE else {})
    made = engine.create(kind, inputs)
    outputs = plain(made.outputs)
    for name, value in inputs.items():
        if not table[name].recorded:
            assert covers(outputs.get(name), value), (name, outputs.get(name))
    assert outputs.get("tagsAll") == (inputs.get("tags") or outputs.get("tagsAll"))
    assert details(engine.diff(made, inputs)) == {}
    seen = engine.refresh(made)
    assert (plain(seen.inputs), plain(seen.outputs)) == (plain(made.inputs), plain(made.outputs))
    engine.delete(made)
    assert (engine.refresh(made) is None) != (story.stays or isinstance(resource_type(kind), Recorded))
    engine.delete(made)  # nothing to delete is no error


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in UNCHANGING])
def test_a_change_is_named_previewed_made_and_seen(kind: str, world: World) -> None:
    engine, story, table = world.engine, LIVES[kind](world), resource_type(kind).properties
    made = engine.create(kind, story.inputs)
    for change in story.changes:
        wanted = without({**story.inputs, **change})
        really = {name for name in change if not same(table[name], story.inputs.get(name), change[name])}
        difference = engine.diff(made, wanted)
        assert set(difference.diffs) == really, details(difference)
        assert list(difference.replaces) == []
        planned = engine.update(made, wanted, preview=True)
        for name in {"arn", "url"} - story.inputs.keys():
            assert planned.get(name) == made.get(name)
        updated = engine.update(made, wanted)
        seen = engine.refresh(updated)
        assert plain(seen.inputs) == plain(updated.inputs)
        assert details(engine.diff(seen, wanted)) == {}
        for name in really:
            if not table[name].recorded:
                now = plain(seen.outputs).get("tagsAll" if name == "tags" else name, table[name].default)
                expected = table[name].default if change[name] is None else change[name]
                assert covers(now, expected) or same(table[name], now, expected), (name, now)
        if change is not story.changes[-1]:
            made = engine.update(updated, story.inputs)  # and back again


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_an_interrupted_run_left_is_taken_over(kind: str, world: World) -> None:
    """The first run was killed between the call and the state: the second finds the same name taken."""
    story = LIVES[kind](world)
    first = world.engine.create(kind, story.inputs)
    for inputs in (story.inputs, *(without({**story.inputs, **change}) for change in story.changes[:1])):
        again = world.engine.create(kind, inputs)
        if resource_type(kind).name or resource_type(kind).identity:
            assert again.id == first.id
        assert details(world.engine.diff(again, inputs)) == {}
        seen = world.engine.refresh(again)
        assert plain(seen.inputs) == plain(again.inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_planned_creation_knows_what_was_given_and_nothing_else(kind: str, offline: Any) -> None:
    """No endpoint: nothing can be called. What others would give is unknown, as in a first preview."""
    inputs = LIVES[kind](Unmade()).inputs
    planned = offline.create(kind, inputs, preview=True)
    assert planned.id == ""
    assert plain(planned.outputs) == {**inputs, "region": "eu-west-1"} or not resource_type(kind).regional
