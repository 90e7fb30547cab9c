"""Idempotency-Key of POST /tickets, by a real Powertools over moto: each trap of facts/idempotency.md, and one ticket
per caller and key, wherever the first call breaks off."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.items import from_item, to_item

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from tests.unit.conftest import Context, Workflow

    Post = Callable[..., dict[str, Any]]

DAY = 86_400
PARTNER = {"api_key": "esk_1", "customer_id": "C1", "rate_limit_tier": "standard", "not_after": "9999-12-31T23:59:59Z"}


class Killed(BaseException):
    """Lambda ends a function that runs too long: no ``except Exception`` sees it."""


def die() -> None:
    raise Killed


def live() -> None:
    pass


def records(dynamodb: DynamoDBClient) -> list[dict[str, Any]]:
    return [from_item(item) for item in dynamodb.scan(TableName="idempotency-keys")["Items"]]


def record(dynamodb: DynamoDBClient) -> dict[str, Any]:
    [one] = records(dynamodb)
    return one


def tickets(dynamodb: DynamoDBClient) -> list[dict[str, Any]]:
    return [from_item(item) for item in dynamodb.scan(TableName="tickets")["Items"]]


def id_of(answer: dict[str, Any]) -> str:
    assert answer["statusCode"] == 202, answer
    return str(json.loads(answer["body"])["ticket_id"])


# --- what a key does


def test_the_same_key_and_body_get_the_first_answer(post: Post, workflow: Workflow) -> None:
    first, second = post("key"), post("key")
    assert first["body"] == second["body"]
    assert first["headers"]["Location"] == second["headers"]["Location"]
    assert len(workflow.started) == 1


def test_the_same_key_with_another_body_is_refused(post: Post, ticket_body: dict[str, Any], workflow: Workflow) -> None:
    post("key")
    answer = post("key", body=ticket_body | {"symptom_text": "Another symptom altogether."})
    assert answer["statusCode"] == 422
    assert len(workflow.started) == 1


def test_a_body_that_says_the_same_in_other_words_is_the_same(post: Post, ticket_body: dict[str, Any]) -> None:
    spelled_out = {"priority": "P3", "lang": "it-IT", "policies": {"grounded_only": True}, **ticket_body}
    assert id_of(post("key")) == id_of(post("key", body=spelled_out))


def test_a_key_belongs_to_its_caller(post: Post) -> None:
    assert id_of(post("key", sub="user-1")) != id_of(post("key", sub="user-2"))


def test_an_idempotency_key_belongs_to_the_partner_who_sent_it(post: Post) -> None:
    own = post("key", resource="/itsm/tickets", partner=PARTNER)
    assert id_of(own) == id_of(post("key", resource="/itsm/tickets", partner=PARTNER))
    assert id_of(own) != id_of(post("key", resource="/itsm/tickets", partner=PARTNER | {"api_key": "esk_2"}))
    assert id_of(own) != id_of(post("key"))


def test_a_key_in_progress_is_a_conflict_that_says_when_to_come_back(post: Post, workflow: Workflow) -> None:
    meanwhile: list[dict[str, Any]] = []

    def ask_again() -> None:
        workflow.before = live
        meanwhile.append(post("key"))

    workflow.before = ask_again
    assert post("key")["statusCode"] == 202
    assert meanwhile[0]["statusCode"] == 409
    assert "Retry-After" in meanwhile[0]["headers"]
    assert len(workflow.started) == 1


def test_a_claim_whose_answer_was_lost_is_met_by_the_sdks_retry_and_is_no_conflict(
    post: Post, dynamodb: DynamoDBClient, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = dynamodb.put_item

    def put_twice(**request: Any) -> object:
        if request["TableName"] == "idempotency-keys":
            put(**request)
        return put(**request)

    monkeypatch.setattr(dynamodb, "put_item", put_twice)
    id_ = id_of(post("key"))
    assert id_of(post("key")) == id_
    assert workflow.started == [f"{id_}-1"]


# --- the traps, in the order of facts/idempotency.md


def test_trap_a_key_of_caller_and_header_is_missing_only_if_both_are(
    post: Post, dynamodb: DynamoDBClient, ticket_body: dict[str, Any]
) -> None:
    """Without the header nothing is remembered: the second ticket is no answer to the first, nor an error."""
    first, second = post(), post(body=ticket_body | {"symptom_text": "Another symptom altogether."})
    assert id_of(first) != id_of(second) != id_of(post())
    assert records(dynamodb) == []


def test_trap_a_failed_attempt_frees_the_key_and_its_503_is_not_remembered(
    post: Post, workflow: Workflow, dynamodb: DynamoDBClient
) -> None:
    def fail() -> None:
        raise TimeoutError

    workflow.before = fail
    assert post("key")["statusCode"] == 503
    assert records(dynamodb) == []
    workflow.before = live
    assert workflow.started == []
    id_ = id_of(post("key"))
    assert workflow.started == [f"{id_}-2"]
    assert id_of(post("key")) == id_


def test_trap_a_record_has_the_attributes_of_the_design_and_ends_with_its_period(
    post: Post, dynamodb: DynamoDBClient, ticket_body: dict[str, Any]
) -> None:
    answer = post("key")
    kept = record(dynamodb)
    assert kept["status"] == "COMPLETED"
    assert json.loads(kept["response"])["ticket_id"] == id_of(answer)
    assert kept["ttl"] == pytest.approx(DAY + time.time(), abs=60)
    assert ticket_body["customer"]["name"] not in json.dumps(kept)


def test_trap_a_caller_that_timed_out_gets_in_again_after_the_deadline_and_meets_its_ticket(
    post: Post, workflow: Workflow, dynamodb: DynamoDBClient, context: Any
) -> None:
    workflow.before = die
    context.remaining_milliseconds = -1  # the deadline has passed by the time of the retry
    with pytest.raises(Killed):
        post("key")
    assert record(dynamodb)["status"] == "INPROGRESS"
    workflow.before = live
    id_ = id_of(post("key"))
    assert workflow.started == [f"{id_}-1"]
    assert dynamodb.scan(TableName="tickets")["Count"] == 1


def test_trap_a_caller_that_timed_out_is_a_conflict_before_its_deadline(post: Post, workflow: Workflow) -> None:
    workflow.before = die
    with pytest.raises(Killed):
        post("key")
    assert post("key")["statusCode"] == 409


def test_trap_what_was_done_before_an_error_is_done_again_and_harmless(
    post: Post, workflow: Workflow, dynamodb: DynamoDBClient
) -> None:
    """It is not exactly-once: the ticket was written, the call fails, and the next call writes once more."""

    def fail() -> None:
        raise TimeoutError

    workflow.after = fail
    assert post("key")["statusCode"] == 503
    [before] = tickets(dynamodb)
    workflow.after = live
    assert id_of(post("key")) == before["ticket_id"]
    [ticket] = tickets(dynamodb)
    # The start that failed may have happened: only another attempt is sure to be worked on.
    assert (ticket["status"], ticket["attempt"]) == ("PROCESSING", 2)
    assert workflow.started == [f"{ticket['ticket_id']}-1", f"{ticket['ticket_id']}-2"]


def test_trap_a_completed_key_is_kept_for_its_whole_period(
    post: Post, dynamodb: DynamoDBClient, workflow: Workflow
) -> None:
    """Nothing but its period ends it: that its table has no stream to clean it up by is in tests/graph."""
    first = post("key")
    kept = record(dynamodb)
    workflow.before = die
    dynamodb.put_item(TableName="idempotency-keys", Item=to_item(kept | {"ttl": int(time.time()) + 60}))
    assert post("key")["body"] == first["body"]


def test_a_key_whose_period_is_over_meets_its_ticket_still(
    post: Post, dynamodb: DynamoDBClient, workflow: Workflow, ticket_body: dict[str, Any]
) -> None:
    first = post("key")
    dynamodb.put_item(TableName="idempotency-keys", Item=to_item(record(dynamodb) | {"ttl": int(time.time()) - 1}))
    assert id_of(post("key")) == id_of(first)
    dynamodb.put_item(TableName="idempotency-keys", Item=to_item(record(dynamodb) | {"ttl": int(time.time()) - 1}))
    assert post("key", body=ticket_body | {"symptom_text": "Another symptom altogether."})["statusCode"] == 422
    assert workflow.started == [f"{id_of(first)}-1"]


# --- one ticket, wherever the first call breaks off


STEPS = ("claim the key", "write the ticket", "start the work", "remember the answer")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_retry_has_the_same_ticket_wherever_the_first_call_died(
    post: Post, dynamodb: DynamoDBClient, workflow: Workflow, context: Context, step: str, *, after: bool
) -> None:
    context.remaining_milliseconds = -1  # the dead call's deadline has passed by the time of the retry
    calls: list[str] = []
    dying = True

    def call(what: str, *, done: bool) -> None:
        if dying and (what, done) == (step, after):
            raise Killed
        if done:
            calls.append(what)

    def of(operation: str, *, done: bool) -> Callable[..., None]:
        def hook(**_: object) -> None:
            what = {
                ("PutItem", 0): "claim the key",
                ("PutItem", 1): "write the ticket",
                ("UpdateItem", 3): "remember the answer",
            }.get((operation, len(calls)), "")
            call(what, done=done)

        return hook

    for operation in ("PutItem", "UpdateItem"):
        dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", of(operation, done=False))
        dynamodb.meta.events.register(f"after-call.dynamodb.{operation}", of(operation, done=True))
    workflow.before = lambda: call("start the work", done=False)
    workflow.after = lambda: call("start the work", done=True)

    with pytest.raises(Killed):
        post("key")
    assert calls == list(STEPS[: STEPS.index(step)])
    dying = False
    calls.clear()
    left = [ticket["ticket_id"] for ticket in tickets(dynamodb)]
    id_ = id_of(post("key"))
    assert left in ([], [id_])
    assert id_of(post("key")) == id_
    assert [(ticket["ticket_id"], ticket["attempt"]) for ticket in tickets(dynamodb)] == [(id_, 1)]
    assert workflow.started == [f"{id_}-1"]
