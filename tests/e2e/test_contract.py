"""The running API does what docs/openapi.json says, whoever calls and whatever is sent (schemathesis, all its checks).

Examples, edge cases and drawn ones, valid and not, for each operation; the same ones on every run. Users of the pool
and partners call their own operations: a token for the first, a signature made for each request for the others.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from schemathesis import CheckContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import unsupported_method

from energy_support_client import Client, HmacCredentials, StaticToken
from energy_support_client.sse import Parser
from energy_support_client.types import ReviewRequest
from harness import demonstration, published_contract, tickets
from harness.paths import REPOSITORY
from support import contract, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack, Outputs
    from harness.sign_in import SignIn

pytestmark = [
    # One process counts, and what a case leaves behind the next may meet.
    pytest.mark.xdist_group("contract"),
    pytest.mark.timeout(400),
]

LEAST: Final = 2_000
"""Cases over all operations."""
DRAWN: Final = 150
"""Cases of each operation, beside examples and edge cases."""
CUSTOMER: Final = "C6001"
"""Nobody else's in the tests."""
FOR_REVIEW: Final = 6
"""Tickets that wait for an operator."""
Case: TypeAlias = schemathesis.Case[Any]
TICKET_ID: Final = re.compile(r"tkt_[0-9a-f]{12,64}")
MEDIA_TYPE: Final = "application/json"


def strict(document: Any) -> Any:
    """The document with closed answers: a member that it does not describe may be one that must not leave."""
    document = msgspec.json.decode(msgspec.json.encode(document))
    for schema in document["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    return document


PUBLISHED: Final = strict(msgspec.json.decode((REPOSITORY / published_contract.PATH).read_bytes()))
API: Final = schemathesis.openapi.from_dict(
    PUBLISHED,
    config=SchemathesisConfig.from_dict(
        {
            "seed": 4,
            "max-stream-events": 10_000,
            "generation": {
                "deterministic": True,
                "max-examples": DRAWN,
                "database": "none",
                # They are ignored, as the document says.
                "allow-extra-parameters": False,
            },
            # A key that was used before is refused with any other body, valid or not.
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429"]}
            },
        }
    ),
)
cases: Final[Counter[str]] = Counter()
"""Operation -> cases so far."""
answers: Final[Counter[str]] = Counter()
"""Status -> answers so far."""
succeeded: Final[set[str]] = set()
"""Operations that did what they were asked for."""


# --- who calls, and what there is


@dataclass(frozen=True)
class Ground:
    """What the cases meet: callers of all kinds, and tickets of every status."""

    api_url: str
    customer: str
    operator: str
    """ID tokens."""
    partner: HmacCredentials
    tickets: tuple[str, ...]
    cursor: str

    def authorization(self, case: Case) -> str:
        route = next(
            one for one in routes.ROUTES if (one.method, one.path) == (case.operation.method.upper(), case.path)
        )
        if route.authentication == "itsm-hmac":
            return self.partner.header(time.time())
        return f"Bearer {self.customer if 'customer' in route.groups else self.operator}"


@pytest.fixture(scope="module")
def ground(stack: LocalStack, outputs: Outputs, sign_in: SignIn) -> Iterator[Ground]:
    customer, operator = sign_in.id_token("customer", CUSTOMER), sign_in.id_token("operator")
    partner = stack.partners().add(CUSTOMER, "Partner of the contract's test", "premium")
    body = dict(demonstration.REQUEST) | {"customer": {"id": CUSTOMER, "name": "Anna Rossi"}}
    unknown = body | {"symptom_text": "Xylophon quuxfrob zymurgy", "error_code": "E998"}
    with (
        Client(outputs.api_url, StaticToken(customer)) as client,
        Client(outputs.api_url, StaticToken(operator)) as technician,
    ):
        ready = tickets.answer(client, body).ticket_id
        waiting = [tickets.answer(client, unknown).ticket_id for _ in range(FOR_REVIEW + 1)]
        failed = waiting.pop()
        technician.review_ticket(failed, ReviewRequest(decision="REJECT"))
        first = next(client.list_tickets(limit=1))
    yield Ground(
        api_url=outputs.api_url,
        customer=customer,
        operator=operator,
        partner=HmacCredentials(partner.api_key, partner.secret),
        tickets=(ready, *waiting, failed),
        cursor=str(first.next_cursor),
    )
    stack.partners().disable(partner.api_key)


def met(case: Case, ground: Ground) -> Case:
    """The case, as often as not about something that exists; what is invalid in it stays so."""
    number = cases[case.operation.label]
    ticket_id = (case.path_parameters or {}).get("id")
    if isinstance(ticket_id, str) and TICKET_ID.fullmatch(ticket_id) and number % 2:
        case.path_parameters["id"] = ground.tickets[number // 2 % len(ground.tickets)]
    if case.meta is None or case.meta.generation.mode.is_negative:
        return case
    if "cursor" in (case.query or {}):
        # Only what the service gave is one, which no schema can say.
        case.query["cursor"] = ground.cursor
    body = case.body = written(case.body)
    if isinstance(body, dict) and "customer" in body and number % 3 == 0:
        body["customer"]["id"] = CUSTOMER
    return case


def written(value: Any) -> Any:
    """With every integer written as such: JSON Schema counts 3.0 among them, the document's words do not."""
    if isinstance(value, dict):
        return {name: written(member) for name, member in value.items()}
    if isinstance(value, list):
        return [written(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- what schemathesis does not look at


def an_undeclared_method_is_not_found(_: CheckContext, response: Response, case: Case) -> None:
    """As the document says: API Gateway does not tell a path that it does not know from such a method (no 405)."""
    sent = response.request.method
    if sent not in {case.operation.method.upper(), "OPTIONS"} and sent not in declared_methods(case):
        assert response.status_code == 404, f"{sent} {case.path} answered {response.status_code}"
        problem = msgspec.json.decode(response.content, type=contract.Problem)
        assert problem.type == contract.PROBLEMS["not_found"].uri()


def declared_methods(case: Case) -> set[str]:
    return {method.upper() for method in PUBLISHED["paths"][case.operation.path]}


def a_stream_tells_events_that_are_described(_: CheckContext, response: Response, case: Case) -> None:
    answer = PUBLISHED["paths"][case.operation.path][case.operation.method]["responses"].get("200", {"content": {}})
    if response.status_code != 200 or routes.EVENT_STREAM not in answer["content"]:
        return
    described = answer["content"][routes.EVENT_STREAM][published_contract.EVENTS]
    told = Parser().feed(response.content)
    assert told[0].name == "start"
    assert told[-1].name in {"complete", "error"}
    for event in told:
        schema = described[event.name] | {"components": PUBLISHED["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(msgspec.json.decode(event.data))


# --- the cases


@API.parametrize()
def test_the_api_does_what_its_document_says(case: Case, ground: Ground) -> None:
    cases[case.operation.label] += 1
    headers = {"Authorization": ground.authorization(case)}
    response = met(case, ground).call_and_validate(
        base_url=ground.api_url,
        headers=headers,
        additional_checks=[an_undeclared_method_is_not_found, a_stream_tells_events_that_are_described],
        excluded_checks=[unsupported_method],
    )
    answers[str(response.status_code)] += 1
    if response.status_code in {200, 202}:
        succeeded.add(case.operation.label)


def test_enough_was_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """After the above, in the same process."""
    if len(cases) < len(routes.ROUTES):
        pytest.skip("not all operations were called")
    with capsys.disabled():
        print(f"\n{cases.total()} cases, {dict(sorted(answers.items()))}: {dict(cases)}")
    assert cases.total() >= LEAST
    assert min(cases.values()) >= LEAST // 20
    assert succeeded == cases.keys()
