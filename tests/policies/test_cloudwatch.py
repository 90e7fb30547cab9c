"""Alarms: whose dead letters they show, and by what ways they are heard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import cloudwatch

if TYPE_CHECKING:
    from policies.rule import Rule

ARN = "arn:aws:sqs:eu-west-1:123456789012:"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


def _told(rule: Rule, *stack: Given) -> list[str]:
    return [each.message for each in Analyzer().judge(judged(stack)) if each.rule == rule.id]


def _queue(name: str, **inputs: Any) -> Given:
    return Given(cloudwatch.QUEUE, name, {"name": name, **inputs}, {"arn": f"{ARN}{name}", "name": name})


def _alarm(name: str = "alarm", **inputs: Any) -> Given:
    common = {"name": name, "comparisonOperator": "GreaterThanThreshold", "threshold": 0, "alarmActions": [TOPIC]}
    return Given(cloudwatch.ALARM, name, {**common, **inputs}, {"name": name})


def _on(queue: object, metric: str = "ApproximateNumberOfMessagesVisible", **inputs: Any) -> Given:
    return _alarm(**{"namespace": "AWS/SQS", "metricName": metric, "dimensions": {"QueueName": queue}, **inputs})


DEAD = _queue("dead")
REDRIVE = json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": 3})


@pytest.mark.parametrize(
    "sender",
    [
        _queue("work", redrivePolicy=REDRIVE),
        Given("aws:sqs/redrivePolicy:RedrivePolicy", "redrive", {"queueUrl": "https://q", "redrivePolicy": REDRIVE}),
        Given("aws:sns/topicSubscription:TopicSubscription", "sub", {"redrivePolicy": REDRIVE}),
        Given("aws:lambda/function:Function", "f", {"deadLetterConfig": {"targetArn": f"{ARN}dead"}}),
        Given(
            "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
            "invoke",
            {"destinationConfig": {"onFailure": {"destination": f"{ARN}dead"}}},
        ),
        Given(
            "aws:lambda/eventSourceMapping:EventSourceMapping",
            "mapping",
            {"destinationConfig": {"onFailure": {"destinationArn": Ref("dead")}}},
        ),
        Given("aws:cloudwatch/eventTarget:EventTarget", "target", {"deadLetterConfig": {"arn": Ref("dead")}}),
        Given("aws:scheduler/schedule:Schedule", "s", {"target": {"deadLetterConfig": {"arn": Ref("dead")}}}),
    ],
    ids=lambda sender: sender.type,
)
def test_a_queue_is_where_failures_end_whoever_sends_them(sender: Given) -> None:
    (message,) = _told(cloudwatch.DEAD_LETTER_ALARMS, DEAD, sender)
    assert "no alarm that is heard" in message
    assert _told(cloudwatch.DEAD_LETTER_ALARMS, DEAD, sender, _on("dead")) == []


WORK = _queue("work", redrivePolicy=REDRIVE)


@pytest.mark.parametrize(
    "alarm",
    [
        _on("dead", threshold=11),
        _on("dead", comparisonOperator="LessThanThreshold"),
        _on("dead", metric="NumberOfMessagesSent"),
        _on("dead", metric="ApproximateAgeOfOldestMessage", threshold=86_400),
        _on("dead", alarmActions=[]),
        _on("dead", actionsEnabled=False),
        _on("work"),
        _on("dead", namespace="AWS/SNS"),
    ],
)
def test_an_alarm_that_cannot_tell_in_time_is_none(alarm: Given) -> None:
    assert len(_told(cloudwatch.DEAD_LETTER_ALARMS, WORK, DEAD, alarm)) == 1


def test_an_alarm_on_a_queue_that_does_not_exist_yet_is_known_by_its_origin() -> None:
    dead = Given(cloudwatch.QUEUE, "dead", {"name": UNKNOWN}, {"arn": UNKNOWN, "name": UNKNOWN})
    sender = Given("aws:cloudwatch/eventTarget:EventTarget", "target", {"deadLetterConfig": {"arn": Ref("dead")}})
    assert _told(cloudwatch.DEAD_LETTER_ALARMS, dead, sender, _on(Ref("dead", "name"))) == []
    (message,) = _told(cloudwatch.DEAD_LETTER_ALARMS, dead, sender, _on(UNKNOWN))
    assert "cannot judge" in message


def _sum(*queues: str, threshold: float = 1) -> Given:
    metrics = [
        {
            "id": f"m{number}",
            "metric": {
                "namespace": "AWS/SQS",
                "metricName": "ApproximateNumberOfMessagesVisible",
                "dimensions": {"QueueName": queue},
            },
        }
        for number, queue in enumerate(queues)
    ]
    return _alarm(metricQueries=[*metrics, {"id": "sum", "expression": "SUM(METRICS())"}], threshold=threshold)


def test_one_alarm_may_add_several_queues_up() -> None:
    assert _told(cloudwatch.DEAD_LETTER_ALARMS, WORK, DEAD, _sum("another", "dead")) == []
    assert _told(cloudwatch.DEAD_LETTER_ALARMS, WORK, DEAD, _sum("another"))
    assert _told(cloudwatch.DEAD_LETTER_ALARMS, WORK, DEAD, _sum("dead", threshold=500))


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ('SELECT MAX(ApproximateNumberOfMessagesVisible) FROM SCHEMA("AWS/SQS", QueueName)', True),
        ("SELECT MAX(ApproximateNumberOfMessagesVisible) FROM \"AWS/SQS\" WHERE QueueName = 'dead'", True),
        ("SELECT MAX(ApproximateNumberOfMessagesVisible) FROM \"AWS/SQS\" WHERE QueueName = 'work'", False),
        ('SELECT SUM(NumberOfMessagesSent) FROM SCHEMA("AWS/SQS", QueueName)', False),
    ],
)
def test_a_query_may_ask_for_every_queue(expression: str, *, shown: bool) -> None:
    alarm = _alarm(metricQueries=[{"id": "q", "expression": expression}])
    assert (_told(cloudwatch.DEAD_LETTER_ALARMS, WORK, DEAD, alarm) == []) is shown


# --- who hears it


def _composite(name: str, rule: object, **inputs: Any) -> Given:
    return Given(cloudwatch.COMPOSITE_ALARM, name, {"alarmName": name, "alarmRule": rule, **inputs})


def test_an_alarm_is_heard_by_a_composite_alarm_that_acts() -> None:
    silent = _alarm("late", alarmActions=[])
    acts = {"alarmActions": [TOPIC]}
    assert _told(cloudwatch.ACTIONS, silent, _composite("all", 'ALARM("late") OR ALARM(other)', **acts)) == []
    assert len(_told(cloudwatch.ACTIONS, silent, _composite("all", "ALARM(later)", **acts))) == 1
    # Neither of the two is heard.
    assert len(_told(cloudwatch.ACTIONS, silent, _composite("all", "ALARM(late)"))) == 2
    assert (
        _told(cloudwatch.ACTIONS, silent, _composite("all", "ALARM(late)"), _composite("top", "ALARM(all)", **acts))
        == []
    )


def test_composite_alarms_that_listen_to_each_other_are_heard_by_nobody() -> None:
    assert len(_told(cloudwatch.ACTIONS, _composite("a", "ALARM(b)"), _composite("b", "ALARM(a)"))) == 2


def test_an_alarm_is_heard_by_a_deployment_that_it_stops() -> None:
    group = Given(cloudwatch.DEPLOYMENT_GROUP, "g", {"alarmConfiguration": {"enabled": True, "alarms": ["late"]}})
    assert _told(cloudwatch.ACTIONS, _alarm("late", alarmActions=[]), group) == []


def test_an_action_that_is_not_known_yet_passes_if_it_is_made_from_what_takes_alarms() -> None:
    topic = Given("aws:sns/topic:Topic", "alarms", {}, {"arn": UNKNOWN})
    assert _told(cloudwatch.ACTIONS, topic, _alarm(alarmActions=[Ref("alarms")])) == []
    (message,) = _told(cloudwatch.ACTIONS, topic, _alarm(alarmActions=[UNKNOWN]))
    assert "cannot judge" in message
