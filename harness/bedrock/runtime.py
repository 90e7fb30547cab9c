"""The operations of the Bedrock runtime, and the harness's own below ``/_harness``.

A guardrail in a request is accepted and named in the trace, and blocks nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from harness.bedrock import eventstream, model
from harness.bedrock.control import Control, Fault, error_statuses
from harness.bedrock.embedding import embed
from harness.bedrock.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

_MODEL_ID: Final = re.compile(
    r"(arn:aws[\w-]*:bedrock:.+|([a-z]{2,6}\.)?(amazon|anthropic|ai21|cohere|deepseek|meta|mistral|openai|qwen)\.[\w.:-]+)"
)
_EMBEDDING_MODEL: Final = "amazon.titan-embed-text-v2:0"
_DIMENSIONS: Final = (1024, 512, 256)
_EMBEDDING_CHARACTERS: Final = 50_000
_WORDS_PER_CHUNK: Final = 3

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
        operations: dict[str, Callable[[str, Body, Fault | None], Response]] = {
            "converse": self._converse,
            "converse-stream": self._converse_stream,
            "invoke": self._invoke,
            "invoke-with-response-stream": self._invoke_stream,
        }
        parts = [unquote(part) for part in path.strip("/").split("/")]
        try:
            body: Body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
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
        fault = await self._control.take(name, model_id, body)
        if fault is not None and fault.error is not None and fault.after_chunks is None:
            return _failure(name, ServiceError(fault.error, "asked for by /_harness/faults"))
        if name != "ApplyGuardrail" and not _MODEL_ID.fullmatch(model_id):
            raise ServiceError("ValidationException", "The provided model identifier is invalid.")
        return run(model_id, body, fault)

    def _converse(self, _model_id: str, body: Body, _fault: Fault | None) -> Response:
        started = time.monotonic()
        message, stop_reason, used = _reply(body)
        answer = {
            "output": {"message": {"role": "assistant", "content": [message]}},
            "stopReason": stop_reason,
            "usage": used,
            "metrics": {"latencyMs": _since(started)},
            **_trace(body),
        }
        return Response(body=msgspec.json.encode(answer))

    def _converse_stream(self, _model_id: str, body: Body, fault: Fault | None) -> Response:
        started = time.monotonic()
        message, stop_reason, used = _reply(body)

        async def events() -> AsyncGenerator[bytes, None]:
            yield eventstream.event("messageStart", {"role": "assistant"})
            if "toolUse" in message:
                start = {key: message["toolUse"][key] for key in ("toolUseId", "name")}
                yield eventstream.event("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": start}})
                text = msgspec.json.encode(message["toolUse"]["input"]).decode()
            else:
                text = message["text"]
            async for chunk in self._paced(text, fault, "throttlingException"):
                if isinstance(chunk, bytes):
                    yield chunk
                    return
                delta = {"toolUse": {"input": chunk}} if "toolUse" in message else {"text": chunk}
                yield eventstream.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
            yield eventstream.event("contentBlockStop", {"contentBlockIndex": 0})
            yield eventstream.event("messageStop", {"stopReason": stop_reason})
            metadata = {"usage": used, "metrics": {"latencyMs": _since(started)}, **_trace(body)}
            yield eventstream.event("metadata", metadata)

        return Response(content_type=eventstream.CONTENT_TYPE, body=events())

    def _invoke(self, model_id: str, body: Body, _fault: Fault | None) -> Response:
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

    def _invoke_stream(self, model_id: str, body: Body, fault: Fault | None) -> Response:
        if model_id.endswith(_EMBEDDING_MODEL):
            raise ServiceError("ValidationException", "The model is unsupported for streaming.")
        text = _messages_text(model_id, body)

        async def events() -> AsyncGenerator[bytes, None]:
            yield _chunk({"type": "message_start", "message": {"role": "assistant", "content": []}})
            yield _chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
            async for chunk in self._paced(text, fault, "modelStreamErrorException"):
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

    def _apply_guardrail(self, _id: str, body: Body, _fault: Fault | None) -> Response:
        units = dict.fromkeys(_GUARDRAIL_UNITS, 0) | {"contentPolicyUnits": len(body.get("content", []))}
        return Response(
            body=msgspec.json.encode({"usage": units, "action": "NONE", "outputs": [], "assessments": [{}]})
        )

    async def _paced(self, text: str, fault: Fault | None, default: str) -> AsyncGenerator[str | bytes, None]:
        """``text`` in chunks of a few words; bytes are an error message that ends the stream."""
        for number, chunk in enumerate(re.findall(rf"(?:\S+\s*){{1,{_WORDS_PER_CHUNK}}}|\s+", text)):
            if fault is not None and fault.after_chunks == number:
                if fault.error is None:
                    raise ConnectionResetError
                yield eventstream.exception(_stream_member(fault.error, default), "asked for by /_harness/faults")
                return
            await asyncio.sleep(self._chunk_seconds)
            yield chunk

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
            case ("GET", "faults"):
                return Response(body=msgspec.json.encode({"faults": self._control.faults}))
            case ("POST", "faults"):
                try:
                    self._control.add(msgspec.json.decode(request.body, type=Fault))
                except (msgspec.MsgspecError, ValueError) as error:
                    return Response(status=400, body=msgspec.json.encode({"message": str(error)}))
            case ("DELETE", "faults"):
                self._control.clear_faults(query.get("contains", [None])[0])
            case _:
                return Response(status=404, body=msgspec.json.encode({"message": f"no {request.method} {name} here"}))
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


def _reply(body: Body) -> tuple[Body, str, Body]:
    """The content block that answers a Converse request, why it ends there, and the tokens used."""
    prompt = _prompt(body)
    answer = model.answer(prompt)
    tool = _forced_tool(body)
    if tool is not None:
        # The same request gets the same answer, its id included.
        use_id = "tooluse_" + hashlib.sha256(prompt.encode()).hexdigest()[:22]
        block: Body = {"toolUse": {"toolUseId": use_id, "name": tool, "input": msgspec.to_builtins(answer)}}
        written, stop_reason = msgspec.json.encode(answer).decode(), "tool_use"
    else:
        limit = body.get("inferenceConfig", {}).get("maxTokens")
        written, stop_reason = _text(answer), "end_turn"
        if limit is not None and model.tokens(written) > limit:
            written, stop_reason = written[: limit * 4], "max_tokens"
        block = {"text": written}
    system = " ".join(part.get("text", "") for part in body.get("system", []))
    asked, given = model.tokens(prompt + system), model.tokens(written)
    return block, stop_reason, {"inputTokens": asked, "outputTokens": given, "totalTokens": asked + given}


def _text(answer: model.Answer) -> str:
    """An answer without a tool: the text, then the steps as a list."""
    return "\n".join([answer.text, *(f"{number}. {step}" for number, step in enumerate(answer.steps, 1))])


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
