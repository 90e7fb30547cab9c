"""Starts the emulator with gaps closed that would hide faults; runs in the emulator's own environment.

It judges a request as AWS would, so that the roles which the program writes for AWS are the ones proved here:

- transport: queues, topics and buckets refuse whatever does not come over TLS. On this machine the transport is plain
  HTTP that never leaves loopback, so it is declared as a TLS-terminating proxy in front would declare it;
- task tokens: AWS authorises `SendTask*` on the state machine that waits for the token, the emulator on nothing;
- condition keys: AWS knows `events:source` of a `PutEvents` call (EventBridge user guide, "Using IAM policy
  conditions") and `kms:EncryptionContext:…` of a call to KMS (KMS developer guide), the emulator does not.

Its gateway does what AWS's does, or lets others do it:

- failed functions: AWS's gateway answers with its own response, the emulator's with what the function raised;
- usage keys: an API whose keys come from its authorizer (API Gateway developer guide, "Choose an API key source") takes
  them from there, where the emulator asks for a header;
- integrations with DynamoDB, with SQS and with functions that stream: routed, authorized, throttled and validated here,
  finished by the front (`harness/front`), which alone may ask for it.

Its event sources do what AWS's do (`emulator_streams`).

Its functions are called as AWS's are:

- weights: a call of an alias goes to one of the versions that share it, where the emulator knows the first one only.

Nor does it stand still for long where it would by its own histories:

- garbage: what outlived a full collection is not gone through again by the next one;
- expired items are removed a few at a time (`emulator_expiry`), old logs are forgotten (`emulator_logs`);
- threads are used again (`emulator_threads`).

Its execution environments have layers that are unpacked once, start in turn, and those that callers wait for go first
(`emulator_environments`). Beyond AWS, faults can be asked for (`emulator_faults`), the state is kept while the emulator
runs, not only when it stops (`emulator_snapshots`), and what each role does is noted (`emulator_uses`).

The parity table says so. Written for the version that requirements/emulator.txt pins: an attribute that is no longer
there stops the start, with its name.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import hmac
import json
import os
import random
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.services import apigateway_v1, lambda_svc, stepfunctions

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_OLDEST_GENERATION = 2
_TOKENS_KEPT = 10_000
"""Far more than tasks that wait at one time."""
FRONT_HEADER = b"x-harness-front"
"""As in harness/front/handover.py, which cannot be imported here; nor can what follows."""
FRONT_KEY = "FRONT_KEY"
RELAYS = "HARNESS_RELAYS"
"""As in harness/emulator.py."""
STREAMING = "/response-streaming-invocations"
"""Ends the URI of an integration whose function streams."""
_USAGE_KEY = "usageIdentifierKey"
_ANSWER = ("principalId", "policyDocument", "context", _USAGE_KEY)
"""What an authorizer answers with."""
_FAILURES = {
    "API_CONFIGURATION_ERROR": "Internal server error",
    "INTEGRATION_FAILURE": "Internal server error",
    "INTEGRATION_TIMEOUT": "Endpoint request timed out",
}
"""Gateway response type -> what the gateway says; for the front to answer with."""


def count_loopback_as_tls() -> None:
    """Every request says that it came over HTTPS."""
    serve: Callable[[Message, Receive, Send], Awaitable[None]] = ministack.app

    async def over_tls(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-proto"]
            scope = {**scope, "headers": [*others, (b"x-forwarded-proto", b"https")]}
        await serve(scope, receive, send)

    ministack.app = over_tls


def authorise_task_tokens_on_their_state_machine() -> None:
    """Remember which state machine waits for which token, and let IAM ask for it.

    A token stays known when its task is over: AWS then says so to whoever may answer the machine's tasks.
    """
    machines: dict[str, str] = {}
    running = threading.local()
    execute, wait, resource_of = (
        stepfunctions._execute_task,  # noqa: SLF001  # there is no public way in
        stepfunctions._invoke_with_callback,  # noqa: SLF001
        iam_actions.extract_resource_arn,
    )

    @functools.wraps(execute)
    def executing(state: Message, raw_input: Any, execution: Message, context: Message) -> Any:
        running.machine = context["StateMachine"]["Id"]
        return execute(state, raw_input, execution, context)

    @functools.wraps(wait)
    def waiting_for(resource: str, effective: Any, token: str, state: Message) -> Any:
        machines[token] = running.machine
        if len(machines) > _TOKENS_KEPT:
            machines.pop(next(iter(machines)), None)
        return wait(resource, effective, token, state)

    @functools.wraps(resource_of)
    def judged(service: str, method: str, path: str, headers: Message, body: bytes, *others: Any) -> str:
        if service == "states":
            token = _field(body, "taskToken")
            if token in machines:
                return machines[token]
            known = next(iter(stepfunctions._state_machines), None)  # noqa: SLF001
            if token is not None and known is not None:
                # From before a restart: who may answer a machine's tasks is told that this one is over.
                return str(known)
        return str(resource_of(service, method, path, headers, body, *others))

    stepfunctions._execute_task = executing  # noqa: SLF001
    stepfunctions._invoke_with_callback = waiting_for  # noqa: SLF001
    iam_actions.extract_resource_arn = judged


def tell_what_conditions_ask_for() -> None:
    """Give IAM the sources that a `PutEvents` call names, and the encryption context of a call to KMS."""
    tags_of = iam_actions.request_tag_context

    @functools.wraps(tags_of)
    def context(service: str, action: str, body: bytes, parameters: Message) -> Message:
        known: Message = tags_of(service, action, body, parameters)
        if action == "events:PutEvents":
            entries = _field(body, "Entries") or []
            known = {**known, "events:source": sorted({entry.get("Source", "") for entry in entries})}
        elif service == "kms":
            # The evaluator asks for keys in lower case.
            bound = _field(body, "EncryptionContext") or {}
            known = {**known, **{f"kms:EncryptionContext:{name}".lower(): value for name, value in bound.items()}}
        return known

    iam_actions.request_tag_context = context


def share_calls_by_weight() -> None:
    """A call of an alias goes by chance to one of its versions, as its weights say (Lambda developer guide)."""
    find, invoke = (
        lambda_svc._effective_func_record_for_qualifier,  # noqa: SLF001
        lambda_svc._invoke,  # noqa: SLF001
    )

    def drawn(function: Message | None, qualifier: str | None) -> str | None:
        alias = ((function or {}).get("aliases") or {}).get(qualifier) or {}
        chance = random.random()  # noqa: S311  # shares calls, keeps no secret
        for version, weight in ((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}).items():
            chance -= weight
            if chance < 0:
                return str(version)
        return qualifier

    @functools.wraps(find)
    def finding(function: Message | None, qualifier: str | None) -> Any:
        return find(function, drawn(function, qualifier))

    @functools.wraps(invoke)
    async def invoking(
        name: str, event: Any, headers: Message, path_qualifier: str | None = None, query_params: Any = None
    ) -> Any:
        asked = lambda_svc._qualifier_from_path_or_query(path_qualifier, query_params)  # noqa: SLF001
        version = drawn(lambda_svc._functions.get(name), asked)  # noqa: SLF001
        return await invoke(name, event, headers, version, query_params)

    lambda_svc._effective_func_record_for_qualifier = finding  # noqa: SLF001
    lambda_svc._invoke = invoking  # noqa: SLF001


def collect_only_what_is_new() -> None:
    """Keep full collections short: the histories that the emulator keeps for ever are gone through once.

    Each went through all of them: 0.2 s after a minute of load, several times a minute, and longer as they grow.
    """

    def freeze(phase: str, information: Mapping[str, int]) -> None:
        if phase == "stop" and information["generation"] == _OLDEST_GENERATION:
            gc.freeze()

    gc.callbacks.append(freeze)


def take_usage_keys_from_the_authorizer() -> None:
    """Where an API takes its keys from its authorizer, `usageIdentifierKey` is what counts, and no header is."""
    of_api: ContextVar[bool] = ContextVar("of_api", default=False)
    named: ContextVar[str | None] = ContextVar("named", default=None)
    authorize, invoke, from_header = (
        apigateway_v1._authorize_request_v1,  # noqa: SLF001
        apigateway_v1._invoke_authorizer_lambda,  # noqa: SLF001
        apigateway_v1._api_key_from_request,  # noqa: SLF001
    )

    @functools.wraps(invoke)
    async def invoking(*request: Any) -> Any:
        """The answer, its key in the context, which the gateway remembers with the policy."""
        result = await invoke(*request)
        answer = result and result.get("body")
        if isinstance(answer, str | bytes):
            answer = {name: _field(answer if isinstance(answer, bytes) else answer.encode(), name) for name in _ANSWER}
        if isinstance(answer, dict) and answer.get(_USAGE_KEY):
            context = {**(answer.get("context") or {}), _USAGE_KEY: answer[_USAGE_KEY]}
            result = {**result, "body": {**answer, "context": context}}
        return result

    @functools.wraps(authorize)
    async def authorizing(api_id: str, *request: Any) -> tuple[Any, Message | None]:
        error, context = await authorize(api_id, *request)
        of_api.set(apigateway_v1._rest_apis[api_id].get("apiKeySource") == "AUTHORIZER")  # noqa: SLF001
        named.set((context or {}).get(_USAGE_KEY))
        # Functions and templates do not see it.
        return error, context and {name: value for name, value in context.items() if name != _USAGE_KEY}

    @functools.wraps(from_header)
    def key(headers: Message) -> str | None:
        return named.get() if of_api.get() else from_header(headers)

    apigateway_v1._invoke_authorizer_lambda = invoking  # noqa: SLF001
    apigateway_v1._authorize_request_v1 = authorizing  # noqa: SLF001
    apigateway_v1._api_key_from_request = key  # noqa: SLF001


def answer_for_failed_functions() -> None:
    """The gateway response DEFAULT_5XX, when a function behind a proxy integration raises or is too late."""

    class FailedError(Exception):
        pass

    read, invoke = (
        apigateway_v1._lambda_proxy_response,  # noqa: SLF001
        apigateway_v1._invoke_lambda_proxy_v1,  # noqa: SLF001
    )

    @functools.wraps(read)
    def reading(result: Message) -> Any:
        response, error = read(result)
        if error:
            raise FailedError
        return response, error

    @functools.wraps(invoke)
    async def invoking(*values: Any, **others: Any) -> Any:
        try:
            return await invoke(*values, **others)
        except FailedError:
            return apigateway_v1._gw_error("DEFAULT_5XX", "Internal server error")  # noqa: SLF001

    apigateway_v1._lambda_proxy_response = reading  # noqa: SLF001
    apigateway_v1._invoke_lambda_proxy_v1 = invoking  # noqa: SLF001


def let_the_front_finish(secret: str) -> None:
    """Hand integrations that the gateway cannot serve over to the front; to anyone else say so (501)."""
    by_front: ContextVar[bool] = ContextVar("by_front", default=False)
    current: ContextVar[Message] = ContextVar("current")
    serve: Callable[[Message, Receive, Send], Awaitable[None]] = ministack.app
    execute, build, parse = (
        apigateway_v1._execute_in_scope,  # noqa: SLF001
        apigateway_v1._build_lambda_event_v1,  # noqa: SLF001
        apigateway_v1._parse_service_integration_uri,  # noqa: SLF001
    )

    async def recognising(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = [value for name, value in scope["headers"] if name.lower() == FRONT_HEADER]
            by_front.set(any(hmac.compare_digest(value, secret.encode()) for value in shown))
            # Functions see all headers of a request: this one is not for them.
            others = [(name, value) for name, value in scope["headers"] if name.lower() != FRONT_HEADER]
            scope = {**scope, "headers": others}
        await serve(scope, receive, send)

    @functools.wraps(execute)
    async def executing(request: Message, *others: Any) -> Any:
        current.set(request)
        return await execute(request, *others)

    @functools.wraps(build)
    def building(*values: Any, **others: Any) -> Message:
        """The event, with the request id that the gateway's own answers to this request have."""
        event: Message = build(*values, **others)
        event["requestContext"]["requestId"] = current.get()["request_id"]
        return event

    def handing_over(invoke: Any, unserved: Callable[[str], bool]) -> Any:
        @functools.wraps(invoke)
        async def invoking(integration: Message, *request: Any, **known: Any) -> Any:
            if not unserved(integration["uri"]):
                return await invoke(integration, *request, **known)
            if not by_front.get():
                return _problem(current.get()["request_id"])
            scope = {"account_id": known.pop("owner_account_id"), "region": known.pop("owner_region")}
            document = {
                "event": apigateway_v1._build_lambda_event_v1(*request, **known),  # noqa: SLF001
                "integration": integration,
                "function": _streaming_function(integration["uri"], scope),
                "failures": {kind: _failure(kind, words, current.get()) for kind, words in _FAILURES.items()},
            }
            headers = {"Content-Type": "application/json", FRONT_HEADER.decode(): secret}
            return 200, headers, json.dumps(document).encode()

        return invoking

    ministack.app = recognising
    apigateway_v1._execute_in_scope = executing  # noqa: SLF001
    apigateway_v1._build_lambda_event_v1 = building  # noqa: SLF001
    for name, unserved in (
        ("_invoke_lambda_proxy_v1", lambda uri: uri.endswith(STREAMING)),
        ("_invoke_lambda_custom_v1", lambda uri: (parse(uri) or ("", ""))[1] == "dynamodb"),
        ("_invoke_sqs_v1", lambda _uri: True),
    ):
        setattr(apigateway_v1, name, handing_over(getattr(apigateway_v1, name), unserved))


def _streaming_function(uri: str, scope: dict[str, str]) -> Message | None:
    """The version that a streaming integration invokes now; None for another integration, or if there is none."""
    reference = uri.partition("/functions/")[2].removesuffix(STREAMING)
    record, config, name = lambda_svc._get_func_record_for_ref_in_scope(reference, **scope)  # noqa: SLF001
    if not reference or record is None or config is None:
        return None
    layers = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or ()]  # noqa: SLF001
    return {
        "name": name,
        "version": config["Version"],
        "arn": config["FunctionArn"],
        "invoked_arn": reference,
        "role": config["Role"],
        "runtime": config["Runtime"],
        "handler": config["Handler"],
        "timeout": config["Timeout"],
        "memory_size": config["MemorySize"],
        "environment": (config.get("Environment") or {}).get("Variables") or {},
        "log_group": (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
        "code": _kept(record["code_zip"]),
        "layers": [_kept(layer) for layer in layers if layer],
    }


@functools.lru_cache(maxsize=256)
def _kept(archive: bytes) -> str:
    """The path of a file with ``archive`` in it, named by its content. The front runs on this machine."""
    file = Path(tempfile.gettempdir()) / "archives" / f"{hashlib.sha256(archive).hexdigest()}.zip"
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(f".{threading.get_ident()}")
    new.write_bytes(archive)
    new.replace(file)
    return str(file)


def _failure(kind: str, words: str, request: Message) -> Message:
    """The API's gateway response for ``kind``."""
    error = apigateway_v1._gw_error(kind, words)  # noqa: SLF001
    status, headers, body = apigateway_v1._gateway_error_response(error, request)  # noqa: SLF001
    return {"status": status, "headers": headers, "body": body.decode()}


def _problem(request_id: str) -> tuple[int, dict[str, str], bytes]:
    problem = {
        "type": "urn:energy-support:problem:not-served-here",
        "title": "Not served here",
        "status": 501,
        "detail": "The emulator cannot serve this route by itself: call it through the front (`harness status`).",
        "request_id": request_id,
    }
    return 501, {"Content-Type": "application/problem+json"}, json.dumps(problem).encode()


def _field(body: bytes, name: str) -> Any:
    return _members(body or b"{}").get(name)


def _members(document: Any) -> dict[str, Any]:
    """A JSON object's members; none of what is no such thing."""
    try:
        return dict(json.loads(document))
    except (ValueError, TypeError):
        return {}


if __name__ == "__main__":
    count_loopback_as_tls()
    authorise_task_tokens_on_their_state_machine()
    tell_what_conditions_ask_for()
    share_calls_by_weight()
    collect_only_what_is_new()
    take_usage_keys_from_the_authorizer()
    answer_for_failed_functions()
    # Not for functions, which inherit the environment.
    secret = os.environ.pop(FRONT_KEY)
    let_the_front_finish(secret)
    # Behind everything else on the path, which functions do not inherit.
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    from harness import (
        emulator_environments,
        emulator_expiry,
        emulator_faults,
        emulator_logs,
        emulator_snapshots,
        emulator_streams,
        emulator_threads,
        emulator_uses,
    )

    emulator_environments.share_unpacked_archives()
    emulator_environments.start_in_turn()
    emulator_environments.let_callers_go_first()
    emulator_environments.tell_how_they_ended()
    emulator_expiry.remove_a_few_at_a_time()
    emulator_logs.keep_the_newest()
    emulator_streams.read_anew_after_a_restart()
    emulator_streams.deliver_again_what_a_consumer_could_not_handle()
    emulator_streams.forget_what_everybody_has_read()
    emulator_threads.use_them_again()
    snapshots = emulator_snapshots.install()
    faults = emulator_faults.install(secret, json.loads(os.environ.pop(RELAYS)))
    faults.doors["POST", "snapshot"] = lambda _, __: snapshots.take()
    faults.doors["GET", "snapshot"] = lambda _, __: snapshots.figures()
    emulator_uses.install(faults)
    ministack.main()
