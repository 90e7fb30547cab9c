"""What was promised, what was done, and whether they agree: the invariants of the ticket's way."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.reliability.tables import FAILURES, SOLUTIONS, TICKETS
from support import contract, typed
from support.items import from_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.reliability.tables import Change, Item

FINAL: Final = frozenset({"READY", "NEEDS_REVIEW", "FAILED"})
_EVENTS: Final[Mapping[str, str]] = {
    "READY": "SolutionReady",
    "NEEDS_REVIEW": "ReviewNeeded",
    "FAILED": "TicketFailed",
}
REPLAY: Final = "replay"
REMEMBERED: Final = 86_400
"""Seconds that a key's answer is kept (spec section 3)."""


class Answer(NamedTuple):
    """Of POST /tickets, as its client got it."""

    at: float
    key: str | None
    """The caller with its key; ``None`` without one."""
    body: str
    """What was sent: two calls with the same key and another body are two things."""
    status: int | None
    """``None`` when the connection broke."""
    ticket_id: str | None
    text: str


class State(NamedTuple):
    """Of a ticket."""

    status: str
    attempt: int
    code: str | None


class Ledger:
    """Watches every answer and every write. ``broken`` holds a sentence for each promise that was not kept."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.answers: list[Answer] = []
        self.history: dict[str, list[State]] = defaultdict(list)
        self._requests: set[str] = set()
        """What clients asked for, answered or not: one thing a key, or a call without one."""
        self._expected_events: set[tuple[str, int, str]] = set()

    # --- while it runs

    def asked(self, key: str | None) -> None:
        """A client calls."""
        self._requests.add(key if key is not None else f"without a key {len(self._requests)}")

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)
        if answer.status != 202 or answer.key is None:
            return
        for earlier in self.answers[:-1]:
            if earlier.key != answer.key or earlier.status != 202:
                continue
            if earlier.ticket_id != answer.ticket_id:
                self.broken.append(f"doubled: key {answer.key} got {earlier.ticket_id} and {answer.ticket_id}")
            elif earlier.body != answer.body:
                self.broken.append(f"key {answer.key} was answered for another body")
            elif earlier.text != answer.text and answer.at < earlier.at + REMEMBERED:
                self.broken.append(f"key {answer.key} got another answer: {earlier.text} and {answer.text}")

    def wrote(self, function: str, change: Change) -> None:
        """``function`` has changed an item."""
        old, new = change.old, change.new
        if change.table == TICKETS:
            self._ticket(function, _state(old), _state(new), new["ticket_id"]["S"])
        elif change.table == SOLUTIONS:
            before, attempt = _state(change.ticket), int(new["attempt"]["N"])
            if before is not None and (
                before.status == "READY" or (function == "process_ticket" and before.status == "NEEDS_REVIEW")
            ):
                self.broken.append(f"{function} changed the solution of {new['ticket_id']['S']}, which is {before}")
            if old is not None and int(old["attempt"]["N"]) > attempt:
                self.broken.append(f"{function} put an earlier attempt's solution in place of a later one's")

    def _ticket(self, function: str, old: State | None, new: State | None, ticket_id: str) -> None:
        if new is None:
            return
        if old is None:
            self._expected_events.add((ticket_id, new.attempt, "TicketCreated"))
        elif old.status != new.status and new.status in _EVENTS:
            self._expected_events.add((ticket_id, new.attempt, _EVENTS[new.status]))
        self.history[ticket_id].append(new)
        fault = _wrong(function, old, new)
        if fault:
            self.broken.append(f"{function}: {ticket_id} went from {old} to {new}: {fault}")

    # --- at the end

    def close(self, tables: Mapping[str, list[Item]], entries: list[dict[str, Any]]) -> None:
        """Everything has come to rest: hold what is stored against what was promised."""
        tickets = {item["ticket_id"]["S"]: from_item(item) for item in tables[TICKETS]}
        solutions = {item["ticket_id"]["S"]: from_item(item) for item in tables[SOLUTIONS]}
        failures = {item["failure_id"]["S"]: from_item(item) for item in tables[FAILURES]}
        lost = {answer.ticket_id for answer in self.answers if answer.status == 202} - tickets.keys()
        self.broken += [f"lost: {id_} was accepted and is not there" for id_ in sorted(lost, key=str)]
        unkeyed = [answer.ticket_id for answer in self.answers if answer.status == 202 and answer.key is None]
        if len(set(unkeyed)) != len(unkeyed):
            self.broken.append("two calls without a key got the same ticket")
        if len(tickets) > len(self._requests):
            self.broken.append(f"doubled: {len(tickets)} tickets of {len(self._requests)} requests")
        for id_, ticket in tickets.items():
            self.broken += [f"{id_}: {fault}" for fault in _faults(ticket, solutions.get(id_))]
        published = {_event(entry) for entry in entries}
        self.broken += [f"never published: {event}" for event in sorted(self._expected_events - published)]
        for id_, failure in failures.items():
            if failure["failure_code"] not in contract.FAILURES:
                self.broken.append(f"failure {id_} has no code of the contract")


def _state(item: Item | None) -> State | None:
    if item is None:
        return None
    code = item.get("failure_code", {}).get("S")
    return State(item["status"]["S"], int(item["attempt"]["N"]), code)


def _wrong(function: str, old: State | None, new: State) -> str | None:  # noqa: PLR0911 - one return for each rule
    """What is wrong with a change, if anything is."""
    if old is None:
        return None if (new.status, new.attempt) == ("PROCESSING", 1) else "a ticket begins with attempt 1"
    if old.status == new.status and old.attempt == new.attempt:
        return None if old.code == new.code else "its code changed"
    if new.attempt == old.attempt:
        forward = {"PROCESSING": FINAL, "NEEDS_REVIEW": {"READY", "FAILED"}}.get(old.status, frozenset[str]())
        return None if new.status in forward else "no status goes back"
    if new.attempt != old.attempt + 1 or new.status != "PROCESSING":
        return "an attempt is skipped, or does not begin as PROCESSING"
    match function, old.status, old.code:
        case ("reconcile", "PROCESSING", _) | ("create_ticket", "FAILED", "START_FAILED"):
            return None
        case (who, "FAILED", _) if who == REPLAY:
            return None
    return "not for this function to begin an attempt"


def _faults(ticket: dict[str, Any], solution: dict[str, Any] | None) -> list[str]:
    status, code = ticket["status"], ticket.get("failure_code")
    if status not in FINAL:
        return [f"stuck: {status} at the end"]
    faults = []
    if "open" in ticket:
        faults.append(f"is {status} and open still")
    if (code in contract.FAILURES) != (status == "FAILED"):
        faults.append(f"is {status} with the code {code}")
    if status == "READY" and (
        solution is None or solution["outcome"] != "READY" or solution["attempt"] != ticket["attempt"]
    ):
        faults.append("is READY without its attempt's solution")
    if status == "NEEDS_REVIEW" and (solution is None or solution["attempt"] != ticket["attempt"]):
        faults.append("NEEDS_REVIEW without its attempt's solution")
    return faults


def _event(entry: dict[str, Any]) -> tuple[str, int, str]:
    detail = typed.decode(entry["Detail"], dict[str, Any])
    return detail["ticket_id"], detail["attempt"], entry["DetailType"]
