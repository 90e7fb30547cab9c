"""The operations of the Bedrock runtime, and the harness's own below ``/_harness``.

A guardrail in a request is accepted and named in the trace, and blocks nothing unless a behaviour says so.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from harness.bedrock import eventstream, model
from harness.bedrock.control import Behaviour, Control, Rules, Told, error_statuses
from harness.bedrock.embedding import embed
from harness.bedrock.http import Request, Response
from support import typed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

_MODEL_ID: Final = re.compile(
    r"(arn:aws[\w-]*:bedrock:.+|([a-z]{2,6}\.)?(amazon|anthropic|ai21|cohere|deepseek|meta|mistral|openai|qwen)\.[\w.:-]+)"
)
_EMBEDDING_MODEL: Final = "amazon.titan-embed-text-v2:0"
_DIMENSIONS: Final = (1024, 512, 256)
_EMBEDDING_CHARACTERS: Final = 50_000
_WORDS_PER_CHUNK: Final = 3
_CITATIONS: Final = "<citations>"
"""Begins the list that `support.generation` asks for at the end of a streamed answer."""
_KEPT_BACK: Final = "The guardrail kept this answer back."

Body = dict[str, Any]
"""A request as decoded from JSON. Its shapes are Bedrock's; boto3 has checked them before they come here."""


class ServiceError(Exception):
    """An error as AWS answers it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Guardrail(msgspec.Struct, frozen=True):
    id: str
    trace: bool


class Runtime:
    """State and operations of one stand-in."""

    def __init__(self, *, chunk_seconds: float) -> None:
        self._chunk_seconds = chunk_seconds
        self._control = Control()

    async def handle(self, request: Request) -> Response:
        """Answer any request; an error becomes the answer that AWS would give."""
        target = urlsplit(request.target)
        if target.path.startswith("/_harness/"):
            return self._harness(request, target.path.removeprefix("/_harness/"), parse_qs(target.query))
        try:
            return await self._aws(request.method, target.path, request.body)
        except ServiceError as error:
            return _failure("", error)
        except (AttributeError, KeyError, TypeError) as error:
            # boto3 checks shapes before it sends; others may not.
            return _failure("", ServiceError("ValidationException", f"Malformed input request: {error!r}"))

    # --- AWS's operations

    async def _aws(self, method: str, path: str, raw: bytes) -> Response:
        operations: dict[str, Callable[[str, Body, Told], Response]] = {
            "converse": self._converse,
            "converse-stream": self._converse_stream,
            "invoke": self._invoke,
            "invoke-with-response-stream": self._invoke_stream,
        }
        parts = [unquote(part) for part in path.strip("/").split("/")]
        try:
            body: Body = typed.decode(raw, dict[str, Any]) if raw else {}
        except msgspec.MsgspecError as error:
            raise ServiceError("ValidationException", f"The request body is not valid JSON: {error}") from error
        match (method, *parts):
            case ("POST", "model", str(model_id), str(last)) if last in operations:
                run, name = operations[last], _NAMES[last]
            case ("POST", "guardrail", str(model_id), "version", str(_), "apply"):
                run, name = self._apply_guardrail, "ApplyGuardrail"
            case _:
                raise ServiceError("UnknownOperationException", f"{method} {path} is not in the stand-in")
        self._control.record(name, model_id, body)
        told = await self._control.take(name, model_id, body)
        fault = told.fault
        if fault is not None and fault.error is not None and fault.after_chunks is None:
            return _failure(name, ServiceError(fault.error, "asked for by /_harness/faults"))
        if name != "ApplyGuardrail" and not _MODEL_ID.fullmatch(model_id):
            raise ServiceError("ValidationException", "The provided model identifier is invalid.")
        return run(model_id, body, told)

    def _converse(self, _model_id: str, body: Body, told: Told) -> Response:
        started = time.monotonic()
        reply = _reply(body, told.behaviour)
        answer = {
            "output": {"message": {"role": "assistant", "content": [reply.block]}},
            "stopReason": reply.stop_reason,
            "usage": reply.usage,
            "metrics": {"latencyMs": _since(started)},
            **_trace(body),
        }
        return Response(body=msgspec.json.encode(answer))

    def _converse_stream(self, _model_id: str, body: Body, told: Told) -> Response:
        started = time.monotonic()
        reply = _reply(body, told.behaviour)

        async def events() -> AsyncGenerator[bytes, None]:
            yield eventstream.event("messageStart", {"role": "assistant"})
            if "toolUse" in reply.block:
                start = {key: reply.block["toolUse"][key] for key in ("toolUseId", "name")}
                yield eventstream.event("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": start}})
                text = msgspec.json.encode(reply.block["toolUse"]["input"]).decode()
            else:
                text = reply.block["text"]
            async for chunk in self._paced(text, told, "throttlingException"):
                if isinstance(chunk, bytes):
                    yield chunk
                    return
                delta = {"toolUse": {"input": chunk}} if "toolUse" in reply.block else {"text": chunk}
                yield eventstream.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
            yield eventstream.event("contentBlockStop", {"contentBlockIndex": 0})
            yield eventstream.event("messageStop", {"stopReason": reply.stop_reason})
            metadata = {"usage": reply.usage, "metrics": {"latencyMs": _since(started)}, **_trace(body)}
            yield eventstream.event("metadata", metadata)

        return Response(content_type=eventstream.CONTENT_TYPE, body=events())

    def _invoke(self, model_id: str, body: Body, _told: Told) -> Response:
        if model_id.endswith(_EMBEDDING_MODEL):
            return _embedding(body)
        text = _messages_text(model_id, body)
        answer = {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": model.tokens(_prompt(body)), "output_tokens": model.tokens(text)},
        }
        return Response(body=msgspec.json.encode(answer))

    def _invoke_stream(self, model_id: str, body: Body, told: Told) -> Response:
        if model_id.endswith(_EMBEDDING_MODEL):
            raise ServiceError("ValidationException", "The model is unsupported for streaming.")
        text = _messages_text(model_id, body)

        async def events() -> AsyncGenerator[bytes, None]:
            yield _chunk({"type": "message_start", "message": {"role": "assistant", "content": []}})
            yield _chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
            async for chunk in self._paced(text, told, "modelStreamErrorException"):
                if isinstance(chunk, bytes):
                    yield chunk
                    return
                yield _chunk(
                    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": chunk}}
                )
            yield _chunk({"type": "content_block_stop", "index": 0})
            used = {"output_tokens": model.tokens(text)}
            yield _chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used})
            yield _chunk({"type": "message_stop"})

        return Response(content_type=eventstream.CONTENT_TYPE, body=events())

    def _apply_guardrail(self, _id: str, body: Body, _told: Told) -> Response:
        units = dict.fromkeys(_GUARDRAIL_UNITS, 0) | {"contentPolicyUnits": len(body.get("content", []))}
        return Response(
            body=msgspec.json.encode({"usage": units, "action": "NONE", "outputs": [], "assessments": [{}]})
        )

    async def _paced(self, text: str, told: Told, default: str) -> AsyncGenerator[str | bytes, None]:
        """``text`` piece by piece; bytes are an error message that ends the stream."""
        fault, seconds = told.fault, told.behaviour.seconds
        pieces = _pieces(text, told.behaviour.chunks)
        pause = self._chunk_seconds if seconds is None else seconds / max(1, len(pieces))
        started = asyncio.get_running_loop().time()
        for number, piece in enumerate(pieces):
            if fault is not None and fault.after_chunks == number:
                if fault.error is None:
                    raise ConnectionResetError
                yield eventstream.exception(_stream_member(fault.error, default), "asked for by /_harness/faults")
                return
            # Each by the clock, not after the one before: what sending takes does not add up.
            await asyncio.sleep(started + (number + 1) * pause - asyncio.get_running_loop().time())
            yield piece

    # --- ours

    def _harness(self, request: Request, name: str, query: dict[str, list[str]]) -> Response:
        match (request.method, name):
            case ("GET", "health"):
                return Response(body=b'{"status":"ok"}')
            case ("GET", "requests"):
                calls = self._control.received(query.get("operation", [None])[0])
                return Response(body=msgspec.json.encode({"requests": calls}))
            case ("DELETE", "requests"):
                self._control.clear_received()
            case ("GET" | "POST" | "DELETE" as method, _) if (rules := self._control.rules(name)) is not None:
                return _change(rules, name, method, request.body, query)
            case _:
                return Response(status=404, body=msgspec.json.encode({"message": f"no {request.method} {name} here"}))
        return Response(status=204)


def _change(rules: Rules[Any], name: str, method: str, document: bytes, query: dict[str, list[str]]) -> Response:
    """Show rules, add one, or forget some."""
    if method == "GET":
        return Response(body=msgspec.json.encode({name: rules.all()}))
    if method == "POST":
        try:
            rules.add(document)
        except ValueError as error:
            return Response(status=400, body=msgspec.json.encode({"message": str(error)}))
    else:
        rules.forget(query.get("contains", [None])[0])
    return Response(status=204)


_NAMES: Final = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}
_GUARDRAIL_UNITS: Final = (
    "topicPolicyUnits",
    "contentPolicyUnits",
    "wordPolicyUnits",
    "sensitiveInformationPolicyUnits",
    "sensitiveInformationPolicyFreeUnits",
    "contextualGroundingPolicyUnits",
)


@dataclass(frozen=True, kw_only=True)
class _Reply:
    """An answer to a Converse request."""

    block: Body
    """The one content block."""
    stop_reason: str
    usage: Body
    """Tokens."""


def _reply(body: Body, behaviour: Behaviour) -> _Reply:
    prompt, system = _prompt(body), " ".join(part.get("text", "") for part in body.get("system", []))
    answer = model.answer(prompt, gullible=behaviour.gullible)
    if behaviour.quotes == "invented":
        answer = model.with_invented_quotes(answer)
    tool = _forced_tool(body)
    if behaviour.stop_reason == "guardrail_intervened" and "guardrailConfig" in body:
        written, stop_reason = _KEPT_BACK, "guardrail_intervened"
        block: Body = {"text": written}
    elif tool is not None:
        cut_off = behaviour.stop_reason == "max_tokens"
        filled = {"text": answer.text[: len(answer.text) // 2]} if cut_off else msgspec.to_builtins(answer)
        # The same request gets the same answer, its id included.
        use_id = "tooluse_" + hashlib.sha256(prompt.encode()).hexdigest()[:22]
        block = {"toolUse": {"toolUseId": use_id, "name": tool, "input": filled}}
        written, stop_reason = msgspec.json.encode(filled).decode(), "max_tokens" if cut_off else "tool_use"
    else:
        written, stop_reason = _text(answer, cited=_CITATIONS in system), "end_turn"
        most = body.get("inferenceConfig", {}).get("maxTokens")
        if behaviour.stop_reason == "max_tokens":
            written, stop_reason = answer.text[: len(answer.text) // 2], "max_tokens"
        elif most is not None and model.tokens(written) > most:
            written, stop_reason = written[: most * 4], "max_tokens"
        block = {"text": written}
    asked, given = model.tokens(prompt + system), model.tokens(written)
    usage = {"inputTokens": asked, "outputTokens": given, "totalTokens": asked + given}
    return _Reply(block=block, stop_reason=stop_reason, usage=usage)


def _text(answer: model.Answer, *, cited: bool = False) -> str:
    """An answer without a tool: the text, then the steps as a list, then the citations if the rules ask for them."""
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(answer.steps, 1))
    citations = f"{_CITATIONS}{msgspec.json.encode(answer.citations).decode()}{_CITATIONS.replace('<', '</')}"
    return "\n\n".join(part for part in (answer.text, steps, citations if cited else "") if part)


def _pieces(text: str, number: int | None) -> list[str]:
    """A few words each; or ``number`` of one length up to the citations, which nobody sees, and these as one more."""
    if number is None:
        return re.findall(rf"(?:\S+\s*){{1,{_WORDS_PER_CHUNK}}}|\s+", text)
    seen, marker, rest = text.partition(_CITATIONS)
    cuts = [round(index * len(seen) / number) for index in range(number + 1)]
    return [piece for piece in (*(seen[a:b] for a, b in itertools.pairwise(cuts)), marker + rest) if piece]


def _prompt(body: Body) -> str:
    """The last user message, its text blocks joined; it may be a plain string in the Messages format."""
    users = [message for message in body.get("messages", []) if message.get("role") == "user"]
    content = users[-1].get("content", "") if users else ""
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


def _forced_tool(body: Body) -> str | None:
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    name: str | None = choice.get("tool", {}).get("name")
    if name is None:
        return None
    schema = next(
        (
            tool["toolSpec"]["inputSchema"]["json"]
            for tool in body["toolConfig"]["tools"]
            if tool["toolSpec"]["name"] == name
        ),
        None,
    )
    if schema is None:
        raise ServiceError("ValidationException", f"toolChoice names {name}, which is not among the tools.")
    unknown = set(schema.get("required", [])) - set(model.Answer.__struct_fields__)
    if unknown:
        raise ServiceError("ValidationException", f"The stand-in cannot fill the tool's fields {sorted(unknown)}.")
    return name


def _messages_text(model_id: str, body: Body) -> str:
    if "anthropic." not in model_id:
        raise ServiceError("ValidationException", f"The stand-in knows no body for {model_id}: use Converse.")
    return _text(model.answer(_prompt(body)))


def _embedding(body: Body) -> Response:
    text, dimensions = body.get("inputText"), body.get("dimensions", _DIMENSIONS[0])
    if not isinstance(text, str) or not text:
        raise ServiceError(
            "ValidationException", "Malformed input request: #/inputText: expected minLength: 1, actual: 0"
        )
    if len(text) > _EMBEDDING_CHARACTERS:
        raise ServiceError(
            "ValidationException",
            f"Malformed input request: expected maxLength: {_EMBEDDING_CHARACTERS}, actual: {len(text)}",
        )
    if dimensions not in _DIMENSIONS:
        raise ServiceError(
            "ValidationException", f"Malformed input request: #/dimensions: {dimensions} is not one of {_DIMENSIONS}"
        )
    vector = embed(text, dimensions)
    answer = {"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": model.tokens(text)}
    headers = {"x-amzn-bedrock-input-token-count": str(model.tokens(text))}
    return Response(headers=headers, body=msgspec.json.encode(answer))


def _trace(body: Body) -> Body:
    """Names the guardrail, as a trace does; nothing was assessed."""
    config = body.get("guardrailConfig")
    if not config or config.get("trace", "disabled") == "disabled":
        return {}
    name = config["guardrailIdentifier"]
    return {"trace": {"guardrail": {"inputAssessment": {name: {}}, "outputAssessments": {name: [{}]}}}}


def _chunk(event: Body) -> bytes:
    return eventstream.event("chunk", {"bytes": base64.b64encode(msgspec.json.encode(event)).decode()})


def _stream_member(error: str, default: str) -> str:
    """``ThrottlingException`` as a stream's shape names it; the default where the stream does not know the error."""
    member = error[0].lower() + error[1:]
    known = {"internalServerException", "modelStreamErrorException", "validationException", "throttlingException",
             "serviceUnavailableException"}  # fmt: skip
    return member if member in known else default


def _failure(operation: str, error: ServiceError) -> Response:
    status = error_statuses().get(operation, {}).get(error.code) or _status(error.code)
    return Response(
        status=status, headers={"x-amzn-ErrorType": error.code}, body=msgspec.json.encode({"message": error.message})
    )


def _status(code: str) -> int:
    return next((errors[code] for errors in error_statuses().values() if code in errors), 400)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
