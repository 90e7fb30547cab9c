"""No wildcard grants: what the rules refuse, let pass, and say they cannot judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.policies.conftest import Engine, Given

    Document = Callable[..., str]

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
QUEUE_POLICY, KEY = "aws:sqs/queuePolicy:QueuePolicy", "aws:kms/key:Key"
PERMISSION, REST_API = "aws:lambda/permission:Permission", "aws:apigateway/restApi:RestApi"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:000000000000:table/support-local-tickets"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:000000000000:support-local-tickets"
ROOT = "arn:aws:iam::000000000000:root"


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE_ARN, **elements}


def attached(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE_ARN, **elements}


@pytest.mark.parametrize(
    "statement",
    [
        allow(),
        allow(Action=["dynamodb:GetItem", "dynamodb:Query"], Resource=[TABLE_ARN, f"{TABLE_ARN}/index/*"]),
        allow(Action=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource="*"),
        allow(Action="s3:GetObject", Resource="arn:aws:s3:::support-local-knowledge-base/kb/*"),
        allow(Action="logs:PutLogEvents", Resource="arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/a:*"),
        allow(Action="states:DescribeExecution", Resource="arn:aws:states:eu-west-1:000000000000:execution:workflow:*"),
        allow(Action="bedrock:InvokeModel", Resource="arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan"),
        allow(Action=["ec2:CreateNetworkInterface"], Resource="arn:aws:ec2:eu-west-1:000000000000:*/*"),
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    ],
)
def test_a_grant_that_names_actions_and_resources_passes(
    engine: Engine, document: Document, statement: dict[str, Any]
) -> None:
    assert engine.judge(ROLE_POLICY, {"role": "r", "policy": document(statement)}) == []


@pytest.mark.parametrize(
    ("statement", "rule", "path"),
    [
        (allow(Action="*"), "iam-action", "policy.Statement[0].Action"),
        (allow(Action="dynamodb:*"), "iam-action", "policy.Statement[0].Action"),
        (allow(Action=["dynamodb:GetItem", "s3:Get*"]), "iam-action", "policy.Statement[0].Action"),
        (allow(Resource="*"), "iam-resource", "policy.Statement[0].Resource"),
        (allow(Action=["xray:PutTraceSegments", "sqs:SendMessage"], Resource="*"), "iam-resource", "sqs:SendMessage"),
        (allow(Resource="arn:aws:dynamodb:eu-west-1:000000000000:table/*"), "iam-resource", "every resource"),
        (allow(Resource="arn:aws:dynamodb:*:000000000000:table/t"), "iam-resource", "any service, region or account"),
        (allow(Resource="arn:aws:s3:::*"), "iam-resource", "every resource"),
        (allow(Resource="tickets"), "iam-resource", "no ARN"),
        (allow(Action="ec2:RunInstances", Resource="arn:aws:ec2:eu-west-1:000000000000:*/*"), "iam-resource", "every"),
        (allow(Action="ec2:DeleteNetworkInterface", Resource="arn:aws:ec2:*:*:*/*"), "iam-resource", "any service"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE_ARN}, "iam-negation", "NotAction"),
        ({"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": TABLE_ARN}, "iam-negation", "NotResource"),
    ],
)
def test_a_wildcard_grant_of_a_role_is_refused_with_its_place_and_mend(
    engine: Engine, document: Document, statement: dict[str, Any], rule: str, path: str
) -> None:
    (message,) = engine.violations(ROLE_POLICY, {"role": "r", "policy": document(statement)})
    assert rule in message
    assert path in message
    assert "Mend: " in message
    assert "https://docs.aws.amazon.com/" in message


@pytest.mark.parametrize(
    "policy",
    [
        "not json",
        "[]",
        json.dumps({"Version": "2012-10-17"}),
        json.dumps({"Statement": [allow()]}),
        json.dumps({"Version": "2012-10-17", "Statement": ["x"]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow(Effect="allow")]}),
        json.dumps({"Version": "2012-10-17", "Statement": [{**allow(), "Ressource": "*"}]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow(Action=[])]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow(Action=7)]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow(Resource=None)]}),
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage"}]}),
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": TABLE_ARN}]}),
        None,
    ],
)
def test_a_document_that_is_wrong_is_a_finding_and_never_a_pass(engine: Engine, policy: str | None) -> None:
    violations = engine.violations(ROLE_POLICY, {"role": "r", "policy": policy})
    assert violations
    assert all("iam-document" in message for message in violations)


@each(st.text())
def test_no_text_is_taken_for_a_document_unless_it_is_one(engine: Engine, text: str) -> None:
    assert engine.violations(ROLE_POLICY, {"role": "r", "policy": text})


def test_an_endpoint_needs_a_policy_that_names_who_may_use_it(engine: Engine, document: Document) -> None:
    caller = {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/support-local-kb_search"}}
    assert engine.judge(ENDPOINT, {"policy": document(attached(Principal="*", Condition=caller))}) == []
    assert "iam-principal" in engine.violations(ENDPOINT, {"policy": document(attached(Principal="*"))})[0]
    assert "iam-document" in engine.violations(ENDPOINT, {})[0]


def test_a_document_given_as_an_object_is_judged_too(engine: Engine) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(Action="*")]}
    assert "iam-action" in engine.violations(ROLE_POLICY, {"role": "r", "policy": policy})[0]


def test_an_unknown_document_is_a_finding_of_its_own(engine: Engine, unknown: str) -> None:
    (message,) = engine.unjudged(ROLE_POLICY, {"role": "r", "policy": unknown})
    assert "cannot judge `policy`" in message


def test_of_a_document_known_in_part_the_rest_is_judged(engine: Engine, unknown: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(Action="*", Resource=unknown)]}
    found = engine.judge(ROLE_POLICY, {"role": "r", "policy": policy})
    assert [each.policy for each in found] == ["no-wildcard-grants", "cannot-judge"]
    assert "iam-action" in found[0].message
    assert "policy.Statement[0].Resource" in found[1].message


def test_a_secret_document_is_judged_like_any_other(
    engine: Engine, document: Document, secret: Callable[[object], dict[str, object]]
) -> None:
    assert engine.violations(ROLE_POLICY, {"role": "r", "policy": secret(document(allow(Action="*")))})
    assert engine.judge(ROLE_POLICY, {"role": "r", "policy": secret(document(allow()))}) == []


def test_a_role_may_be_taken_by_whom_it_names_and_by_nobody_else(engine: Engine, document: Document) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    assert engine.judge(ROLE, {"assumeRolePolicy": document(trust)}) == []
    for anybody in ("*", {"AWS": "*"}, {"AWS": [ROOT, "*"]}):
        violations = engine.violations(ROLE, {"assumeRolePolicy": document({**trust, "Principal": anybody})})
        assert "iam-principal" in violations[0]


def test_inline_and_managed_policies_of_a_role_are_judged(engine: Engine, document: Document, unknown: str) -> None:
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}})
    inline = [{"name": "a", "policy": document(allow(Action="*"))}]
    managed = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    violations = engine.violations(
        ROLE, {"assumeRolePolicy": trust, "inlinePolicies": inline, "managedPolicyArns": managed}
    )
    assert [message.split("\n")[1].split(" ")[0] for message in violations] == ["iam-managed-policy", "iam-action"]
    assert engine.unjudged(ROLE, {"assumeRolePolicy": trust, "inlinePolicies": [{"name": "a", "policy": unknown}]})
    assert engine.unjudged(ROLE, {"assumeRolePolicy": trust, "inlinePolicies": unknown})
    assert engine.unjudged(ROLE, {"assumeRolePolicy": trust, "managedPolicyArns": unknown})


def test_of_awss_own_policies_only_the_one_for_the_gateways_logs_is_attached(engine: Engine) -> None:
    attachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    logs = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    assert engine.judge(attachment, {"role": "r", "policyArn": logs}) == []
    assert engine.judge(attachment, {"role": "r", "policyArn": "arn:aws:iam::000000000000:policy/own"}) == []
    assert engine.violations(attachment, {"role": "r", "policyArn": "arn:aws:iam::aws:policy/AmazonSQSFullAccess"})


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnEquals": {"aws:SourceArn": TABLE_ARN}},
        {"StringEquals": {"AWS:SourceAccount": "000000000000"}},
        {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*/ou-2/*"}},
    ],
)
def test_anybody_is_let_in_under_a_condition_that_bounds_who_it_is(
    engine: Engine, document: Document, condition: dict[str, Any]
) -> None:
    statement = attached(Principal="*", Condition=condition)
    assert engine.judge(QUEUE_POLICY, {"policy": document(statement)}) == []


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringLike": {"aws:PrincipalArn": "*"}},
        {"StringEqualsIfExists": {"aws:SourceAccount": "000000000000"}},
        {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringNotEquals": {"aws:SourceAccount": "000000000000"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    ],
)
def test_anybody_is_not_let_in_under_a_condition_that_bounds_nothing(
    engine: Engine, document: Document, condition: dict[str, Any] | None
) -> None:
    statement = attached(Principal={"AWS": "*"}, **({"Condition": condition} if condition else {}))
    (message,) = engine.violations(QUEUE_POLICY, {"policy": document(statement)})
    assert "iam-principal" in message


def test_a_queue_is_closed_to_plain_text_with_a_wildcard_that_denies(engine: Engine, document: Document) -> None:
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": QUEUE_ARN,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    assert engine.judge(QUEUE_POLICY, {"policy": document(tls_only)}) == []


def test_in_a_keys_policy_the_wildcard_resource_means_the_key(engine: Engine, document: Document) -> None:
    root = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    logs = {
        "Effect": "Allow",
        "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
        "Resource": "*",
        "Action": ["kms:Encrypt*", "kms:Decrypt*"],
    }
    good = {"policy": document(root, logs), "enableKeyRotation": True}
    assert engine.judge(KEY, good) == []
    everything = {**logs, "Action": "kms:*"}
    assert "iam-action" in engine.violations(KEY, {**good, "policy": document(everything)})[0]
    anybody = {**logs, "Principal": "*"}
    assert "iam-principal" in engine.violations(KEY, {**good, "policy": document(anybody)})[0]


def test_a_key_without_a_policy_of_its_own_is_administered_by_iam(engine: Engine) -> None:
    assert engine.judge(KEY, {"enableKeyRotation": True}) == []


def test_a_function_is_called_only_by_a_source_that_is_named(engine: Engine) -> None:
    service = {"action": "lambda:InvokeFunction", "function": "f", "principal": "apigateway.amazonaws.com"}
    arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/*/GET/tickets"
    assert engine.judge(PERMISSION, {**service, "sourceArn": arn}) == []
    assert "lambda-permission" in engine.violations(PERMISSION, service)[0]
    assert engine.violations(PERMISSION, {**service, "sourceArn": "*"})
    assert engine.violations(PERMISSION, {**service, "principal": "*"})
    assert engine.judge(PERMISSION, {**service, "principal": ROOT}) == []


def test_a_source_that_is_not_known_yet_is_settled_by_what_it_is_made_from(
    engine: Engine, given: type[Given], unknown: str
) -> None:
    properties = {"function": "f", "principal": "apigateway.amazonaws.com", "sourceArn": unknown}
    assert engine.judge(PERMISSION, properties) == []
    api = given(REST_API, "api", {"name": "api"})
    permission = given(PERMISSION, "permission", properties, {"sourceArn": ["api"]})
    assert engine.judge_stack(api, permission) == []
    (finding,) = engine.judge_stack(api, given(PERMISSION, "permission", properties))
    assert (finding.policy, finding.mandatory) == ("cannot-judge-stack", False)
    assert "`sourceArn`" in finding.message


def test_the_policy_inside_an_apis_document_is_judged(engine: Engine) -> None:
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [attached(Principal="*", Action="execute-api:Invoke", Resource="execute-api:/*")],
    }
    body = json.dumps({"openapi": "3.0.1", "paths": {}, "x-amazon-apigateway-policy": open_to_all})
    (message,) = engine.violations(REST_API, {"body": body})
    assert "body.x-amazon-apigateway-policy.Statement[0].Principal" in message
