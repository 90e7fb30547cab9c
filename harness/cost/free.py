"""Resource types that cost nothing by themselves, each with the reason."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_API: Final = "paid with the API's requests"
_OF_FUNCTION: Final = "paid with its function's calls"
_OF_BUCKET: Final = "a setting of its bucket"
_ACCESS: Final = "permissions cost nothing"
_NETWORK: Final = "costs nothing; what passes through the network does"
_DELIVERY: Final = "paid with what is delivered"
_EDGE: Final = "a setting of the distribution"
_SCALING: Final = "scaling costs nothing; what is kept warm does"
_RELEASE: Final = "CodeDeploy asks nothing for releases of functions"

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aws:apigateway/account:Account": "a setting of the account",
        "aws:apigateway/basePathMapping:BasePathMapping": _OF_API,
        "aws:apigateway/deployment:Deployment": _OF_API,
        "aws:apigateway/domainName:DomainName": _OF_API,
        "aws:apigateway/methodSettings:MethodSettings": _OF_API,
        "aws:apigateway/usagePlan:UsagePlan": _OF_API,
        "aws:appautoscaling/policy:Policy": _SCALING,
        "aws:cloudfront/cachePolicy:CachePolicy": _EDGE,
        "aws:cloudfront/originRequestPolicy:OriginRequestPolicy": _EDGE,
        "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": _EDGE,
        "aws:cloudwatch/eventRule:EventRule": "rules cost nothing; events of our own do",
        "aws:cloudwatch/eventTarget:EventTarget": "deliveries within AWS cost nothing",
        "aws:cloudwatch/logDelivery:LogDelivery": _DELIVERY,
        "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": _DELIVERY,
        "aws:cloudwatch/logDeliverySource:LogDeliverySource": _DELIVERY,
        "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": _ACCESS,
        "aws:cloudwatch/queryDefinition:QueryDefinition": "paid by the GB that people have it read",
        "aws:codedeploy/application:Application": _RELEASE,
        "aws:codedeploy/deploymentConfig:DeploymentConfig": _RELEASE,
        "aws:codedeploy/deploymentGroup:DeploymentGroup": _RELEASE,
        "aws:cognito/userGroup:UserGroup": "paid with active users",
        "aws:cognito/userPoolClient:UserPoolClient": "paid with active users",
        "aws:iam/role:Role": _ACCESS,
        "aws:iam/rolePolicy:RolePolicy": _ACCESS,
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _ACCESS,
        "aws:iam/serviceLinkedRole:ServiceLinkedRole": _ACCESS,
        "aws:kms/alias:Alias": "paid with its key",
        "aws:lambda/alias:Alias": _OF_FUNCTION,
        "aws:lambda/eventSourceMapping:EventSourceMapping": "paid with the queue's requests",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _OF_FUNCTION,
        "aws:lambda/invocation:Invocation": "one call a deployment",
        "aws:lambda/layerVersion:LayerVersion": "storage of code, free to 75 GB",
        "aws:lambda/permission:Permission": _ACCESS,
        "aws:opensearch/domainPolicy:DomainPolicy": _ACCESS,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _OF_BUCKET,
        "aws:s3/bucketNotification:BucketNotification": _OF_BUCKET,
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _OF_BUCKET,
        "aws:s3/bucketPolicy:BucketPolicy": _OF_BUCKET,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _OF_BUCKET,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _OF_BUCKET,
        "aws:s3/bucketVersioning:BucketVersioning": _OF_BUCKET,
        "aws:secretsmanager/secretPolicy:SecretPolicy": _ACCESS,
        "aws:sns/topicPolicy:TopicPolicy": _ACCESS,
        "aws:sns/topicSubscription:TopicSubscription": "paid with the topic's messages",
        "aws:sqs/queuePolicy:QueuePolicy": _ACCESS,
        "aws:wafv2/webAclAssociation:WebAclAssociation": "paid with the web ACL",
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "paid with the log group",
        "pulumi:providers:aws": "no thing in AWS",
        "pulumi:providers:random": "no thing in AWS",
        "random:index/randomPassword:RandomPassword": "no thing in AWS",
        "aws:route53/record:Record": "alias records are answered for nothing; the zone is not this stack's",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _NETWORK,
        "aws:ec2/flowLog:FlowLog": "paid with the log group",
        "aws:ec2/internetGateway:InternetGateway": _NETWORK,
        "aws:ec2/route:Route": _NETWORK,
        "aws:ec2/routeTable:RouteTable": _NETWORK,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": _NETWORK,
        "aws:ec2/securityGroup:SecurityGroup": _NETWORK,
        "aws:ec2/securityGroupRule:SecurityGroupRule": _NETWORK,
        "aws:ec2/subnet:Subnet": _NETWORK,
        "aws:ec2/vpc:Vpc": _NETWORK,
        "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": _NETWORK,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _NETWORK,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _NETWORK,
    }
)
"""Resource type -> why it is on no bill. A type that has no price and stands not here is named in every estimate."""
