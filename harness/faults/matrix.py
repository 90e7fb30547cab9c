"""The calls that a ticket's way is made of, and what can go wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.fault_rules import MODEL, SEARCH, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.fault_rules import Kind, When


@dataclass(frozen=True)
class Call:
    """One call of a function."""

    caller: str
    service: str
    operation: str
    skip: int = 0
    """Earlier calls of the same operation in the same run."""

    def __str__(self) -> str:
        return f"{self.caller} {self.service} {self.operation}{f' {self.skip + 1}' if self.skip else ''}"


@dataclass(frozen=True)
class Fault:
    """Something to go wrong with it."""

    kind: Kind
    when: When = "before"
    count: int = 1

    def __str__(self) -> str:
        return f"{self.kind}-{self.when}{f' x{self.count}' if self.count > 1 else ''}"


CREATION: Final = (
    Call("create_ticket", "dynamodb", "PutItem"),
    Call("create_ticket", "dynamodb", "PutItem", 1),
    Call("create_ticket", "stepfunctions", "StartExecution"),
    Call("create_ticket", "dynamodb", "UpdateItem"),
)
"""Claim of the key, ticket, start, answer of the key."""
PROCESSING: Final = (
    Call("process_ticket", "stepfunctions", "SendTaskHeartbeat"),
    Call("process_ticket", "dynamodb", "GetItem"),
    Call("process_ticket", "dynamodb", "GetItem", 1),
    Call("process_ticket", MODEL, "InvokeModel"),
    Call("process_ticket", SEARCH, "Search"),
    Call("process_ticket", MODEL, "Converse"),
    Call("process_ticket", "dynamodb", "PutItem"),
    Call("process_ticket", "stepfunctions", "SendTaskSuccess"),
)
PUBLISHING: Final = (Call("publish_events", "events", "PutEvents"),)
FAILING: Final = (
    Call("process_ticket", "sqs", "SendMessage"),
    Call("process_ticket", "stepfunctions", "SendTaskFailure"),
    Call("dlq_processor", "dynamodb", "PutItem"),
    Call("dlq_processor", "stepfunctions", "SendTaskFailure"),
    Call("dlq_processor", "dynamodb", "UpdateItem"),
    Call("dlq_processor", "sns", "Publish"),
)
"""Of a ticket that fails for good (see `permanent`): its message into the failure queue, and what is made of it."""
RECONCILING: Final = (
    Call("reconcile", "stepfunctions", "StartExecution"),
    Call("reconcile", "stepfunctions", "DescribeExecution"),
    Call("reconcile", "dynamodb", "UpdateItem"),
)
"""Of a ticket that create_ticket died over. Their event names no ticket: they are told by the ticket's id in a call."""
CALLS: Final = (*CREATION, *PROCESSING, *PUBLISHING)
"""Of a ticket whose way is a straight one."""

FAULTS: Final = (
    Fault("error"),
    Fault("error", "after"),
    Fault("throttling", count=4),
    Fault("disconnect"),
    Fault("disconnect", "after"),
    Fault("crash"),
    Fault("crash", "after"),
)
"""Throttling outlasts the SDK's own tries; the other errors pass with the next."""
SLOW: Final = (Fault("latency"), Fault("silence"), Fault("silence", "after"))
"""Those that take seconds each."""
_LATENCY_MS: Final = 1500
_ERRORS: Final = {
    SEARCH: "no_shard_available_action_exception",
    "s3": "InternalError",
    MODEL: "InternalServerException",
}


def rule(call: Call, fault: Fault, event: str = "", *, contains: str = "") -> Rule:
    """The fault in that call of a function that works on an event with ``event`` in it, or with that in the call."""
    return Rule(
        kind=fault.kind,
        service=call.service,
        operation=call.operation,
        caller=call.caller,
        event=event,
        contains=contains,
        when=fault.when,
        error=_ERRORS.get(call.service, "InternalFailure") if fault.kind == "error" else "",
        latency_ms=_LATENCY_MS if fault.kind == "latency" else 0,
        skip=call.skip,
        count=fault.count,
    )


def permanent(id_: str) -> Rule:
    """An error that no retry mends, however often the work on that ticket is done."""
    return Rule(kind="error", service=MODEL, operation="Converse", error="AccessDeniedException", event=id_, count=None)


def cells(*, slow: bool = False) -> Iterator[tuple[Call, Fault]]:
    """Each call with each fault."""
    for call in CALLS:
        for fault in (*FAULTS, *(SLOW if slow else ())):
            # What publishes events works off a whole batch of many tickets' events in one thread of the emulator.
            if call not in PUBLISHING or fault not in SLOW:
                yield call, fault
