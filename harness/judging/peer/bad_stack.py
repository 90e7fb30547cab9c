"""A support stack in which everything is wrong that the peer can notice: the one truth from which both forms derive.

In Pulumi's spelling, as the pack judges it; `harness.judging.peer.forms` writes the same in the languages that the peer
reads. Where one fault would keep the peer from looking at another, there is a resource for each.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from policies.rule import Given, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document: TypeAlias = "Mapping[str, object]"

_REGION: Final = "eu-west-1"
_ACCOUNT: Final = "123456789012"
_STRANGER: Final = "arn:aws:iam::210987654321:root"
_ROOT: Final = f"arn:aws:iam::{_ACCOUNT}:root"


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{_REGION}:{_ACCOUNT}:{resource}"


def _global_arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}::{_ACCOUNT}:{resource}"


def _bad(type_: str, name: str, inputs: Mapping[str, object], **outputs: object) -> Given:
    return Given(type_, name, inputs, MappingProxyType({"id": name, "name": name, **outputs}))


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: str | Sequence[str], resource: object = "*", **others: object) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **others}


def _open_to_all(action: str, resource: object = "*") -> Document:
    return _document(_allow(action, resource, Principal="*"))


# --- API Gateway

_API: Final = (
    _bad(
        "aws:apigateway/restApi:RestApi",
        "api",
        {"name": "api", "endpointConfiguration": {"types": "REGIONAL"}},
        executionArn=_arn("execute-api", "api"),
    ),
    _bad(
        "aws:apigateway/resource:Resource",
        "api-tickets",
        {"restApi": Ref("api", "id"), "parentId": "root", "pathPart": "tickets"},
    ),
    _bad(
        "aws:apigateway/method:Method",
        "api-open-method",
        {
            "restApi": Ref("api", "id"),
            "resourceId": Ref("api-tickets", "id"),
            "httpMethod": "POST",
            "authorization": "NONE",
        },
    ),
    _bad("aws:apigateway/deployment:Deployment", "api-deployment", {"restApi": Ref("api", "id")}),
    _bad(
        "aws:apigateway/stage:Stage",
        "api-bare-stage",
        {"restApi": Ref("api", "id"), "deployment": Ref("api-deployment", "id"), "stageName": "bare"},
        arn=f"arn:aws:apigateway:{_REGION}::/restapis/api/stages/bare",
        stageName="bare",
    ),
    _bad(
        "aws:apigateway/stage:Stage",
        "api-cached-stage",
        {
            "restApi": Ref("api", "id"),
            "deployment": Ref("api-deployment", "id"),
            "stageName": "cached",
            "cacheClusterEnabled": True,
            "cacheClusterSize": "0.5",
            "xrayTracingEnabled": False,
        },
        arn=f"arn:aws:apigateway:{_REGION}::/restapis/api/stages/cached",
        stageName="cached",
    ),
    _bad(
        "aws:apigateway/methodSettings:MethodSettings",
        "api-cached-settings",
        {
            "restApi": Ref("api", "id"),
            "stageName": Ref("api-cached-stage", "stageName"),
            "methodPath": "*/*",
            "settings": {
                "cachingEnabled": True,
                "cacheDataEncrypted": False,
                "dataTraceEnabled": True,
                "loggingLevel": "OFF",
                "metricsEnabled": False,
            },
        },
    ),
    _bad(
        "aws:apigateway/methodSettings:MethodSettings",
        "api-bare-settings",
        {
            "restApi": Ref("api", "id"),
            "stageName": Ref("api-bare-stage", "stageName"),
            "methodPath": "*/*",
            "settings": {"cachingEnabled": False},
        },
    ),
    _bad(
        "aws:apigateway/domainName:DomainName",
        "api-domain",
        {
            "domainName": "api.example.com",
            "regionalCertificateArn": _arn("acm", "certificate/1"),
            "securityPolicy": "TLS_1_0",
        },
    ),
)

# --- Lambda

_EXAMPLE_KEY_ID: Final = "AKIA" + "IOSFODNN7EXAMPLE"
_EXAMPLE_KEY: Final = "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCYEXAMPLEKEY"
"""The access key that AWS's own documentation shows: in two parts, so that no scanner takes it for one of ours."""


def _function(name: str, **inputs: object) -> Given:
    base = {"name": name, "role": Ref("open-role"), "handler": "index.handler", "runtime": "python3.14"}
    arn = _arn("lambda", f"function:{name}")
    return _bad("aws:lambda/function:Function", name, {**base, **inputs}, arn=arn, qualifiedArn=f"{arn}:1")


def _permission(name: str, principal: str, **inputs: object) -> Given:
    base = {"function": Ref("function", "name"), "action": "lambda:InvokeFunction", "principal": principal}
    return _bad("aws:lambda/permission:Permission", name, {**base, **inputs})


_LAMBDA: Final = (
    _function("function"),
    _function(
        "function-with-secrets",
        environment={"variables": {"AWS_ACCESS_KEY_ID": _EXAMPLE_KEY_ID, "AWS_SECRET_ACCESS_KEY": _EXAMPLE_KEY}},
    ),
    _function(
        "function-for-all-to-call",
        vpcConfig={
            "subnetIds": [Ref("subnet", "id")],
            "securityGroupIds": [Ref("group", "id"), Ref("group-open-to-http", "id")],
        },
    ),
    _function("function-of-old-runtime", runtime="python3.7", tracingConfig={"mode": "PassThrough"}),
    _function("function-out-of-reach", environment={"variables": {"SEARCH": Ref("search-in-the-vpc", "endpoint")}}),
    _bad(
        "aws:lambda/functionUrl:FunctionUrl",
        "function-url",
        {
            "functionName": Ref("function"),
            "authorizationType": "NONE",
            "cors": {"allowOrigins": ["*"], "allowMethods": ["*"], "allowHeaders": ["*"], "allowCredentials": True},
        },
    ),
    _permission("function-open-to-all", "*"),
    _permission("function-open-to-a-service", "apigateway.amazonaws.com"),
    _permission("function-url-open-to-all", "*", action="lambda:InvokeFunctionUrl", functionUrlAuthType="NONE"),
    _bad(
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        "function-mapping",
        {"functionName": Ref("function"), "eventSourceArn": Ref("queue")},
    ),
)

# --- Step Functions, SQS, SNS, EventBridge

_MESSAGES: Final = (
    _bad(
        "aws:sfn/stateMachine:StateMachine",
        "workflow",
        {
            "name": "workflow",
            "roleArn": Ref("open-role"),
            "definition": '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": true}}}',
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
            "tracingConfiguration": {"enabled": False},
        },
        arn=_arn("states", "stateMachine:workflow"),
    ),
    _bad(
        "aws:sqs/queue:Queue",
        "queue",
        {"name": "queue", "sqsManagedSseEnabled": False},
        arn=_arn("sqs", "queue"),
        url=f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/queue",
    ),
    _bad(
        "aws:sqs/queuePolicy:QueuePolicy",
        "queue-policy",
        {"queueUrl": Ref("queue", "url"), "policy": _open_to_all("sqs:*")},
    ),
    _bad(
        "aws:sqs/queue:Queue",
        "queue-of-the-shared-key",
        {"name": "shared", "kmsMasterKeyId": "alias/aws/sqs"},
        arn=_arn("sqs", "shared"),
        url=f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/shared",
    ),
    _bad(
        "aws:sqs/queuePolicy:QueuePolicy",
        "shared-queue-policy",
        {"queueUrl": Ref("queue-of-the-shared-key", "url"), "policy": _open_to_all("*")},
    ),
    _bad(
        "aws:sqs/queue:Queue",
        "queue-open-to-all",
        {"name": "open", "policy": _open_to_all("sqs:*")},
        arn=_arn("sqs", "open"),
        url=f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/open",
    ),
    _bad("aws:sns/topic:Topic", "topic-for-strangers", {"name": "strangers"}, arn=_arn("sns", "strangers")),
    _bad(
        "aws:sns/topicPolicy:TopicPolicy",
        "strangers-topic-policy",
        {
            "arn": Ref("topic-for-strangers"),
            "policy": _document(_allow("sns:Publish", _arn("sns", "strangers"), Principal={"AWS": [_STRANGER]})),
        },
    ),
    _bad("aws:sns/topic:Topic", "topic", {"name": "topic"}, arn=_arn("sns", "topic")),
    _bad(
        "aws:sns/topicPolicy:TopicPolicy", "topic-policy", {"arn": Ref("topic"), "policy": _open_to_all("sns:Publish")}
    ),
    _bad(
        "aws:sns/topicSubscription:TopicSubscription",
        "topic-subscription",
        {"topic": Ref("topic"), "protocol": "http", "endpoint": "http://example.com/alarms"},
    ),
    _bad("aws:cloudwatch/eventBus:EventBus", "bus", {"name": "bus"}, arn=_arn("events", "event-bus/bus")),
    _bad(
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
        "bus-policy",
        {"eventBusName": Ref("bus", "name"), "policy": _open_to_all("events:PutEvents")},
    ),
    _bad(
        "aws:cloudwatch/eventRule:EventRule",
        "bus-rule",
        {"name": "bus-rule", "eventBusName": Ref("bus", "name"), "eventPattern": '{"source": ["support"]}'},
        arn=_arn("events", "rule/bus/bus-rule"),
    ),
    _bad(
        "aws:cloudwatch/eventTarget:EventTarget",
        "bus-target",
        {"rule": Ref("bus-rule", "name"), "eventBusName": Ref("bus", "name"), "targetId": "queue", "arn": Ref("queue")},
    ),
)

# --- what keeps data


def _table(name: str, **inputs: object) -> Given:
    base = {
        "name": name,
        "hashKey": "id",
        "attributes": [{"name": "id", "type": "S"}],
        "billingMode": "PAY_PER_REQUEST",
    }
    return _bad("aws:dynamodb/table:Table", name, {**base, **inputs}, arn=_arn("dynamodb", f"table/{name}"))


def _bucket(name: str, **inputs: object) -> Given:
    return _bad(
        "aws:s3/bucket:Bucket",
        name,
        {"bucket": name, **inputs},
        arn=f"arn:aws:s3:::{name}",
        bucket=name,
        bucketRegionalDomainName=f"{name}.s3.{_REGION}.amazonaws.com",
    )


def _granted(name: str, bucket: str, group: str, permission: str) -> Given:
    grantee = {"type": "Group", "uri": f"http://acs.amazonaws.com/groups/global/{group}"}
    grants = {"owner": {"id": "owner"}, "grants": [{"grantee": grantee, "permission": permission}]}
    return _bad("aws:s3/bucketAcl:BucketAcl", name, {"bucket": Ref(bucket, "id"), "accessControlPolicy": grants})


def _domain(name: str, **inputs: object) -> Given:
    arn = _arn("es", f"domain/{name}")
    return _bad(
        "aws:opensearch/domain:Domain",
        name,
        {"domainName": name, **inputs},
        arn=arn,
        domainName=name,
        endpoint=f"vpc-{name}.example.com",
    )


_DATA: Final = (
    _table("table"),
    _table(
        "table-of-weak-settings",
        pointInTimeRecovery={"enabled": False},
        serverSideEncryption={"enabled": True},
        deletionProtectionEnabled=False,
    ),
    _table(
        "table-in-two-regions",
        pointInTimeRecovery={"enabled": True},
        replicas=[{"regionName": "eu-central-1", "pointInTimeRecovery": False}],
    ),
    _table("table-of-fixed-capacity", billingMode="PROVISIONED", readCapacity=1, writeCapacity=1),
    _domain("search"),
    _domain("search-in-the-vpc", vpcOptions={"subnetIds": [Ref("subnet", "id")]}),
    _domain("search-by-its-old-name"),
    _domain(
        "search-of-weak-settings",
        clusterConfig={"instanceCount": 2},
        encryptAtRest={"enabled": False},
        nodeToNodeEncryption={"enabled": False},
        domainEndpointOptions={"enforceHttps": False, "tlsSecurityPolicy": "Policy-Min-TLS-1-0-2019-07"},
        advancedSecurityOptions={"enabled": False},
        accessPolicies=_open_to_all("es:*"),
    ),
    _bucket("bucket"),
    _bucket("bucket-read-by-all"),
    _bad(
        "aws:s3/bucketAcl:BucketAcl", "read-by-all", {"bucket": Ref("bucket-read-by-all", "id"), "acl": "public-read"}
    ),
    _bucket("bucket-written-by-all"),
    _bad(
        "aws:s3/bucketAcl:BucketAcl",
        "written-by-all",
        {"bucket": Ref("bucket-written-by-all", "id"), "acl": "public-read-write"},
    ),
    _bucket(
        "bucket-of-its-own-policy",
        policy=_document(
            _allow("s3:*", Principal="*"), {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
        ),
    ),
    _bucket("bucket-read-by-any-account"),
    _bad(
        "aws:s3/bucketAcl:BucketAcl",
        "read-by-any-account",
        {"bucket": Ref("bucket-read-by-any-account", "id"), "acl": "authenticated-read"},
    ),
    _bucket("bucket-granted-to-all"),
    _granted("granted-to-all", "bucket-granted-to-all", "AllUsers", "FULL_CONTROL"),
    _bucket("bucket-granted-to-any-account"),
    _granted("granted-to-any-account", "bucket-granted-to-any-account", "AuthenticatedUsers", "READ"),
    _bad(
        "aws:s3/bucketPolicy:BucketPolicy",
        "bucket-policy-against-all",
        {
            "bucket": Ref("bucket-granted-to-all", "id"),
            "policy": _document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
        },
    ),
    _bad(
        "aws:s3/bucketVersioning:BucketVersioning",
        "unversioned",
        {"bucket": Ref("bucket-written-by-all", "id"), "versioningConfiguration": {"status": "Suspended"}},
    ),
    _bad(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "unblocked",
        {
            "bucket": Ref("bucket-written-by-all", "id"),
            "blockPublicAcls": False,
            "blockPublicPolicy": False,
            "ignorePublicAcls": False,
            "restrictPublicBuckets": False,
        },
    ),
    _bad(
        "aws:s3/bucketPolicy:BucketPolicy",
        "bucket-policy",
        {"bucket": Ref("bucket", "id"), "policy": _open_to_all("s3:*")},
    ),
    _bad(
        "aws:kms/key:Key",
        "key",
        {"enableKeyRotation": False, "policy": _document(_allow("kms:*", Principal={"AWS": "*"}, Sid="All"))},
        arn=_arn("kms", "key/1"),
        keyId="1",
    ),
    _bad("aws:kms/key:Key", "key-without-policy", {"description": "key"}, arn=_arn("kms", "key/2"), keyId="2"),
    _bad("aws:kms/key:Key", "key-switched-off", {"isEnabled": False}, arn=_arn("kms", "key/3"), keyId="3"),
    _bad("aws:secretsmanager/secret:Secret", "secret", {"name": "secret"}, arn=_arn("secretsmanager", "secret:secret")),
    _bad(
        "aws:secretsmanager/secret:Secret",
        "secret-of-the-shared-key",
        {"name": "shared", "kmsKeyId": "alias/aws/secretsmanager"},
        arn=_arn("secretsmanager", "secret:shared"),
    ),
    _bad(
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        "secret-policy",
        {"secretArn": Ref("secret"), "policy": _open_to_all("secretsmanager:GetSecretValue")},
    ),
    _bad("aws:cloudwatch/logGroup:LogGroup", "logs", {"name": "logs"}, arn=_arn("logs", "log-group:logs")),
)

# --- IAM: each document in each place where one can stand

_GRANTS: Final[Mapping[str, Document]] = MappingProxyType(
    {
        "everything": _document(_allow("*")),
        "any-action": _document(_allow("*", _arn("sqs", "queue"))),
        "credentials": _document(_allow(["iam:CreateAccessKey", "iam:CreateLoginProfile"])),
        "exfiltration": _document(_allow(["s3:GetObject", "secretsmanager:GetSecretValue", "ssm:GetParameter"])),
        "permissions": _document(_allow(["iam:PutRolePolicy", "kms:PutKeyPolicy", "s3:PutBucketPolicy"])),
        "escalation": _document(
            _allow(["iam:PassRole", "iam:CreatePolicyVersion", "lambda:CreateFunction", "lambda:InvokeFunction"])
        ),
        "writing": _document(_allow(["dynamodb:PutItem", "sqs:DeleteQueue", "s3:PutObject"])),
    }
)
_TRUST: Final = _document(
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
)


def _role(name: str, trust: Document = _TRUST, **inputs: object) -> Given:
    arn = _global_arn("iam", f"role/{name}")
    return _bad("aws:iam/role:Role", name, {"name": name, "assumeRolePolicy": trust, **inputs}, arn=arn)


def _trusted(principal: object) -> Document:
    return _document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


_IAM: Final = (
    _role("open-role", _trusted({"AWS": "*"})),
    _role("account-role", _trusted({"AWS": [_ROOT]})),
    _role("strangers-role", _trusted({"AWS": [_STRANGER]})),
    _role("administrators-role", managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    _role("managers-role", managedPolicyArns=["arn:aws:iam::aws:policy/IAMFullAccess"]),
    _role(
        "workflows-role",
        _document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": _global_arn("iam", "oidc-provider/token.actions.githubusercontent.com")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:*"}},
            }
        ),
    ),
    *(
        _role(f"role-with-{grant}", inlinePolicies=[{"name": grant, "policy": document}])
        for grant, document in _GRANTS.items()
    ),
    *(
        _bad(
            "aws:iam/rolePolicy:RolePolicy",
            f"policy-of-{grant}",
            {"name": grant, "role": Ref("account-role", "name"), "policy": document},
        )
        for grant, document in _GRANTS.items()
    ),
    *(
        _bad(
            "aws:iam/policy:Policy",
            f"managed-policy-of-{grant}",
            {"name": grant, "policy": document},
            arn=_global_arn("iam", f"policy/{grant}"),
        )
        for grant, document in _GRANTS.items()
    ),
    _bad("aws:iam/userLoginProfile:UserLoginProfile", "user-login", {"user": Ref("user", "name")}),
    _bad("aws:iam/user:User", "user", {"name": "user"}, arn=_global_arn("iam", "user/user")),
    _bad(
        "aws:iam/userPolicy:UserPolicy",
        "policy-of-a-user",
        {"name": "own", "user": Ref("user", "name"), "policy": _GRANTS["writing"]},
    ),
    *(
        given
        for grant, document in _GRANTS.items()
        for given in (
            _bad(
                "aws:iam/user:User",
                f"user-with-{grant}",
                {"name": f"user-with-{grant}"},
                arn=_global_arn("iam", f"user/{grant}"),
            ),
            _bad(
                "aws:iam/userPolicy:UserPolicy",
                f"user-policy-of-{grant}",
                {"name": grant, "user": Ref(f"user-with-{grant}", "name"), "policy": document},
            ),
            _bad(
                "aws:iam/group:Group",
                f"group-with-{grant}",
                {"name": f"group-with-{grant}"},
                arn=_global_arn("iam", f"group/{grant}"),
            ),
            _bad(
                "aws:iam/groupPolicy:GroupPolicy",
                f"group-policy-of-{grant}",
                {"name": grant, "group": Ref(f"group-with-{grant}", "name"), "policy": document},
            ),
        )
    ),
)

# --- Cognito

_COGNITO: Final = (
    _bad(
        "aws:cognito/userPool:UserPool",
        "users",
        {"name": "users", "mfaConfiguration": "OFF", "passwordPolicy": {"minimumLength": 6}},
        arn=_arn("cognito-idp", "userpool/users"),
    ),
    _bad(
        "aws:cognito/userPoolClient:UserPoolClient",
        "users-client",
        {"name": "users-client", "userPoolId": Ref("users", "id"), "explicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]},
    ),
    _bad(
        "aws:cognito/identityPool:IdentityPool",
        "guests",
        {"identityPoolName": "guests", "allowUnauthenticatedIdentities": True},
        arn=_arn("cognito-identity", "identitypool/guests"),
    ),
)

# --- network


def _open_rule(port: int, to_port: int | None = None, **others: object) -> Document:
    return {"protocol": "tcp", "fromPort": port, "toPort": to_port or port, "cidrBlocks": ["0.0.0.0/0"], **others}


def _group(name: str, **inputs: object) -> Given:
    base = {"name": name, "vpcId": Ref("vpc", "id")}
    return _bad(
        "aws:ec2/securityGroup:SecurityGroup", name, {**base, **inputs}, arn=_arn("ec2", f"security-group/{name}")
    )


_EVERY_PORT: Final = MappingProxyType({"fromPort": -1, "toPort": -1})
_OPEN_PORTS: Final = MappingProxyType({"ssh": 22, "rdp": 3389, "http": 80})

_NETWORK: Final = (
    _bad("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"}, arn=_arn("ec2", "vpc/vpc")),
    _bad(
        "aws:ec2/subnet:Subnet",
        "subnet",
        {"vpcId": Ref("vpc", "id"), "cidrBlock": "10.0.0.0/24", "mapPublicIpOnLaunch": True},
        arn=_arn("ec2", "subnet/subnet"),
    ),
    *(_group(f"group-open-to-{name}", ingress=[_open_rule(port)]) for name, port in _OPEN_PORTS.items()),
    _group("group-open-to-all", ingress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]),
    _group(
        "group-of-open-egress", egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]
    ),
    _group("group"),
    *(
        _bad(
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            f"rule-open-to-{name}",
            {
                "securityGroupId": Ref("group", "id"),
                "ipProtocol": "tcp",
                "fromPort": port,
                "toPort": port,
                "cidrIpv4": "0.0.0.0/0",
            },
        )
        for name, port in _OPEN_PORTS.items()
    ),
    _bad(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "rule-open-to-everything",
        {"securityGroupId": Ref("group", "id"), "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0", **_EVERY_PORT},
    ),
    _bad(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "rule-of-open-egress",
        {"securityGroupId": Ref("group", "id"), "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0", **_EVERY_PORT},
    ),
    _bad(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "endpoint",
        {"vpcId": Ref("vpc", "id"), "serviceName": f"com.amazonaws.{_REGION}.s3", "vpcEndpointType": "Gateway"},
    ),
)

# --- edge, audit, releases


def _distribution(name: str, **inputs: object) -> Given:
    base = {
        "enabled": True,
        "origins": [
            {
                "originId": "api",
                "domainName": "support.eu-west-1.elb.amazonaws.com",
                "customOriginConfig": {
                    "httpPort": 80,
                    "httpsPort": 443,
                    "originProtocolPolicy": "http-only",
                    "originSslProtocols": ["SSLv3", "TLSv1"],
                },
            }
        ],
        "defaultCacheBehavior": {
            "targetOriginId": "api",
            "viewerProtocolPolicy": "allow-all",
            "allowedMethods": ["GET", "HEAD"],
            "cachedMethods": ["GET", "HEAD"],
        },
        "restrictions": {"geoRestriction": {"restrictionType": "none"}},
    }
    arn = _global_arn("cloudfront", f"distribution/{name}")
    return _bad("aws:cloudfront/distribution:Distribution", name, {**base, **inputs}, arn=arn)


_EDGE: Final = (
    _distribution("edge", viewerCertificate={"cloudfrontDefaultCertificate": True}),
    _distribution(
        "edge-of-old-tls",
        viewerCertificate={
            "acmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
            "minimumProtocolVersion": "TLSv1",
            "sslSupportMethod": "sni-only",
        },
        orderedCacheBehaviors=[
            {
                "pathPattern": "/old/*",
                "targetOriginId": "api",
                "viewerProtocolPolicy": "allow-all",
                "allowedMethods": ["GET", "HEAD"],
                "cachedMethods": ["GET", "HEAD"],
            }
        ],
    ),
    _distribution("edge-switched-off", enabled=False, viewerCertificate={"cloudfrontDefaultCertificate": True}),
    _distribution(
        "edge-of-open-bucket",
        origins=[{"originId": "api", "domainName": Ref("bucket", "bucketRegionalDomainName")}],
        viewerCertificate={"cloudfrontDefaultCertificate": True},
    ),
    _bad(
        "aws:wafv2/webAcl:WebAcl",
        "firewall-without-rules",
        {
            "name": "firewall-without-rules",
            "scope": "REGIONAL",
            "defaultAction": {"allow": {}},
            "visibilityConfig": {
                "cloudwatchMetricsEnabled": False,
                "metricName": "firewall",
                "sampledRequestsEnabled": False,
            },
        },
        arn=_arn("wafv2", "regional/webacl/firewall-without-rules/2"),
    ),
    _bad(
        "aws:wafv2/webAclAssociation:WebAclAssociation",
        "firewall-of-the-stage",
        {"resourceArn": Ref("api-bare-stage"), "webAclArn": Ref("firewall")},
    ),
    _bad(
        "aws:wafv2/webAcl:WebAcl",
        "firewall",
        {
            "name": "firewall",
            "scope": "REGIONAL",
            "defaultAction": {"allow": {}},
            "rules": [
                {
                    "name": "idle",
                    "priority": 1,
                    "statement": {"geoMatchStatement": {"countryCodes": ["IT"]}},
                    "visibilityConfig": {
                        "cloudwatchMetricsEnabled": False,
                        "metricName": "idle",
                        "sampledRequestsEnabled": False,
                    },
                }
            ],
            "visibilityConfig": {
                "cloudwatchMetricsEnabled": False,
                "metricName": "firewall",
                "sampledRequestsEnabled": False,
            },
        },
        arn=_arn("wafv2", "regional/webacl/firewall/1"),
    ),
    _bad(
        "aws:cloudtrail/trail:Trail",
        "trail",
        {
            "name": "trail",
            "s3BucketName": Ref("bucket", "id"),
            "enableLogFileValidation": False,
            "isMultiRegionTrail": False,
            "includeGlobalServiceEvents": False,
        },
        arn=_arn("cloudtrail", "trail/trail"),
    ),
    _bad(
        "aws:cloudtrail/trail:Trail",
        "trail-switched-off",
        {"name": "switched-off", "s3BucketName": Ref("bucket", "id"), "enableLogging": False},
        arn=_arn("cloudtrail", "trail/switched-off"),
    ),
    _bad("aws:codedeploy/application:Application", "releases", {"name": "releases", "computePlatform": "Lambda"}),
    _bad(
        "aws:codedeploy/deploymentGroup:DeploymentGroup",
        "release",
        {
            "appName": Ref("releases", "name"),
            "deploymentGroupName": "release",
            "serviceRoleArn": Ref("open-role"),
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
        },
    ),
)

BAD_STACK: Final[tuple[Given, ...]] = (*_API, *_LAMBDA, *_MESSAGES, *_DATA, *_IAM, *_COGNITO, *_NETWORK, *_EDGE)
"""All of it."""
