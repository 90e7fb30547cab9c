"""Whether a policy closes its resource to plain HTTP: what counts, and what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.documents import denies_plain_http
from policies.values import Unknown

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
PLAIN = {"Bool": {"aws:SecureTransport": "false"}}
DENIAL = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE, "Condition": PLAIN}


def denies(*statements: object, **wanted: Any) -> bool | Unknown:
    return denies_plain_http({"Version": "2012-10-17", "Statement": list(statements)}, "policy", **wanted)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*"]}},
        {"Action": "*"},
        {"Action": ["sqs:SendMessage", "SQS:*"]},
        {"Condition": {"Bool": {"AWS:securetransport": [False]}}},
        {"Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}},
        {"Resource": "*"},
    ],
)
def test_a_denial_of_plain_http_counts_however_it_is_written(changes: dict[str, object]) -> None:
    assert denies({**DENIAL, **changes}, resources=[QUEUE]) is True
    assert denies_plain_http(json.dumps({"Statement": {**DENIAL, **changes}}), "policy", resources=[QUEUE]) is True


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "123456789012"}},
        {"Principal": {"Service": "*"}},
        {"Action": "sqs:SendMessage"},
        {"Action": "sqs:Send*"},
        {"Action": "sqs"},
        {"Action": []},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": ["true", "false"]}}},
        {"Condition": {**PLAIN, "StringEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"Bool": {**PLAIN["Bool"], "aws:ViaAWSService": "false"}}},
        {"Condition": {"Null": {"aws:SecureTransport": "false"}}},
        {"Resource": f"{QUEUE}-dlq"},
        {"Resource": []},
        {"NotPrincipal": {"AWS": "123456789012"}, "Principal": None},
        {"NotAction": "sqs:SendMessage", "Action": None},
    ],
)
def test_what_denies_less_does_not_count(changes: dict[str, object]) -> None:
    assert denies({**DENIAL, **changes}, resources=[QUEUE]) is False


def test_several_statements_deny_together_what_each_does_for_a_part() -> None:
    bucket, objects = "arn:aws:s3:::orders", "arn:aws:s3:::orders/*"
    one, other = ({**DENIAL, "Action": "s3:*", "Resource": each} for each in (bucket, objects))
    assert denies(one, resources=[bucket, objects]) is False
    assert denies(one, other, resources=[bucket, objects]) is True


def test_a_service_that_takes_no_wildcard_is_closed_by_what_it_is_called_with() -> None:
    denial = {**DENIAL, "Action": "sns:Publish", "Resource": TOPIC}
    assert denies(denial) is False
    assert denies(denial, actions=["sns:Publish"]) is True
    assert denies(denial, actions=["sns:Publish", "sns:Subscribe"]) is False
    assert denies({**denial, "Action": "SNS:*"}, actions=["sns:Publish", "sns:Subscribe"]) is True


@pytest.mark.parametrize("element", ["Effect", "Principal", "Action", "Resource", "Condition"])
def test_a_denial_that_is_not_known_in_part_is_neither_there_nor_missing(element: str) -> None:
    assert isinstance(denies({**DENIAL, element: Unknown("policy")}), Unknown)
    assert denies({**DENIAL, element: Unknown("policy")}, DENIAL) is True


@pytest.mark.parametrize("value", ["", "not JSON", "[]", 7, None, {"Statement": 7}, {"Statement": [None]}, {}])
def test_what_is_no_document_denies_nothing(value: object) -> None:
    assert denies_plain_http(value, "policy") is False
