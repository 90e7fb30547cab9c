"""Use the service as a customer or an operator would: tickets and search on the running local stack."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import msgspec
import typer
from rich.markup import escape

from energy_support_client import StreamChunk, StreamComplete, StreamError, StreamReplace, types
from harness import console, demonstration, knowledge_base, many_tickets
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from harness.search_evaluation import Metrics
from harness.search_modes import MODES
from harness.sign_in import Group
from support import contract, typed
from support.decoding import decode_body, decode_parameter
from support.problems import InvalidRequestError

T = TypeVar("T", bound=msgspec.Struct)

ticket = typer.Typer(help="Tickets, sent and read through API Gateway.", no_args_is_help=True)

TicketId = Annotated[str, typer.Argument(metavar="TICKET", help="The ticket's id, `tkt_…`.")]
As = Annotated[Group, typer.Option("--as", help="Who calls.")]
CustomerId = Annotated[str, typer.Option("--customer", help="The customer that a customer acts for.")]
SHOWN = 20
"""Tickets listed for people; --json has them all."""


def register(app: typer.Typer) -> None:
    app.add_typer(ticket, name="ticket")
    app.command("feedback")(feedback)
    app.command("search")(search)
    app.command("token")(token)
    app.command("url")(url)


@ticket.command("create")
def create(
    *,
    symptom: Annotated[str | None, typer.Option(help="What is wrong, 10 to 5000 characters.")] = None,
    body: Annotated[Path | None, typer.Option(help="A whole CreateTicketRequest, as a JSON file.")] = None,
    priority: Annotated[str, typer.Option(help=f"{', '.join(get_args(contract.Priority))}.")] = "P3",
    lang: Annotated[str | None, typer.Option(help=f"{', '.join(get_args(contract.Language))}.")] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many tickets to send.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="How many at a time.")] = 1,
    wait: Annotated[bool, typer.Option("--wait", help="Follow each ticket to its final status.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for each ticket.")] = 120,
    json: Json = False,
) -> None:
    """Open a ticket as a customer; with --wait, follow it until it is READY, NEEDS_REVIEW or FAILED."""
    request = _read(body) if body else _request(symptom, priority, lang)
    customer = _checked(request, contract.CreateTicketRequest).customer.id
    with LocalStack().as_customer(customer) as client, console.progress(json=json) as progress:
        answered = many_tickets.send(client, [request] * count, concurrency, progress, wait=wait, timeout=timeout)
    if json:
        figures = {"timing": many_tickets.timing(answered)} if count > 1 else {}
        console.print_json({"tickets": answered, **figures} if count > 1 else answered[0])
        return
    for one in answered[:SHOWN]:
        way = "  ".join(f"{change.status} after {change.seconds:.2f} s" for change in one.changes)
        console.out.print(f"{one.ticket_id}  accepted after {one.accepted_seconds:.2f} s  {way}")
    if count > 1:
        console.out.print(many_tickets.timing(answered))
    elif answered[0].solution is not None:
        demonstration.show_solution(answered[0].solution)


@ticket.command("show")
def show(
    ticket_id: TicketId, *, as_: As = "operator", customer: CustomerId = demonstration.CUSTOMER_ID, json: Json = False
) -> None:
    """The public fields of a ticket."""
    known = _ticket_id(ticket_id)
    with LocalStack().signed_in(as_, customer) as client:
        _show(client.get_ticket(known), known, json=json)


@ticket.command("status")
def status(
    ticket_id: TicketId, *, as_: As = "operator", customer: CustomerId = demonstration.CUSTOMER_ID, json: Json = False
) -> None:
    """How a ticket stands: the route that no function serves."""
    known = _ticket_id(ticket_id)
    with LocalStack().signed_in(as_, customer) as client:
        _show(client.get_status(known), known, json=json)


@ticket.command("solution")
def solution(
    ticket_id: TicketId, *, as_: As = "operator", customer: CustomerId = demonstration.CUSTOMER_ID, json: Json = False
) -> None:
    """A ticket's solution with its citations."""
    known = _ticket_id(ticket_id)
    with LocalStack().signed_in(as_, customer) as client:
        view = client.get_solution(known)
    if json:
        console.print_json(view)
    else:
        demonstration.show_solution(view)


@ticket.command("stream")
def stream(
    ticket_id: TicketId, *, as_: As = "operator", customer: CustomerId = demonstration.CUSTOMER_ID, json: Json = False
) -> None:
    """Watch a solution being written. With --json, every event with its time in seconds, once it is over.

    Exit code 1 if it breaks off.
    """
    known = _ticket_id(ticket_id)
    told: list[dict[str, object]] = []
    text = ""
    last: types.StreamEvent | None = None
    with LocalStack().signed_in(as_, customer) as client:
        started = time.monotonic()
        for event in client.stream_solution(known):
            last = event
            told.append({"event": _name(event), "seconds": round(time.monotonic() - started, 3), "data": event})
            text = event.content if isinstance(event, StreamReplace) else text
            text += event.content if isinstance(event, StreamChunk) else ""
            if not json:
                _write(event)
    if json:
        console.print_json({"ticket_id": known, "text": text, "events": told})
    if not isinstance(last, StreamComplete):
        raise typer.Exit(1)


@ticket.command("review")
def review(
    ticket_id: TicketId,
    *,
    approve: Annotated[bool, typer.Option("--approve", help="Publish the solution as it is.")] = False,
    edit: Annotated[
        Path | None, typer.Option(help='Publish this instead: a JSON file with "text" and, if there are any, "steps".')
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Publish nothing: the ticket FAILED.")] = False,
    json: Json = False,
) -> None:
    """Show an operator the solution that waits for review; with one of the options, decide."""
    known = _ticket_id(ticket_id)
    decisions = [name for name, asked in (("APPROVE", approve), ("EDIT", edit), ("REJECT", reject)) if asked]
    if len(decisions) > 1:
        raise HarnessError("There is one decision to a review.", "Give one of --approve, --edit and --reject.")
    if not decisions:
        with LocalStack().as_operator() as client:
            waiting = client.get_review(known)
        if json:
            console.print_json(waiting)
        else:
            _show_review(waiting)
        return
    asked = {"decision": decisions[0]} | (_read(edit) if edit else {})
    _checked(asked, contract.ReviewRequest)
    with LocalStack().as_operator() as client:
        _show(client.review_ticket(known, typed.convert(asked, types.ReviewRequest)), known, json=json)


def feedback(
    ticket_id: TicketId,
    *,
    rating: Annotated[int, typer.Option(min=1, max=5, help="What the solution was worth, 1 to 5.")],
    resolved: Annotated[bool, typer.Option("--resolved/--not-resolved", help="Whether it solved the problem.")],
    comment: Annotated[str | None, typer.Option(help="At most 2000 characters.")] = None,
    as_: As = "customer",
    customer: CustomerId = demonstration.CUSTOMER_ID,
    json: Json = False,
) -> None:
    """Rate a ticket's solution. Always accepted; what is not the caller's to rate is dropped later."""
    known = _ticket_id(ticket_id)
    asked = {"rating": rating, "resolved": resolved} | ({} if comment is None else {"comment": comment})
    _checked(asked, contract.FeedbackRequest)
    with LocalStack().signed_in(as_, customer) as client:
        accepted = client.send_feedback(known, typed.convert(asked, types.FeedbackRequest))
    if json:
        console.print_json(accepted)
    else:
        console.out.print(f"{accepted.status} as {accepted.feedback_id}")


def search(
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    *,
    max_results: Annotated[int, typer.Option(min=1, max=50)] = 5,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Measure words, meaning and both on the labelled questions instead.")
    ] = False,
    split: Annotated[knowledge_base.Split, typer.Option(help="The questions to measure with.")] = "held_out",
    json: Json = False,
) -> None:
    """Search the knowledge base through the API, or measure how good its search is."""
    if evaluate:
        _evaluate(split, json=json)
        return
    if query is None:
        raise HarnessError("There is nothing to search for.", "Give a query, or --evaluate.")
    asked = {"query": query, "max_results": max_results}
    _checked(asked, contract.KbSearchRequest)
    with LocalStack().as_operator() as client:
        found = client.search(typed.convert(asked, types.KbSearchRequest))
    if json:
        console.print_json(found)
        return
    for result in found.results:
        console.out.print(
            f"[bold]{escape(result.source_title)}[/]  [dim]{result.score:.3f}  {result.metadata.source_key}[/]"
        )
        console.out.print(f"  {console.highlighted(result.snippet)}")
    if not found.results:
        console.out.print("Nothing was found.")


def token(*, as_: As = "customer", customer: CustomerId = demonstration.CUSTOMER_ID, json: Json = False) -> None:
    """Print an ID token of the local user pool, for `curl -H "Authorization: Bearer $(harness token)"`."""
    made = LocalStack().id_token(as_, customer)
    if json:
        console.print_json({"token": made})
    else:
        sys.stdout.write(made + "\n")


def url(*, json: Json = False) -> None:
    """Print the API's address, with its stage."""
    address = LocalStack().outputs().api_url
    if json:
        console.print_json({"url": address})
    else:
        sys.stdout.write(address + "\n")


# --- what is shown


def _show(view: msgspec.Struct, title: str, *, json: bool) -> None:
    if json:
        console.print_json(view)
    else:
        console.fields(title, msgspec.to_builtins(view))


def _show_review(waiting: types.ReviewView) -> None:
    console.out.print(f"[bold]{waiting.ticket_id}[/] waits for review: {waiting.reason}\n")
    demonstration.show_solution(
        types.SolutionView(
            ticket_id=waiting.ticket_id,
            text=waiting.text,
            steps=waiting.steps,
            citations=waiting.citations,
            confidence=waiting.confidence,
            lang=waiting.lang,
            generated_at=waiting.generated_at,
        )
    )
    console.table(
        "\nFound for it", ("passage", "content"), [(escape(p.title), escape(p.content)) for p in waiting.passages]
    )


def _name(event: types.StreamEvent) -> str:
    return next(name for name, kind in types.STREAM_EVENTS.items() if isinstance(event, kind))


def _write(event: types.StreamEvent) -> None:
    """One event, as it comes: nobody waits for the end of a line."""
    match event:
        case StreamChunk(content=content):
            sys.stdout.write(content)
        case StreamReplace(content=content):
            sys.stdout.write("\n\n")
            console.out.print("[yellow]That did not hold up; the solution is:[/]")
            sys.stdout.write(content)
        case StreamComplete(total_tokens=tokens, grounded=grounded):
            sys.stdout.write("\n")
            said = "borne out by its sources" if grounded else "not borne out by its sources"
            console.out.print(f"[dim]{tokens} tokens, {said}[/]")
        case StreamError(code=code):
            sys.stdout.write("\n")
            console.fault(f"The stream broke off: {code}.", "`harness ticket solution` shows the stored solution.")
        case _:
            pass
    sys.stdout.flush()


def _evaluate(split: knowledge_base.Split, *, json: bool) -> None:
    documents = knowledge_base.documents()
    questions = knowledge_base.questions(split, corpus=documents)
    modes = LocalStack().search_modes()
    figures: dict[str, Metrics] = {mode: modes.evaluate(mode, questions, documents) for mode in MODES}
    if json:
        console.print_json({"split": split} | figures)
        return
    console.table(
        f"{len(questions)} {split} questions, stand-in embeddings: the mechanics, not a real model's quality",
        ("search", "recall@5", "nDCG@10"),
        [(mode, f"{m.recall_at_5:.3f}", f"{m.ndcg_at_10:.3f}") for mode, m in figures.items()],
        right=("recall@5", "nDCG@10"),
    )


# --- what is sent


def _read(file: Path) -> dict[str, object]:
    try:
        return typed.decode(file.read_bytes(), dict[str, object])
    except (OSError, msgspec.MsgspecError) as error:
        raise HarnessError(f"{file} cannot be read: {error}", "Name a file that holds one JSON object.") from error


def _checked(request: Mapping[str, object], type_: type[T]) -> T:
    """Refuse what the API would refuse: the gateway's own answer does not say what is wrong."""
    try:
        return decode_body(msgspec.json.encode(request), type_)
    except InvalidRequestError as error:
        faults = "\n".join(f"  {fault.path.removeprefix('$.')}: {fault.message}" for fault in error.errors)
        raise HarnessError(f"The request does not follow the contract:\n{faults}", "Correct each of them.") from error


def _ticket_id(given: str) -> str:
    try:
        return str(decode_parameter("TICKET", given, contract.TicketId))
    except InvalidRequestError as error:
        raise HarnessError(f"{given} is not the id of a ticket.", "`harness ticket create` prints it.") from error


def _request(symptom: str | None, priority: str, lang: str | None) -> dict[str, object]:
    chosen = {"symptom_text": symptom, "priority": priority, "lang": lang}
    return {**demonstration.REQUEST, **{name: value for name, value in chosen.items() if value is not None}}
