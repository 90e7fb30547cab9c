"""Wider access is told, the same access is not, and what cannot be judged is said to be so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.provider.values import UNKNOWN
from harness.review.access import Permission, widened
from harness.review.opened import opened

ACTIONS = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:*", "s3:GetObject", "*"]
RESOURCES = ["arn:aws:sqs:eu-central-1:1:a", "arn:aws:sqs:eu-central-1:1:*", "*"]
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.just("Allow"),
        "Action": st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True),
        "Resource": st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2, unique=True),
    }
)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: Any = "sqs:SendMessage", resource: Any = RESOURCES[0], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@given(st.lists(STATEMENTS, max_size=3), st.randoms(use_true_random=False))
def test_the_same_statements_in_another_order_open_nothing(statements: list[Any], random: Any) -> None:
    shuffled = [{**s, "Action": random.sample(s["Action"], len(s["Action"]))} for s in statements]
    random.shuffle(shuffled)
    assert widened(document(*statements), document(*shuffled)) == ()


@given(st.lists(STATEMENTS, max_size=3), STATEMENTS)
def test_fewer_statements_open_nothing_and_more_open_what_no_other_covers(statements: list[Any], more: Any) -> None:
    assert widened(document(*statements, more), document(*statements)) == ()
    told = widened(document(*statements), document(*statements, more))
    new = {(action, resource) for action in more["Action"] for resource in more["Resource"]}
    covered = {
        (action, resource)
        for action, resource in new
        for s in statements
        if any(
            Permission("", a, r, "").covers(Permission("", action, resource, ""))
            for a in s["Action"]
            for r in s["Resource"]
        )
    }
    assert bool(told) is (new != covered)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (allow(), allow(["sqs:SendMessage", "sqs:DeleteQueue"]), "now allows sqs:DeleteQueue on arn"),
        (allow(), allow("sqs:*"), "now allows sqs:* on"),
        (allow("sqs:*"), allow("SQS:sendmessage"), ""),
        (allow(), allow(resource="*"), "now allows sqs:SendMessage on *"),
        (allow(resource="arn:aws:sqs:*"), allow(), ""),
        (allow(resource="arn:aws:sqs:?"), allow(resource="arn:aws:sqs:*"), "on arn:aws:sqs:*"),
        (allow(Principal={"AWS": "a"}), allow(Principal={"AWS": ["a", "b"]}), "to AWS:b"),
        (allow(Principal={"AWS": "a"}), allow(Principal="*"), "to anyone"),
        (allow(Principal="*"), allow(Principal={"AWS": "a"}), ""),
        (allow(Condition={"Bool": {"a": "true"}}), allow(), "now allows sqs:SendMessage"),
        (allow(), allow(Condition={"Bool": {"a": "true"}}), ""),
        (
            allow(Condition={"ArnLike": {"aws:SourceArn": "x"}}),
            allow(Condition={"ArnLike": {"aws:SourceArn": ["x", "y"]}}),
            'if {"ArnLike"',
        ),
        (
            allow(Condition={"ArnLike": {"aws:SourceArn": ["x", "y"]}}),
            allow(Condition={"ArnLike": {"aws:SourceArn": "x"}, "Bool": {"a": "true"}}),
            "",
        ),
        (allow(Effect="Deny"), allow(Effect="Deny", Action="sqs:ReceiveMessage"), "no longer denies sqs:SendMessage"),
        (allow(), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "by exclusion"),
        ({"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}, allow(Effect="Deny"), "no longer denies: {"),
    ],
)
def test_a_statement_that_changes(old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    found = widened(document(old), document(new))
    assert (told in found[0]) if told else found == ()


@pytest.mark.parametrize(("new", "told"), [(UNKNOWN, "not known before"), ("[", "look at it"), ("[1]", "look at it")])
def test_what_cannot_be_judged_is_never_passed(new: str, told: str) -> None:
    assert told in widened(document(allow()), new)[0]


def test_a_new_document_tells_all_that_it_allows_and_one_that_goes_what_it_denied() -> None:
    assert "now allows sqs:SendMessage" in widened(None, document(allow()))[0]
    assert widened(document(allow()), None) == ()
    assert "no longer denies" in widened(document(allow(Effect="Deny")), None)[0]


def api(**operations: Any) -> str:
    return json.dumps({"paths": {"/tickets": operations}})


CLOSED: dict[str, Any] = {"security": [{"customers": []}]}
ADMINISTERED = {"adminCreateUserConfig": {"allowAdminCreateUserOnly": True}}
GROUP = "ec2/securityGroup:SecurityGroup"
API = "apigateway/restApi:RestApi"
RULE = {"protocol": "tcp", "fromPort": 443, "toPort": 443}


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        (
            "ec2/securityGroup:SecurityGroup",
            {"ingress": []},
            {"ingress": [RULE | {"cidrBlocks": ["0.0.0.0/0"]}]},
            "(anyone)",
        ),
        (GROUP, {"ingress": [RULE]}, {"ingress": [RULE | {"description": "x"}]}, ""),
        (GROUP, {"egress": []}, {"egress": UNKNOWN}, "not known before"),
        (
            "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {},
            RULE | {"cidrIpv4": "10.0.0.0/8"},
            "lets in tcp 443",
        ),
        ("vpc/securityGroupEgressRule:SecurityGroupEgressRule", RULE, {}, ""),
        ("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"blockPublicAcls": True}, {}, "blockPublicAcls"),
        (
            "cognito/userPool:UserPool",
            {"adminCreateUserConfig": {"allowAdminCreateUserOnly": True}},
            {},
            "anyone may sign up",
        ),
        ("lambda/permission:Permission", {}, {"principal": "*", "functionName": "f"}, "* may call f from anywhere"),
        ("lambda/functionUrl:FunctionUrl", {}, {"authorizationType": "NONE"}, "anyone"),
        ("iam/rolePolicyAttachment:RolePolicyAttachment", {}, {"role": "r", "policyArn": "a"}, "r gets all of a"),
        (
            "ec2/vpcEndpoint:VpcEndpoint",
            {"policy": document(allow(Principal="*"))},
            {"vpcId": "v"},
            "now allows * on *",
        ),
        ("ec2/route:Route", {}, {"destinationCidrBlock": "0.0.0.0/0"}, "internet"),
        (API, {"body": api(get=CLOSED)}, {"body": api(get={})}, "GET /tickets asks nobody"),
        (
            "apigateway/restApi:RestApi",
            {"body": api(get=CLOSED)},
            {"body": api(get=CLOSED, post={})},
            "POST /tickets asks",
        ),
        (API, {"body": api(get=CLOSED)}, {"body": api(get=CLOSED, options={})}, ""),
        (API, {"body": api(get=CLOSED)}, {"body": UNKNOWN}, "not known before"),
    ],
)
def test_what_opens_otherwise(kind: str, old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    found = list(opened(f"aws:{kind}", old, new))
    assert (told in found[0]) if told else found == []
