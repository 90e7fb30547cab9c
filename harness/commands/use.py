"""Use the service as a customer or an operator would: tickets and search on the running local stack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer
from rich.markup import escape

from harness import console, demonstration, knowledge_base, many_tickets
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from harness.search_evaluation import Metrics
from harness.search_modes import MODES
from support import contract
from support.decoding import decode_body
from support.problems import InvalidRequestError

ticket = typer.Typer(help="Tickets, sent and read through API Gateway.", no_args_is_help=True)

TicketId = Annotated[str, typer.Argument(help="The ticket's id, `tkt_…`.")]
SHOWN = 20
"""Tickets listed for people; --json has them all."""


def register(app: typer.Typer) -> None:
    app.add_typer(ticket, name="ticket")
    app.command("search")(search)


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
    _check(request, contract.CreateTicketRequest)
    with LocalStack().as_customer() as service, console.progress(json=json) as progress:
        answered = many_tickets.send(service, [request] * count, concurrency, progress, wait=wait, timeout=timeout)
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
def show(ticket_id: TicketId, *, json: Json = False) -> None:
    """The public fields of a ticket."""
    with LocalStack().as_operator() as service:
        view = service.ticket(ticket_id)
    if json:
        console.print_json(view)
    else:
        console.fields(ticket_id, msgspec.to_builtins(view))


@ticket.command("solution")
def solution(ticket_id: TicketId, *, json: Json = False) -> None:
    """A ticket's solution with its citations."""
    with LocalStack().as_operator() as service:
        view = service.solution(ticket_id)
    if json:
        console.print_json(view)
    else:
        demonstration.show_solution(view)


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
    _check({"query": query, "max_results": max_results}, contract.KbSearchRequest)
    with LocalStack().as_operator() as service:
        found = service.search(query, max_results=max_results)
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


def _read(file: Path) -> dict[str, object]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.MsgspecError) as error:
        raise HarnessError(f"{file} cannot be read: {error}", "Name a file that holds one JSON object.") from error


def _check(request: Mapping[str, object], type_: type[msgspec.Struct]) -> None:
    """Refuse what the API would refuse: the gateway's own answer does not say what is wrong."""
    try:
        decode_body(msgspec.json.encode(request), type_)
    except InvalidRequestError as error:
        faults = "\n".join(f"  {fault.path.removeprefix('$.')}: {fault.message}" for fault in error.errors)
        raise HarnessError(f"The request does not follow the contract:\n{faults}", "Correct each of them.") from error


def _request(symptom: str | None, priority: str, lang: str | None) -> dict[str, object]:
    chosen = {"symptom_text": symptom, "priority": priority, "lang": lang}
    return {**demonstration.REQUEST, **{name: value for name, value in chosen.items() if value is not None}}
