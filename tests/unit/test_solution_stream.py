"""A solution while it is written: what its reader is told in every case, and how it ends."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Any, cast

import botocore.exceptions
import msgspec
import pytest
from urllib3.exceptions import ProtocolError

import get_solution_stream.handler
from streaming import Prelude, Shutdown, StreamDeadline
from support import streaming_http
from support.contract import STREAM_EVENTS, Citation, Policies
from support.generation import Ending
from support.services.solution_stream import SolutionStream
from support.solutions import Solution, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from support.caller import Caller
    from support.generation import Document, Writing
    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]
    LogLines = Callable[[], list[dict[str, Any]]]

ID = "tkt_0123456789ab"
PATIENCE = 10
"""Seconds after which a test gives up."""
QUOTE = "Switch the charger off and on again."
SOLUTION = Solution(
    ticket_id=ID,
    attempt=1,
    outcome="READY",
    text="It has tripped. Restart it.",
    steps=["Switch it off.", "Switch it on after a minute."],
    citations=[Citation(source_id="doc-0000", title="Manual", quote=QUOTE)],
    confidence=0.75,
    lang="en-US",
    generated_at="2026-01-31T12:00:30Z",
    passages=[Source(id="doc-0000", title="Manual", content=f"E102: it has tripped. {QUOTE}", similarity=0.8)],
    model_id="secret-model-7",
    ttl=1,
)
STORED = "It has tripped. Restart it.\n\n1. Switch it off.\n2. Switch it on after a minute."
END = Ending("end_turn", 321)
CITED = f'<citations>[{{"source_id": "doc-0000", "quote": "{QUOTE}"}}]</citations>'


class Model:
    """Writes what a test wants: text, an ending, an error, or first whatever a function does."""

    def __init__(self, *script: str | Ending | Exception | Callable[[], object]) -> None:
        self.script = script
        self.closed = threading.Event()
        self.asked: list[tuple[Ticket, Sequence[Document]]] = []

    def stream(self, ticket: Ticket, documents: Sequence[Document], /) -> Writing:
        self.asked.append((ticket, documents))
        return cast("Writing", self)

    def __iter__(self) -> Iterator[str | Ending]:
        for piece in self.script:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, str | Ending):
                yield piece
            else:
                piece()

    def close(self) -> None:
        self.closed.set()

    def hang(self) -> None:
        self.closed.wait(PATIENCE)


class One:
    """A table with one row."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def get(self, ticket_id: str) -> Any:
        return self.row if self.row is not None and self.row.ticket_id == ticket_id else None


def throttled() -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException", "Message": "m"}}, "ConverseStream")


def broken(code: str = "modelStreamErrorException") -> Exception:
    return botocore.exceptions.EventStreamError({"Error": {"Code": code, "Message": "m"}}, "ConverseStream")


def read(piece: bytes) -> tuple[str, Any]:
    """Name and data of what was told; a heartbeat's name is a colon."""
    if piece.startswith(b":"):
        return ":", None
    name, data = (line.partition(b": ")[2] for line in piece.rstrip(b"\n").split(b"\n"))
    return name.decode(), msgspec.json.decode(data, type=STREAM_EVENTS[name.decode()])


class Told:
    """All that a stream tells."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.raw = b"".join(raw := list(pieces))
        self.events = [read(piece) for piece in raw]

    @property
    def names(self) -> list[str]:
        """Runs of the same event as one."""
        names = [name for name, _ in self.events]
        return [name for name, before in zip(names, ["", *names], strict=False) if name != before]

    @property
    def text(self) -> str:
        return "".join(data.content for name, data in self.events if name == "chunk")

    def data(self, name: str) -> Any:
        [data] = [data for told, data in self.events if told == name]
        return data


class Open:
    """Opens streams of one ticket."""

    def __init__(self, ticket: Ticket, caller: Caller) -> None:
        self.ticket = ticket
        self.caller = caller

    def __call__(
        self,
        model: Model,
        solution: Solution = SOLUTION,
        *,
        ticket: Ticket | None = None,
        seconds: float = PATIENCE,
        silence: float = PATIENCE,
    ) -> Generator[bytes, None, None]:
        streams = SolutionStream(One(ticket or self.ticket), One(solution), model, seconds=seconds, silence=silence)
        return streams.open(ID, caller=self.caller)


@pytest.fixture
def open_(make_ticket: MakeTicket, customer: Caller) -> Open:
    return Open(make_ticket(status="READY", open=None), customer)


# --- as it should be


def test_the_text_is_told_as_it_comes_and_the_citations_never(open_: Open) -> None:
    model = Model("It has ", "tripped.", f"\n\n1. Restart it.\n{CITED[:5]}", CITED[5:], END)
    told = Told(open_(model))
    assert told.names == ["start", "chunk", "complete"]
    assert [data.content for name, data in told.events if name == "chunk"] == [
        "It has ",
        "tripped.",
        "\n\n1. Restart it.\n",
    ]
    assert (told.data("start").ticket_id, told.data("start").status) == (ID, "READY")
    complete = told.data("complete")
    assert (complete.status, complete.total_tokens, complete.grounded) == ("READY", 321, True)
    assert b"citations" not in told.raw


def test_the_model_writes_from_the_stored_passages(open_: Open) -> None:
    model = Model(f"x{CITED}", END)
    Told(open_(model))
    assert model.asked == [(open_.ticket, SOLUTION.passages)]


def test_each_piece_is_told_before_the_next_is_written(open_: Open) -> None:
    told = threading.Event()
    pieces = open_(Model("first", lambda: told.wait(PATIENCE), f"second{CITED}", END))
    assert [read(next(pieces))[0] for _ in range(2)] == ["start", "chunk"]
    told.set()
    assert Told(pieces).text == "second"


def test_nothing_internal_is_told(open_: Open) -> None:
    for model in (Model(f"Fine.{CITED}", END), Model("Wrong.", END), Model(throttled())):
        raw = Told(open_(model)).raw
        for internal in (b"secret-model-7", b"Anna", b"doc-0000", b"E102: it has tripped"):
            assert internal not in raw


# --- what does not hold up


@pytest.mark.parametrize(
    "script",
    [
        ("HACKED", END),
        ("HACKED<citations>[]</citations>", END),
        ('HACKED<citations>[{"source_id": "doc-0000", "quote": "Switch it to full power."}]</citations>', END),
        (f"HACKED{CITED.replace('doc-0000', 'doc-0001')}", END),
        (f"HACKED{CITED} And more.", END),
        (f"HACKED{CITED[:-1]}", END),
        (f"HACKED{CITED}", Ending("max_tokens", 321)),
        ("Blocked.", Ending("guardrail_intervened", 321)),
        (f"HACKED{CITED}", Ending("guardrail_intervened", 321)),
        (CITED, END),
        (f"\n {CITED}", END),
        (END,),
    ],
)
def test_what_does_not_hold_up_is_replaced_by_the_stored_solution(
    open_: Open, script: tuple[str | Ending, ...]
) -> None:
    told = Told(open_(Model(*script)))
    assert [name for name in told.names if name != "chunk"] == ["start", "replace", "complete"]
    assert told.data("replace").content == STORED
    complete = told.data("complete")
    assert (complete.status, complete.total_tokens, complete.grounded) == ("READY", 321, False)


def test_an_answer_that_needs_no_citation_needs_none_here_either(open_: Open, make_ticket: MakeTicket) -> None:
    free = make_ticket(status="READY", policies=Policies(grounded_only=False))
    assert Told(open_(Model("Fine.<citations>[]</citations>", END), ticket=free)).data("complete").grounded
    wrong = CITED.replace("Switch the", "Never switch the")
    assert not Told(open_(Model(f"Fine.{wrong}", END), ticket=free)).data("complete").grounded


# --- when the model cannot


@pytest.mark.parametrize(
    "error",
    [
        throttled(),
        broken("throttlingException"),
        ProtocolError("cut"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://bedrock"),
        botocore.exceptions.ClientError({"Error": {"Code": "AccessDeniedException", "Message": "m"}}, "ConverseStream"),
    ],
)
def test_a_model_that_cannot_begin_leaves_the_stored_solution(
    open_: Open, error: Exception, log_lines: LogLines
) -> None:
    told = Told(open_(Model(error)))
    assert told.names == ["start", "chunk", "complete"]
    assert told.text == STORED
    assert len(told.events) > 4
    complete = told.data("complete")
    assert (complete.status, complete.total_tokens, complete.grounded) == ("READY", 0, True)
    failed, streamed = log_lines()
    assert failed["message"] == "model failed"
    assert failed["error"]
    assert streamed["how"] == "STORED"


@pytest.mark.parametrize("error", [throttled(), broken(), ProtocolError("cut")])
def test_a_model_that_breaks_off_is_told(open_: Open, error: Exception) -> None:
    told = Told(open_(Model("It has ", error)))
    assert told.names == ["start", "chunk", "error"]
    assert told.data("error").code == "GENERATION_FAILED"


def test_our_own_fault_is_told_too_and_its_trace_is_not(open_: Open, log_lines: LogLines) -> None:
    unreadable = msgspec.structs.replace(SOLUTION, passages=[cast("Source", object())])
    told = Told(open_(Model(f"Fine.{CITED}", END), unreadable))
    assert told.names == ["start", "chunk", "error"]
    assert told.data("error").code == "GENERATION_FAILED"
    assert b"Traceback" not in told.raw
    assert "Traceback" in log_lines()[0]["exception"]


# --- a person's words


def test_what_a_person_has_reviewed_stands(open_: Open) -> None:
    model = Model(f"Other words.{CITED}", END)
    told = Told(open_(model, msgspec.structs.replace(SOLUTION, reviewed_at="2026-01-31T13:00:00Z", reviewed_by="op")))
    assert (told.text, told.data("complete").total_tokens) == (STORED, 0)
    assert not model.asked


def test_what_rests_on_no_passage_is_not_written_again(open_: Open) -> None:
    model = Model(f"Other words.{CITED}", END)
    assert Told(open_(model, msgspec.structs.replace(SOLUTION, passages=[]))).text == STORED
    assert not model.asked


# --- time


def test_silence_is_broken_by_comments(open_: Open) -> None:
    release = threading.Event()
    model = Model(lambda: release.wait(PATIENCE), "Fine.", CITED, END)
    pieces = open_(model, silence=0.02)
    assert [read(next(pieces))[0] for _ in range(4)] == ["start", ":", ":", ":"]
    release.set()
    assert Told(pieces).names[-2:] == ["chunk", "complete"]


def test_citations_that_are_long_in_coming_are_silence_too(open_: Open) -> None:
    """They come from the model, and the reader sees none of them."""
    heard = threading.Event()

    class Dawdler(Model):
        def __iter__(self) -> Iterator[str | Ending]:
            yield "Fine.<citations>"
            while not heard.wait(0.005):
                yield " "
            yield "[]</citations>"
            yield END

    told = open_(Dawdler(), silence=0.02)
    assert [read(next(told))[0] for _ in range(3)] == ["start", "chunk", ":"]
    heard.set()
    assert Told(told).names[-1] == "complete"


def test_a_stream_ends_in_time(open_: Open, log_lines: LogLines) -> None:
    model = Model("It has ")
    model.script = ("It has ", model.hang)
    told = Told(open_(model, seconds=0.1, silence=0.04))
    assert (told.names[-1], told.data("error").code) == ("error", "TIMED_OUT")
    assert model.closed.is_set()
    assert log_lines()[-1]["how"] == "TIMED_OUT"


def test_a_stored_solution_ends_in_time_too(open_: Open) -> None:
    assert Told(open_(Model(throttled()), seconds=0)).names == ["start", "error"]


def test_a_model_that_never_pauses_ends_in_time(open_: Open) -> None:
    model = Model(*["word "] * 50, END)
    assert Told(open_(model, seconds=0)).data("error").code == "TIMED_OUT"


@pytest.mark.parametrize(
    ("interruption", "code"), [(StreamDeadline("now"), "TIMED_OUT"), (Shutdown("now"), "SHUT_DOWN")]
)
def test_an_interruption_between_pieces_is_told(open_: Open, interruption: BaseException, code: str) -> None:
    model = Model()
    model.script = ("It has ", model.hang)
    pieces = open_(model)
    next(pieces)
    next(pieces)
    assert read(pieces.throw(interruption))[1].code == code
    pieces.close()
    assert model.closed.is_set()


def test_an_interruption_while_waiting_for_the_model_is_told(open_: Open, log_lines: LogLines) -> None:
    def ring(*_: object) -> None:
        raise StreamDeadline("now")

    model = Model()
    model.script = (model.hang,)
    pieces = open_(model)
    next(pieces)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        last = read(next(pieces))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert last[1].code == "TIMED_OUT"
    assert model.closed.is_set()
    pieces.close()
    assert log_lines()[-1]["how"] == "TIMED_OUT"


def test_a_reader_that_hangs_up_ends_the_writing(open_: Open, log_lines: LogLines) -> None:
    model = Model()
    model.script = ("It has ", model.hang)
    pieces = open_(model)
    next(pieces)
    next(pieces)
    pieces.close()
    assert model.closed.is_set()
    [line] = log_lines()
    assert line["how"] == "HUNG_UP"
    assert "grounded" not in line


# --- what the log says


def test_each_stream_is_one_line_without_personal_data(open_: Open, log_lines: LogLines) -> None:
    Told(open_(Model("It has ", f"tripped.{CITED}", END)))
    [line] = log_lines()
    facts = {name: line[name] for name in ("message", "ticket_id", "how", "chunks", "tokens", "grounded")}
    assert facts == {
        "message": "streamed",
        "ticket_id": ID,
        "how": "COMPLETE",
        "chunks": 2,
        "tokens": 321,
        "grounded": True,
    }
    assert line["seconds"] >= 0
    for private in ("Anna", "anna@example.com", "stops after ten", "C1", "tripped"):
        assert private not in json.dumps(line)


# --- behind the API


class Answer:
    def __init__(self, pieces: Generator[Prelude | bytes, None, None]) -> None:
        prelude, *body = pieces
        assert isinstance(prelude, Prelude)
        self.status, self.headers = prelude.status, prelude.headers
        self.body = b"".join(cast("list[bytes]", body))
        self.pieces = len(body)


@pytest.fixture
def ask(make_ticket: MakeTicket, call: Any, context: Any) -> Callable[..., Answer]:
    def send(ticket: Ticket | None, solution: Solution | None = SOLUTION, **caller: Any) -> Answer:
        streams = SolutionStream(
            One(ticket), One(solution), Model(f"Fine.{CITED}", END), seconds=PATIENCE, silence=PATIENCE
        )
        application = streaming_http.Application(
            respond=lambda request: get_solution_stream.handler.tell(streams, request),
            origins=frozenset({"https://support.example.com"}),
        )
        event = call(path={"id": ID}, headers={"Origin": "https://support.example.com"}, **caller).event()
        return Answer(streaming_http.handler(lambda: application)(event, context))

    return send


def test_a_stream_says_what_it_is_and_is_kept_nowhere(ask: Callable[..., Answer], make_ticket: MakeTicket) -> None:
    answer = ask(make_ticket(status="READY"))
    assert answer.status == 200
    assert answer.headers == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "Access-Control-Allow-Origin": "https://support.example.com",
        "Access-Control-Expose-Headers": "Location, Retry-After",
        "Vary": "Origin",
    }
    assert answer.body.startswith(b"event: start\n")
    assert answer.pieces == 3


@pytest.mark.parametrize(
    ("state", "caller", "status", "kind"),
    [
        (None, {}, 404, "not-found"),
        ({"status": "READY"}, {"customer_id": "C2"}, 404, "not-found"),
        ({"status": "READY"}, {"groups": "guest"}, 403, "not-allowed"),
        ({"status": "READY"}, {"sub": ""}, 401, "not-authenticated"),
        ({"status": "PROCESSING"}, {}, 409, "solution-not-ready"),
        ({"status": "NEEDS_REVIEW"}, {}, 409, "solution-not-ready"),
        ({"status": "FAILED", "failure_code": "TIMED_OUT"}, {}, 409, "ticket-failed"),
    ],
)
def test_what_cannot_be_streamed_is_a_problem_like_any_other(
    ask: Callable[..., Answer],
    make_ticket: MakeTicket,
    state: dict[str, Any] | None,
    caller: dict[str, Any],
    status: int,
    kind: str,
) -> None:
    answer = ask(None if state is None else make_ticket(**state), **caller)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://support.example.com"
    problem = json.loads(answer.body)
    assert (problem["status"], problem["request_id"]) == (status, "api-request")
    assert problem["type"].endswith(kind)
    assert ("Retry-After" in answer.headers) == (kind == "solution-not-ready")
    assert answer.pieces == 1


def test_operators_stream_any_ticket_and_are_logged(
    ask: Callable[..., Answer], make_ticket: MakeTicket, log_lines: LogLines
) -> None:
    assert ask(make_ticket(status="READY"), groups="operator", sub="operator-1", customer_id=None).status == 200
    access = log_lines()[0]
    assert (access["message"], access["operator"], access["ticket_id"]) == ("operator access", "operator-1", ID)


def test_a_solution_that_is_missing_is_our_fault_and_a_problem(
    ask: Callable[..., Answer], make_ticket: MakeTicket
) -> None:
    assert ask(make_ticket(status="READY"), None).status == 500


def test_a_function_that_cannot_be_made_ready_is_a_problem(call: Any, context: Any) -> None:
    def unready() -> streaming_http.Application:
        raise RuntimeError("arn:aws:secret")

    answer = Answer(streaming_http.handler(unready)(call().event(), context))
    assert answer.status == 500
    assert b"arn:" not in answer.body


def test_the_metrics_of_a_stream_are_written(
    ask: Callable[..., Answer], make_ticket: MakeTicket, log_lines: LogLines
) -> None:
    ask(make_ticket(status="READY"))
    assert [line["StreamsCompleted"] for line in log_lines() if "StreamsCompleted" in line] == [[1.0]]
