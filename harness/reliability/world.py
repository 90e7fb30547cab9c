"""The whole service on a virtual clock, with everybody who touches it: clients, AWS, operators, and bad luck."""

from __future__ import annotations

import importlib
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self
from unittest.mock import patch

from components.rendering import render
from components.workflow import TEMPLATE
from harness.reliability import fakes
from harness.reliability.calls import OPENSEARCH, Calls, Client, Killed, Protocol
from harness.reliability.clock import VirtualClock
from harness.reliability.ledger import FINAL, REPLAY, Answer, Ledger
from harness.reliability.queues import Queue, Queues
from harness.reliability.tables import FAILURES, IDEMPOTENCY, SOLUTIONS, TICKETS, Tables
from harness.reliability.workflows import Workflows
from harness.replay import Outputs, Replayed, of_stack
from support import clients, environment, telemetry
from support.timings import Timings

if TYPE_CHECKING:
    import random
    from types import ModuleType, TracebackType

    from harness.reliability.tables import Change, Item

PREFIX: Final = "support-test"
STATE_MACHINE: Final = f"arn:aws:states:eu-west-1:000000000000:stateMachine:{PREFIX}-ticket-workflow"
BATCH: Final = 10
STREAM_BATCH: Final = 100
MINUTE: Final = 60.0
GRACE: Final = 2 * MINUTE
"""After a ticket's deadline, for reconcile to mend it."""
API_TIMEOUT: Final = 28
TWINS: Final = 3
"""Runs of one event that may be under way beside the first."""
FUNCTIONS: Final = ("create_ticket", "review_ticket", "process_ticket", "dlq_processor", "reconcile", "publish_events")
BODY: Final = {
    "customer": {"id": "C1", "name": "Anna Bianchi"},
    "asset": {"product_type": "EV_CHARGER", "model": "WB-22", "serial": "SN22A0001"},
    "symptom_text": "The charger stops after ten minutes.",
    "lang": "en-US",
}
OTHER_BODY: Final = BODY | {"symptom_text": "Another symptom altogether."}


@dataclass
class Context:
    """What Lambda tells a function about its run."""

    aws_request_id: str = "run"
    function_name: str = "function"
    function_version: str = "1"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:function"

    def get_remaining_time_in_millis(self) -> int:
        return API_TIMEOUT * 1000


class Run(NamedTuple):
    """A function that runs now, and what it was given."""

    function: str
    event: Any


class Again(NamedTuple):
    """What an operator replays."""

    what: Literal["ticket", "failure"]
    id: str


class World:
    """Use it as a context manager: within it, the functions see this world and its clock."""

    def __init__(self, timings: Timings | None = None, *, shuffle: random.Random | None = None) -> None:
        """Messages arrive in their order, or as ``shuffle`` has it."""
        self.timings = timings or Timings()
        self.clock = VirtualClock()
        self.calls = Calls(self.clock, self._twin)
        self.ledger = Ledger()
        self.tables = Tables(self.clock, self._wrote)
        self.queues = Queues(self.clock, self._queues(), shuffle)
        self.writer = fakes.Writer()
        self.bus = fakes.Bus()
        self.topic = fakes.Topic()
        self._dynamodb = Client("dynamodb", self.tables, self.calls, _tables)
        self._sqs = Client("sqs", self.queues, self.calls, lambda call: _short(call["QueueUrl"]))
        self.workflows = Workflows(
            self._definition(),
            self.clock,
            self.calls,
            {
                "sqs:sendMessage": lambda asked: self._sqs.send_message(
                    QueueUrl=asked["QueueUrl"], MessageBody=json.dumps(asked["MessageBody"])
                ),
                "dynamodb:updateItem": lambda asked: self._dynamodb.update_item(**asked),
            },
        )
        self._stepfunctions = Client("stepfunctions", self.workflows, self.calls, lambda _: "")
        self._events = Client("events", self.bus, self.calls, lambda _: "")
        self._sns = Client("sns", self.topic, self.calls, lambda _: "")
        self._patches = ExitStack()
        self._running: list[Run] = []
        self._read = 0
        """Records of the stream that were handled."""
        self._stream_due = 0.0
        self._reconcile_due = self.clock.seconds + MINUTE

    def __enter__(self) -> Self:
        modules = {name: importlib.import_module(f"{name}.handler") for name in FUNCTIONS}
        enter = self._patches.enter_context
        enter(patch.dict(os.environ, self._environment()))
        enter(self.clock.shown())
        enter(patch.object(clients, "dynamodb", lambda: self._dynamodb))
        enter(patch.object(clients, "sqs", lambda: self._sqs))
        enter(patch.object(clients, "stepfunctions", lambda: self._stepfunctions))
        enter(patch.object(clients, "eventbridge", lambda: self._events))
        enter(patch.object(clients, "sns", lambda: self._sns))
        enter(patch.object(clients, "bedrock_embeddings", lambda: None))
        enter(patch.object(clients, "bedrock_generation", lambda: None))
        enter(patch("support.batch.ThreadPoolExecutor", _InTurn))
        working = modules["process_ticket"]
        for name, service, fake in (
            ("PassageIndex", OPENSEARCH, fakes.Passages()),
            ("Embedder", "bedrock-runtime", fakes.Embedder()),
            ("Generation", "bedrock-runtime", self.writer),
        ):
            door = Protocol(service, fake, self.calls)
            enter(patch.object(working, name, lambda *_, door=door, **__: door))
        enter(patch.object(working, "opensearch", lambda *_: None))
        enter(patch.object(telemetry, "metrics", _NoMetrics()))
        enter(patch.object(telemetry, "EphemeralMetrics", _NoMetrics))
        level = telemetry.logger.log_level
        telemetry.logger.setLevel("CRITICAL")
        self._patches.callback(telemetry.logger.setLevel, level)
        self._modules: dict[str, Any] = {**modules, REPLAY: SimpleNamespace(handler=self._replay)}
        self._patches.callback(self._forget, *modules.values())
        self._forget(*modules.values())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patches.close()

    # --- clients

    def post(self, key: str | None = None, body: dict[str, Any] = BODY, *, sub: str = "user-1") -> Answer:
        """POST /tickets; with a key, in that caller's name only."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key is not None else {})
        event = {
            "httpMethod": "POST",
            "resource": "/tickets",
            "headers": headers,
            "requestContext": _identity(sub, "customer"),
            "body": json.dumps(body),
        }
        answer = self._call("create_ticket", event)
        self.workflows.run()
        return answer

    def insist(self, key: str, body: dict[str, Any] = BODY, *, tries: int = 3) -> Answer:
        """As a client does: the same call again, while it is not accepted and may be."""
        answer = self.post(key, body)
        for _ in range(tries - 1):
            if answer.status is not None and answer.status not in {409, 429, 500, 502, 503}:
                break
            self.run(for_=API_TIMEOUT + 2)
            answer = self.post(key, body)
        return answer

    # --- operators

    def review(self, ticket_id: str, decision: str = "APPROVE") -> int | None:
        """The answer's status; ``None`` when the connection broke."""
        event = {
            "httpMethod": "POST",
            "resource": "/tickets/{id}/review",
            "pathParameters": {"id": ticket_id},
            "headers": {"Content-Type": "application/json"},
            "requestContext": _identity("operator-1", "operator"),
            "body": json.dumps({"decision": decision}),
        }
        answer = self._invoke("review_ticket", event)
        return None if answer is None else int(answer["statusCode"])

    def replay(self, what: Literal["ticket", "failure"], id_: str) -> bool:
        """Start again a failed ticket, or what is behind a row of the failures table; whether that came to its end."""
        return self._invoke(REPLAY, Again(what, id_)) is not None

    # --- what passes by itself

    def run(self, *, for_: float | None = None) -> None:
        """Let time pass: ``for_`` seconds, or until everything has come to rest (but at most a day)."""
        end = self.clock.seconds + (86_400 if for_ is None else for_)
        while True:
            self._everything_due()
            if for_ is None and self.at_rest():
                return
            due = self._next_due()
            if due > end:
                self.clock.seconds = end
                return
            self.clock.seconds = max(due, self.clock.seconds)

    def at_rest(self) -> bool:
        """Whether nothing is left to be done by itself."""
        return (
            not self.queues.waiting()
            and not self.workflows.running()
            and self._read == len(self.tables.stream)
            and not self.open_tickets()
        )

    def tickets(self, status: str) -> list[str]:
        """The ids of the tickets that have the status now."""
        return [item["ticket_id"]["S"] for item in self.tables.all(TICKETS) if item["status"]["S"] == status]

    def failed(self) -> list[str]:
        """The ids of what the failures table holds."""
        return [row["failure_id"]["S"] for row in self.tables.all(FAILURES)]

    def failures(self) -> list[str]:
        """What the failures table holds: reasons and codes."""
        return sorted(f"{row['reason']['S']} {row['failure_code']['S']}" for row in self.tables.all(FAILURES))

    def open_tickets(self) -> list[Item]:
        return [item for item in self.tables.all(TICKETS) if item["status"]["S"] not in FINAL]

    def deliver(self, queue: str = "tickets") -> bool:
        """One batch of a queue to its function; whether there was one."""
        name = f"{PREFIX}-{queue}"
        records = self.queues.receive(name, BATCH)
        if not records:
            return False
        answer = self._invoke("dlq_processor" if queue.endswith("-dlq") else "process_ticket", {"Records": records})
        if answer is not None:
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            self.queues.done(name, [record for record in records if record["messageId"] not in failed])
        return True

    def reconcile(self) -> None:
        self._invoke("reconcile", {})
        self._check_deadlines()

    def publish(self) -> None:
        """The stream's next batch to its function; what fails comes again a second later."""
        records = self.tables.stream[self._read : self._read + STREAM_BATCH]
        answer = self._invoke("publish_events", {"Records": records})
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] if answer else numbers[:1]
        self._read += min((numbers.index(number) for number in failed), default=len(records))
        if failed:
            self._stream_due = self.clock.seconds + 1

    def finish(self) -> list[str]:
        """No fault from here on, and all the time that is needed. Then: every promise that was broken."""
        self.calls.heal()
        self.writer.mood = "grounded"
        self.run()
        if not self.at_rest():
            self.ledger.broken.append("stuck: a day later, something is at work still")
        self.ledger.close({table: self.tables.all(table) for table in (TICKETS, SOLUTIONS, FAILURES)}, self.bus.entries)
        return self.ledger.broken

    def outcomes(self) -> list[str]:
        """How each ticket ended: its status, with the code of one that FAILED."""
        return sorted(
            item["status"]["S"] + (f" {item['failure_code']['S']}" if "failure_code" in item else "")
            for item in self.tables.all(TICKETS)
        )

    # --- details

    def _everything_due(self) -> None:
        busy = True
        while busy:
            self.workflows.run()
            busy = self.deliver("tickets")
            busy |= self.deliver("tickets-dlq")
            if self._read < len(self.tables.stream) and self._stream_due <= self.clock.seconds:
                self.publish()
                busy = True
        if self._reconcile_due <= self.clock.seconds:
            self._reconcile_due = self.clock.seconds - self.clock.seconds % MINUTE + MINUTE
            self.reconcile()
            self._everything_due()

    def _next_due(self) -> float:
        dues = [self._reconcile_due, self.queues.next_due(), self.workflows.next_due()]
        if self._read < len(self.tables.stream):
            dues.append(self._stream_due)
        return min(due for due in dues if due is not None)

    def _call(self, function: str, event: dict[str, Any]) -> Answer:
        """A client's call, twins of it included: every answer counts."""
        name = event["headers"].get("Idempotency-Key")
        sub = event["requestContext"]["authorizer"]["claims"]["sub"]
        key = None if name is None else f"{sub}/{name}"
        self.ledger.asked(key)
        answer = self._invoke(function, event)
        text = answer["body"] if answer else ""
        accepted = json.loads(text).get("ticket_id") if answer and answer["statusCode"] == 202 else None
        known = Answer(
            at=self.clock.seconds,
            key=key,
            body=event["body"],
            status=int(answer["statusCode"]) if answer else None,
            ticket_id=accepted,
            text=text,
        )
        self.ledger.answered(known)
        return known

    def _invoke(self, function: str, event: Any) -> Any:
        """The function's answer; ``None`` when it died or raised."""
        self._running.append(Run(function, event))
        try:
            with self.calls.by(function):
                return self._modules[function].handler(event, Context())
        except Killed:
            # Its environment is gone; the next run begins in a new one.
            self._forget(self._modules[function])
            return None
        except Exception:  # noqa: BLE001 - to Lambda it is all the same
            return None
        finally:
            self._running.pop()

    def _replay(self, again: Again, _: Context) -> Replayed:
        clients_by_name = {"dynamodb": self._dynamodb, "stepfunctions": self._stepfunctions, "sqs": self._sqs}
        outputs = Outputs(
            tables={table: table for table in (TICKETS, FAILURES)},
            queue_urls={queue: f"https://sqs/{PREFIX}-{queue}" for queue in ("kb-ingest", "feedback")},
            state_machine_arn=STATE_MACHINE,
        )
        command = of_stack(outputs, self.timings, clients_by_name.__getitem__)
        return command.ticket(again.id) if again.what == "ticket" else command.one(again.id)

    def _twin(self) -> None:
        if len(self._running) > TWINS:
            return
        run = self._running[-1]
        if run.function == "create_ticket":
            self._call(run.function, run.event)
        else:
            self._invoke(run.function, run.event)
        # What it has told the workflow is recorded before the first run goes on.
        self.workflows.run()

    def _wrote(self, change: Change) -> None:
        self.ledger.wrote(self.calls.function, change)

    def _check_deadlines(self) -> None:
        for item in self.open_tickets():
            late = self.clock.seconds - int(item["process_deadline"]["N"])
            if late > GRACE and not self._reconcile_disturbed():
                self.ledger.broken.append(f"stuck: {item['ticket_id']['S']} is {late:.0f} s past its deadline")

    def _reconcile_disturbed(self) -> bool:
        """Whether reconcile itself met a fault within the time that it has to mend a ticket."""
        since = self.clock.seconds - GRACE
        return any(at >= since and call.function == "reconcile" for at, call, _ in reversed(self.calls.met))

    def _queues(self) -> list[Queue]:
        work = Queue(f"{PREFIX}-tickets", self.timings.visibility, self.timings.max_receives, f"{PREFIX}-tickets-dlq")
        return [work, Queue(f"{PREFIX}-tickets-dlq", self.timings.visibility)]

    def _definition(self) -> str:
        return render(
            json.loads(TEMPLATE.read_text()),
            {
                "Partition": "aws",
                "TicketQueueUrl": f"https://sqs/{PREFIX}-tickets",
                "TicketsTable": TICKETS,
                "HeartbeatSeconds": self.timings.heartbeat,
                "TaskTimeoutSeconds": self.timings.task_timeout,
                "WorkflowTimeoutSeconds": self.timings.workflow_timeout,
            },
        )

    def _environment(self) -> dict[str, str]:
        known = {
            "cors_allowed_origins": "",
            "tickets_table": TICKETS,
            "solutions_table": SOLUTIONS,
            "idempotency_table": IDEMPOTENCY,
            "failures_table": FAILURES,
            "state_machine_arn": STATE_MACHINE,
            "process_deadline_seconds": self.timings.process_deadline,
            "estimated_completion_seconds": self.timings.estimated_completion,
            "max_attempts": self.timings.max_attempts,
            "max_receives": self.timings.max_receives,
            "backoff_base_seconds": self.timings.backoff_base,
            "backoff_cap_seconds": self.timings.backoff_cap,
            "ticket_retention_days": 30,
            "idempotency_seconds": 86_400,
            "ticket_queue_url": f"https://sqs/{PREFIX}-tickets",
            "ticket_dlq_url": f"https://sqs/{PREFIX}-tickets-dlq",
            "alarm_topic_arn": f"arn:aws:sns:eu-west-1:000000000000:{PREFIX}-alarms",
            "event_bus_name": f"{PREFIX}-events",
            "opensearch_endpoint": "search",
            "search_index": "index",
            "search_pipeline": "pipeline",
            "embedding_model_id": "embedding",
            "generation_model_id": "generation",
            "guardrail_id": "",
            "guardrail_version": "",
            "min_passage_score": 0.5,
        }
        asked = {field for name in FUNCTIONS for field in environment.FUNCTIONS[name].__struct_fields__}
        return {name.upper(): str(known[name]) for name in asked} | {"AWS_LAMBDA_FUNCTION_NAME": "function"}

    @staticmethod
    def _forget(*modules: ModuleType) -> None:
        for module in modules:
            for name in ("application", "service"):
                if hasattr(module, name):
                    getattr(module, name).cache_clear()


class _InTurn:
    """In place of a pool of threads: one after the other."""

    def __init__(self, **_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


class _NoMetrics:
    """In place of Powertools' metrics, which would be written to standard output."""

    provider = SimpleNamespace(metric_set={})

    def add_metric(self, **_: object) -> None: ...

    def add_dimensions(self, **_: object) -> None: ...

    def flush_metrics(self) -> None: ...


def _identity(sub: str, group: str) -> dict[str, Any]:
    return {
        "requestId": "request",
        "authorizer": {"claims": {"sub": sub, "cognito:groups": group, "custom:customer_id": "C1"}},
    }


def _tables(call: dict[str, Any]) -> str:
    parts = [part for write in call.get("TransactItems", ()) for part in write.values()] or [call]
    return ", ".join(part["TableName"] for part in parts)


def _short(url: str) -> str:
    return url.rpartition("/")[2].removeprefix(f"{PREFIX}-")
