"""An operator's verdict on a solution that NEEDS_REVIEW: it is published, rewritten or rejected (spec section 1).

What the event bus is told of it is in ``test_events.py``, what is logged in ``test_logs.py``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from energy_support_client import types
from support.contract import FAILURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.conftest import Bedrock, Caller, Eventually, Problem

WRITE, STREAM = "Converse", "ConverseStream"
UNHEARD_OF = {"symptom_text": "Quanto costa una bicicletta usata?", "error_code": "E999"}
"""Makes a ticket about which the documents say nothing."""
EDITED: Mapping[str, object] = {
    "decision": "EDIT",
    "text": 'Spegnere la colonnina e chiamare un elettricista. <b>"Non"</b> aprirla: \N{HIGH VOLTAGE SIGN}.',
    "steps": ["Spegnere.", "Chiamare un elettricista."],
}
EDITED_AND_RENDERED = f"{EDITED['text']}\n\n1. Spegnere.\n2. Chiamare un elettricista."


def review(caller: Caller, ticket_id: str, verdict: Mapping[str, object]) -> httpx.Response:
    return caller.request("POST", f"tickets/{ticket_id}/review", json=dict(verdict))


def streamed(caller: Caller, ticket_id: str) -> str:
    """The whole text of a stream that ends well and takes nothing back."""
    start, *chunks, complete = caller.client.stream_solution(ticket_id)
    assert isinstance(start, types.StreamStart)
    assert complete == types.StreamComplete(status="READY", total_tokens=0, grounded=True)
    return "".join(chunk.content for chunk in chunks if isinstance(chunk, types.StreamChunk))


class InReview(Protocol):
    def __call__(self, **behaviour: str) -> str: ...


@pytest.fixture
def in_review(customer: Caller, bedrock: Bedrock, request_body: dict[str, Any]) -> InReview:
    """Makes a ticket that waits for an operator, because the model answered it as ``behaviour`` says."""

    def make(**behaviour: str) -> str:
        bedrock.behave(WRITE, **(behaviour or {"quotes": "invented"}))
        answered = customer.answer(request_body)
        assert answered.status == "NEEDS_REVIEW"
        return answered.ticket_id

    return make


# --- what an operator sees


def test_an_operator_sees_what_was_written_and_what_it_was_written_from(operator: Caller, in_review: InReview) -> None:
    ticket_id = in_review(quotes="invented")
    shown = operator.client.get_review(ticket_id)

    assert (shown.ticket_id, shown.reason, shown.lang) == (ticket_id, "NOT_GROUNDED", "it-IT")
    assert shown.text
    assert shown.steps
    # The quotes that the model invented are in none of the passages.
    assert shown.citations == []
    assert all(passage.source_id and passage.title and passage.content for passage in shown.passages)
    assert any("E042" in passage.content or "E042" in passage.title for passage in shown.passages)
    assert set(operator.request("GET", f"tickets/{ticket_id}/review").json()) == {
        "ticket_id", "reason", "text", "steps", "citations", "passages", "confidence", "lang", "generated_at",
    }  # fmt: skip


def test_a_question_that_nothing_answers_is_shown_without_an_answer(
    customer: Caller, operator: Caller, request_body: dict[str, Any]
) -> None:
    shown = operator.client.get_review(customer.answer(request_body | UNHEARD_OF).ticket_id)

    assert shown.reason == "NO_PASSAGES"
    assert (shown.text, shown.steps, shown.citations, shown.confidence) == ("", [], [], 0)


def test_an_answer_that_the_guardrail_kept_back_is_not_shown(operator: Caller, in_review: InReview) -> None:
    shown = operator.client.get_review(in_review(stop_reason="guardrail_intervened"))

    assert (shown.reason, shown.text, shown.steps) == ("GUARDRAIL", "", [])
    assert shown.passages


def test_a_customer_neither_sees_nor_gives_a_review(customer: Caller, problem: Problem, in_review: InReview) -> None:
    ticket_id = in_review()

    problem(customer.request("GET", f"tickets/{ticket_id}/review"), httpx.codes.FORBIDDEN)
    problem(review(customer, ticket_id, {"decision": "APPROVE"}), httpx.codes.FORBIDDEN)
    assert customer.ticket(ticket_id).status == "NEEDS_REVIEW"


# --- verdicts


def test_an_approved_solution_is_published_as_it_was_written(
    customer: Caller, operator: Caller, bedrock: Bedrock, in_review: InReview
) -> None:
    ticket_id = in_review()
    waiting = operator.client.get_review(ticket_id)

    answer = review(operator, ticket_id, {"decision": "APPROVE"})

    assert answer.status_code == httpx.codes.OK
    assert answer.json()["status"] == "READY"
    assert answer.json() == customer.request("GET", f"tickets/{ticket_id}").json()
    solution = customer.solution(ticket_id)
    assert (solution.text, solution.steps, solution.citations) == (waiting.text, waiting.steps, [])
    assert streamed(customer, ticket_id).startswith(waiting.text)
    assert bedrock.calls(STREAM) == []


def test_an_edited_solution_is_published_in_the_operators_words(
    customer: Caller, operator: Caller, bedrock: Bedrock, in_review: InReview
) -> None:
    ticket_id = in_review()

    answer = review(operator, ticket_id, EDITED)

    assert answer.status_code == httpx.codes.OK
    assert answer.json()["status"] == "READY"
    solution = customer.solution(ticket_id)
    assert (solution.text, solution.steps, solution.citations) == (EDITED["text"], EDITED["steps"], [])
    # The stored words, whatever the model would write: it is not asked.
    assert streamed(customer, ticket_id) == EDITED_AND_RENDERED
    assert bedrock.calls(STREAM) == []


def test_what_was_never_written_can_be_written_by_the_operator(
    customer: Caller, operator: Caller, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.answer(request_body | UNHEARD_OF).ticket_id

    assert review(operator, ticket_id, {"decision": "EDIT", "text": "Non vendiamo biciclette."}).is_success
    solution = customer.solution(ticket_id)
    assert (solution.text, solution.steps) == ("Non vendiamo biciclette.", [])
    assert streamed(customer, ticket_id) == "Non vendiamo biciclette."


def test_a_rejected_solution_fails_the_ticket_and_is_never_shown(
    customer: Caller, operator: Caller, problem: Problem, in_review: InReview
) -> None:
    ticket_id = in_review()
    rejected = {"code": "REJECTED", "message": FAILURES["REJECTED"]}

    answer = review(operator, ticket_id, {"decision": "REJECT"})

    assert answer.status_code == httpx.codes.OK
    assert (answer.json()["status"], answer.json()["failure"]) == ("FAILED", rejected)
    assert customer.request("GET", f"tickets/{ticket_id}").json()["failure"] == rejected
    for path in (f"tickets/{ticket_id}/solution", f"tickets/{ticket_id}/solution/stream"):
        refused = customer.request("GET", path)
        assert problem(refused, httpx.codes.CONFLICT).title == "Ticket failed"
        assert refused.json()["failure"] == rejected
        assert "Retry-After" not in refused.headers


@pytest.mark.parametrize("verdict", [{"decision": "APPROVE"}, EDITED, {"decision": "REJECT"}], ids=str)
def test_who_reviewed_it_stays_here(
    customer: Caller, operator: Caller, in_review: InReview, verdict: Mapping[str, object]
) -> None:
    ticket_id = in_review()
    answers = [review(operator, ticket_id, verdict)]
    answers += [customer.request("GET", f"tickets/{ticket_id}{rest}") for rest in ("", "/status", "/solution")]

    for answer in answers:
        assert "review" not in answer.text
        assert "operator" not in answer.text


# --- verdicts that cannot be


@pytest.mark.parametrize(
    ("verdict", "path", "keyword"),
    [
        ({"decision": "EDIT"}, "$.text", "required"),
        ({"decision": "EDIT", "text": " \n\t"}, "$.text", "minLength"),
        ({"decision": "APPROVE", "text": "Not my words."}, "$.text", "additionalProperties"),
        ({"decision": "REJECT", "steps": ["Wait."]}, "$.steps", "additionalProperties"),
    ],
    ids=str,
)
def test_a_verdict_that_says_too_little_or_too_much_is_refused(
    customer: Caller,
    operator: Caller,
    problem: Problem,
    in_review: InReview,
    verdict: dict[str, object],
    path: str,
    keyword: str,
) -> None:
    ticket_id = in_review()
    told = problem(review(operator, ticket_id, verdict), httpx.codes.BAD_REQUEST)

    assert isinstance(told.errors, list)
    assert [(fault.path, fault.keyword) for fault in told.errors] == [(path, keyword)]
    assert customer.ticket(ticket_id).status == "NEEDS_REVIEW"


@pytest.mark.parametrize(
    "verdict",
    [
        {},
        {"decision": "approve"},
        {"decision": "EDIT", "text": ""},
        {"decision": "EDIT", "text": "x" * 10_001},
        {"decision": "EDIT", "text": "x", "steps": [""]},
        {"decision": "EDIT", "text": "x", "steps": ["x"] * 31},
        {"decision": "EDIT", "text": "x", "citations": []},
        {"decision": "REJECT", "reviewed_by": "somebody else"},
    ],
    ids=lambda verdict: str(verdict)[:50],
)
def test_a_verdict_that_breaks_the_contract_is_refused(
    operator: Caller, problem: Problem, verdict: dict[str, object]
) -> None:
    problem(review(operator, "tkt_" + "0" * 24, verdict), httpx.codes.BAD_REQUEST)


def test_nothing_cannot_be_approved(
    customer: Caller, operator: Caller, problem: Problem, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.answer(request_body | UNHEARD_OF).ticket_id
    told = problem(review(operator, ticket_id, {"decision": "APPROVE"}), httpx.codes.BAD_REQUEST)

    assert isinstance(told.errors, list)
    assert [fault.path for fault in told.errors] == ["$.decision"]
    assert customer.ticket(ticket_id).status == "NEEDS_REVIEW"


# --- tickets that wait for nobody


def not_in_review(operator: Caller, problem: Problem, ticket_id: str) -> None:
    """Neither shown for review nor reviewed, whatever the verdict."""
    verdicts = [{"decision": "APPROVE"}, EDITED, {"decision": "REJECT"}]
    answers = [review(operator, ticket_id, verdict) for verdict in verdicts]
    for answer in (operator.request("GET", f"tickets/{ticket_id}/review"), *answers):
        assert problem(answer, httpx.codes.CONFLICT).title == "Ticket not in review"


@pytest.mark.parametrize("verdict", [{"decision": "APPROVE"}, EDITED, {"decision": "REJECT"}], ids=str)
def test_a_verdict_is_final(
    customer: Caller, operator: Caller, problem: Problem, in_review: InReview, verdict: Mapping[str, object]
) -> None:
    ticket_id = in_review()
    assert review(operator, ticket_id, verdict).is_success
    shown = [customer.request("GET", f"tickets/{ticket_id}{rest}").json() for rest in ("", "/status")]

    not_in_review(operator, problem, ticket_id)

    assert [customer.request("GET", f"tickets/{ticket_id}{rest}").json() for rest in ("", "/status")] == shown


def test_what_the_model_solved_needs_no_operator(
    customer: Caller, operator: Caller, problem: Problem, request_body: dict[str, Any]
) -> None:
    answered = customer.answer(request_body)

    not_in_review(operator, problem, answered.ticket_id)
    assert customer.solution(answered.ticket_id) == answered.solution


def test_what_the_model_works_on_needs_no_operator_yet(
    customer: Caller,
    operator: Caller,
    bedrock: Bedrock,
    problem: Problem,
    eventually: Eventually,
    request_body: dict[str, Any],
) -> None:
    bedrock.delay(WRITE, 2)
    ticket_id = customer.create_ticket(request_body).ticket_id

    not_in_review(operator, problem, ticket_id)
    eventually(lambda: customer.ticket(ticket_id).status == "READY")


@pytest.mark.parametrize("ticket_id", ["tkt_" + "0" * 24, "tkt_0", "%2e%2e", "%22", "tkt_%00"])
def test_an_unknown_ticket_has_no_review(operator: Caller, problem: Problem, ticket_id: str) -> None:
    problem(operator.request("GET", f"tickets/{ticket_id}/review"), httpx.codes.NOT_FOUND)
    problem(review(operator, ticket_id, {"decision": "REJECT"}), httpx.codes.NOT_FOUND)


# --- two operators


@pytest.mark.timeout(60)
def test_of_verdicts_given_at_once_one_counts_and_is_whole(
    customer: Caller, operator: Caller, problem: Problem, in_review: InReview
) -> None:
    ticket_id = in_review()
    written = operator.client.get_review(ticket_id).text
    verdicts: list[Mapping[str, object]] = [
        {"decision": "APPROVE"},
        {"decision": "REJECT"},
        EDITED,
        {**EDITED, "text": "Un'altra soluzione."},
    ]
    together = Barrier(len(verdicts))

    def give(verdict: Mapping[str, object]) -> httpx.Response:
        together.wait()
        return review(operator, ticket_id, verdict)

    with ThreadPoolExecutor(len(verdicts)) as pool:
        answers = list(pool.map(give, verdicts))

    [won] = [number for number, answer in enumerate(answers) if answer.is_success]
    for number, answer in enumerate(answers):
        if number != won:
            assert problem(answer, httpx.codes.CONFLICT).title == "Ticket not in review"
    assert customer.request("GET", f"tickets/{ticket_id}").json() == answers[won].json()
    if verdicts[won]["decision"] == "REJECT":
        assert customer.ticket(ticket_id).status == "FAILED"
        problem(customer.request("GET", f"tickets/{ticket_id}/solution"), httpx.codes.CONFLICT)
    else:
        assert customer.solution(ticket_id).text == verdicts[won].get("text", written)
