"""What is at stake with each resource type: the data it holds, who has its address, and the safeguards it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

STATEFUL: Final[Mapping[str, str]] = {
    "aws:cloudwatch/logGroup:LogGroup": "its log events are lost",
    "aws:cognito/userPool:UserPool": "its users are lost, and with them every password and second factor",
    "aws:dynamodb/table:Table": "its items are lost",
    "aws:kms/key:Key": "what is encrypted under it can be read by nobody once its waiting period has passed",
    "aws:opensearch/domain:Domain": "its indexes are lost, and built anew only by ingesting every document again",
    "aws:s3/bucket:Bucket": "its objects are lost",
    "aws:secretsmanager/secret:Secret": "its value is lost",
    "aws:sqs/queue:Queue": "messages that wait in it are lost",
}
"""Type -> what is lost with one of it. To replace or delete one takes leave (``--allow-replace``)."""

ADDRESSED: Final[Mapping[str, str]] = {
    "aws:apigateway/domainName:DomainName": "the service's own host name does not answer",
    "aws:apigateway/restApi:RestApi": "callers have its URL, and a new one has another",
    "aws:apigateway/stage:Stage": "the API does not answer",
    "aws:apigateway/usagePlan:UsagePlan": "partners whose keys are in it get 403",
    "aws:cloudfront/distribution:Distribution": "callers have its host name, and a new one has another",
    "aws:cognito/userPoolClient:UserPoolClient": "clients hold its id, and a new one has another",
    "aws:ec2/subnet:Subnet": "what has an interface in it must leave it first",
    "aws:ec2/vpc:Vpc": "everything in it must leave it first",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "functions in the VPC do not reach the service",
    "aws:lambda/alias:Alias": "what calls the function by it fails",
    "aws:lambda/eventSourceMapping:EventSourceMapping": "nothing is read, and a new one begins where its settings say",
    "aws:lambda/function:Function": "calls of it fail",
    "aws:route53/record:Record": "the name does not resolve",
    "aws:sfn/stateMachine:StateMachine": "its running executions are stopped, and tickets under way with them",
    "aws:wafv2/webAcl:WebAcl": "nothing guards what it guarded",
    "random:index/randomPassword:RandomPassword": "whoever has the old secret is refused",
}
"""Type -> what its users notice when it is replaced or deleted."""

GUARDS: Final[Mapping[str, str]] = {
    "aws:cloudtrail/trail:Trail": "calls in the account are no longer recorded",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "nobody hears of what it watched",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": "nobody hears of what it watched",
    "aws:cloudwatch/logGroup:LogGroup": "what it recorded is no longer kept",
    "aws:bedrock/guardrail:Guardrail": "answers of the model pass no guardrail",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "the VPC's default group is no longer kept closed",
    "aws:ec2/flowLog:FlowLog": "the network's traffic is no longer recorded",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "access lists may open the bucket again",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "new objects are no longer encrypted under the customer's key"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "overwritten objects cannot be had back",
    "aws:sns/topicSubscription:TopicSubscription": "one receiver hears of alarms no more",
    "aws:wafv2/webAcl:WebAcl": "nothing stops what it stopped",
    "aws:wafv2/webAclAssociation:WebAclAssociation": "the web ACL guards it no more",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "what the web ACL stops is no longer recorded",
}
"""Type -> which safeguard is gone with one of it."""

BLUE_GREEN: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:opensearch/domain:Domain": (
        "advancedOptions",
        "advancedSecurityOptions",
        "clusterConfig",
        "ebsOptions",
        "encryptAtRest",
        "engineVersion",
        "logPublishingOptions",
        "nodeToNodeEncryption",
        "vpcOptions",
    )
}
"""Type -> properties whose change has AWS build a second set of nodes and move to it, which takes hours (OpenSearch
Service Developer Guide, managedomains-configuration-changes)."""

Rule = Literal["on", "given", "at least", "for ever or at least"]


@dataclass(frozen=True, kw_only=True)
class Safeguard:
    """A property that keeps something safe."""

    type: str
    path: str
    """Names with dots between them."""
    rule: Rule = "on"
    """What it must not lose: being ``on`` (true, or as in ``on_value``), being ``given``, or its size."""
    on_value: str | bool = True
    without: str
    """What is so when it is lost."""

    def lost(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether the change from ``old`` to ``new`` inputs loses it."""
        was, now = at(old, self.path), at(new, self.path)
        match self.rule:
            case "on":
                return bool(was == self.on_value and now != self.on_value)
            case "given":
                return was not in (None, "", [], {}) and now in (None, "", [], {})
            case "at least":
                return _number(was) is not None and (_number(now) or 0) < (_number(was) or 0)
            case "for ever or at least":
                return _days(now) < _days(was)


SAFEGUARDS: Final = (
    Safeguard(
        type="aws:cloudtrail/trail:Trail",
        path="enableLogFileValidation",
        without="nobody can tell whether records were changed",
    ),
    Safeguard(type="aws:cloudtrail/trail:Trail", path="kmsKeyId", rule="given", without="records lose their own key"),
    Safeguard(
        type="aws:cloudwatch/logGroup:LogGroup",
        path="retentionInDays",
        rule="for ever or at least",
        without="older log events are deleted at once",
    ),
    Safeguard(
        type="aws:cloudwatch/logGroup:LogGroup", path="kmsKeyId", rule="given", without="logs lose their own key"
    ),
    Safeguard(
        type="aws:cloudwatch/metricAlarm:MetricAlarm", path="alarmActions", rule="given", without="nobody hears of it"
    ),
    Safeguard(
        type="aws:cognito/userPool:UserPool",
        path="deletionProtection",
        on_value="ACTIVE",
        without="AWS would let it be deleted",
    ),
    Safeguard(
        type="aws:cognito/userPool:UserPool",
        path="mfaConfiguration",
        on_value="ON",
        without="users may sign in by password alone",
    ),
    Safeguard(
        type="aws:cognito/userPool:UserPool",
        path="passwordPolicy.minimumLength",
        rule="at least",
        without="shorter passwords will do",
    ),
    Safeguard(
        type="aws:dynamodb/table:Table",
        path="pointInTimeRecovery.enabled",
        without="items cannot be had back, and its backups so far are deleted",
    ),
    Safeguard(type="aws:dynamodb/table:Table", path="deletionProtectionEnabled", without="AWS would let it be deleted"),
    Safeguard(
        type="aws:dynamodb/table:Table",
        path="serverSideEncryption.kmsKeyArn",
        rule="given",
        without="items lose their own key",
    ),
    Safeguard(type="aws:kms/key:Key", path="enableKeyRotation", without="its material is never renewed"),
    Safeguard(
        type="aws:kms/key:Key",
        path="deletionWindowInDays",
        rule="at least",
        without="there is less time to take a deletion back",
    ),
    Safeguard(type="aws:opensearch/domain:Domain", path="encryptAtRest.enabled", without="data lie unencrypted"),
    Safeguard(
        type="aws:opensearch/domain:Domain",
        path="nodeToNodeEncryption.enabled",
        without="data travel between nodes unencrypted",
    ),
    Safeguard(
        type="aws:opensearch/domain:Domain",
        path="domainEndpointOptions.enforceHttps",
        without="callers may use plain HTTP",
    ),
    Safeguard(
        type="aws:opensearch/domain:Domain",
        path="advancedSecurityOptions.enabled",
        without="there is no fine-grained access control",
    ),
    Safeguard(
        type="aws:s3/bucketVersioning:BucketVersioning",
        path="versioningConfiguration.status",
        on_value="Enabled",
        without="overwritten objects cannot be had back",
    ),
    Safeguard(
        type="aws:secretsmanager/secret:Secret",
        path="recoveryWindowInDays",
        rule="at least",
        without="there is less time to take a deletion back",
    ),
    Safeguard(
        type="aws:sqs/queue:Queue",
        path="messageRetentionSeconds",
        rule="at least",
        without="older messages are deleted at once",
    ),
    Safeguard(type="aws:sqs/queue:Queue", path="kmsMasterKeyId", rule="given", without="messages lose their own key"),
    Safeguard(
        type="aws:sqs/queue:Queue",
        path="redrivePolicy",
        rule="given",
        without="messages that always fail are received for ever, then dropped",
    ),
    Safeguard(
        type="aws:apigateway/stage:Stage", path="accessLogSettings", rule="given", without="calls are no longer logged"
    ),
    Safeguard(
        type="aws:lambda/function:Function", path="kmsKeyArn", rule="given", without="its variables lose their own key"
    ),
)


def at(inputs: Mapping[str, Any], path: str) -> Any:
    """The value at a path of names with dots between them; None if there is none."""
    value: Any = inputs
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _days(value: Any) -> float:
    """CloudWatch keeps for ever what has no retention, or one of 0."""
    return _number(value) or float("inf")
