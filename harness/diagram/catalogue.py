"""What is drawn of each resource type, and as what. A type that stands nowhere here becomes a box of its own."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "alarm",
    "api",
    "bucket",
    "bus",
    "cdn",
    "chart",
    "clock",
    "deploy",
    "dns",
    "endpoint",
    "failures",
    "function",
    "gateway",
    "key",
    "logs",
    "model",
    "other",
    "person",
    "query",
    "queue",
    "search",
    "secret",
    "shield",
    "table",
    "template",
    "topic",
    "trail",
    "users",
    "workflow",
]
"""What sign and colour a box wears."""

Room = Literal[
    "callers",
    "edge",
    "api",
    "api functions",
    "data",
    "messages",
    "models",
    "secrets",
    "vpc",
    "workers",
    "operations",
    "other",
]
"""Which group of the picture a box stands in."""

ROOMS: Final[Mapping[Room, str]] = MappingProxyType(
    {
        "callers": "Callers",
        "edge": "Edge",
        "api": "API",
        "api functions": "Functions of the API",
        "data": "Data",
        "messages": "Workflow and queues",
        "models": "Amazon Bedrock",
        "secrets": "Keys and secrets",
        "vpc": "Search",
        "workers": "Workers",
        "operations": "Observability and audit",
        "other": "Not placed yet",
    }
)
"""Room -> its title, in the order in which rooms of one column stand."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How resources of one type are drawn."""

    kind: Kind
    room: Room
    together: str = ""
    """Title of the one box that shows all of them in a room; by default each has its own."""


FUNCTION: Final = "aws:lambda/function:Function"
QUEUE: Final = "aws:sqs/queue:Queue"
RULE: Final = "aws:cloudwatch/eventRule:EventRule"
BUCKET: Final = "aws:s3/bucket:Bucket"
VPC: Final = "aws:ec2/vpc:Vpc"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
NETWORK: Final = ("aws:ec2/", "aws:vpc/")
"""Types with these prefixes are the frame around what stands in the VPC, unless they have a box."""

BOXES: Final[Mapping[str, Drawn]] = MappingProxyType(
    {
        "aws:cognito/userGroup:UserGroup": Drawn(kind="person", room="callers"),
        "aws:apigateway/usagePlan:UsagePlan": Drawn(kind="person", room="callers", together="ITSM partners"),
        "aws:route53/record:Record": Drawn(kind="dns", room="edge", together="DNS records"),
        "aws:cloudfront/distribution:Distribution": Drawn(kind="cdn", room="edge"),
        "aws:wafv2/webAcl:WebAcl": Drawn(kind="shield", room="edge"),
        "aws:apigateway/domainName:DomainName": Drawn(kind="dns", room="edge"),
        "aws:apigateway/restApi:RestApi": Drawn(kind="api", room="api"),
        "aws:cognito/userPool:UserPool": Drawn(kind="users", room="api"),
        FUNCTION: Drawn(kind="function", room="workers"),
        "aws:dynamodb/table:Table": Drawn(kind="table", room="data"),
        BUCKET: Drawn(kind="bucket", room="data"),
        "aws:sfn/stateMachine:StateMachine": Drawn(kind="workflow", room="messages"),
        QUEUE: Drawn(kind="queue", room="messages"),
        "aws:cloudwatch/eventBus:EventBus": Drawn(kind="bus", room="messages"),
        RULE: Drawn(kind="clock", room="messages"),
        "aws:scheduler/schedule:Schedule": Drawn(kind="clock", room="messages"),
        "aws:sns/topic:Topic": Drawn(kind="topic", room="messages"),
        "aws:bedrock/guardrail:Guardrail": Drawn(kind="model", room="models"),
        "aws:kms/key:Key": Drawn(kind="key", room="secrets", together="keys"),
        "aws:secretsmanager/secret:Secret": Drawn(kind="secret", room="secrets"),
        "aws:opensearch/domain:Domain": Drawn(kind="search", room="vpc"),
        ENDPOINT: Drawn(kind="endpoint", room="vpc", together="endpoints"),
        "aws:ec2/natGateway:NatGateway": Drawn(kind="gateway", room="vpc", together="NAT gateway"),
        "aws:cloudwatch/metricAlarm:MetricAlarm": Drawn(kind="alarm", room="operations", together="alarms"),
        "aws:cloudwatch/compositeAlarm:CompositeAlarm": Drawn(
            kind="alarm", room="operations", together="composite alarms"
        ),
        "aws:cloudwatch/dashboard:Dashboard": Drawn(kind="chart", room="operations", together="dashboards"),
        "aws:cloudwatch/queryDefinition:QueryDefinition": Drawn(
            kind="query", room="operations", together="saved queries"
        ),
        "aws:cloudwatch/logGroup:LogGroup": Drawn(kind="logs", room="operations", together="log groups"),
        "aws:cloudtrail/trail:Trail": Drawn(kind="trail", room="operations"),
        "aws:codedeploy/deploymentGroup:DeploymentGroup": Drawn(
            kind="deploy", room="operations", together="gradual releases"
        ),
    }
)
"""Resource type -> its box. In a column, boxes stand in this order, then by name."""

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aws:apigateway/restApi:RestApi": "REST API",
        "aws:bedrock/guardrail:Guardrail": "Models and guardrail",
        "aws:cloudfront/distribution:Distribution": "CloudFront",
        "aws:cloudtrail/trail:Trail": "CloudTrail",
        "aws:cognito/userPool:UserPool": "User pool",
        "aws:opensearch/domain:Domain": "OpenSearch domain",
        "aws:wafv2/webAcl:WebAcl": "Web ACL",
    }
)
"""Resource type -> what its box is called; others by their physical name, without the stack's prefix."""

MODULE_ROOMS: Final[Mapping[str, Room]] = MappingProxyType({"edge": "edge", "audit": "operations"})
"""Module of a component -> where the buckets in it stand, which hold logs and no data of customers."""

ARROWS: Final = frozenset(
    {
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        "aws:s3/bucketNotification:BucketNotification",
    }
)
"""Types that are lines from one box to another."""

LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aws:apigateway/account:Account": "a setting of the whole account and region",
        "aws:cloudwatch/logDelivery:LogDelivery": "how logs of the edge get to their bucket",
        "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": "how logs of the edge get to their bucket",
        "aws:cloudwatch/logDeliverySource:LogDeliverySource": "how logs of the edge get to their bucket",
        "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "lets AWS services write to the log groups",
        "aws:codedeploy/application:Application": "a name under which releases are kept",
        "aws:iam/role:Role": "who may do what is what the lines show",
        "aws:iam/rolePolicy:RolePolicy": "who may do what is what the lines show",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "who may do what is what the lines show",
        "aws:iam/serviceLinkedRole:ServiceLinkedRole": "AWS's own role, which an account has once",
        "aws:lambda/invocation:Invocation": "a step of the deployment, not of the running system",
        "aws:lambda/layerVersion:LayerVersion": "code that all functions share",
        "aws:lambda/permission:Permission": "lets the source of a line call its function",
        "aws:wafv2/webAclAssociation:WebAclAssociation": "the web ACL's box says what it stands before",
        "pulumi:providers:aws": "how the program reaches AWS",
        "pulumi:providers:random": "how the program draws a secret",
        "random:index/randomPassword:RandomPassword": "a value, not a thing in AWS",
    }
)
"""Types that no box or line shows where the component that made them has no box, and why."""

ALWAYS_LEFT_OUT: Final = frozenset({"aws:lambda/permission:Permission", "aws:lambda/invocation:Invocation"})
"""Those of them that belong to no box, whoever made them."""
