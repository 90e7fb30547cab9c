"""The loop as Lambda runs it: a process started through the wrapper script, against a Runtime API on loopback."""

from __future__ import annotations

import base64
import json
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.streaming.conftest import RuntimeApi, Start

PRELUDE = b'{"statusCode":200,"headers":{"Content-Type":"text/event-stream"}}' + bytes(8)
STREAM = """
    def handler(event, context):
        try:
            yield Prelude(200, {"Content-Type": "text/event-stream"})
            for number in range(event):
                yield f"data: {number}\\n\\n"
                probe.wait()
        finally:
            probe.tell("closed")
"""


def test_chunks_arrive_while_the_handler_still_runs(api: RuntimeApi, start: Start) -> None:
    function, call = start(STREAM), api.invoke(3)
    assert call.chunk() == PRELUDE
    for number in range(3):
        assert call.chunk() == b"data: %d\n\n" % number  # the handler waits now, and is not at its end
        function.go_on()
    assert call.finish() == []
    assert function.told() == "closed"
    assert call.error is None


def test_the_response_is_announced_as_the_gateway_wants_it(api: RuntimeApi, start: Start) -> None:
    start("def handler(event, context): yield b'x'")
    call = api.invoke()
    call.finish()
    assert call.response_headers is not None
    assert call.response_headers["Content-Type"] == "application/vnd.awslambda.http-integration-response"


def test_without_a_prelude_the_default_one_goes_with_the_first_chunk(api: RuntimeApi, start: Start) -> None:
    start("def handler(event, context): yield b'x'")
    default = b'{"statusCode":200,"headers":{"Content-Type":"application/octet-stream"}}'
    assert api.invoke().finish() == [default + bytes(8) + b"x"]


@pytest.mark.parametrize("code", ["return iter(())", "yield from ()", "yield b''"])
def test_a_handler_that_yields_nothing_answers_200_without_a_body(api: RuntimeApi, start: Start, code: str) -> None:
    start(f"def handler(event, context): {code}")
    prelude, body = api.invoke().response()
    assert (prelude["statusCode"], body) == (200, b"")


def test_cookies_and_repeated_headers_are_in_the_prelude(api: RuntimeApi, start: Start) -> None:
    start("""
        def handler(event, context):
            yield Prelude(201, {"X-One": "1"}, ["a=b", "c=d"], {"X-Many": ["1", "2"]})
    """)
    assert api.invoke().response()[0] == {
        "statusCode": 201,
        "headers": {"X-One": "1"},
        "multiValueHeaders": {"X-Many": ["1", "2"]},
        "cookies": ["a=b", "c=d"],
    }


@pytest.mark.parametrize(
    ("prelude", "reason", "message"),
    [
        ("Prelude(headers={'X': 'x' * 17_000})", "PreludeError", "the limit is 16,384"),
        ("Prelude(headers={'X': 'a\\r\\nSet-Cookie: b'})", "PreludeError", "without line ends"),
        ("Prelude(2000)", "PreludeError", "no HTTP status"),
        ("7", "InvalidAnswerError", "yielded int"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_the_first_byte(
    api: RuntimeApi, start: Start, prelude: str, reason: str, message: str
) -> None:
    start(f"def handler(event, context): yield {prelude}")
    call = api.invoke()
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == f"Runtime.{reason}"
    assert message in call.error.document["errorMessage"]


@pytest.mark.parametrize("code", ["return 'text'", "return b'bytes'", "return None", "return 5", "return {'body': ''}"])
def test_an_answer_of_another_kind_is_refused(api: RuntimeApi, start: Start, code: str) -> None:
    start(f"def handler(event, context): {code}")
    call = api.invoke()
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == "Runtime.InvalidAnswerError"


def test_an_async_handler_is_refused(api: RuntimeApi, start: Start) -> None:
    start("async def handler(event, context): yield b''")
    call = api.invoke()
    call.finish()
    assert call.error is not None
    assert "not async" in call.error.document["errorMessage"]


def test_an_error_before_the_first_byte_is_reported_as_one(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            raise ValueError("no such ticket: è")
            yield
    """)
    call = api.invoke()
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == "Function.ValueError"
    document = dict(call.error.document)
    trace = document.pop("stackTrace")
    assert document == {"errorMessage": "no such ticket: è", "errorType": "ValueError", "requestId": call.id}
    assert len(trace) == 1
    assert 'app.py", line ' in trace[0]
    assert f"[ERROR]\t{time.strftime('%Y')}" in function.log()
    assert f"\t{call.id}\tthe invocation failed: no such ticket: è\rTraceback" in function.log()


def test_an_error_in_mid_stream_follows_the_chunks_as_trailers(api: RuntimeApi, start: Start) -> None:
    start("""
        def handler(event, context):
            yield Prelude(200, {"Content-Type": "text/event-stream"})
            yield "data: 0\\n\\n"
            raise KeyError("the model broke off")
    """)
    call = api.invoke()
    assert call.finish() == [PRELUDE, b"data: 0\n\n"]
    assert call.error is not None
    assert call.error.type == "Function.KeyError"
    assert call.error.document["errorMessage"] == "'the model broke off'"


def test_an_error_after_the_prelude_alone_follows_as_trailers(api: RuntimeApi, start: Start) -> None:
    start("""
        def handler(event, context):
            yield Prelude()
            yield Prelude()
    """)
    call = api.invoke()
    assert len(call.finish()) == 1
    assert call.error is not None
    assert call.error.type == "Runtime.InvalidAnswerError"


def test_a_long_trace_and_a_strange_name_of_an_error_fit_in_the_trailers(api: RuntimeApi, start: Start) -> None:
    start("""
        class Fehlerhäft(Exception): ...

        def deep(level):
            if level == 0:
                raise Fehlerhäft("x" * 100_000)
            deep(level - 1)

        def handler(event, context):
            yield b"x"
            deep(500)
    """)
    call = api.invoke()
    call.finish()
    assert call.error is not None
    assert call.error.type == "Function.Fehlerh?ft"
    assert call.error.document["errorType"] == "Fehlerhäft"
    assert len(json.dumps(call.error.document)) < 16_000


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("raise OSError('no configuration')", "app.handler", "Function.OSError", "no configuration"),
        ("raise SystemExit('no configuration')", "app.handler", "Function.SystemExit", "no configuration"),
        ("import pandas", "app.handler", "Function.ModuleNotFoundError", "pandas"),
        ("def handler(:", "app.handler", "Function.SyntaxError", "app.py"),
        ("handler = 5", "app.handler", "Runtime.HandlerNotFoundError", "no function 'handler'"),
        ("", "handler", "Runtime.HandlerNotFoundError", "has no dot"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_reported_and_ends(
    api: RuntimeApi, start: Start, code: str, handler: str, kind: str, message: str
) -> None:
    function = start(code, handler=handler)
    error = api.init_error.get(timeout=20)
    assert error.type == kind
    assert message in error.document["errorMessage"]
    assert function.wait() == 1
    assert message in function.log()


def test_invocations_follow_each_other_in_one_process_whatever_became_of_the_last(
    api: RuntimeApi, start: Start
) -> None:
    start("""
        import os

        def handler(event, context):
            if event == "early":
                raise ValueError
            yield f"{os.getpid()} {event}"
            if event == "late":
                raise ValueError
    """)
    calls = [api.invoke(event) for event in ("one", "early", "two", "late", "three")]
    bodies = [call.finish() for call in calls]
    answers = [b"".join(body).partition(bytes(8))[2].split() for body in bodies]
    assert [answer[1:] for answer in answers] == [[b"one"], [], [b"two"], [b"late"], [b"three"]]
    assert len({answer[0] for answer in answers if answer}) == 1
    assert [call.error is not None for call in calls] == [False, True, False, True, False]


def test_the_context_says_what_the_managed_runtimes_says(api: RuntimeApi, start: Start) -> None:
    start(
        """
        import json, os

        def handler(event, context):
            yield json.dumps({
                "event": event,
                "trace": os.environ.get("_X_AMZN_TRACE_ID"),
                "remaining": context.get_remaining_time_in_millis(),
                "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
                "client": context.client_context and [
                    context.client_context.client.app_title, context.client_context.custom, context.client_context.env
                ],
                "rest": [
                    context.aws_request_id, context.invoked_function_arn, context.function_name,
                    context.function_version, context.memory_limit_in_mb, context.log_group_name,
                    context.log_stream_name,
                ],
            })
        """,
        AWS_LAMBDA_FUNCTION_NAME="app",
        AWS_LAMBDA_FUNCTION_VERSION="7",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
        AWS_LAMBDA_LOG_GROUP_NAME="/aws/lambda/app",
        AWS_LAMBDA_LOG_STREAM_NAME="2026/01/01/[7]abc",
    )
    full = api.invoke(
        {"è": "\U0001f50b"},
        seconds=30,
        Lambda_Runtime_Trace_Id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        Lambda_Runtime_Client_Context='{"client": {"app_title": "desk"}, "custom": {"a": "b"}, "env": {"c": "d"}}',
        Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}',
    )
    said = json.loads(full.response()[1])
    assert 20_000 < said.pop("remaining") <= 30_000
    arn = "arn:aws:lambda:eu-south-1:000000000000:function:app:live"
    assert said == {
        "event": {"è": "\U0001f50b"},
        "trace": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        "identity": ["id", "pool"],
        "client": ["desk", {"a": "b"}, {"c": "d"}],
        "rest": [full.id, arn, "app", "7", "512", "/aws/lambda/app", "2026/01/01/[7]abc"],
    }
    bare = json.loads(api.invoke().response()[1])
    assert (bare["trace"], bare["identity"], bare["client"]) == (None, [None, None], None)


def test_an_event_that_is_no_json_is_an_error_of_its_invocation(api: RuntimeApi, start: Start) -> None:
    start("def handler(event, context): yield b'x'")
    call = api.invoke(b"{")
    call.finish()
    assert call.error is not None
    assert call.error.type == "Runtime.EventError"


def test_a_generator_is_closed_when_the_caller_has_hung_up(api: RuntimeApi, start: Start) -> None:
    function, call = start(STREAM), api.invoke(1_000)
    assert call.chunk() == PRELUDE
    call.hang_up()
    for _ in range(1_000):
        function.go_on()
    assert function.told() == "closed"
    assert api.invoke(0).finish() == [PRELUDE]
    assert "the end of the response was not taken" in function.log()


def test_a_generator_learns_of_the_hang_up_at_its_next_chunk(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            for number in range(10):
                try:
                    yield str(number)
                except GeneratorExit:
                    probe.tell(f"closed after {number}")
                    raise
                probe.tell(number)
                probe.wait()
    """)
    call = api.invoke()
    assert function.told() == "0"
    assert call.chunk().endswith(b"0")
    call.hang_up()
    function.go_on()
    assert function.told() == "closed after 1"


WAITING = """
    def handler(event, context):
        probe.tell("begun")
        {first}
        try:
            probe.wait()
        finally:
            probe.tell(f"cleaned up {{context.get_remaining_time_in_millis() > 0}}")
        yield "late"
"""


def test_a_handler_that_waits_is_interrupted_before_the_deadline(api: RuntimeApi, start: Start) -> None:
    function = start(WAITING.format(first="yield 'early'"))
    api.until_asked()
    call = api.invoke(seconds=2)
    assert call.chunk().endswith(b"early")
    assert [function.told(), function.told()] == ["begun", "cleaned up True"]
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == "Runtime.StreamDeadline"


def test_before_the_first_byte_a_deadline_is_an_error(api: RuntimeApi, start: Start) -> None:
    function = start(WAITING.format(first=""))
    api.until_asked()
    call = api.invoke(seconds=2)
    assert [function.told(), function.told()] == ["begun", "cleaned up True"]
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == "Runtime.StreamDeadline"


def test_an_interrupted_generator_may_yield_one_last_chunk(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            try:
                yield "early"
                probe.wait()
            except StreamDeadline:
                yield "event: error\\n\\n"
                yield "never sent"
            finally:
                probe.tell("closed")
    """)
    api.until_asked()
    call = api.invoke(seconds=2)
    assert call.chunk().endswith(b"early")
    assert call.finish() == [b"event: error\n\n"]
    assert call.error is not None
    assert call.error.type == "Runtime.StreamDeadline"
    assert function.told() == "closed"


def test_a_generator_that_never_waits_is_interrupted_too(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            try:
                while True:
                    yield b"x" * 65_536
            except Exception:
                probe.tell("no client may catch it")
            finally:
                probe.tell("closed")
    """)
    api.until_asked()
    call = api.invoke(seconds=2)
    call.finish()
    assert function.told() == "closed"
    assert call.error is not None
    assert call.error.type == "Runtime.StreamDeadline"
    assert not call.torn


def test_a_caller_who_takes_nothing_does_not_hold_the_generator_past_the_deadline(
    api: RuntimeApi, start: Start
) -> None:
    function = start("""
        def handler(event, context):
            try:
                yield Prelude()
                probe.wait()
                while event:
                    yield b"x" * 1_000_000
            finally:
                probe.tell(f"closed {context.get_remaining_time_in_millis() > 0}")
    """)
    api.until_asked()
    call = api.invoke(event=True, seconds=2)
    call.chunk()
    call.reads.clear()
    function.go_on()
    assert function.told() == "closed True"
    call.reads.set()
    call.finish()
    assert call.torn
    function.go_on()
    assert api.invoke(event=False).response()[1] == b""


def test_a_clean_up_that_hangs_is_interrupted_again(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            try:
                yield "early"
                probe.wait()
            finally:
                probe.tell("cleaning up")
                probe.wait()
    """)
    api.until_asked()
    call = api.invoke(seconds=2)
    call.chunk()
    assert call.finish() == []
    assert function.told() == "cleaning up"
    assert call.error is not None
    assert call.error.type == "Runtime.StreamDeadline"
    assert function.terminate() == 0


def test_after_a_deadline_the_next_invocation_has_all_its_time(api: RuntimeApi, start: Start) -> None:
    function = start(WAITING.format(first="yield 'early'"))
    api.until_asked()
    api.invoke(seconds=0.5).finish()
    call = api.invoke(seconds=60)
    function.go_on()
    assert call.finish()[1:] == [b"late"]
    assert call.error is None


def test_text_and_bytes_are_sent_as_they_are_wherever_they_are_split(api: RuntimeApi, start: Start) -> None:
    text = "perché \U0001f50b no?"
    pieces = [text.encode()[at : at + 1] for at in range(len(text.encode()))]
    start(f"""
        def handler(event, context):
            yield Prelude()
            yield from {pieces!r}
            yield from {text!r}
            yield bytearray(b"\\0")
            yield memoryview(b"\\0")
    """)
    chunks = api.invoke().finish()[1:]
    assert chunks == [*pieces, *(letter.encode() for letter in text), b"\0", b"\0"]


def test_half_a_surrogate_pair_is_an_error_and_no_broken_text(api: RuntimeApi, start: Start) -> None:
    start("""
        def handler(event, context):
            yield "whole"
            yield "\\ud83d"
    """)
    call = api.invoke()
    assert call.response()[1] == b"whole"
    assert call.error is not None
    assert call.error.type == "Function.UnicodeEncodeError"


def test_a_dictionary_is_sent_as_a_whole_answer(api: RuntimeApi, start: Start) -> None:
    start("def handler(event, context): return event")
    headers = {"Content-Type": "application/problem+json"}
    plain = {"statusCode": 404, "headers": headers, "body": '{"title": "così"}'}
    assert api.invoke(plain).response() == ({"statusCode": 404, "headers": headers}, '{"title": "così"}'.encode())
    binary = {
        "statusCode": 200,
        "body": base64.b64encode(b"\0\xff").decode(),
        "isBase64Encoded": True,
        "headers": None,
        "multiValueHeaders": {"Vary": ["Origin", "Accept"]},
    }
    prelude = {"statusCode": 200, "headers": {}, "multiValueHeaders": {"Vary": ["Origin", "Accept"]}}
    assert api.invoke(binary).response() == (prelude, b"\0\xff")


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "200"},
        {"statusCode": 200, "body": {"title": "not encoded"}},
        {"statusCode": 200, "body": "not base64", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"X": 1}},
    ],
)
def test_a_dictionary_that_cannot_be_sent_is_an_error_and_no_empty_answer(
    api: RuntimeApi, start: Start, answer: object
) -> None:
    start("def handler(event, context): return event")
    call = api.invoke(answer)
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type.startswith("Runtime.")


def test_sigterm_ends_a_function_that_waits_for_work(api: RuntimeApi, start: Start) -> None:
    function = start("""
        import atexit
        atexit.register(probe.tell, "at exit")

        def handler(event, context): yield b"x"
    """)
    api.invoke().finish()
    for _ in range(2):
        api.until_asked()
    assert function.terminate() == 0
    assert function.told() == "at exit"


def test_sigterm_in_mid_stream_closes_the_generator_and_ends_the_response(api: RuntimeApi, start: Start) -> None:
    function, call = start(STREAM), api.invoke(2)
    assert [call.chunk(), call.chunk()] == [PRELUDE, b"data: 0\n\n"]
    assert function.terminate() == 0
    assert function.told() == "closed"
    assert call.finish() == []
    assert call.error is not None
    assert call.error.type == "Runtime.Shutdown"


def test_a_handler_that_exits_is_reported_and_ends_the_process(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            yield "x"
            raise SystemExit(3)
    """)
    call = api.invoke()
    call.finish()
    assert call.error is not None
    assert call.error.type == "Function.SystemExit"
    assert function.wait() == 3


def test_without_a_runtime_api_the_process_ends(api: RuntimeApi, start: Start) -> None:
    function = start("def handler(event, context): yield b'x'", AWS_LAMBDA_RUNTIME_API="127.0.0.1:9")
    assert function.wait() == 1
    assert "no invocation from the Runtime API" in function.log()


def test_a_folder_of_the_function_does_not_hide_the_runtime(
    api: RuntimeApi, start: Start, layer: Path, tmp_path: Path
) -> None:
    function = start("""
        import pathlib, streaming, sys

        def handler(event, context):
            yield f"{streaming.__file__} {sys.path[0]}"
    """)
    (tmp_path / "task" / "streaming.py").write_text("raise ValueError")
    body = api.invoke().response()[1].decode()
    assert body == f"{layer}/python/streaming/__init__.py {tmp_path}/task"
    assert function.terminate() == 0


def test_packages_of_layers_are_found_behind_the_functions_own(
    api: RuntimeApi, start: Start, layer: Path, tmp_path: Path
) -> None:
    versioned = layer / "python" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    versioned.mkdir(parents=True)
    (layer / "python" / "plain_package.py").write_text("")
    (versioned / "versioned_package.py").write_text("")
    (versioned / "probe.py").write_text("raise ValueError('the function has its own')")
    (tmp_path / "awslambda_module.py").write_text("")
    start(
        """
        import awslambda_module, plain_package, versioned_package

        def handler(event, context): yield b"x"
        """,
        LAMBDA_RUNTIME_DIR=str(tmp_path),
    )
    assert api.invoke().response()[1] == b"x"


def test_what_a_function_prints_is_written_while_it_runs(api: RuntimeApi, start: Start) -> None:
    function = start("""
        def handler(event, context):
            print("in the handler")
            yield b"x"
            probe.wait()
    """)
    api.invoke().chunk()
    assert function.log() == "in the handler\n"


def test_json_logs_hold_one_object_a_line(api: RuntimeApi, start: Start) -> None:
    function = start(
        """
        import logging

        def handler(event, context):
            logging.getLogger("mine").info("così %s", "fan")
            logging.getLogger("mine").debug("not at this level")
            yield b"x"
            raise ValueError("tutte")
        """,
        AWS_LAMBDA_LOG_FORMAT="JSON",
        AWS_LAMBDA_LOG_LEVEL="INFO",
    )
    call = api.invoke()
    call.finish()
    first, second = (json.loads(line) for line in function.log().splitlines())
    assert (first["level"], first["message"], first["logger"], first["requestId"]) == (
        "INFO",
        "così fan",
        "mine",
        call.id,
    )
    assert (second["errorType"], second["errorMessage"]) == ("ValueError", "tutte")
    assert second["stackTrace"][-1] == "ValueError: tutte"
