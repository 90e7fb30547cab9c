"""Amazon SQS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies.documents import json_object
from policies.limits import FAILURE_RETENTION, RECEIVES_LEAST, RECEIVES_MOST, VISIBILITY_FACTOR
from policies.links import FUNCTION, functions, texts, unexplained
from policies.rule import Companion, Given, Guard, Ref, Rule, Severity, Verdict, cannot_judge
from policies.tls_only import TlsOnly
from policies.values import Unknown, look_up
from policies.wants import CustomerKey, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.rule import Beside
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

QUEUE: Final = "aws:sqs/queue:Queue"
QUEUE_POLICY: Final = "aws:sqs/queuePolicy:QueuePolicy"
REDRIVE_POLICY: Final = "aws:sqs/redrivePolicy:RedrivePolicy"
MAPPING: Final = "aws:lambda/eventSourceMapping:EventSourceMapping"
INVOKE_CONFIG: Final = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
EVENT_TARGET: Final = "aws:cloudwatch/eventTarget:EventTarget"
SCHEDULE: Final = "aws:scheduler/schedule:Schedule"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"

_GUIDE: Final = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_ARN: Final = "arn:aws:sqs:eu-west-1:123456789012:"
_URL: Final = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
_DEFAULT_VISIBILITY: Final = 30.0
"""Seconds (SQS developer guide, "Amazon SQS visibility timeout")."""
_DEFAULT_TIMEOUT: Final = 3.0
"""Seconds (Lambda developer guide, "Configure Lambda function timeout")."""
_DEFAULT_RETENTION: Final = 345_600.0
"""Seconds (SQS API reference, SetQueueAttributes)."""


def _queue(name: str, **inputs: object) -> Given:
    return Given(QUEUE, name, {"name": name, **inputs}, {"arn": f"{_ARN}{name}", "url": f"{_URL}{name}", "name": name})


def _policy(queue: str, condition: Mapping[str, object]) -> Given:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": f"{_ARN}{queue}",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return Given(QUEUE_POLICY, f"{queue}-policy", {"queueUrl": Ref(queue, "url"), "policy": document})


def _redrive(count: int, to: str = "orders-dlq") -> str:
    return json.dumps({"deadLetterTargetArn": f"{_ARN}{to}", "maxReceiveCount": count})


ENCRYPTION: Final = Rule(
    id="sqs-encryption",
    demand="A queue is encrypted with a customer-managed key",
    why="Messages hold what customers write. With a key of one's own, reading them needs a grant that shows in an "
    "audit and that can be taken back; SQS's own key is open to whoever may receive.",
    severity=Severity.HIGH,
    controls=("Security Hub SQS.1", "CKV_AWS_27", "CKV2_AWS_73", "AwsSolutions-SQS2"),
    mend="Set kmsMasterKeyId to the ARN of a key of one's own.",
    url=f"{_GUIDE}/sqs-server-side-encryption.html",
    guards=(Guard(type=QUEUE, path="kmsMasterKeyId", want=CustomerKey()),),
    violating=(_queue("orders"),),
    compliant=(_queue("orders", kmsMasterKeyId="arn:aws:kms:eu-west-1:123456789012:key/1"),),
)


_OVER_TLS: Final = TlsOnly(
    type=QUEUE,
    policy=QUEUE_POLICY,
    link="queueUrl",
    problem="has no statement that denies whatever does not come over TLS",
)
_PLAIN: Final = {"Bool": {"aws:SecureTransport": "false"}}
_EMPTY_POLICY: Final = '{"Version": "2012-10-17", "Statement": []}'

TLS_ONLY: Final = Rule(
    id="sqs-tls-only",
    demand="A queue's policy denies calls that are not made over TLS",
    why="SQS still answers on plain HTTP. Without the denial, one client that is configured wrongly sends messages "
    "and credentials' signatures in the clear, and nobody sees it.",
    severity=Severity.HIGH,
    controls=("AwsSolutions-SQS4",),
    mend='Give the queue a QueuePolicy that denies "sqs:*" to "*" where aws:SecureTransport is "false".',
    url=f"{_GUIDE}/sqs-security-best-practices.html#enforce-encryption-data-in-transit",
    guards=(
        Guard(type=QUEUE_POLICY, path="policy", weaker=(_EMPTY_POLICY,)),
        Guard(type=QUEUE_POLICY, path="queueUrl", weaker=(f"{_URL}another",)),
        Guard(
            type=QUEUE,
            path="policy",
            absent="a QueuePolicy may say it",
            weaker=(_EMPTY_POLICY, None),
            beside=_OVER_TLS.speaks_for_itself,
        ),
    ),
    violating=(
        _queue("orders"),
        _policy("orders", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ),
    compliant=(
        _queue("orders"),
        _policy("orders", _PLAIN),
        _queue("bills", policy=json.dumps(_policy("bills", _PLAIN).inputs["policy"])),
    ),
    check_stack=_OVER_TLS.check,
    companions=(Companion(of=QUEUE, find=_OVER_TLS.policies),),
)


# --- who takes whose failures -----------------------------------------------------------------------------------------

_FAILURES: Final = (
    (INVOKE_CONFIG, "destinationConfig.onFailure.destination"),
    (MAPPING, "destinationConfig.onFailure.destinationArn"),
    (FUNCTION, "deadLetterConfig.targetArn"),
    (EVENT_TARGET, "deadLetterConfig.arn"),
    (SCHEDULE, "target.deadLetterConfig.arn"),
    (SUBSCRIPTION, "redrivePolicy"),
)
"""Where other services say which queue takes what they could not do."""


def _policy_of(value: Value, path: str) -> Mapping[str, Value] | Unknown:
    """What a redrive policy says; nothing if it is empty or cannot be read."""
    read = json_object(value, path) if value else None
    return read if isinstance(read, Mapping | Unknown) else {}


def _taking(stack: Stack, resource: Resource, path: str) -> list[Resource] | Unknown:
    """The queues that take what ``resource`` could not do; unknown if nothing tells."""
    value = look_up(resource, path).value
    unknown = unexplained(resource, path)
    if unknown is not None:
        return unknown
    if isinstance(value, Unknown):
        return stack.referred(resource, path, QUEUE)
    if resource.type in {QUEUE, REDRIVE_POLICY, SUBSCRIPTION}:
        policy = _policy_of(value, path)
        value = policy.get("deadLetterTargetArn") if isinstance(policy, Mapping) else None
    return [queue for text in texts(value) for queue in stack.named(text, QUEUE)]


def _redrives(stack: Stack) -> Iterator[Resource]:
    """What says where messages of queues go that cannot be processed: queues themselves, and redrive policies."""
    yield from stack.of_type(QUEUE, REDRIVE_POLICY)


def _sources(stack: Stack) -> Iterator[tuple[Resource, str]]:
    """Everything that names a queue for failures, and where."""
    yield from ((each, "redrivePolicy") for each in _redrives(stack))
    yield from ((each, path) for type_, path in _FAILURES for each in stack.of_type(type_))


def _failure_queues(stack: Stack) -> tuple[set[str], Unknown | None]:
    """URNs of the queues that take failures, and what is not known of them."""
    found: set[str] = set()
    unknown: Unknown | None = None
    for resource, path in _sources(stack):
        taking = _taking(stack, resource, path)
        if isinstance(taking, Unknown):
            unknown = taking
        else:
            found |= {each.urn for each in taking if each.urn != resource.urn}
    return found, unknown


def _hands_on(resource: Resource) -> bool | Unknown:
    """Whether a queue or a redrive policy names a queue for what cannot be processed, that queue itself excepted."""
    value = look_up(resource, "redrivePolicy").value
    if isinstance(value, Unknown):
        return unexplained(resource, "redrivePolicy") or True
    policy = _policy_of(value, "redrivePolicy")
    target = policy.get("deadLetterTargetArn") if isinstance(policy, Mapping) else policy
    return target if isinstance(target, Unknown) else bool(target) and target != look_up(resource, "arn").value


def _dead_letters(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    unlinked: Unknown | None = None
    for policy in stack.of_type(REDRIVE_POLICY):
        unknown = unexplained(policy, "queueUrl")
        if unknown is not None:
            unlinked = unknown
            yield cannot_judge(unknown, urn=policy.urn)
    taking, unread = _failure_queues(stack)
    for queue in stack.of_type(QUEUE):
        answers = [_hands_on(each) for each in (queue, *stack.about(queue, REDRIVE_POLICY, "queueUrl"))]
        if any(answer is True for answer in answers) or queue.urn in taking:
            continue
        if unlinked is not None or unread is not None or any(isinstance(answer, Unknown) for answer in answers):
            yield cannot_judge(Unknown("redrivePolicy"), urn=queue.urn)
        else:
            yield Verdict("redrivePolicy", "is not set, and no other failures end here", urn=queue.urn)


def _has_no_policy(stack: Stack, queue: Resource) -> bool:
    """Whether a queue's own redrive policy is what counts."""
    return queue.urn not in _failure_queues(stack)[0] and not stack.about(queue, REDRIVE_POLICY, "queueUrl")


def _is_only_source(path: str, stack: Stack, resource: Resource) -> bool:
    """Whether a queue takes failures for nothing but what a resource says."""
    taking = _taking(stack, resource, path)
    others = {
        queue.urn
        for other, where in _sources(stack)
        if other.urn != resource.urn and not isinstance(found := _taking(stack, other, where), Unknown)
        for queue in found
    }
    return not isinstance(taking, Unknown) and any(queue.urn not in others and not _hands_on(queue) for queue in taking)


def _only(path: str) -> Beside:
    return lambda stack, resource: _is_only_source(path, stack, resource)


_TARGET: Final = {"rule": "orders", "arn": "arn:aws:lambda:eu-west-1:123456789012:function:orders"}
_EXAMPLE_SOURCES: Final = (
    Given(
        INVOKE_CONFIG, "calls", {"functionName": "f", "destinationConfig": {"onFailure": {"destination": f"{_ARN}q1"}}}
    ),
    Given(
        MAPPING, "batches", {"functionName": "f", "destinationConfig": {"onFailure": {"destinationArn": f"{_ARN}q2"}}}
    ),
    Given(FUNCTION, "function", {"name": "f", "deadLetterConfig": {"targetArn": f"{_ARN}q3"}}),
    Given(EVENT_TARGET, "events", {**_TARGET, "deadLetterConfig": {"arn": f"{_ARN}q4"}}),
    Given(SCHEDULE, "schedule", {"target": {"arn": "f", "deadLetterConfig": {"arn": f"{_ARN}q5"}}}),
    Given(SUBSCRIPTION, "told", {"topic": "t", "redrivePolicy": f'{{"deadLetterTargetArn": "{_ARN}q6"}}'}),
)
"""One of each; the queue q1 takes the failures of the first, and so on."""
_BILLS: Final = (
    _queue("bills"),
    Given(REDRIVE_POLICY, "bills-redrive", {"queueUrl": f"{_URL}bills", "redrivePolicy": _redrive(5)}),
)

DEAD_LETTERS: Final = Rule(
    id="sqs-dead-letters",
    demand="A queue hands on what cannot be processed to a dead-letter queue, or is one",
    why="A message that fails for ever is delivered until it expires, and then it is gone without a trace; meanwhile "
    "it takes the place of those that could be processed.",
    severity=Severity.MEDIUM,
    controls=("AwsSolutions-SQS3", "serverless-rules SQSRedrivePolicy"),
    mend="Set redrivePolicy with the ARN of a dead-letter queue and maxReceiveCount.",
    url=f"{_GUIDE}/sqs-dead-letter-queues.html",
    guards=(
        Guard(
            type=QUEUE,
            path="redrivePolicy",
            absent="it is a dead-letter queue itself, or has a RedrivePolicy",
            weaker=("", "{}", None),
            beside=_has_no_policy,
        ),
        Guard(type=REDRIVE_POLICY, path="redrivePolicy", weaker=("", "{}")),
        Guard(type=REDRIVE_POLICY, path="queueUrl", weaker=(f"{_URL}another",)),
        *(
            Guard(
                type=type_,
                path=path,
                absent="its failures go nowhere, or not to a queue",
                weaker=("", None),
                beside=_only(path),
            )
            for type_, path in _FAILURES
        ),
    ),
    violating=(_queue("orders"),),
    compliant=(
        _queue("orders", redrivePolicy=_redrive(5)),
        _queue("orders-dlq"),
        *_BILLS,
        *(_queue(f"q{number}") for number in range(1, len(_FAILURES) + 1)),
        *_EXAMPLE_SOURCES,
    ),
    check_stack=_dead_letters,
)


def _retained(queue: Resource) -> float | Unknown | None:
    """Seconds; None for what is no number."""
    value = look_up(queue, "messageRetentionSeconds").value
    if isinstance(value, Unknown):
        return value
    return _DEFAULT_RETENTION if value is None else as_number(value)


def _retention(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    least = settings.limit(FAILURE_RETENTION)
    taking, unread = _failure_queues(stack)
    for queue in stack.of_type(QUEUE):
        seconds = _retained(queue)
        if isinstance(seconds, Unknown):
            if queue.urn in taking or unread is not None:
                yield cannot_judge(seconds, urn=queue.urn)
        elif seconds is None or seconds < least:
            if queue.urn in taking:
                value = look_up(queue, "messageRetentionSeconds").value
                problem = f"is {shown(value)}, not {least:.12g} seconds or more, and failures end here"
                yield Verdict("messageRetentionSeconds", problem, urn=queue.urn)
            elif unread is not None:
                yield cannot_judge(unread, urn=queue.urn)


def _takes_failures(stack: Stack, queue: Resource) -> bool:
    return queue.urn in _failure_queues(stack)[0]


def _are_short(stack: Stack, _resource: Resource) -> bool:
    """Whether it matters which queues take failures: some forget early, and need not."""
    taking, _ = _failure_queues(stack)
    return any(
        not isinstance(seconds := _retained(each), Unknown) and (seconds or 0) < FAILURE_RETENTION.default
        for each in stack.of_type(QUEUE)
        if each.urn not in taking
    )


_LONG: Final = int(FAILURE_RETENTION.default)

RETENTION: Final = Rule(
    id="sqs-failure-retention",
    demand=f"A queue that takes failures keeps them for {FAILURE_RETENTION.default:.12g} {FAILURE_RETENTION.unit}",
    why="A message's age counts from when it was first sent, so it may be old when it arrives; and people need time to "
    "see it, mend what failed and send it again.",
    severity=Severity.MEDIUM,
    controls=("SQS developer guide, Using dead-letter queues in Amazon SQS",),
    mend=f"Set messageRetentionSeconds to {_LONG}.",
    url=f"{_GUIDE}/sqs-dead-letter-queues.html#understanding-message-retention-periods",
    guards=(
        Guard(type=QUEUE, path="messageRetentionSeconds", weaker=(60, 345_600), beside=_takes_failures),
        Guard(type=QUEUE, path="redrivePolicy", absent="it hands on nothing", beside=_are_short),
        Guard(type=REDRIVE_POLICY, path="redrivePolicy", absent="it hands on nothing", beside=_are_short),
        *(Guard(type=type_, path=path, absent="it hands on nothing", beside=_are_short) for type_, path in _FAILURES),
    ),
    violating=(_queue("orders", redrivePolicy=_redrive(5)), _queue("orders-dlq")),
    compliant=(
        _queue("orders", redrivePolicy=_redrive(5)),
        _queue("orders-dlq", messageRetentionSeconds=_LONG),
        *_BILLS,
        *(_queue(f"q{number}", messageRetentionSeconds=_LONG) for number in range(1, len(_FAILURES) + 1)),
        *_EXAMPLE_SOURCES,
    ),
    check_stack=_retention,
)


# --- how often a message is tried -------------------------------------------------------------------------------------


def _count(resource: Resource) -> float | Unknown | None:
    """How often a message is received before it is handed on; None if nothing is handed on."""
    unknown = unexplained(resource, "redrivePolicy")
    if unknown is not None:
        return unknown
    value = look_up(resource, "redrivePolicy").value
    if isinstance(value, Unknown):
        return value
    policy = _policy_of(value, "redrivePolicy")
    if isinstance(policy, Unknown) or not policy:
        return policy if isinstance(policy, Unknown) else None
    return as_number(policy.get("maxReceiveCount")) or 0.0


def _receives(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    least, most = settings.limit(RECEIVES_LEAST), settings.limit(RECEIVES_MOST)
    for resource in _redrives(stack):
        count = _count(resource)
        path = "redrivePolicy"
        if isinstance(count, Unknown):
            yield cannot_judge(count, urn=resource.urn)
        elif count is not None and not 1 <= count <= most:
            yield Verdict(path, f"tries a message {count:.12g} times, not 1 to {most:.12g}", urn=resource.urn)
        elif count is not None and count < least:
            yield from _too_few(stack, resource, f"tries a message {count:.12g} times, not {least:.12g} or more", path)


def _too_few(stack: Stack, resource: Resource, problem: str, path: str) -> Iterator[Verdict]:
    """Where functions read the queue; others may know that one try is enough."""
    queues = [resource]
    if resource.type == REDRIVE_POLICY:
        unknown = unexplained(resource, "queueUrl")
        if unknown is not None:
            yield cannot_judge(unknown, urn=resource.urn)
        elif not look_up(resource, "queueUrl").value:
            yield Verdict("queueUrl", "is not set", urn=resource.urn)
        queues = stack.referred(resource, "queueUrl", QUEUE)
    for mapping in stack.of_type(MAPPING):
        unknown = unexplained(mapping, "eventSourceArn")
        if unknown is not None:
            yield cannot_judge(unknown, urn=mapping.urn)
        elif any(queue in stack.referred(mapping, "eventSourceArn", QUEUE) for queue in queues):
            yield Verdict(path, f"{problem}, and a function reads the queue", urn=resource.urn)


def _are_few(stack: Stack, _resource: Resource) -> bool:
    """Whether it matters which queues functions read: some try a message but a few times."""
    return any(_tries_few(stack, each) for each in _redrives(stack))


def _tries_few(_stack: Stack, resource: Resource) -> bool:
    count = _count(resource)
    return count is not None and not isinstance(count, Unknown) and count < RECEIVES_LEAST.default


RECEIVES: Final = Rule(
    id="sqs-receives",
    demand=f"A queue that a function reads tries a message at least {RECEIVES_LEAST.default:g} times before it hands "
    f"it on, and every queue at most {RECEIVES_MOST.default:.12g} times",
    why="A throttled invocation counts as a try: with one or two, good messages end among the failures. With hundreds, "
    "a message that can never be processed takes the place of others for days.",
    severity=Severity.LOW,
    controls=("Lambda developer guide, Creating and configuring an Amazon SQS event source mapping",),
    mend="Set maxReceiveCount in redrivePolicy; AWS advises 5 where a function reads the queue.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    guards=(
        *(
            Guard(
                type=type_,
                path="redrivePolicy",
                absent="nothing is handed on",
                weaker=(
                    _redrive(1001),
                    _redrive(0),
                    '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:dlq"}',
                ),
            )
            for type_ in (QUEUE, REDRIVE_POLICY)
        ),
        Guard(type=REDRIVE_POLICY, path="queueUrl", beside=_tries_few),
        Guard(type=MAPPING, path="eventSourceArn", absent="no queue is read then", beside=_are_few),
    ),
    violating=(
        _queue("orders", redrivePolicy=_redrive(1)),
        Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": "worker"}),
    ),
    compliant=(
        _queue("orders", redrivePolicy=_redrive(5)),
        Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": "worker"}),
        _queue("bills"),
        Given(REDRIVE_POLICY, "bills-redrive", {"queueUrl": f"{_URL}bills", "redrivePolicy": _redrive(1)}),
    ),
    check_stack=_receives,
)


# --- how long it is hidden --------------------------------------------------------------------------------------------


def _visibility(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    for mapping in stack.of_type(MAPPING):
        unknown = unexplained(mapping, "eventSourceArn") or unexplained(mapping, "functionName")
        if unknown is not None:
            yield cannot_judge(unknown, urn=mapping.urn)
        for queue in stack.referred(mapping, "eventSourceArn", QUEUE):
            for function in functions(stack, mapping, "functionName"):
                yield from _long_enough(queue, function, settings.limit(VISIBILITY_FACTOR))


def _long_enough(queue: Resource, function: Resource, factor: float) -> Iterator[Verdict]:
    visibility = look_up(queue, "visibilityTimeoutSeconds").value
    timeout = look_up(function, "timeout").value
    if isinstance(visibility, Unknown):
        yield cannot_judge(visibility, urn=queue.urn)
    elif isinstance(timeout, Unknown):
        yield cannot_judge(timeout, urn=function.urn)
    else:
        seconds = as_number(visibility) if visibility is not None else _DEFAULT_VISIBILITY
        needed = factor * (as_number(timeout) or _DEFAULT_TIMEOUT)
        if seconds is None or seconds < needed:
            is_ = f"is {visibility}" if visibility is not None else f"is {_DEFAULT_VISIBILITY:.12g} by default"
            problem = f"{is_}, under {needed:.12g} seconds: {factor:.12g} times what {function.name} may take"
            yield Verdict("visibilityTimeoutSeconds", problem, urn=queue.urn)


def _is_read(stack: Stack, queue: Resource) -> bool:
    return any(functions(stack, each, "functionName") for each in stack.about(queue, MAPPING, "eventSourceArn"))


def _reads_queue(stack: Stack, function: Resource) -> bool:
    return any(
        stack.referred(each, "eventSourceArn", QUEUE) and function in functions(stack, each, "functionName")
        for each in stack.of_type(MAPPING)
    )


VISIBILITY: Final = Rule(
    id="sqs-visibility",
    demand="A queue hides a message for at least six times as long as the function that reads it may take",
    why="A message that becomes visible while its function still works, or waits for a retry of a throttled "
    "invocation, is processed twice.",
    severity=Severity.MEDIUM,
    controls=("Lambda developer guide, Using Lambda with Amazon SQS",),
    mend="Set visibilityTimeoutSeconds to six times the function's timeout, plus the batch window.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    guards=(
        Guard(
            type=QUEUE,
            path="visibilityTimeoutSeconds",
            absent="30 seconds are enough for a function that may take 5",
            weaker=(0, 1),
            beside=_is_read,
        ),
        Guard(
            type=FUNCTION,
            path="timeout",
            absent="Lambda's 3 seconds are short",
            weaker=(43_200,),
            beside=_reads_queue,
        ),
        Guard(type=MAPPING, path="eventSourceArn", absent="no queue is read then"),
    ),
    violating=(
        _queue("orders", visibilityTimeoutSeconds=60),
        Given(FUNCTION, "worker", {"name": "worker", "timeout": 60}, {"name": "worker"}),
        Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": Ref("worker", "name")}),
    ),
    compliant=(
        _queue("orders", visibilityTimeoutSeconds=360),
        Given(FUNCTION, "worker", {"name": "worker", "timeout": 60}, {"name": "worker"}),
        Given(MAPPING, "mapping", {"eventSourceArn": Ref("orders"), "functionName": Ref("worker", "name")}),
    ),
    check_stack=_visibility,
)

RULES: Final = (ENCRYPTION, TLS_ONLY, DEAD_LETTERS, RETENTION, RECEIVES, VISIBILITY)
