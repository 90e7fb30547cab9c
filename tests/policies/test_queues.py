"""SQS and SNS: what the examples of the rules do not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, Told, judged
from policies.rule import Given, Ref, Rule
from policies.rules import sns
from policies.rules.sqs import DEAD_LETTERS, RECEIVES, RETENTION, TLS_ONLY, VISIBILITY

QUEUE, REDRIVE = "aws:sqs/queue:Queue", "aws:sqs/redrivePolicy:RedrivePolicy"
QUEUE_POLICY, TOPIC, TOPIC_POLICY = (
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
)
FUNCTION, ALIAS = "aws:lambda/function:Function", "aws:lambda/alias:Alias"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
ARN, URL = "arn:aws:sqs:eu-west-1:123456789012:", "https://sqs.eu-west-1.amazonaws.com/123456789012/"
WORKER = "arn:aws:lambda:eu-west-1:123456789012:function:worker"


def queue(name: str, **inputs: Any) -> Given:
    return Given(QUEUE, name, {"name": name, **inputs}, {"arn": f"{ARN}{name}", "url": f"{URL}{name}"})


def unmade(name: str, **inputs: Any) -> Given:
    return Given(QUEUE, name, inputs, {"arn": UNKNOWN, "url": UNKNOWN})


def redrive(to: str, count: object = 5) -> str:
    return json.dumps({"deadLetterTargetArn": f"{ARN}{to}", "maxReceiveCount": count})


def told(rule: Rule, *given: Given) -> list[Told]:
    return [each for each in Analyzer().judge(judged(given)) if each.rule == rule.id]


def refuses(rule: Rule, *given: Given) -> list[str]:
    """Names of the resources that a rule refuses; it may not be unable to judge any."""
    found = told(rule, *given)
    assert not [each for each in found if each.unknown]
    return [each.urn.rpartition("::")[2] for each in found]


def cannot_judge(rule: Rule, *given: Given) -> bool:
    """Whether a rule cannot judge a stack; it may not refuse it."""
    found = told(rule, *given)
    assert all(each.unknown for each in found)
    return bool(found)


def test_a_queue_is_no_dead_letter_queue_of_its_own() -> None:
    assert refuses(DEAD_LETTERS, queue("orders", redrivePolicy=redrive("orders"))) == ["orders"]


def test_a_dead_letter_queue_that_is_not_made_yet_is_known_by_what_names_it() -> None:
    dlq = unmade("dlq", messageRetentionSeconds=1_209_600)
    orders = unmade("orders", redrivePolicy=Ref("dlq"))
    assert not told(DEAD_LETTERS, dlq, orders)
    assert not told(RETENTION, dlq, orders)
    short = unmade("dlq", messageRetentionSeconds=345_600)
    assert refuses(RETENTION, short, orders) == ["dlq"]


def test_a_count_may_be_text_and_the_policy_a_resource_of_its_own() -> None:
    orders = queue("orders")
    own = Given(REDRIVE, "redrive", {"queueUrl": Ref("orders", "url"), "redrivePolicy": redrive("dlq", "4")})
    reader = Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": "worker"})
    assert not refuses(RECEIVES, orders, own, reader)
    once = Given(REDRIVE, "redrive", {"queueUrl": Ref("orders", "url"), "redrivePolicy": redrive("dlq", "1")})
    assert refuses(RECEIVES, orders, once, reader) == ["redrive"]
    assert not refuses(RECEIVES, orders, once)


def test_a_function_is_known_by_its_alias() -> None:
    worker = Given(FUNCTION, "worker", {"name": "worker", "timeout": 60}, {"arn": WORKER, "name": "worker"})
    alias = Given(ALIAS, "alias", {"name": "live", "functionName": Ref("worker", "name")}, {"arn": f"{WORKER}:live"})
    orders = queue("orders", visibilityTimeoutSeconds=359)
    for name in (Ref("alias"), f"{WORKER}:live", "worker"):
        reader = Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": name})
        assert refuses(VISIBILITY, worker, alias, orders, reader) == ["orders"]


def denial(service: str, action: str) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": [action],
        "Resource": f"arn:aws:{service}:eu-west-1:123456789012:it",
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.parametrize("action", ["sns:Publish", "SNS:Publish", "sns:*", "*"])
def test_a_topic_s_policy_denies_publishing_in_whatever_words(action: str) -> None:
    topic = Given(TOPIC, "it", {"name": "it"}, {"arn": "arn:aws:sns:eu-west-1:123456789012:it"})
    policy = Given(TOPIC_POLICY, "policy", {"arn": Ref("it"), "policy": denial("sns", action)})
    assert not refuses(sns.TLS_ONLY, topic, policy)
    other = Given(TOPIC_POLICY, "policy", {"arn": Ref("it"), "policy": denial("sns", "sns:Subscribe")})
    assert refuses(sns.TLS_ONLY, topic, other) == ["it"]


def test_a_policy_of_its_own_takes_the_place_of_what_a_queue_says() -> None:
    orders = queue("orders", policy=denial("sqs", "sqs:*"))
    assert not refuses(TLS_ONLY, orders)
    weak = Given(QUEUE_POLICY, "policy", {"queueUrl": Ref("orders", "url"), "policy": denial("sqs", "sqs:SendMessage")})
    assert refuses(TLS_ONLY, orders, weak) == ["orders"]
    unlinked = Given(QUEUE_POLICY, "policy", {"queueUrl": UNKNOWN, "policy": "{}"})
    assert cannot_judge(TLS_ONLY, orders, unlinked)
