"""Work that nobody waits for, while what it needs is down: put off, not given up, and done once that is back."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import demonstration
from harness.fault_rules import Rule
from harness.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack, Outputs
    from tests.e2e.conftest import Caller, Documents, Eventually

pytestmark = pytest.mark.timeout(240)
SECONDS = 60


class Outage:
    """One kind of call that fails for one function, and who puts messages off meanwhile."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rules: list[int] = []

    def begin(self, *, service: str, operation: str, error: str, caller: str, text: str) -> None:
        """Let calls with that text fail."""
        failing = Rule(
            kind="error", service=service, operation=operation, error=error, caller=caller, contains=text, count=None
        )
        seen = Rule(kind="watch", service="sqs", operation="ChangeMessageVisibility", caller=caller, count=None)
        self._rules = [self._faults.add(seen), self._faults.add(failing)]

    @property
    def postponed(self) -> bool:
        """Whether the function has put a message off since."""
        return bool(self._faults.hits(self._rules[0]))

    def end(self) -> None:
        for rule in self._rules:
            self._faults.remove(rule)
        self._rules = []


@pytest.fixture
def faults(stack: LocalStack) -> Iterator[Faults]:
    with Faults.of(stack) as door:
        yield door


@pytest.fixture
def outage(faults: Faults) -> Iterator[Outage]:
    made = Outage(faults)
    yield made
    made.end()


def test_feedback_is_kept_when_its_table_answers_again(
    stack: LocalStack, outputs: Outputs, customer: Caller, faults: Faults, outage: Outage, eventually: Eventually
) -> None:
    ticket_id, word = customer.create_ticket(demonstration.REQUEST).ticket_id, uuid.uuid4().hex
    outage.begin(
        service="dynamodb", operation="PutItem", error="InternalServerError", caller="feedback_writer", text=word
    )
    body = {"rating": 4, "resolved": True, "comment": word}
    response = customer.request("POST", f"tickets/{ticket_id}/feedback", json=body)
    assert response.status_code == httpx.codes.ACCEPTED
    feedback_id = response.json()["feedback_id"]
    eventually(lambda: outage.postponed, seconds=SECONDS)
    outage.end()

    def kept() -> bool:
        faults.show_hidden("feedback", feedback_id)
        key = {"ticket_id": {"S": ticket_id}, "feedback_id": {"S": feedback_id}}
        return "Item" in stack.client("dynamodb").get_item(TableName=outputs.tables["feedback"], Key=key)

    assert eventually(kept, seconds=SECONDS)


def test_a_document_is_found_when_the_bucket_answers_again(
    documents: Documents, customer: Caller, faults: Faults, outage: Outage, eventually: Eventually, word: str
) -> None:
    key = f"kb/it/{word}.md"
    outage.begin(service="s3", operation="GetObject", error="SlowDown", caller="kb_ingest", text=word)
    text = (
        f"---\ntitle: Nota\nlang: it-IT\nproduct_model: Prova 1\ndoc_type: bulletin\n---\n# Nota\n\nSegnale {word}.\n"
    )
    documents.put(key, text)
    eventually(lambda: outage.postponed, seconds=SECONDS)
    outage.end()

    def found() -> bool:
        faults.show_hidden("kb-ingest", word)
        return any(result.metadata.source_key == key for result in customer.search(word).results)

    assert eventually(found, seconds=SECONDS)
