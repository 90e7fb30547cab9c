"""AWS Lambda: what becomes of invocations that fail for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies.links import ALIAS, FUNCTION, functions, origins, texts, unexplained
from policies.rule import Given, Guard, Ref, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up, many, unknowns
from policies.wants import as_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

INVOKE_CONFIG: Final = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
MAPPING: Final = "aws:lambda/eventSourceMapping:EventSourceMapping"
PERMISSION: Final = "aws:lambda/permission:Permission"
TARGET: Final = "aws:cloudwatch/eventTarget:EventTarget"
SCHEDULE: Final = "aws:scheduler/schedule:Schedule"
MACHINE: Final = "aws:sfn/stateMachine:StateMachine"
REST_API: Final = "aws:apigateway/restApi:RestApi"
REST_API_PUT: Final = "aws:apigateway/restApiPut:RestApiPut"
INTEGRATION: Final = "aws:apigateway/integration:Integration"

_API: Final = "apigateway.amazonaws.com"
_WAITING: Final = frozenset(
    {
        *(_API, "cognito-idp.amazonaws.com", "elasticloadbalancing.amazonaws.com", "vpc-lattice.amazonaws.com"),
        *("lex.amazonaws.com", "lexv2.amazonaws.com", "connect.amazonaws.com", "bedrock.amazonaws.com"),
    }
)
"""Services that wait for a function's answer, and hear of its failure (Lambda developer guide, "Using Lambda with other
services"). All others are taken to call and go away."""
_WAITING_TYPES: Final = (
    MAPPING,
    "aws:lambda/functionUrl:FunctionUrl",
    "aws:lambda/invocation:Invocation",
)
"""Types of resources by which a function is called and waited for; a mapping's poller is what waits."""
_LEAVING: Final = ((TARGET, "arn"), (SCHEDULE, "target.arn"))
"""Types of resources by which a function is called and not waited for, and where they name it; all others need a
permission too, which tells who calls."""
_API_CALLS: Final = ((REST_API, "body"), (REST_API_PUT, "body"), (INTEGRATION, "requestParameters"))
_INVOCATION_HEADER: Final = "x-amz-invocation-type"
"""With which an API's integration may call a function without waiting (API Gateway developer guide, "Set up
asynchronous invocation")."""

_GUIDE: Final = "https://docs.aws.amazon.com/lambda/latest/dg"
_ARN: Final = "arn:aws:lambda:eu-west-1:123456789012:function:"
_QUEUE_ARN: Final = "arn:aws:sqs:eu-west-1:123456789012:failures"
_STREAM_ARN: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
_WORKER: Final = Given(FUNCTION, "worker", {"name": "worker"}, {"arn": f"{_ARN}worker", "name": "worker"})


def _waits(stack: Stack, function: Resource) -> bool | Unknown:
    """Whether something calls a function, and all that does waits for its answer."""
    waited = [
        _permitted_waits(stack, function),
        *(_declared_waits(stack, function, type_) for type_ in _WAITING_TYPES),
        _machine_waits(stack, function),
    ]
    left = [_is_left(stack, function, type_, path) for type_, path in _LEAVING]
    if False in waited or True in left:
        return False
    unclear = [each for each in (*waited, *left) if isinstance(each, Unknown)]
    return unclear[0] if unclear else True in waited


def _permitted_waits(stack: Stack, function: Resource) -> bool | Unknown | None:
    """Whether all that is permitted to call a function waits; None if nothing is."""
    waits: bool | Unknown | None = None
    for permission in stack.of_type(PERMISSION):
        principal = look_up(permission, "principal").value
        unknown = unexplained(permission, "function")
        if unknown is not None:
            waits = unknown
        elif function not in functions(stack, permission, "function"):
            continue
        elif isinstance(principal, Unknown):
            waits = principal
        elif str(principal) not in _WAITING:
            return False
        elif not isinstance(waits, Unknown):
            waits = _api_waits(stack) if principal == _API else True
            if waits is False:
                return False
    return waits


def _declared_waits(stack: Stack, function: Resource, type_: str) -> bool | Unknown | None:
    for each in stack.of_type(type_):
        unknown = unexplained(each, "functionName")
        if unknown is not None:
            return unknown
        if function in functions(stack, each, "functionName"):
            return True
    return None


def _machine_waits(stack: Stack, function: Resource) -> bool | Unknown | None:
    """Step Functions waits, unless a task says otherwise."""
    waits: bool | None = None
    for machine in stack.of_type(MACHINE):
        definition = look_up(machine, "definition").value
        unknown = unexplained(machine, "definition")
        if unknown is None and function not in functions(stack, machine, "definition"):
            continue
        if unknown is not None or any(unknowns(definition)):
            return unknown or Unknown("definition")
        if any('"invocationtype"' in text.lower() for text in texts(definition)):
            return False
        waits = True
    return waits


def _is_left(stack: Stack, function: Resource, type_: str, path: str) -> bool | Unknown:
    """Whether something calls a function and does not wait."""
    for each in stack.of_type(type_):
        unknown = unexplained(each, path)
        if unknown is not None:
            return unknown
        if function in functions(stack, each, path):
            return True
    return False


def _api_waits(stack: Stack) -> bool | Unknown:
    """Whether no API of the stack calls a function without waiting."""
    values = [look_up(each, path).value for type_, path in _API_CALLS for each in stack.of_type(type_)]
    if any(_INVOCATION_HEADER in text.lower() for value in values for text in _names_and_texts(value)):
        return False
    return next((unknown for value in values for unknown in unknowns(value)), True)


def _names_and_texts(value: Value) -> Iterator[str]:
    yield from value if isinstance(value, Mapping) else ()
    yield from texts(value)


def _qualifier(stack: Stack, resource: Resource, path: str) -> str | Unknown:
    """The version or alias that a resource names a function by; "" for none."""
    qualifier = look_up(resource, "qualifier").value
    if isinstance(qualifier, Unknown):
        return _alias_name(stack, resource, "qualifier") or qualifier
    if isinstance(qualifier, str) and qualifier:
        return "" if qualifier == "$LATEST" else qualifier
    function = look_up(resource, path).value
    if isinstance(function, Unknown):
        return _alias_name(stack, resource, path) or ("" if origins(resource, path) else function)
    parts = str(function).rpartition(":function:")[2].split(":")
    return parts[1] if len(parts) > 1 else ""


def _alias_name(stack: Stack, resource: Resource, path: str) -> str | None:
    aliases = stack.referred(resource, path, ALIAS)
    if not aliases:
        return None
    name = look_up(aliases[0], "name").value
    return name if isinstance(name, str) else aliases[0].urn


_DESTINATION: Final = "destinationConfig.onFailure.destination"
_QUEUE: Final = "deadLetterConfig.targetArn"


def _async_failures(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    unlinked = False
    for permission in stack.of_type(PERMISSION):
        yield from _link(permission, "function", "principal", optional="qualifier")
    for config in stack.of_type(INVOKE_CONFIG):
        for verdict in _link(config, "functionName", optional="qualifier"):
            unlinked |= verdict.unknown
            yield verdict
        yield from _destination(stack, config)
    for function in stack.of_type(FUNCTION):
        yield from _failure_path(stack, function, unlinked=unlinked)


def _link(resource: Resource, *needed: str, optional: str) -> Iterator[Verdict]:
    """What keeps a resource from being told to a function."""
    for name in (*needed, optional):
        unknown = unexplained(resource, name)
        if unknown is not None:
            yield cannot_judge(unknown, urn=resource.urn)
        elif name != optional and not look_up(resource, name).value:
            yield Verdict(name, "is not set", urn=resource.urn)


def _destination(stack: Stack, config: Resource) -> Iterator[Verdict]:
    """That a configuration of asynchronous calls says where failures go, unless its function does."""
    unknown = unexplained(config, _DESTINATION)
    if unknown is not None:
        yield cannot_judge(unknown, urn=config.urn)
    elif not look_up(config, _DESTINATION).value:
        called = functions(stack, config, "functionName")
        if not any(look_up(each, _QUEUE).value for each in called):
            yield Verdict(_DESTINATION, "is not set, and its function has no deadLetterConfig either", urn=config.urn)


def _configs(stack: Stack, function: Resource) -> list[Resource]:
    """What says where failed calls of a function go."""
    return [
        each
        for each in stack.of_type(INVOKE_CONFIG)
        if look_up(each, _DESTINATION).value and function in functions(stack, each, "functionName")
    ]


def _failure_path(stack: Stack, function: Resource, *, unlinked: bool) -> Iterator[Verdict]:
    unknown = unexplained(function, _QUEUE)
    if unknown is not None:
        yield cannot_judge(unknown, urn=function.urn)
        return
    if look_up(function, _QUEUE).value:
        return
    configs = _configs(stack, function)
    if configs:
        yield from _uncovered(stack, function, configs)
        return
    waits = _waits(stack, function)
    if waits is True:
        return
    if unlinked or isinstance(waits, Unknown):
        yield cannot_judge(Unknown(_QUEUE), urn=function.urn)
    else:
        problem = "is not set, and no FunctionEventInvokeConfig of the function has an on-failure destination"
        yield Verdict(_QUEUE, problem, urn=function.urn)


def _uncovered(stack: Stack, function: Resource, configs: Sequence[Resource]) -> Iterator[Verdict]:
    """Names by which a function is called without waiting, and for which no destination holds."""
    covered = {_qualifier(stack, each, "functionName") for each in configs}
    called = {
        _qualifier(stack, each, "function")
        for each in stack.of_type(PERMISSION)
        if str(look_up(each, "principal").value) not in _WAITING and function in functions(stack, each, "function")
    }
    missing = called - covered
    if not missing:
        return
    if any(isinstance(each, Unknown) for each in covered | called):
        yield cannot_judge(Unknown("qualifier"), urn=function.urn)
        return
    names = ", ".join(sorted(str(each) or "the function itself" for each in missing))
    yield Verdict(_QUEUE, f"is not set, and no on-failure destination holds for calls of {names}", urn=function.urn)


def _has_no_path(stack: Stack, function: Resource) -> bool:
    return not look_up(function, _QUEUE).value and not _configs(stack, function)


def _matters(stack: Stack, _resource: Resource) -> bool:
    """Whether it matters how functions are called: some have nowhere for failures to go."""
    return any(_has_no_path(stack, each) for each in stack.of_type(FUNCTION))


_MAY_CALL: Final = "it calls no function then"

ASYNCHRONOUS: Final = Rule(
    id="lambda-failures",
    demand="A function that is called without waiting has somewhere for what fails to go",
    why="Lambda tries an event again twice and then drops it: nobody waits for the answer, so nobody hears of it. A "
    "destination that is set for the function does not hold for calls of its alias.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_116", "serverless-rules LambdaDLQ", "serverless-rules LambdaAsyncFailureDestination"),
    mend="Set destinationConfig.onFailure.destination in a FunctionEventInvokeConfig with the qualifier that is "
    "called, or the function's deadLetterConfig.targetArn.",
    url=f"{_GUIDE}/invocation-async-retain-records.html",
    guards=(
        Guard(type=INVOKE_CONFIG, path=_DESTINATION, weaker=("",)),
        Guard(type=INVOKE_CONFIG, path="functionName", weaker=("",)),
        Guard(type=INVOKE_CONFIG, path="qualifier", absent="it holds for calls of the function itself then"),
        Guard(
            type=FUNCTION,
            path=_QUEUE,
            absent="a FunctionEventInvokeConfig says it, or whoever calls the function waits",
        ),
        Guard(type=PERMISSION, path="function", weaker=("",)),
        Guard(type=PERMISSION, path="principal", weaker=("",)),
        Guard(type=PERMISSION, path="qualifier", absent="the function itself may be called then"),
        *(
            Guard(type=type_, path=path, absent=_MAY_CALL, beside=_matters)
            for type_, path in (*_API_CALLS, (MACHINE, "definition"), *_LEAVING)
        ),
    ),
    violating=(
        _WORKER,
        Given(INVOKE_CONFIG, "config", {"functionName": Ref("worker", "name"), "maximumRetryAttempts": 2}),
    ),
    compliant=(
        _WORKER,
        Given(
            INVOKE_CONFIG,
            "config",
            {
                "functionName": Ref("worker", "name"),
                "qualifier": "live",
                "destinationConfig": {"onFailure": {"destination": _QUEUE_ARN}},
            },
        ),
        Given(
            PERMISSION,
            "events",
            {"function": Ref("worker", "name"), "qualifier": "live", "principal": "events.amazonaws.com"},
        ),
        Given(TARGET, "target", {"rule": "nightly", "arn": f"{_ARN}worker:live"}),
        Given(SCHEDULE, "schedule", {"target": {"arn": _QUEUE_ARN}}),
        Given(FUNCTION, "page", {"name": "page"}, {"arn": f"{_ARN}page", "name": "page"}),
        Given(PERMISSION, "page-api", {"function": Ref("page", "name"), "principal": _API}),
        Given(REST_API, "api", {"name": "api", "body": '{"openapi": "3.0.1", "paths": {}}'}),
        Given(INTEGRATION, "integration", {"type": "AWS_PROXY", "requestParameters": {}}),
        Given(MACHINE, "machine", {"definition": '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}'}),
    ),
    not_applicable=(
        _WORKER,
        Given(PERMISSION, "api", {"function": Ref("worker", "name"), "principal": _API}),
    ),
    check_stack=_async_failures,
)

_STREAMS: Final = frozenset({"dynamodb", "kinesis"})
_QUEUES: Final = frozenset({"sqs"})


def _source(mapping: Resource) -> str | Unknown:
    """The service that a mapping reads from: by its ARN, or by what that is made from."""
    arn = look_up(mapping, "eventSourceArn").value
    if isinstance(arn, Unknown):
        made_from = [each.type.partition(":")[2].partition("/")[0] for each in origins(mapping, "eventSourceArn")]
        known = [service for service in made_from if service in _STREAMS | _QUEUES]
        return known[0] if known else (made_from[0] if made_from else arn)
    parts = str(arn).split(":")
    return parts[2] if len(parts) > 2 else ""


def _reads_stream(mapping: Resource) -> bool | Unknown:
    source = _source(mapping)
    return source if isinstance(source, Unknown) else source in _STREAMS


def _reads_queue(mapping: Resource) -> bool | Unknown:
    source = _source(mapping)
    return source if isinstance(source, Unknown) else source in _QUEUES


_BATCH_DESTINATION: Final = "destinationConfig.onFailure.destinationArn"


def _stream_failures(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for mapping in stack.of_type(MAPPING):
        applies = _reads_stream(mapping)
        unknown = applies if isinstance(applies, Unknown) else unexplained(mapping, _BATCH_DESTINATION)
        if applies is False:
            continue
        if unknown is not None:
            yield cannot_judge(unknown, urn=mapping.urn)
        elif not look_up(mapping, _BATCH_DESTINATION).value:
            yield Verdict(_BATCH_DESTINATION, "is not set", urn=mapping.urn)


def _mapping(source: str, **inputs: object) -> Given:
    return Given(MAPPING, "mapping", {"eventSourceArn": source, "functionName": "worker", **inputs})


STREAM: Final = Rule(
    id="lambda-stream-failures",
    demand="A function that reads a stream has somewhere for batches to go that it cannot handle",
    why="A batch that fails is tried until its records expire, and everything behind it waits; or it is given up, and "
    "then nobody knows which records are missing.",
    severity=Severity.MEDIUM,
    controls=("serverless-rules LambdaEventSourceMappingDestination",),
    mend="Set destinationConfig.onFailure.destinationArn to the ARN of a queue or topic.",
    url=f"{_GUIDE}/services-dynamodb-errors.html",
    guards=(
        Guard(type=MAPPING, path=_BATCH_DESTINATION, when=_reads_stream, weaker=("",)),
        Guard(type=MAPPING, path="eventSourceArn", absent="a broker of one's own is no stream of AWS"),
    ),
    violating=(_mapping(_STREAM_ARN),),
    compliant=(_mapping(_STREAM_ARN, destinationConfig={"onFailure": {"destinationArn": _QUEUE_ARN}}),),
    not_applicable=(_mapping(_QUEUE_ARN),),
    check_stack=_stream_failures,
)


_REPORT: Final = "ReportBatchItemFailures"


def _single_failures(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    path = "functionResponseTypes"
    for mapping in stack.of_type(MAPPING):
        applies, value = _reads_queue(mapping), look_up(mapping, path).value
        unknown = applies if isinstance(applies, Unknown) else next(unknowns(value), None)
        if applies is False:
            continue
        if unknown is not None:
            yield cannot_judge(unknown, urn=mapping.urn)
        elif _REPORT not in many(value):
            size = look_up(mapping, "batchSize").value
            if isinstance(size, Unknown):
                yield cannot_judge(size, urn=mapping.urn)
            elif as_number(size) != 1:
                yield Verdict(path, f"has no {_REPORT}", urn=mapping.urn)


def _reads_many(_stack: Stack, mapping: Resource) -> bool:
    return as_number(look_up(mapping, "batchSize").value) != 1


def _reports_nothing(_stack: Stack, mapping: Resource) -> bool:
    return _reads_queue(mapping) is True and _REPORT not in many(look_up(mapping, "functionResponseTypes").value)


BATCHES: Final = Rule(
    id="lambda-batch-failures",
    demand="A function that reads a queue says which messages of a batch failed",
    why="Otherwise one bad message brings back the whole batch: what was done is done again, and good messages end in "
    "the dead-letter queue with it.",
    severity=Severity.LOW,
    controls=("Well-Architected REL05-BP04", "Lambda developer guide, Handling errors for an SQS event source"),
    mend="Set functionResponseTypes to [ReportBatchItemFailures] and have the function answer with the failed ones, "
    "or set batchSize to 1.",
    url=f"{_GUIDE}/services-sqs-errorhandling.html",
    guards=(
        Guard(
            type=MAPPING,
            path="functionResponseTypes",
            when=_reads_queue,
            weaker=((), ("reportBatchItemFailures",)),
            beside=_reads_many,
        ),
        Guard(type=MAPPING, path="batchSize", weaker=(10, ""), beside=_reports_nothing),
        Guard(type=MAPPING, path="eventSourceArn", absent="a broker of one's own is no queue of AWS"),
    ),
    violating=(_mapping(_QUEUE_ARN),),
    compliant=(
        _mapping(_QUEUE_ARN, functionResponseTypes=[_REPORT]),
        Given(MAPPING, "one-by-one", {"eventSourceArn": _QUEUE_ARN, "functionName": "worker", "batchSize": 1}),
    ),
    not_applicable=(_mapping(_STREAM_ARN),),
    check_stack=_single_failures,
)

RULES: Final = (ASYNCHRONOUS, STREAM, BATCHES)
