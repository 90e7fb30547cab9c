"""Faults in the calls of deployed functions, and in the deliveries of event sources, as they are asked for.

Runs in the emulator's own environment, around everything that `emulator_launcher` puts around the emulator. What
functions say to the model's stand-in and to the search node comes through here too, so that one set of rules holds for
every service. Rules are given at a door that asks for the front's key:

- ``faults``: POST a rule, GET them all with what they have met, DELETE (``?id=``, ``?contains=``, or all);
- ``hits``: GET what rules have met, oldest first (``?rule=``);
- ``visible``: POST ``{queue, contains}`` makes messages that are hidden visible at once.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import itertools
import json
import os
import re
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote
from weakref import WeakValueDictionary

import botocore.loaders
import urllib3
from hypercorn.asyncio.tcp_server import TCPServer  # type: ignore[import-not-found]  # in its own environment
from ministack import app as ministack
from ministack.core import concurrency, lambda_runtime
from ministack.services import lambda_svc, sqs, stepfunctions, sts

from harness.fault_rules import (
    ANY,
    COMMON,
    DELIVER,
    DOOR,
    MODEL,
    OTHERS,
    RELAY,
    SCOPES,
    SEARCH,
    TARGETS,
    THROTTLING,
    Rule,
    is_called,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Serve = Callable[[Message, Receive, Send], Awaitable[None]]

FRONT_HEADER = b"x-harness-front"
_KEPT = 1000
_TOKENS_KEPT = 10_000
_RELAY_SECONDS = 60.0
"""Longer than any function waits."""
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_ROOT = re.compile(r"Root=[^;]+")
_JSON = "application/x-amz-json-1.0"
_REASON = "asked for by a rule of the harness"
_S3 = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PostObject"}
_SEARCH = {
    "_search": "Search",
    "_bulk": "Bulk",
    "_delete_by_query": "DeleteByQuery",
    "_refresh": "Refresh",
    "_doc": "Document",
}
_MODEL = {"converse": "Converse", "invoke": "InvokeModel", "apply": "ApplyGuardrail"}
_HOP = {b"connection", b"host", b"transfer-encoding", b"keep-alive", b"content-length", b"expect"}


@dataclass
class Given:
    """A rule in force."""

    id: int
    rule: Rule
    to_skip: int
    left: int | None
    hits: int = 0

    @property
    def over(self) -> bool:
        return self.left == 0


@dataclass
class _Event:
    """What an execution environment works on."""

    event: Any

    @functools.cached_property
    def text(self) -> str:
        return _document(self.event)


@dataclass
class Call:
    """A call of a function, or a delivery to one."""

    service: str
    operation: str
    text: str
    callers: Sequence[str] = ()
    """Names of the calling role and of its session."""
    worker: Any = None
    """The execution environment that calls, None if it is none of the emulator's."""

    def known_as(self) -> tuple[str, ...]:
        return tuple(self.callers) or ((self.worker.func_name,) if self.worker is not None else ())

    def event(self) -> str:
        event: _Event | None = getattr(self.worker, "harness_event", None)
        return "" if event is None else event.text

    def fits(self, rule: Rule) -> bool:
        return (
            rule.concerns(self.service, self.operation)
            and (not rule.contains or rule.contains in self.text)
            and (rule.caller == ANY or is_called(rule.caller, *self.known_as()))
            and (not rule.event or rule.event in self.event())
        )


@dataclass
class Rules:
    """Those in force, and what they have met. Safe to use from any thread."""

    given: list[Given] = field(default_factory=list)
    hits: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    def add(self, rule: Rule) -> int:
        _check_against_model(rule)
        with self._lock:
            self._number += 1
            self.given.append(Given(self._number, rule, rule.skip, rule.count))
            return self._number

    def remove(self, chosen: Callable[[Given], bool]) -> int:
        with self._lock:
            kept = [given for given in self.given if not chosen(given)]
            removed = len(self.given) - len(kept)
            self.given = kept
            return removed

    def show(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{"id": one.id, "left": one.left, "hits": one.hits, "rule": asdict(one.rule)} for one in self.given]

    @property
    def any(self) -> bool:
        return any(not given.over for given in self.given)

    def take(self, call: Call) -> Rule | None:
        """What the call meets. Every ``watch`` that fits records it; of the others the first that is not used up."""
        fitting = [one for one in self.given if not one.over and call.fits(one.rule)]
        for given in sorted(fitting, key=lambda one: one.rule.kind != "watch"):
            with self._lock:
                if given.over:
                    continue
                if given.to_skip:
                    given.to_skip -= 1
                    continue
                given.left = None if given.left is None else given.left - 1
                given.hits += 1
                self.hits.append(
                    {
                        "rule": given.id,
                        "kind": given.rule.kind,
                        "service": call.service,
                        "operation": call.operation,
                        "caller": next(iter(call.known_as()), ""),
                        "at": time.time(),
                    }
                )
            if given.rule.kind != "watch":
                return given.rule
        return None

    def waits_for(self, message: str) -> bool:
        """Whether a rule is about the work on this message, and its neighbours in a batch should be spared."""
        waiting = [given.rule for given in self.given if not given.over and given.rule.kind != "watch"]
        texts = {rule.event for rule in waiting} | {rule.contains for rule in waiting if rule.kind == "crash"}
        return any(text and text in message for text in texts)


# --- what a call is


class Standing:
    """What tokens and handles stand for, and who calls."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}
        """Task token -> the message that carries it."""
        self.connections: WeakValueDictionary[Any, TCPServer] = WeakValueDictionary()
        """Client's address -> the server's end."""
        self.numbered: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """Number of an execution environment -> it, for calls that nobody signs."""
        self._tracing: dict[str, Any] = {}
        """Trace id -> the execution environment at work under it: the SDK sends it with each call."""

    def behind(self, service: str, body: bytes) -> str:
        """The message behind the token or the handle in a body; empty if it has none."""
        if service == "stepfunctions":
            return self.messages.get(str(_member(body, "taskToken")), "")
        if service == "sqs" and (handle := _member(body, "ReceiptHandle")):
            queue = sqs._queues.get(_member(body, "QueueUrl")) or {}  # noqa: SLF001  # there is no public way in
            return next((str(one["body"]) for one in queue.get("messages", ()) if one["receipt_handle"] == handle), "")
        return ""

    def worker(self, trace: str) -> Any:
        """The execution environment that calls under a trace; None if it is none of the emulator's."""
        found = _ROOT.search(trace)
        return self._tracing.get(found[0]) if found else None

    def watch(self) -> None:
        """See tokens given out, connections made and events handed to functions."""
        wait, serve, invoke = (
            stepfunctions._invoke_with_callback,  # noqa: SLF001
            TCPServer.run,
            lambda_runtime.Worker.invoke,
        )

        @functools.wraps(wait)
        def waiting(resource: str, effective: Any, token: str, state: Message) -> Any:
            self.messages[token] = _document(effective)
            if len(self.messages) > _TOKENS_KEPT:
                self.messages.pop(next(iter(self.messages)), None)
            return wait(resource, effective, token, state)

        @functools.wraps(serve)
        async def serving(connection: TCPServer) -> None:
            self.connections[tuple(connection.writer.get_extra_info("peername") or ())] = connection
            await serve(connection)

        @functools.wraps(invoke)
        def invoking(worker: Any, event: Any, *others: Any, trace_id: str | None = None, **named: Any) -> Any:
            root = _ROOT.search(trace_id or "")
            worker.harness_event = _Event(event)
            if root:
                self._tracing[root[0]] = worker
            try:
                return invoke(worker, event, *others, trace_id=trace_id, **named)
            finally:
                worker.harness_event = None
                if root:
                    self._tracing.pop(root[0], None)

        stepfunctions._invoke_with_callback = waiting  # noqa: SLF001
        TCPServer.run = serving
        lambda_runtime.Worker.invoke = invoking

    def route_through_here(self, relays: Mapping[str, str]) -> None:
        """Give functions the relay's address wherever their settings name a service that is relayed."""
        make = lambda_runtime.Worker.__init__
        here = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}{RELAY}"
        numbers = itertools.count()

        @functools.wraps(make)
        def making(worker: Any, name: str, config: Message, *others: Any) -> None:
            number = str(next(numbers))
            moved = {address: f"{here}{service}~{number}" for service, address in relays.items()}
            settings: dict[str, str] = (config.get("Environment") or {}).get("Variables") or {}
            settings = {key: moved.get(value, value) for key, value in settings.items()}
            self.numbered[number] = worker
            make(worker, name, {**config, "Environment": {"Variables": settings}}, *others)

        lambda_runtime.Worker.__init__ = making


def identify(scope: Message, body: bytes, standing: Standing) -> Call | None:
    """What a request calls; None if it is no call that rules are about, or not one in a role's name."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["path"], parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    found = _CREDENTIAL.search(headers.get(b"authorization", ""))
    key, signed_for = found.groups() if found else ("", "")
    callers = _names(key)
    trace = headers.get(b"x-amzn-trace-id", "")
    if path.startswith(RELAY):
        service, number, rest = _relayed(path)
        named = [_SEARCH[part] for part in rest.split("/") if part in _SEARCH]
        operation = _MODEL.get(rest.rpartition("/")[2], "") if service == MODEL else (named or ["Other"])[-1]
        return Call(service, operation, _text(body), callers, standing.numbered.get(number) or standing.worker(trace))
    if not callers:
        return None
    prefix, _, operation = headers.get(b"x-amz-target", "").rpartition(".")
    service = TARGETS.get(prefix, "")
    if not service:
        service = SCOPES.get(signed_for, "")
        operation = _rest_operation(service, scope["method"], query, body)
    if not service:
        return None
    return Call(
        service, operation, _text(body) + path + standing.behind(service, body), callers, standing.worker(trace)
    )


def _relayed(path: str) -> tuple[str, str, str]:
    """Service, number of the execution environment (it may be empty), and the path there."""
    where, _, rest = path.removeprefix(RELAY).partition("/")
    service, _, number = where.partition("~")
    return service, number, rest


def _rest_operation(service: str, method: str, query: Mapping[str, Sequence[str]], body: bytes) -> str:
    if service == "sns":
        return (query.get("Action") or parse_qs(body.decode("latin-1")).get("Action") or [""])[0]
    return "ListObjectsV2" if "list-type" in query else _S3.get(method, method)


def _names(access_key: str) -> tuple[str, ...]:
    """Role and session in whose names the key signs."""
    sessions: Mapping[str, Mapping[str, str]] = sts._sessions  # noqa: SLF001
    arn = sessions[access_key]["Arn"] if access_key in sessions else ""
    return tuple(reversed(arn.split("/")[1:]))


def _document(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _member(body: bytes, name: str) -> Any:
    try:
        return json.loads(body or b"{}").get(name)
    except (ValueError, AttributeError):
        return None


# --- errors in the protocols' shapes


@functools.lru_cache(maxsize=16)
def _model(service: str) -> Any:
    return botocore.loaders.Loader().load_service_model(service, "service-2")


def _statuses(service: str) -> dict[str, int]:
    """The service's errors -> HTTP status."""
    found: dict[str, int] = {**COMMON, **OTHERS.get(service, {})}
    if service in {ANY, SEARCH}:
        return found
    for name, shape in _model(service)["shapes"].items():
        if shape.get("exception"):
            said = shape.get("error") or {}
            found[said.get("code", name)] = said.get("httpStatusCode", 500 if shape.get("fault") else 400)
    return found


def _check_against_model(rule: Rule) -> None:
    """Raise ValueError for an operation or an error that the service does not have."""
    if rule.service == ANY:
        operations: Iterable[str] = ()
    elif rule.service == SEARCH:
        operations = (*_SEARCH.values(), "Other")
    else:
        operations = (*_model(rule.service)["operations"], *([DELIVER] if rule.service == "sqs" else []))
    if rule.operation != ANY and rule.operation not in operations:
        raise ValueError(f"{rule.service} has no operation {rule.operation}; there are: {', '.join(operations)}")
    statuses = _statuses(rule.service)
    if rule.error and rule.error not in statuses:
        raise ValueError(f"{rule.service} has no error {rule.error}; there are: {', '.join(sorted(statuses))}")


def failure(service: str, code: str) -> tuple[int, dict[str, str], bytes]:
    """An error as the service answers it: status, headers, body."""
    status = _statuses(service).get(code, 400)
    if service == "s3":
        xml = f"<Error><Code>{code}</Code><Message>{_REASON}</Message></Error>"
        return status, {"Content-Type": "application/xml"}, xml.encode()
    if service == "sns":
        xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>{_REASON}</Message></Error></ErrorResponse>"
        return status, {"Content-Type": "text/xml"}, xml.encode()
    if service == SEARCH:
        document: dict[str, Any] = {"error": {"type": code, "reason": _REASON}, "status": status}
        return status, {"Content-Type": "application/json"}, json.dumps(document).encode()
    if service == MODEL:
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
        return status, headers, json.dumps({"message": _REASON}).encode()
    return status, {"Content-Type": _JSON}, json.dumps({"__type": code, "message": _REASON}).encode()


# --- the middleware


class Faults:
    """Around the emulator: the door, the relays, and what goes wrong in calls."""

    def __init__(self, serve: Serve, secret: str, relays: Mapping[str, str]) -> None:
        """``relays``: service -> where it answers."""
        self._serve = serve
        self._secret = secret.encode()
        self.rules = Rules()
        self.standing = Standing()
        self._relays = relays
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=64, retries=False, timeout=_RELAY_SECONDS)
        self._threads = ThreadPoolExecutor(64, thread_name_prefix="relay")
        self.doors: dict[tuple[str, str], Callable[[Any, Mapping[str, str]], Any]] = {
            ("GET", "faults"): lambda _, __: {"rules": self.rules.show()},
            ("POST", "faults"): lambda body, _: {"id": self.rules.add(Rule.read(body))},
            ("DELETE", "faults"): lambda _, query: {"removed": self.rules.remove(_chosen(query))},
            ("GET", "hits"): lambda _, query: {"hits": _of_rule(self.rules.hits, query)},
            ("POST", "visible"): lambda body, _: {"messages": show_hidden(body["queue"], body.get("contains", ""))},
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._serve(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith(DOOR):
            await self._open(scope, await _read(receive), send)
            return
        relayed = path.startswith(RELAY)
        if not relayed and not self.rules.any:
            await self._serve(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        receive = _again(body, receive)
        serve = self._relay if relayed else self._serve
        call = identify(scope, body, self.standing) if self.rules.any else None
        rule = self.rules.take(call) if call is not None else None
        if call is None or rule is None:
            await serve(scope, receive, send)
        else:
            await self._meet(rule, call, scope, receive, send, serve)

    async def _meet(self, rule: Rule, call: Call, scope: Message, receive: Receive, send: Send, serve: Serve) -> None:
        if rule.latency_ms:
            await asyncio.sleep(rule.latency_ms / 1000)
        if rule.kind == "latency":
            await serve(scope, receive, send)
            return
        if rule.when == "after":
            await serve(scope, receive, _unheard)
        if rule.kind in {"error", "throttling"}:
            code = rule.error or THROTTLING.get(call.service, "ThrottlingException")
            await _answer(send, *failure(call.service, code))
            return
        if rule.kind == "crash":
            _kill(call)
        connection = self.standing.connections.get(tuple(scope.get("client") or ()))
        if rule.kind != "silence" and connection is not None:
            connection.writer.transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _relay(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a call on, and its answer back."""
        service, _, rest = _relayed(scope["raw_path"].decode("ascii"))
        query = scope.get("query_string", b"").decode("ascii")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
                   if name.lower() not in _HOP]  # fmt: skip
        body = await _read(receive)
        target = f"{self._relays[service]}/{rest}{'?' + query if query else ''}"
        ask = functools.partial(
            self._pool.request, scope["method"], target, body=body, headers=urllib3.HTTPHeaderDict(headers),
            decode_content=False, redirect=False,
        )  # fmt: skip
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except urllib3.exceptions.HTTPError:
            # Nobody is there: as if it were not here either.
            connection = self.standing.connections.get(tuple(scope.get("client") or ()))
            if connection is not None:
                connection.writer.transport.abort()
            return
        kept = {name: value for name, value in answer.headers.items() if name.lower().encode() not in _HOP}
        await _answer(send, answer.status, kept, answer.data)

    async def _open(self, scope: Message, body: bytes | None, send: Send) -> None:
        """The harness's own door."""
        shown = [value for name, value in scope["headers"] if name.lower() == FRONT_HEADER]
        if not any(hmac.compare_digest(value, self._secret) for value in shown):
            await _tell(send, 403, {"message": "This door is the harness's."})
            return
        query = {name: values[-1] for name, values in parse_qs(scope.get("query_string", b"").decode()).items()}
        serve = self.doors.get((scope["method"], unquote(scope["path"]).removeprefix(DOOR)))
        if serve is None:
            await _tell(send, 404, {"message": "There is no such door."})
            return
        try:
            document = json.loads(body or b"{}")
            answer = await asyncio.to_thread(serve, document, query)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            await _tell(send, 400, {"message": str(error)})
            return
        await _tell(send, 200, answer)


def _chosen(query: Mapping[str, str]) -> Callable[[Given], bool]:
    """The rules that a DELETE names; without a word all."""

    def chosen(given: Given) -> bool:
        if "id" in query:
            return str(given.id) == query["id"]
        return "contains" not in query or query["contains"] in {given.rule.contains, given.rule.event}

    return chosen


def _of_rule(hits: Iterable[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    return [hit for hit in list(hits) if query.get("rule") in {None, str(hit["rule"])}]


def _kill(call: Call) -> None:
    """End the calling function as a crash does: at once, with nothing put right."""
    process = getattr(call.worker, "_proc", None)
    if process is not None:
        process.kill()


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None if the caller has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return first.pop() if first else await receive()

    return receiving


async def _unheard(_message: Message) -> None:
    """An answer that does not leave."""


async def _answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    fields = {"Content-Length": str(len(body)), "x-amzn-RequestId": "harness", **headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _tell(send: Send, status: int, document: object) -> None:
    await _answer(send, status, {"Content-Type": "application/json"}, json.dumps(document).encode())


# --- deliveries


_AT_WORK: Counter[str] = Counter()
"""Ids of messages that functions are working on now."""


def show_hidden(queue: str, contains: str) -> int:
    """Make hidden messages of the queue with that name (or its last part) visible at once; how many there were.

    Those that a function is working on stay hidden: on AWS their visibility is longer than any work on them.
    """
    shown = 0
    with sqs._queues_lock:  # noqa: SLF001
        for url, found in list(sqs._queues._data.items()):  # noqa: SLF001
            if not is_called(queue, str(url[-1]).rpartition("/")[2]):
                continue
            for message in found["messages"]:
                hidden = message.get("visible_at", 0) > time.time() and not _AT_WORK[message["id"]]
                if hidden and contains in str(message["body"]):
                    message["visible_at"] = 0
                    shown += 1
    if shown:
        concurrency.esm_wake.set()
    return shown


def know_what_is_worked_on() -> None:
    """Count the messages in `_AT_WORK`."""
    run_batch = lambda_svc._run_sqs_batch  # noqa: SLF001

    @functools.wraps(run_batch)
    def work_off(source: Any, function: Any, event: Any, messages: Any, *queue: Any) -> None:
        ids = [message["id"] for message in messages]
        _AT_WORK.update(ids)
        try:
            run_batch(source, function, event, messages, *queue)
        finally:
            _AT_WORK.subtract(ids)
            for id_ in ids:
                if not _AT_WORK[id_]:
                    _AT_WORK.pop(id_, None)

    lambda_svc._run_sqs_batch = work_off  # noqa: SLF001


def deliver_by_rules(rules: Rules) -> None:
    """Let event sources of queues deliver late or more than once, and alone what something is to go wrong with."""
    dispatch, work_off = lambda_svc._dispatch_esm_batch, lambda_svc._run_sqs_batch  # noqa: SLF001

    def late(seconds: float, *batch: Any) -> None:
        time.sleep(seconds)
        work_off(*batch)

    def hand_over(esm_id: str, rule: Rule | None, *batch: Any) -> None:
        if rule is not None and rule.latency_ms:
            dispatch(esm_id, late, rule.latency_ms / 1000, *batch)
            return
        for _ in range(rule.times if rule is not None and rule.kind == "duplicate" else 1):
            dispatch(esm_id, work_off, *batch)

    @functools.wraps(dispatch)
    def dispatching(esm_id: str, run: Any, *batch: Any) -> None:
        if run is not work_off or not rules.any:
            dispatch(esm_id, run, *batch)
            return
        source, function, event, messages, *queue = batch
        bodies = {message["id"]: message for message in messages}
        together = []
        for record in event["Records"]:
            text = str(record["body"])
            rule = rules.take(Call("sqs", DELIVER, text, (source["FunctionName"],)))
            if rule is not None or rules.waits_for(text):
                alone = {"Records": [record]}
                hand_over(esm_id, rule, source, function, alone, [bodies[record["messageId"]]], *queue)
            else:
                together.append(record)
        left = {record["messageId"] for record in event["Records"]} - {record["messageId"] for record in together}
        others = [message for message in messages if message["id"] not in left]
        if together:
            dispatch(esm_id, run, source, function, {"Records": together}, others, *queue)

    lambda_svc._dispatch_esm_batch = dispatching  # noqa: SLF001


def install(secret: str, relays: Mapping[str, str]) -> Faults:
    """Put it around the emulator; the last one to do so."""
    faults = Faults(ministack.app, secret, relays)
    faults.standing.watch()
    know_what_is_worked_on()
    deliver_by_rules(faults.rules)
    faults.standing.route_through_here(relays)
    ministack.app = faults
    return faults
