"""Alarms of Amazon CloudWatch: that there is one where messages are given up, and that somebody hears it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies.answers import all_of, any_of
from policies.documents import json_object
from policies.limits import DEAD_LETTER_AGE, DEAD_LETTERS
from policies.links import texts, unexplained
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.settings import Settings
from policies.values import Unknown, look_all, look_through, look_up, many, unknowns
from policies.wants import OneOf, as_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.answers import Answer
    from policies.rule import Beside
    from policies.settings import Limit
    from policies.stack import Stack
    from policies.values import Resource, Value

ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM: Final = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
DEPLOYMENT_GROUP: Final = "aws:codedeploy/deploymentGroup:DeploymentGroup"
QUEUE: Final = "aws:sqs/queue:Queue"

_GUIDE: Final = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring"
_TOPIC: Final = "arn:aws:sns:eu-central-1:123456789012:alarms"
_ARN: Final = "arn:aws:sqs:eu-central-1:123456789012:"


def _alarm(name: str, **inputs: object) -> Given:
    return Given(
        ALARM,
        name,
        {"name": name, "comparisonOperator": "GreaterThanOrEqualToThreshold", "evaluationPeriods": 1, **inputs},
        {"name": name, "arn": f"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}"},
    )


def _queue(name: str, **inputs: object) -> Given:
    return Given(QUEUE, name, {"name": name, **inputs}, {"arn": f"{_ARN}{name}", "name": name})


def _work(name: str) -> Given:
    return _queue(name, redrivePolicy=f'{{"deadLetterTargetArn": "{_ARN}{name}-dlq", "maxReceiveCount": 5}}')


# --- who hears an alarm -----------------------------------------------------------------------------------------------

_ACTIONS: Final = frozenset(
    {
        "aws:sns/topic:Topic",
        "aws:lambda/function:Function",
        "aws:lambda/alias:Alias",
        "aws:appautoscaling/policy:Policy",
        "aws:autoscaling/policy:Policy",
        "aws:ssmincidents/responsePlan:ResponsePlan",
    }
)
"""What an action that is not known yet may be made from."""


def _acts(alarm: Resource) -> Answer:
    """Whether an alarm by itself does something when it rings."""
    enabled = look_up(alarm, "actionsEnabled").value
    actions = look_up(alarm, "alarmActions").value
    made = {each.type for each in alarm.depends_on.get("alarmActions", ())}
    there: Answer = any(not isinstance(each, Unknown) and bool(each) for each in many(actions)) or (
        next(unknowns(actions), None) or False
    )
    if isinstance(there, Unknown) and made and made <= _ACTIONS:
        there = True
    on = enabled if isinstance(enabled, Unknown) else enabled is None or enabled is True
    return all_of((there, on))


def _composites(stack: Stack, alarm: Resource) -> Iterator[Resource]:
    """The composite alarms that ring when an alarm does, or when several do."""
    name = look_up(alarm, "name").value or look_up(alarm, "alarmName").value
    for each in stack.of_type(COMPOSITE_ALARM):
        rule = look_up(each, "alarmRule").value
        by_name = isinstance(rule, str) and isinstance(name, str) and _names(rule, name)
        if each is not alarm and (by_name or alarm in stack.referred(each, "alarmRule", ALARM, COMPOSITE_ALARM)):
            yield each


def _names(rule: str, name: str) -> bool:
    """Whether the rule of a composite alarm is about an alarm, by name or by ARN."""
    return re.search(rf"[\s(\":]{re.escape(name)}[\s)\"]", f" {rule} ") is not None


def _heard(stack: Stack, alarm: Resource) -> Answer:
    """Whether something is done when an alarm rings, by itself or by another that listens to it."""
    # Alarms that listen to one another in a circle are refused by CloudWatch; here they end after a few.
    return _heard_by(stack, alarm, 3)


def _heard_by(stack: Stack, alarm: Resource, depth: int) -> Answer:
    acts = _acts(alarm)
    if acts is True or stack.about(alarm, DEPLOYMENT_GROUP, _STOPPED_BY):
        return True
    listening = _composites(stack, alarm) if depth else ()
    return any_of((acts, *(_heard_by(stack, each, depth - 1) for each in listening)))


_STOPPED_BY: Final = "alarmConfiguration.alarms"


def _actions(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for alarm in stack.of_type(ALARM, COMPOSITE_ALARM):
        answer = _heard(stack, alarm)
        if isinstance(answer, Unknown):
            yield cannot_judge(answer, urn=alarm.urn)
        elif answer is False and (unknown := _may_be_heard(stack)):
            yield cannot_judge(unknown, "alarmActions", urn=alarm.urn)
        elif answer is False:
            off = look_up(alarm, "actionsEnabled").value is False
            path, problem = ("actionsEnabled", "is false") if off else ("alarmActions", "names nobody")
            yield Verdict(path, f"{problem}, and no other alarm or deployment listens", urn=alarm.urn)


def _may_be_heard(stack: Stack) -> Unknown | None:
    """What is not known of who listens to alarms."""
    listeners = [(each, "alarmRule") for each in stack.of_type(COMPOSITE_ALARM)]
    listeners += [(each, "alarmConfiguration") for each in stack.of_type(DEPLOYMENT_GROUP)]
    return next((unknown for each, path in listeners if (unknown := unexplained(each, path))), None)


def _alone(stack: Stack, alarm: Resource) -> bool:
    """For the proof: whether an alarm does something, and nothing else would if it did not."""
    others = [*_composites(stack, alarm), *stack.about(alarm, DEPLOYMENT_GROUP, _STOPPED_BY)]
    return _acts(alarm) is True and not others


def _needed_listener(stack: Stack, composite: Resource) -> bool:
    """For the proof: whether an alarm is heard by way of this one alone."""
    return any(_acts(each) is False and list(_composites(stack, each)) == [composite] for each in stack.of_type(ALARM))


ACTIONS: Final = Rule(
    id="cloudwatch-alarm-actions",
    demand="Something is done when an alarm rings",
    why="An alarm that tells nobody is a line in a list that nobody reads: everyone believes that the trouble would be "
    "noticed.",
    severity=Severity.HIGH,
    controls=("Security Hub CloudWatch.15", "Security Hub CloudWatch.17", "CKV_AWS_319", "Well-Architected OPS08-BP04"),
    mend="Set alarmActions, such as to the ARN of an SNS topic, or have a composite alarm listen that has actions.",
    url=f"{_GUIDE}/alarm-actions.html",
    guards=(
        *(
            Guard(
                type=type_,
                path="alarmActions",
                absent="another alarm or a deployment may listen",
                weaker=((), None),
                beside=_alone,
            )
            for type_ in (ALARM, COMPOSITE_ALARM)
        ),
        *(
            Guard(
                type=type_,
                path="actionsEnabled",
                absent="they are by default",
                weaker=(False,),
                beside=_alone,
            )
            for type_ in (ALARM, COMPOSITE_ALARM)
        ),
        Guard(type=COMPOSITE_ALARM, path="alarmRule", weaker=("FALSE",), beside=_needed_listener),
    ),
    violating=(_alarm("orders-late", alarmActions=()),),
    compliant=(
        _alarm("orders-late", alarmActions=(_TOPIC,), actionsEnabled=True),
        _alarm("orders-failing"),
        Given(
            COMPOSITE_ALARM,
            "orders-broken",
            {"alarmName": "orders-broken", "alarmRule": "ALARM(orders-failing)", "alarmActions": (_TOPIC,)},
        ),
    ),
    check_stack=_actions,
)

MISSING_DATA: Final = Rule(
    id="cloudwatch-missing-data",
    demand="An alarm says what it means when there are no data",
    why="By default it keeps its state or goes to INSUFFICIENT_DATA, of which nobody hears: an alarm on errors stays "
    "red after the last one, and one on signs of life stays silent when there are none.",
    severity=Severity.LOW,
    controls=("CloudWatch guide, configuring how alarms treat missing data",),
    mend="Set treatMissingData: notBreaching for errors, breaching for signs of life.",
    url=f"{_GUIDE}/alarms-and-missing-data.html",
    guards=(
        Guard(type=ALARM, path="treatMissingData", want=OneOf(("breaching", "notBreaching", "ignore", "missing"))),
    ),
    violating=(_alarm("orders-late"),),
    compliant=(_alarm("orders-late", treatMissingData="breaching"),),
    level=Level.ADVISORY,
)


# --- dead letters -----------------------------------------------------------------------------------------------------

_FAILURES: Final = (
    ("aws:lambda/eventSourceMapping:EventSourceMapping", "destinationConfig.onFailure.destinationArn"),
    ("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "destinationConfig.onFailure.destination"),
    ("aws:lambda/function:Function", "deadLetterConfig.targetArn"),
    ("aws:cloudwatch/eventTarget:EventTarget", "deadLetterConfig.arn"),
    ("aws:scheduler/schedule:Schedule", "target.deadLetterConfig.arn"),
)
"""Where resources say to which queue they send what they could not do."""
_REDRIVES: Final = (
    *(QUEUE, "aws:sqs/redrivePolicy:RedrivePolicy"),
    "aws:sns/topicSubscription:TopicSubscription",
)
"""Those that say it in a ``redrivePolicy``, which is JSON."""
_NAMESPACE: Final = "AWS/SQS"
_LIMITS: Final[Mapping[str, Limit]] = {
    "ApproximateNumberOfMessagesVisible": DEAD_LETTERS,
    "ApproximateAgeOfOldestMessage": DEAD_LETTER_AGE,
}
"""Metrics that show dead letters, and the latest that an alarm may ring. NumberOfMessagesSent does not count what SQS
moves by itself (SQS guide, available CloudWatch metrics)."""
_FROM_BELOW: Final = (
    *("GreaterThanThreshold", "GreaterThanOrEqualToThreshold"),
    *("GreaterThanUpperThreshold", "LessThanLowerOrGreaterThanUpperThreshold"),
)


def _dead_letter_queues(stack: Stack) -> Iterator[Resource]:
    """The queues to which others send what they could not do."""
    found: dict[str, Resource] = {}
    for type_, path in _FAILURES:
        for each in stack.of_type(type_):
            found |= {queue.urn: queue for queue in _said(stack, each, path, look_up(each, path).value)}
    for each in stack.of_type(*_REDRIVES):
        value = look_up(each, "redrivePolicy").value
        if value:
            policy = json_object(value, "redrivePolicy")
            target = policy.get("deadLetterTargetArn") if isinstance(policy, Mapping) else policy
            found |= {queue.urn: queue for queue in _said(stack, each, "redrivePolicy", target)}
    yield from found.values()


def _said(stack: Stack, resource: Resource, path: str, value: Value) -> list[Resource]:
    if isinstance(value, Unknown):
        return stack.referred(resource, path, QUEUE)
    return stack.named(value, QUEUE) if isinstance(value, str) and value else []


def _shows(stack: Stack, alarm: Resource, queue: Resource, settings: Settings) -> Answer:
    """Whether an alarm rings, and is heard, soon after something was put in a queue."""
    operator = look_up(alarm, "comparisonOperator").value
    rises = operator if isinstance(operator, Unknown) else operator in _FROM_BELOW
    simple = _is_about(stack, alarm, queue, "dimensions", look_up(alarm, "dimensions").value)
    if simple is not False:
        namespace, metric = look_up(alarm, "namespace").value, look_up(alarm, "metricName").value
        named = namespace if isinstance(namespace, Unknown) else namespace == _NAMESPACE
        shows = all_of((simple, named, rises, _soon(alarm, metric, settings)))
    else:
        queries = [each.value for each in look_all(alarm, "metricQueries[]")]
        # An expression decides what the alarm makes of its metrics.
        expressions = [each.value for each in look_all(alarm, "metricQueries[].expression")]
        known = next((each for each in expressions if isinstance(each, Unknown)), True)
        shows = all_of((rises, known, any_of(_query(stack, alarm, queue, each, settings) for each in queries)))
    return False if shows is False else all_of((shows, _heard(stack, alarm)))


def _is_about(stack: Stack, alarm: Resource, queue: Resource, path: str, dimensions: Value) -> Answer:
    if dimensions is None:
        return False
    known = [queue in stack.named(text, QUEUE) for text in texts(dimensions)]
    if any(known):
        return True
    unknown = next(unknowns(dimensions), None)
    if unknown is None:
        return False
    origins = stack.referred(alarm, path, QUEUE)
    return queue in origins if origins else unknown


def _soon(alarm: Resource, metric: Value, settings: Settings) -> Answer:
    threshold = look_up(alarm, "threshold").value
    if isinstance(metric, Unknown) or isinstance(threshold, Unknown):
        return metric if isinstance(metric, Unknown) else Unknown("threshold")
    limit = _LIMITS.get(metric) if isinstance(metric, str) else None
    if limit is None:
        return False
    band = look_up(alarm, "thresholdMetricId").value
    if isinstance(band, Unknown):
        return band
    if band:
        # A band that follows what is usual: for what is usually nothing, that is little.
        return True
    number = as_number(threshold)
    return number is not None and number <= settings.limit(limit)


def _query(stack: Stack, alarm: Resource, queue: Resource, query: Value, settings: Settings) -> Answer:
    """Whether a query of an alarm asks for dead letters of a queue, of which it rings soon."""
    if isinstance(query, Unknown):
        return query
    expression = next(look_through(query, "expression")).value
    if isinstance(expression, str):
        asked = _asked(expression, str(look_up(queue, "name").value))
        return asked is not None and _soon(alarm, asked, settings)
    parts = {
        name: next(look_through(query, f"metric.{name}")).value for name in ("namespace", "metricName", "dimensions")
    }
    namespace, metric = parts["namespace"], parts["metricName"]
    return all_of(
        (
            namespace if isinstance(namespace, Unknown) else namespace == _NAMESPACE,
            _soon(alarm, metric, settings),
            _is_about(stack, alarm, queue, "metricQueries", parts["dimensions"]),
        )
    )


def _asked(expression: str, name: str) -> str | None:
    """The metric of dead letters that Metrics Insights or SEARCH is asked for, of every queue or of this one."""
    metric = next((each for each in _LIMITS if each in expression), None)
    restricted = re.search(r"\bWHERE\b|QueueName\s*=", expression, re.IGNORECASE) is not None
    return metric if _NAMESPACE in expression and (not restricted or name in expression) else None


def _dead_letters(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    alarms = list(stack.of_type(ALARM))
    for queue in _dead_letter_queues(stack):
        answers = [_shows(stack, each, queue, settings) for each in alarms]
        answer = any_of(answers)
        if isinstance(answer, Unknown):
            unknown, alarm = next(
                (each, alarm) for each, alarm in zip(answers, alarms, strict=True) if isinstance(each, Unknown)
            )
            yield cannot_judge(unknown, urn=alarm.urn)
        elif answer is False:
            problem = "is where failures end, and no alarm that is heard rings soon after one does"
            yield Verdict("name", problem, urn=queue.urn)


_DEFAULTS: Final = Settings()
"""For the proof, which knows no project."""


def _alarms_of(stack: Stack, queue: Resource) -> list[Resource]:
    """The alarms that show a queue's dead letters, if it has any."""
    if queue not in _dead_letter_queues(stack):
        return []
    return [each for each in stack.of_type(ALARM) if _shows(stack, each, queue, _DEFAULTS) is True]


def _needed(path: str) -> Beside:
    """For the proof: whether an alarm is the only one on a dead-letter queue, and has this property."""

    def holds(stack: Stack, alarm: Resource) -> bool:
        said = [look_up(alarm, name).value for name in ("namespace", "metricQueries")]
        if not any(_NAMESPACE in text for text in texts(said)):
            return False
        on = [queue for queue in _dead_letter_queues(stack) if alarm in _alarms_of(stack, queue)]
        there = any(found.value is not None for found in look_all(alarm, path))
        return any(_alarms_of(stack, queue) == [alarm] for queue in on) and (there or path == "actionsEnabled")

    return holds


_QUERIED: Final = "metricQueries may say it"
_SINGLE: Final = "it may be about one metric"
_FOR_WHOM: Final = "another alarm may listen"

_ASKED_FOR: Final = (
    "SELECT MAX(ApproximateNumberOfMessagesVisible) FROM SCHEMA(\"AWS/SQS\", QueueName) WHERE QueueName = 'letters-dlq'"
)
DEAD_LETTER_ALARMS: Final = Rule(
    id="cloudwatch-dead-letter-alarm",
    demand="A queue where failures end has an alarm that rings at "
    f"{DEAD_LETTERS.default:g} messages or after {DEAD_LETTER_AGE.default:g} seconds at the latest, and is heard",
    why="A dead letter is a customer's request that was given up. If nobody hears of it, it waits until it expires, "
    "and the request is lost without a trace.",
    severity=Severity.HIGH,
    controls=("SQS guide, creating alarms for dead-letter queues", "Well-Architected REL06-BP03"),
    mend="Make a MetricAlarm with an action, on ApproximateNumberOfMessagesVisible or ApproximateAgeOfOldestMessage of "
    "AWS/SQS, with the queue's name as the dimension QueueName.",
    url="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "dead-letter-queues-alarms-cloudwatch.html",
    guards=(
        *(
            Guard(type=ALARM, path=path, absent=_QUERIED, weaker=(*weaker, None), beside=_needed(path))
            for path, weaker in (
                ("namespace", ("AWS/SNS", "")),
                ("metricName", ("NumberOfMessagesSent", "")),
                ("dimensions", ({"QueueName": "another"}, {})),
                ("threshold", (1_000_000,)),
            )
        ),
        *(
            Guard(type=ALARM, path=path, absent=_SINGLE, weaker=(*weaker, None), beside=_needed(path))
            for path, weaker in (
                ("metricQueries[].metric.namespace", ("AWS/SNS", "")),
                ("metricQueries[].metric.metricName", ("NumberOfMessagesSent", "")),
                ("metricQueries[].metric.dimensions", ({"QueueName": "another"}, {})),
            )
        ),
        Guard(
            type=ALARM,
            path="metricQueries[].expression",
            absent="a metric as it is needs none",
            beside=_needed("metricQueries[].expression"),
        ),
        Guard(
            type=ALARM,
            path="thresholdMetricId",
            absent="the threshold is a number then",
            beside=_needed("thresholdMetricId"),
        ),
        Guard(
            type=ALARM,
            path="comparisonOperator",
            weaker=("LessThanThreshold", "LessThanOrEqualToThreshold", ""),
            beside=_needed("comparisonOperator"),
        ),
        Guard(
            type=ALARM,
            path="alarmActions",
            absent=_FOR_WHOM,
            weaker=((), None),
            beside=lambda stack, alarm: _needed("alarmActions")(stack, alarm) and _alone(stack, alarm),
        ),
        Guard(
            type=ALARM,
            path="actionsEnabled",
            absent="they are by default",
            weaker=(False,),
            beside=lambda stack, alarm: _needed("actionsEnabled")(stack, alarm) and _alone(stack, alarm),
        ),
    ),
    companions=(Companion(of=QUEUE, find=_alarms_of),),
    violating=(_work("orders"), _queue("orders-dlq")),
    compliant=(
        _work("orders"),
        _queue("orders-dlq"),
        _alarm(
            "orders-given-up",
            namespace=_NAMESPACE,
            metricName="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": Ref("orders-dlq", "name")},
            statistic="Maximum",
            period=60,
            threshold=1,
            alarmActions=(_TOPIC,),
        ),
        _work("bills"),
        _queue("bills-dlq"),
        _alarm(
            "bills-given-up",
            metricQueries=(
                {
                    "id": "given_up",
                    "returnData": True,
                    "metric": {
                        "namespace": _NAMESPACE,
                        "metricName": "ApproximateNumberOfMessagesVisible",
                        "dimensions": {"QueueName": Ref("bills-dlq", "name")},
                        "stat": "Maximum",
                        "period": 60,
                    },
                },
            ),
            threshold=1,
            alarmActions=(_TOPIC,),
        ),
        _work("letters"),
        _queue("letters-dlq"),
        _alarm(
            "letters-unusual",
            comparisonOperator="GreaterThanUpperThreshold",
            metricQueries=(
                {"id": "given_up", "returnData": True, "period": 60, "expression": _ASKED_FOR},
                {"id": "usual", "returnData": True, "expression": "ANOMALY_DETECTION_BAND(given_up, 2)"},
            ),
            thresholdMetricId="usual",
            alarmActions=(_TOPIC,),
        ),
    ),
    not_applicable=(_queue("orders"),),
    check_stack=_dead_letters,
)

RULES: Final = (ACTIONS, MISSING_DATA, DEAD_LETTER_ALARMS)
