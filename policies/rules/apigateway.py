"""Amazon API Gateway: stages, methods and what they ask of callers. Timeouts: `policies.rules.apigateway_timeouts`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies import openapi
from policies.documents import Problem, json_object
from policies.links import origins, same, unexplained
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.settings import Settings
from policies.values import Unknown, look_up, many, unknowns
from policies.wants import Like, Off, On, OneOf, Present, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.stack import Stack
    from policies.values import Resource, Value

REST_API: Final = "aws:apigateway/restApi:RestApi"
REST_API_PUT: Final = "aws:apigateway/restApiPut:RestApiPut"
STAGE: Final = "aws:apigateway/stage:Stage"
METHOD_SETTINGS: Final = "aws:apigateway/methodSettings:MethodSettings"
METHOD: Final = "aws:apigateway/method:Method"
INTEGRATION: Final = "aws:apigateway/integration:Integration"
DOMAIN_NAME: Final = "aws:apigateway/domainName:DomainName"
DOMAIN_NAME_V2: Final = "aws:apigatewayv2/domainName:DomainName"
USAGE_PLAN: Final = "aws:apigateway/usagePlan:UsagePlan"
WEB_ACL: Final = "aws:wafv2/webAcl:WebAcl"
WEB_ACL_ASSOCIATION: Final = "aws:wafv2/webAclAssociation:WebAclAssociation"

_GUIDE: Final = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_API: Final = "a1b2c3d4e5"
_STAGE_ARN: Final = f"arn:aws:apigateway:eu-west-1::/restapis/{_API}/stages/v1"
_LOG_GROUP_ARN: Final = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/apigateway/orders"
_WEB_ACL_ARN: Final = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/orders/1"
_FUNCTION_URI: Final = (
    "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:eu-west-1:123456789012:function:orders/invocations"
)
_LOG_DESTINATIONS: Final = frozenset(
    {"aws:cloudwatch/logGroup:LogGroup", "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"}
)


def _stage(**inputs: object) -> Given:
    return Given(STAGE, "stage", {"restApi": _API, "stageName": "v1", **inputs}, {"arn": _STAGE_ARN})


def _settings(path: str = "*/*", **settings: object) -> Given:
    inputs = {"restApi": _API, "stageName": "v1", "methodPath": path, "settings": settings}
    return Given(METHOD_SETTINGS, f"settings-{path}", inputs)


def _api(**operation: object) -> Given:
    """An API with one method, which a function answers."""
    answered: dict[str, object] = {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": _FUNCTION_URI,
            "timeoutInMillis": 29_000,
        },
        **operation,
    }
    return Given(REST_API, "orders", {"name": "orders", "body": json.dumps(_document({"/orders": {"post": answered}}))})


def _document(paths: Mapping[str, object]) -> dict[str, object]:
    signed = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
    return {
        "openapi": "3.0.1",
        "info": {"title": "orders", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"signed": signed}},
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": True}
        },
    }


_ELSEWHERE: Final = (Given(REST_API, "orders", {"name": "orders"}),)

ACCESS_LOG: Final = Rule(
    id="apigateway-access-log",
    demand="A stage keeps an access log",
    why="Without it nobody can tell who called what, when and with what answer; neither after an attack nor when a "
    "customer asks.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_76", "AwsSolutions-APIG1", "Security Hub APIGateway.9"),
    mend="Set accessLogSettings.destinationArn to the ARN of a log group or of a delivery stream.",
    url=f"{_GUIDE}/set-up-logging.html",
    guards=(Guard(type=STAGE, path="accessLogSettings.destinationArn", want=Present(_LOG_DESTINATIONS)),),
    violating=(_stage(),),
    compliant=(_stage(accessLogSettings={"destinationArn": _LOG_GROUP_ARN, "format": '{"id": "$context.requestId"}'}),),
)

_VARIABLE: Final = re.compile(r"\$context\.[A-Za-z0-9_.:-]+")


@dataclass(frozen=True)
class _JsonFormat:
    """An access log's format that is one JSON object."""

    text: str = "a JSON object of `$context` variables"
    settled_by: frozenset[str] = frozenset()

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - as every want
        try:
            # A number's variable may stand without quotes; inside a string, the 0 does no harm.
            read = json.loads(_VARIABLE.sub("0", str(value)))
        except ValueError:
            return "is no JSON"
        if not isinstance(read, dict) or not _VARIABLE.search(str(value)):
            return "is no JSON object of $context variables"
        return None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002 - as every want
        return ("$context.identity.sourceIp $context.httpMethod", "{}", "", '["$context.requestId"]')


def _has_access_log(resource: Resource) -> bool | Unknown:
    settings = look_up(resource, "accessLogSettings").value
    return settings if isinstance(settings, Unknown) else bool(settings)


LOG_FORMAT: Final = Rule(
    id="apigateway-log-format",
    demand="A stage's access log is written as JSON",
    why="Logs Insights and metric filters read the fields of JSON by name; from other lines every query has to parse "
    "them, and breaks with the next field.",
    severity=Severity.LOW,
    controls=("serverless-rules APIGatewayStructuredLogging",),
    mend="Set accessLogSettings.format to a JSON object whose values are $context variables.",
    url=f"{_GUIDE}/set-up-logging.html#apigateway-cloudwatch-log-formats",
    guards=(Guard(type=STAGE, path="accessLogSettings.format", want=_JsonFormat(), when=_has_access_log),),
    violating=(_stage(accessLogSettings={"destinationArn": _LOG_GROUP_ARN, "format": "$context.requestId"}),),
    compliant=(_stage(accessLogSettings={"destinationArn": _LOG_GROUP_ARN, "format": '{"id": "$context.requestId"}'}),),
    not_applicable=(_stage(),),
)

TRACING: Final = Rule(
    id="apigateway-tracing",
    demand="A stage traces its calls with X-Ray",
    why="A trace that begins behind the gateway shows neither what the gateway itself took, nor which calls never "
    "came through.",
    severity=Severity.LOW,
    controls=("CKV_AWS_73", "Security Hub APIGateway.3", "serverless-rules APIGatewayTracing"),
    mend="Set xrayTracingEnabled to true.",
    url=f"{_GUIDE}/apigateway-xray.html",
    guards=(Guard(type=STAGE, path="xrayTracingEnabled", want=On()),),
    violating=(_stage(),),
    compliant=(_stage(xrayTracingEnabled=True),),
)


# --- settings of methods ----------------------------------------------------------------------------------------------

ALL_METHODS: Final = "*/*"
_LINKS: Final = ("restApi", "stageName", "methodPath")


def _is_about(settings: Resource, stage: Resource) -> bool:
    """Whether settings of methods hold for a stage."""
    unknown = isinstance(look_up(settings, "stageName").value, Unknown)
    of_stage = unknown and stage.urn in {each.urn for each in origins(settings, "stageName")}
    return (of_stage or same(settings, stage, "stageName")) and same(settings, stage, "restApi")


def _unlinked(settings: Resource) -> Iterator[Verdict]:
    """What keeps settings of methods from being told to a stage."""
    for name in _LINKS:
        unknown = unexplained(settings, name)
        if unknown is not None:
            yield cannot_judge(unknown, urn=settings.urn)
        elif not look_up(settings, name).value:
            yield Verdict(name, "is not set", urn=settings.urn)


def _of_all_methods(stack: Stack) -> Iterator[Verdict]:
    """That each stage has settings for all its methods, so that none goes without."""
    unlinked = [verdict for each in stack.of_type(METHOD_SETTINGS) for verdict in _unlinked(each)]
    yield from unlinked
    for stage in stack.of_type(STAGE):
        unknown = unexplained(stage, "restApi") or unexplained(stage, "stageName")
        if unknown is not None:
            yield cannot_judge(unknown, urn=stage.urn)
        elif _settings_of(stack, stage):
            continue
        elif any(verdict.unknown for verdict in unlinked):
            yield cannot_judge(Unknown("stageName"), urn=stage.urn)
        else:
            yield Verdict("stageName", f'has no MethodSettings for all methods ("{ALL_METHODS}")', urn=stage.urn)


def _settings_of(stack: Stack, stage: Resource) -> list[Resource]:
    """The settings for all methods of a stage."""
    return [
        each
        for each in stack.of_type(METHOD_SETTINGS)
        if _is_about(each, stage) and look_up(each, "methodPath").value == ALL_METHODS
    ]


def _execution_log(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    yield from _of_all_methods(stack)


_LINK_GUARDS: Final = (
    *(Guard(type=METHOD_SETTINGS, path=name, weaker=("",)) for name in _LINKS),
    Guard(type=STAGE, path="restApi", weaker=("another",)),
    Guard(type=STAGE, path="stageName", weaker=("another",)),
)
_OF_STAGE: Final = (Companion(of=STAGE, find=_settings_of),)

EXECUTION_LOG: Final = Rule(
    id="apigateway-execution-log",
    demand="A stage logs what the gateway does with its calls, at least the errors",
    why="The access log says that a call failed; why the gateway refused or could not pass it on, the execution log "
    "alone says.",
    severity=Severity.MEDIUM,
    controls=("CKV2_AWS_4", "AwsSolutions-APIG6", "Security Hub APIGateway.1"),
    mend='Give the stage MethodSettings with methodPath "*/*" and settings.loggingLevel ERROR or INFO; a method with '
    "settings of its own needs it again.",
    url=f"{_GUIDE}/set-up-logging.html",
    guards=(
        Guard(type=METHOD_SETTINGS, path="settings.loggingLevel", want=OneOf(("ERROR", "INFO"), refused=("OFF",))),
        *_LINK_GUARDS,
    ),
    violating=(_stage(), _settings(loggingLevel="OFF")),
    compliant=(_stage(), _settings(loggingLevel="ERROR")),
    check_stack=_execution_log,
    companions=_OF_STAGE,
)

DATA_TRACE: Final = Rule(
    id="apigateway-data-trace",
    demand="A stage does not log requests and answers in full",
    why="They hold what customers write, and their credentials; whoever reads the log reads them.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_276",),
    mend="Set settings.dataTraceEnabled to false.",
    url=f"{_GUIDE}/set-up-logging.html",
    guards=(Guard(type=METHOD_SETTINGS, path="settings.dataTraceEnabled", want=Off(), absent="it is off by default"),),
    violating=(_settings(dataTraceEnabled=True),),
    compliant=(_settings(dataTraceEnabled=False),),
    not_applicable=(_settings(),),
)


def _is_cached(resource: Resource) -> bool | Unknown:
    caching = look_up(resource, "settings.cachingEnabled").value
    return caching if isinstance(caching, Unknown) else caching not in (None, False, "false")


CACHE: Final = Rule(
    id="apigateway-cache-encryption",
    demand="Answers that the gateway caches are encrypted",
    why="The cache holds what customers were told, on machines of its own.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_308", "Security Hub APIGateway.5"),
    mend="Set settings.cacheDataEncrypted to true wherever settings.cachingEnabled is.",
    url=f"{_GUIDE}/api-gateway-caching.html",
    guards=(Guard(type=METHOD_SETTINGS, path="settings.cacheDataEncrypted", want=On(), when=_is_cached),),
    violating=(_settings(cachingEnabled=True),),
    compliant=(_settings(cachingEnabled=True, cacheDataEncrypted=True),),
    not_applicable=(_settings(cachingEnabled=False),),
)

CACHE_CONTROL: Final = Rule(
    id="apigateway-cache-control",
    demand="Only who is authorised empties the gateway's cache",
    why="With one header any caller could have every call go to the backend, which the cache is there to spare.",
    severity=Severity.LOW,
    controls=("API Gateway developer guide, Invalidate an API Gateway cache entry",),
    mend="Set settings.requireAuthorizationForCacheControl to true wherever settings.cachingEnabled is.",
    url=f"{_GUIDE}/api-gateway-caching.html#invalidate-method-caching",
    guards=(
        Guard(type=METHOD_SETTINGS, path="settings.requireAuthorizationForCacheControl", want=On(), when=_is_cached),
    ),
    violating=(_settings(cachingEnabled=True, requireAuthorizationForCacheControl=False),),
    compliant=(_settings(cachingEnabled=True, requireAuthorizationForCacheControl=True),),
    not_applicable=(_settings(cachingEnabled=False),),
)

_THROTTLES: Final = ("settings.throttlingRateLimit", "settings.throttlingBurstLimit")


def _throttling(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    yield from _of_all_methods(stack)
    for settings in stack.of_type(METHOD_SETTINGS):
        for path in _THROTTLES:
            value = look_up(settings, path).value
            number = as_number(value)
            if isinstance(value, Unknown):
                yield cannot_judge(value, urn=settings.urn)
            elif number is None or number < 0:
                yield Verdict(path, f"is {shown(value)}, so the whole account's", urn=settings.urn)


THROTTLING: Final = Rule(
    id="apigateway-throttling",
    demand="A stage limits how often its methods may be called",
    why="Unset, the limit is the whole account's: one API can use it up for all others, and have everything behind the "
    "gateway work for it. A usage plan limits single keys only, as many as there are.",
    severity=Severity.MEDIUM,
    controls=("serverless-rules APIGatewayDefaultThrottling", "Well-Architected REL05-BP02"),
    mend='Set settings.throttlingRateLimit and settings.throttlingBurstLimit in MethodSettings for "*/*", and in each '
    "method's own; or have every method ask for the key of a usage plan that throttles.",
    url=f"{_GUIDE}/api-gateway-request-throttling.html",
    guards=(*(Guard(type=METHOD_SETTINGS, path=path, weaker=(-1, "")) for path in _THROTTLES), *_LINK_GUARDS),
    violating=(_stage(), _settings(loggingLevel="ERROR")),
    compliant=(_stage(), _settings(throttlingRateLimit=100, throttlingBurstLimit=200)),
    check_stack=_throttling,
    companions=_OF_STAGE,
)


def _plan(**inputs: object) -> Given:
    return Given(USAGE_PLAN, "partners", {"name": "partners", "apiStages": [{"apiId": _API, "stage": "v1"}], **inputs})


USAGE_PLANS: Final = Rule(
    id="apigateway-usage-plan",
    demand="A usage plan limits how often each of its keys may be used",
    why="A plan without limits hands out keys that stop nobody.",
    severity=Severity.LOW,
    controls=("Well-Architected REL05-BP02",),
    mend="Set throttleSettings.rateLimit and throttleSettings.burstLimit.",
    url=f"{_GUIDE}/api-gateway-api-usage-plans.html",
    guards=(
        Guard(type=USAGE_PLAN, path="throttleSettings.rateLimit", want=Present()),
        Guard(type=USAGE_PLAN, path="throttleSettings.burstLimit", want=Present()),
    ),
    violating=(_plan(),),
    compliant=(_plan(throttleSettings={"rateLimit": 10, "burstLimit": 20}),),
)


# --- what a method asks of callers ------------------------------------------------------------------------------------


def _read(api: Resource) -> Iterable[openapi.Operation] | Verdict:
    """The operations of an API's document, or what keeps them from being read."""
    read = openapi.document(api)
    if isinstance(read, Unknown):
        return cannot_judge(read)
    if isinstance(read, Problem):
        return Verdict(read.path, read.text)
    return () if read is None else openapi.operations(read)


def _mock(stack: Stack, method: Resource) -> bool | Unknown:
    """Whether the gateway answers a method itself."""
    unclear: Unknown | None = unexplained(method, "resourceId") or unexplained(method, "httpMethod")
    for each in stack.of_type(INTEGRATION):
        unknown = unexplained(each, "resourceId") or unexplained(each, "httpMethod")
        if unknown is None and not _answers(each, method):
            continue
        kind = look_up(each, "type").value
        unknown = unknown or (kind if isinstance(kind, Unknown) else None)
        if unknown is None and kind == "MOCK" and unclear is None:
            return True
        unclear = unclear or unknown
    return unclear or False


def _answers(integration: Resource, method: Resource) -> bool:
    of_method = method.urn in {each.urn for each in origins(integration, "httpMethod")}
    return same(integration, method, "resourceId") and (of_method or same(integration, method, "httpMethod"))


def _open_operations(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    if resource.type not in {REST_API, REST_API_PUT}:
        return
    read = _read(resource)
    if isinstance(read, Verdict):
        yield read
        return
    for operation in read:
        if operation.is_open and not operation.is_mock:
            yield Verdict(f"{operation.path}.security", "names no authorizer: anybody may call the method")


_PROOFS: Final = frozenset({"AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"})


def _open_methods(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for method in stack.of_type(METHOD):
        authorization = look_up(method, "authorization").value
        if isinstance(authorization, Unknown):
            yield cannot_judge(authorization, urn=method.urn)
        elif str(authorization) not in _PROOFS:
            mock = _mock(stack, method)
            if isinstance(mock, Unknown):
                yield cannot_judge(mock, urn=method.urn)
            elif not mock:
                problem = f"is {shown(authorization)}: anybody may call the method"
                yield Verdict("authorization", problem, urn=method.urn)


def _is_answered(stack: Stack, method: Resource) -> bool:
    return _mock(stack, method) is False


def _is_open(_stack: Stack, method: Resource) -> bool:
    return str(look_up(method, "authorization").value) not in _PROOFS


def _answers_open(stack: Stack, integration: Resource) -> bool:
    return any(_is_open(stack, each) and _answers(integration, each) for each in stack.of_type(METHOD))


_RESOURCE: Final = {"restApi": _API, "resourceId": "r1"}
_METHODS: Final = (
    Given(METHOD, "get", {**_RESOURCE, "httpMethod": "GET", "authorization": "AWS_IAM"}),
    Given(INTEGRATION, "get-call", {**_RESOURCE, "httpMethod": "GET", "type": "AWS_PROXY", "uri": _FUNCTION_URI}),
    Given(METHOD, "options", {**_RESOURCE, "httpMethod": "OPTIONS", "authorization": "NONE"}),
    Given(INTEGRATION, "options-mock", {**_RESOURCE, "httpMethod": "OPTIONS", "type": "MOCK"}),
)
"""An API of resources of their own: one method that a function answers, and one that nothing does."""


_OPEN_BODY: Final = json.dumps(_document({"/orders": {"get": {"responses": {}}}}))
_BODY_GUARDS: Final = tuple(
    Guard(
        type=type_,
        path="body",
        absent="its methods are resources of their own",
        weaker=(_OPEN_BODY.replace('"get"', '"post"'), "openapi: 3.0.1"),
    )
    for type_ in (REST_API, REST_API_PUT)
)

AUTHORIZATION: Final = Rule(
    id="apigateway-authorization",
    demand="Every method that something answers asks who calls",
    why="One method without it is open to the whole internet. In a document, the list at the root is ignored: each "
    "operation must say it. An API key tells callers apart, and proves nothing.",
    severity=Severity.CRITICAL,
    controls=("CKV_AWS_59", "CKV2_AWS_70", "AwsSolutions-APIG4", "AwsSolutions-COG4", "Security Hub APIGateway.8"),
    mend="List a scheme with an authorizer in the operation's security, or set the Method's authorization; what must "
    "be open to all is answered by a mock integration.",
    url=f"{_GUIDE}/apigateway-control-access-to-api.html",
    guards=(
        *_BODY_GUARDS,
        Guard(type=METHOD, path="authorization", weaker=("NONE", ""), beside=_is_answered),
        Guard(type=METHOD, path="resourceId", weaker=("another",), beside=_is_open),
        Guard(type=METHOD, path="httpMethod", weaker=("GET",), beside=_is_open),
        Guard(type=INTEGRATION, path="type", weaker=("AWS_PROXY", ""), beside=_answers_open),
        Guard(type=INTEGRATION, path="resourceId", weaker=("another",), beside=_answers_open),
        Guard(type=INTEGRATION, path="httpMethod", weaker=("PUT",), beside=_answers_open),
    ),
    violating=(_api(),),
    compliant=(_api(security=[{"signed": []}]), *_METHODS),
    not_applicable=_ELSEWHERE,
    check=_open_operations,
    check_stack=_open_methods,
)


def _unvalidated_operations(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    if resource.type not in {REST_API, REST_API_PUT}:
        return
    read = _read(resource)
    if isinstance(read, Verdict):
        yield read
        return
    for operation in read:
        problem = None if operation.is_mock else operation.unvalidated()
        if problem is not None:
            yield Verdict(f"{operation.path}.{openapi.VALIDATOR}", problem)


def _unvalidated_methods(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for method in stack.of_type(METHOD):
        unknown = unexplained(method, "requestValidatorId")
        if unknown is not None:
            yield cannot_judge(unknown, urn=method.urn)
        elif not look_up(method, "requestValidatorId").value:
            taken = _takes_something(method)
            if isinstance(taken, Unknown):
                yield cannot_judge(taken, urn=method.urn)
            elif taken:
                yield Verdict("requestValidatorId", "is not set", urn=method.urn)


def _takes_something(method: Resource) -> bool | Unknown:
    """Whether a caller sends something that could be looked at: what is in the path is always there."""
    verb, parameters = look_up(method, "httpMethod").value, look_up(method, "requestParameters").value
    if isinstance(verb, Unknown):
        return verb
    if str(verb) not in {"GET", "HEAD", "OPTIONS", "DELETE"}:
        return True
    required = isinstance(parameters, Mapping) and any(
        value is not False and not name.startswith("method.request.path.") for name, value in parameters.items()
    )
    return next(unknowns(parameters), required)


def _needs_validator(_stack: Stack, method: Resource) -> bool:
    return _takes_something(method) is True


def _has_no_validator(_stack: Stack, method: Resource) -> bool:
    return not look_up(method, "requestValidatorId").value


VALIDATION: Final = Rule(
    id="apigateway-validation",
    demand="What callers send is looked at before it reaches the backend",
    why="What the gateway refuses costs nothing and can hurt nothing; every backend that has to check for itself "
    "forgets something sometime.",
    severity=Severity.MEDIUM,
    controls=("CKV2_AWS_53", "AwsSolutions-APIG2"),
    mend="Declare a request validator, and name it in x-amazon-apigateway-request-validator of the operation or in "
    "the Method's requestValidatorId.",
    url=f"{_GUIDE}/api-gateway-method-request-validation.html",
    guards=(
        *_BODY_GUARDS,
        Guard(type=METHOD, path="requestValidatorId", weaker=("",), beside=_needs_validator),
        Guard(type=METHOD, path="httpMethod", weaker=("POST", "ANY"), beside=_has_no_validator),
        Guard(
            type=METHOD,
            path="requestParameters",
            absent="no parameter is declared then",
            weaker=({"method.request.querystring.day": True},),
            beside=_has_no_validator,
        ),
    ),
    violating=(_api(security=[{"signed": []}]),),
    compliant=(
        _api(security=[{"signed": []}], **{openapi.VALIDATOR: "all"}),
        Given(METHOD, "post", {**_RESOURCE, "httpMethod": "POST", "requestValidatorId": "v1"}),
        Given(METHOD, "get", {**_RESOURCE, "httpMethod": "GET", "requestParameters": {"method.request.path.id": True}}),
    ),
    not_applicable=_ELSEWHERE,
    check=_unvalidated_operations,
    check_stack=_unvalidated_methods,
)


# --- what stands before a stage ---------------------------------------------------------------------------------------


def _web_acls(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    unclear = False
    for each in stack.of_type(WEB_ACL_ASSOCIATION):
        unknown = unexplained(each, "resourceArn")
        if unknown is not None:
            yield cannot_judge(unknown, urn=each.urn)
        elif not look_up(each, "resourceArn").value:
            yield Verdict("resourceArn", "is not set", urn=each.urn)
        made_from = {origin.type for origin in origins(each, "resourceArn")}
        # Made from the API's id, say: that it is about a stage, and about which, shows when it is known.
        unclear |= isinstance(look_up(each, "resourceArn").value, Unknown) and (not made_from or REST_API in made_from)
    for stage in stack.of_type(STAGE):
        if _walls(stack, stage):
            continue
        if unclear:
            yield cannot_judge(Unknown("stageName"), urn=stage.urn)
        else:
            yield Verdict("stageName", "has no web ACL: no WebAclAssociation names the stage", urn=stage.urn)


def _walls(stack: Stack, stage: Resource) -> list[Resource]:
    return stack.about(stage, WEB_ACL_ASSOCIATION, "resourceArn")


def _guards_stage(stack: Stack, association: Resource) -> bool:
    return bool(stack.referred(association, "resourceArn", STAGE))


WAF: Final = Rule(
    id="apigateway-waf",
    demand="A stage stands behind a web ACL",
    why="It stops known attacks, and floods from single addresses, before anything of one's own runs; throttling "
    "alone refuses customers as well.",
    severity=Severity.MEDIUM,
    controls=("CKV2_AWS_29", "AwsSolutions-APIG3", "Security Hub APIGateway.4"),
    mend="Associate a regional web ACL with the stage's ARN (WebAclAssociation).",
    url=f"{_GUIDE}/apigateway-control-access-aws-waf.html",
    guards=(
        Guard(
            type=WEB_ACL_ASSOCIATION,
            path="resourceArn",
            weaker=(_STAGE_ARN.replace(_API, "another"), ""),
            beside=_guards_stage,
        ),
        Guard(type=WEB_ACL_ASSOCIATION, path="webAclArn", want=Present(frozenset({WEB_ACL}))),
    ),
    violating=(_stage(),),
    compliant=(
        _stage(),
        Given(WEB_ACL_ASSOCIATION, "wall", {"resourceArn": Ref("stage"), "webAclArn": _WEB_ACL_ARN}),
    ),
    outside_production=Level.ADVISORY,
    check_stack=_web_acls,
    companions=(Companion(of=STAGE, find=_walls),),
)

_MODERN: Final = Like(
    r"TLS_1_2|SecurityPolicy_TLS1[23]_\w+",
    "`TLS_1_2` or a policy `SecurityPolicy_TLS12_…` or `SecurityPolicy_TLS13_…`",
    refused=("TLS_1_0", "", "SSL_3_0"),
)

TLS: Final = Rule(
    id="apigateway-domain-tls",
    demand="A host name of an API speaks TLS 1.2 or newer",
    why="Older versions have known weaknesses, and no caller of today needs them.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_206",),
    mend="Set securityPolicy to TLS_1_2 or one of the newer policies.",
    url=f"{_GUIDE}/apigateway-custom-domain-tls-version.html",
    guards=(
        Guard(type=DOMAIN_NAME, path="securityPolicy", want=_MODERN),
        Guard(type=DOMAIN_NAME_V2, path="domainNameConfiguration.securityPolicy", want=_MODERN),
    ),
    violating=(Given(DOMAIN_NAME, "name", {"domainName": "api.example.com", "securityPolicy": "TLS_1_0"}),),
    compliant=(
        Given(DOMAIN_NAME, "name", {"domainName": "api.example.com", "securityPolicy": "TLS_1_2"}),
        Given(
            DOMAIN_NAME_V2,
            "http-name",
            {"domainName": "http.example.com", "domainNameConfiguration": {"securityPolicy": "TLS_1_2"}},
        ),
    ),
)

_POLICY_IN_DOCUMENT: Final = "x-amazon-apigateway-security-policy"


def _speaks_for_itself(api: Resource) -> bool | Unknown:
    """Whether callers reach the API by its own name, and its OpenAPI document leaves the policy to securityPolicy."""
    private = list(many(look_up(api, "endpointConfiguration.types").value)) == ["PRIVATE"]
    if private or look_up(api, "disableExecuteApiEndpoint").value is True:
        return False
    body = look_up(api, "body").value
    if look_up(api, "securityPolicy").value is not None or body is None:
        return True
    document = json_object(body, "body")
    if isinstance(document, Mapping):
        return _MODERN.problem(document.get(_POLICY_IN_DOCUMENT), Settings()) is not None
    return document if isinstance(document, Unknown) else True


ENDPOINT_TLS: Final = Rule(
    id="apigateway-endpoint-tls",
    demand="An API's own host name speaks TLS 1.2 or newer",
    why="The name that API Gateway gives a regional or edge-optimized API takes TLS 1.0 too, unless told otherwise, "
    "also where callers are meant to come by another name.",
    severity=Severity.MEDIUM,
    controls=("API Gateway developer guide, Security policies for REST APIs",),
    mend="Set securityPolicy to TLS_1_2 or one of the newer policies; or disableExecuteApiEndpoint to true, where "
    "callers have another name.",
    url=f"{_GUIDE}/apigateway-security-policies.html",
    guards=(Guard(type=REST_API, path="securityPolicy", want=_MODERN, when=_speaks_for_itself),),
    violating=(Given(REST_API, "orders", {"name": "orders"}),),
    compliant=(Given(REST_API, "orders", {"name": "orders", "securityPolicy": "TLS_1_2"}),),
    not_applicable=(
        Given(REST_API, "inside", {"name": "inside", "endpointConfiguration": {"types": "PRIVATE"}}),
        Given(REST_API, "named", {"name": "named", "disableExecuteApiEndpoint": True}),
        Given(REST_API, "documented", {"name": "documented", "body": f'{{"{_POLICY_IN_DOCUMENT}": "TLS_1_2"}}'}),
    ),
    level=Level.ADVISORY,
)

RULES: Final = (
    ACCESS_LOG,
    LOG_FORMAT,
    TRACING,
    EXECUTION_LOG,
    DATA_TRACE,
    CACHE,
    CACHE_CONTROL,
    THROTTLING,
    USAGE_PLANS,
    AUTHORIZATION,
    VALIDATION,
    WAF,
    TLS,
    ENDPOINT_TLS,
)
