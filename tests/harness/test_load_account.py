"""A whole run against a service that keeps none of its promises: the account says which, of every ticket."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import msgspec
import pytest
from aiohttp import web
from moto import mock_aws

from harness.errors import HarnessError
from harness.load import report
from harness.load import run as load_run
from harness.load.run import Plan, perform
from harness.progress import Silent
from support.contract import PROBLEMS, CreateTicketRequest, CreateTicketResponse, Problem
from support.items import to_item
from support.repositories.ticket_table import CUSTOMER_CREATED_INDEX
from support.tickets import OPEN, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack
    from support.contract import Status

TABLE = "tickets"
KINDS = ("ready", "review", "failed", "stuck", "lost", "doubled", "refused", "refused but stored")
NOW = "2026-01-31T09:30:00Z"


@dataclass
class Liar:
    """Does with request ``n`` what ``KINDS[n % len(KINDS)]`` says."""

    dynamodb: Any
    keys: list[str]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = msgspec.json.decode(await request.read(), type=CreateTicketRequest)
        assert request.headers["Authorization"] == f"Bearer token of {asked.customer.id}"
        self.keys.append(request.headers["Idempotency-Key"])
        number = int(asked.asset.serial[-8:])
        kind = KINDS[number % len(KINDS)]
        ids = [f"tkt_{number:023x}{copy}" for copy in range(2 if kind == "doubled" else 1)]
        if kind not in {"lost", "refused"}:
            for id_ in ids:
                self._store(id_, asked, kind)
        return _refused() if kind.startswith("refused") else _accepted(ids[0])

    def _store(self, ticket_id: str, asked: CreateTicketRequest, kind: str) -> None:
        statuses: dict[str, Status] = {"review": "NEEDS_REVIEW", "failed": "FAILED", "stuck": "PROCESSING"}
        status = statuses.get(kind, "READY")
        ticket = Ticket(
            ticket_id=ticket_id, customer_id=asked.customer.id, customer_name="Load", status=status, attempt=1,
            priority="P3", lang=asked.lang, asset=asked.asset, symptom_text=asked.symptom_text, policies=asked.policies,
            created_at=1, updated_at=NOW, estimated_completion=NOW, process_deadline=1, sla_deadline=NOW, ttl=1,
            open=OPEN if status == "PROCESSING" else None, failure_code="TIMED_OUT" if kind == "failed" else None,
        )  # fmt: skip
        self.dynamodb.put_item(TableName=TABLE, Item=to_item(msgspec.to_builtins(ticket)))


@pytest.fixture
def liar() -> Iterator[Liar]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        names = {"ticket_id": "S", "customer_id": "S", "created_at": "N"}
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "ticket_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],  # type: ignore[typeddict-item]  # of a literal's values
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": CUSTOMER_CREATED_INDEX,
                    "KeySchema": [
                        {"AttributeName": "customer_id", "KeyType": "HASH"},
                        {"AttributeName": "created_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield Liar(client, [])


def test_every_ticket_is_in_the_account_under_what_became_of_it(liar: Liar) -> None:
    with _serving(liar) as url:
        run = perform(
            _stack(url, liar), Plan(rate=120, duration=0.5, customers=3, seed=5, patience=1.5, warm_up=0), Silent()
        )

    account = run.result.account
    expected = {kind: len(range(number, account.sent, len(KINDS))) for number, kind in enumerate(KINDS)}
    assert min(expected.values()) > 3
    # Each request has its own key, and is sent once.
    assert len(liar.keys) == len(set(liar.keys)) == account.sent
    assert account.accepted == account.sent - expected["refused"] - expected["refused but stored"]
    assert account.unavailable == expected["refused"] + expected["refused but stored"]
    assert account.refused_as_promised
    assert account.ready == expected["ready"] + expected["doubled"]
    assert account.needs_review == expected["review"]
    assert account.failed == {"TIMED_OUT": expected["failed"]}
    assert len(account.processing) == expected["stuck"]
    assert len(account.lost) == expected["lost"]
    assert len(account.doubled) == expected["doubled"]
    assert account.without_202 == {"READY": expected["refused but stored"] + expected["doubled"]}
    assert not account.kept
    assert run.result.post is not None
    assert run.result.post.count == account.sent


def test_after_ctrl_c_no_more_is_sent_and_what_was_is_accounted_for(liar: Liar) -> None:
    before = signal.getsignal(signal.SIGINT)

    class Impatient(Silent):
        def advance(self, step: str, units: int = 1) -> None:  # noqa: ARG002  # one at a time
            if step == load_run.SENDING and len(liar.keys) == 20:
                os.kill(os.getpid(), signal.SIGINT)

    with _serving(liar) as url:
        plan = Plan(rate=100, duration=60, customers=1, seed=5, patience=0.1, warm_up=0)
        account = perform(_stack(url, liar), plan, Impatient()).result.account

    assert 20 <= account.sent < 100
    assert account.sent == len(liar.keys)
    assert account.accepted + account.unavailable == account.sent
    assert signal.getsignal(signal.SIGINT) is before


def test_customers_of_a_long_run_are_signed_in_anew(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "RENEWED_AFTER", 0.2)
    signed_in: Counter[str] = Counter()

    def id_token(_group: str, customer: str) -> str:
        signed_in[customer] += 1
        if signed_in[customer] == 2:
            # Once it cannot be had: the first is good for a while yet.
            raise HarnessError("busy", "wait")
        return f"token of {customer}"

    with _serving(liar) as url:
        stack = _stack(url, liar)
        cast("SimpleNamespace", stack).id_token = id_token
        perform(stack, Plan(rate=20, duration=1.5, customers=1, seed=5, patience=0.1, warm_up=0), Silent())

    assert max(signed_in.values()) > 2


def test_a_report_for_scripts_begins_with_the_verdicts(liar: Liar) -> None:
    with _serving(liar) as url:
        run = perform(_stack(url, liar), Plan(rate=40, duration=0.5, customers=1, seed=5, patience=0.1), Silent())

    document = msgspec.json.decode(msgspec.json.encode(report.document(run.result)))
    assert (document["kept"], document["refused_as_promised"]) == (False, True)
    assert document["account"]["sent"] == len(liar.keys)
    assert document["account"]["failed"].keys() == {"TIMED_OUT"}


@contextmanager
def _serving(liar: Liar) -> Iterator[str]:
    """The service, in a thread of its own; its address."""
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        server = web.Server(liar.handle)
        listening = await loop.create_server(server, "127.0.0.1", 0)
        address.set_result(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        await done.wait()
        listening.close()
        await server.shutdown(0.1)

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(loop.run_until_complete, serve())
        try:
            yield address.result(10)
        finally:
            loop.call_soon_threadsafe(done.set)
            serving.result(10)
    loop.close()


def _stack(url: str, liar: Liar) -> LocalStack:
    """As much of a stack as a run needs."""
    return cast(
        "LocalStack",
        SimpleNamespace(
            id_token=lambda _group, customer: f"token of {customer}",
            status=lambda: SimpleNamespace(services=(SimpleNamespace(name="front", pid=os.getpid()),)),
            client=lambda _service: liar.dynamodb,
            outputs=lambda: SimpleNamespace(api_url=url, tables={"tickets": TABLE}),
        ),
    )


def _accepted(ticket_id: str) -> web.Response:
    body = CreateTicketResponse(ticket_id=ticket_id, status="PROCESSING", created_at=NOW, estimated_completion=NOW)
    return web.Response(status=202, body=msgspec.json.encode(body), content_type="application/json")


def _refused() -> web.Response:
    known = PROBLEMS["unavailable"]
    body = Problem(type=known.uri(), title=known.title, status=known.status, detail="busy", request_id="1")
    return web.Response(
        status=503, body=msgspec.json.encode(body), content_type="application/problem+json",
        headers={"Retry-After": "1"},
    )  # fmt: skip
