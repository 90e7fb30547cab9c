"""Access that a change opens: by IAM documents, in networks, of buckets, by sign-up, permissions, the API's routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from harness.provider.values import has_unknowns, is_unknown
from harness.review import access

Properties = Mapping[str, Any]
Check = Callable[[Properties, Properties], Iterator[str]]
"""From the inputs before (empty for a new one) and after (empty for one that goes) to what is opened."""

DOCUMENTS: Final[Mapping[str, str]] = {
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:opensearch/domain:Domain": "accessPolicies",
    "aws:opensearch/domainPolicy:DomainPolicy": "accessPolicies",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
}
"""Type -> its property that holds an IAM policy."""

_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
_EVERYTHING: Final = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
_NETWORKS: Final = (
    "cidrIpv4",
    "cidrIpv6",
    "prefixListId",
    "referencedSecurityGroupId",
    "cidrBlocks",
    "ipv6CidrBlocks",
    "prefixListIds",
    "securityGroups",
    "sourceSecurityGroupId",
    "self",
)
_BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "x-amazon-apigateway-any-method"})


def opened(type_: str, old: Properties, new: Properties) -> Iterator[str]:
    """What the change of one resource opens."""
    document = DOCUMENTS.get(type_)
    # A new endpoint opens nothing by itself: what goes through it needs the rights of a role as well.
    first = type_ == _ENDPOINT and not old
    if document is not None and not first and old.get(document) != new.get(document):
        yield from (
            f"`{document}` {text}"
            for text in access.widened(_document(type_, old, document), _document(type_, new, document))
        )
    check = CHECKS.get(type_)
    if check is not None:
        yield from check(old, new)


def _document(type_: str, inputs: Properties, name: str) -> Any:
    """An endpoint without a policy lets everything through (VPC user guide, vpc-endpoints-access)."""
    if type_ == _ENDPOINT and inputs and not inputs.get(name):
        return _EVERYTHING
    return inputs.get(name)


def _group(old: Properties, new: Properties) -> Iterator[str]:
    for direction, words in (("ingress", "lets in"), ("egress", "lets out")):
        before = {_text(rule) for rule in old.get(direction) or ()}
        after = new.get(direction) or ()
        if is_unknown(after):
            yield f"`{direction}` is not known before the deployment: look at it there"
            continue
        for rule in after:
            if _text(rule) not in before:
                yield f"{words} {_rule(rule)}"


def _single_rule(words: str) -> Check:
    def check(old: Properties, new: Properties) -> Iterator[str]:
        if new and _without_texts(old) != _without_texts(new):
            yield f"{words} {_rule(new)}"

    return check


def _legacy_rule(old: Properties, new: Properties) -> Iterator[str]:
    yield from _single_rule("lets in" if new.get("type") == "ingress" else "lets out")(old, new)


def _rule(rule: Properties) -> str:
    protocol = str(rule.get("protocol") or rule.get("ipProtocol") or "any")
    first, last = rule.get("fromPort"), rule.get("toPort")
    ports = "" if protocol in {"-1", "all"} or first is None else f" {first}" if first == last else f" {first}-{last}"
    where = [str(item) for name in _NETWORKS for item in _listed(rule.get(name))]
    whom = ", ".join("not known before the deployment" if is_unknown(item) else item for item in where)
    anyone = " (anyone)" if {"0.0.0.0/0", "::/0"} & set(where) else ""
    return f"{'every protocol' if protocol in {'-1', 'all'} else protocol}{ports}: {whom or 'nobody'}{anyone}"


def _public_access(old: Properties, new: Properties) -> Iterator[str]:
    gone = [name for name in _BLOCKS if old.get(name) is True and new.get(name) is not True]
    if gone:
        yield f"public access is no longer blocked: {', '.join(gone)}"


def _permission(old: Properties, new: Properties) -> Iterator[str]:
    if not new or all(_same(old, new, name) for name in ("principal", "sourceArn", "sourceAccount", "functionName")):
        return
    source = new.get("sourceArn")
    bound = (
        "from anywhere" if source is None else "from what is not known yet" if is_unknown(source) else f"from {source}"
    )
    yield f"{new.get('principal')} may call {new.get('functionName')} {bound}"


def _attachment(old: Properties, new: Properties) -> Iterator[str]:
    if new and not _same(old, new, "policyArn"):
        yield f"{new.get('role') or new.get('user') or new.get('group')} gets all of {new.get('policyArn')}"


def _function_url(old: Properties, new: Properties) -> Iterator[str]:
    if new.get("authorizationType") == "NONE" != old.get("authorizationType"):
        yield "anyone may call it by its URL"


def _pool(old: Properties, new: Properties) -> Iterator[str]:
    def closed(inputs: Properties) -> bool:
        return (inputs.get("adminCreateUserConfig") or {}).get("allowAdminCreateUserOnly") is True

    if old and closed(old) and not closed(new):
        yield "anyone may sign up"


def _pool_client(old: Properties, new: Properties) -> Iterator[str]:
    if old:
        come = sorted(set(new.get("explicitAuthFlows") or ()) - set(old.get("explicitAuthFlows") or ()))
        if come:
            yield f"also lets sign in by {', '.join(come)}"


def _route(old: Properties, new: Properties) -> Iterator[str]:
    for name in ("destinationCidrBlock", "destinationIpv6CidrBlock"):
        if new.get(name) in {"0.0.0.0/0", "::/0"} and not _same(old, new, name):
            yield "a way to the internet"


def _api(old: Properties, new: Properties) -> Iterator[str]:
    """Operations of the OpenAPI document that nobody has to prove who they are for."""
    body = new.get("body")
    if not new or old.get("body") == body:
        return
    if body is None or has_unknowns(body):
        yield "`body` is not known before the deployment: look there at who may call what"
        return
    before, after = _operations(old.get("body")), _operations(body)
    for operation, schemes in after.items():
        known = before.get(operation)
        if not schemes and known != frozenset():
            yield f"{operation} asks nobody who they are" + ("" if known is None else ", and did before")
        elif known and schemes - known:
            yield f"{operation} also lets in by {', '.join(sorted(schemes - known))}"
    yield from (
        f"`x-amazon-apigateway-policy` {text}"
        for text in access.widened(_parsed(old.get("body")).get(_POLICY), _parsed(body).get(_POLICY))
    )


_POLICY: Final = "x-amazon-apigateway-policy"


def _operations(body: Any) -> dict[str, frozenset[str]]:
    """Operation -> the names of the schemes that it accepts; none: it is open."""
    return {
        f"{method.upper()} {path}": frozenset(name for scheme in operation.get("security") or () for name in scheme)
        for path, item in _parsed(body).get("paths", {}).items()
        for method, operation in item.items()
        if method in _METHODS
    }


def _parsed(body: Any) -> dict[str, Any]:
    if is_unknown(body) or body is None:
        return {}
    found = json.loads(body) if isinstance(body, str) else body
    return found if isinstance(found, dict) else {}


CHECKS: Final[Mapping[str, Check]] = {
    "aws:apigateway/restApi:RestApi": _api,
    "aws:cognito/userPool:UserPool": _pool,
    "aws:cognito/userPoolClient:UserPoolClient": _pool_client,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _group,
    "aws:ec2/route:Route": _route,
    "aws:ec2/securityGroup:SecurityGroup": _group,
    "aws:ec2/securityGroupRule:SecurityGroupRule": _legacy_rule,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _attachment,
    "aws:lambda/functionUrl:FunctionUrl": _function_url,
    "aws:lambda/permission:Permission": _permission,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _public_access,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _single_rule("lets out"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _single_rule("lets in"),
}
"""Type -> what to look at in its inputs."""


def _same(old: Properties, new: Properties, name: str) -> bool:
    return old.get(name) == new.get(name) and not is_unknown(new.get(name))


def _without_texts(inputs: Properties) -> dict[str, Any]:
    return {
        name: value for name, value in inputs.items() if name not in {"description", "tags", "region", "__defaults"}
    }


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = {name: item for name, item in value.items() if name != "description"}
    return json.dumps(value, sort_keys=True, default=str)


def _listed(value: Any) -> list[Any]:
    return [] if value in (None, False) else value if isinstance(value, list) else [value]
