"""ITSM partners: their signature, their routes and their limits (spec sections 1 and 2).

What a partner may not see of other customers is in ``test_ownership.py``.
"""

from __future__ import annotations

import itertools
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import msgspec
import pytest

from energy_support_client import Client, HmacCredentials, types
from harness import demonstration, partners
from support.routes import ITSM, ROUTES
from support.times import now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from harness.local_stack import LocalStack, Outputs
    from harness.partners import PartnerAdministration
    from support.partners import Tier
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs, Problem

NOBODYS = "itsm/tickets/tkt_" + "0" * 24
"""What every partner may ask for, and is told 404."""
STANDARD_BURST = 20
"""Requests at once of a partner of tier standard (components/settings.py)."""


# --- partners


@dataclass
class Partner:
    """A partner's ITSM system."""

    api_key: str
    secret: str = field(repr=False)
    api_url: str
    http: httpx.Client
    _since: datetime = field(default_factory=now)
    _signed: Iterator[int] = field(default_factory=itertools.count)

    def header(self, *, age: int | None = None) -> str:
        """Authorization, signed ``age`` seconds ago; if not said, of a second that none was before."""
        moment = self._since - timedelta(seconds=next(self._signed)) if age is None else now() - timedelta(seconds=age)
        return partners.sign(self.api_key, self.secret, clock=lambda: moment)

    def ask(self, path: str, *, header: str | None = None, **options: Any) -> httpx.Response:
        """GET, or POST if there is a body to send."""
        headers = {"Authorization": header or self.header(), **options.pop("headers", {})}
        return self.http.request("POST" if "json" in options else "GET", path, headers=headers, **options)

    @property
    def client(self) -> Client:
        return Client(self.api_url, HmacCredentials(self.api_key, self.secret), http=self.http)


@pytest.fixture(scope="module")
def administration(stack: LocalStack) -> PartnerAdministration:
    return stack.partners()


class MakePartner(Protocol):
    def __call__(self, tier: Tier = "premium", *, customer_id: str = demonstration.CUSTOMER_ID) -> Partner: ...


@pytest.fixture
def make_partner(administration: PartnerAdministration, outputs: Outputs) -> Iterator[MakePartner]:
    """Makes partners who are none any more after the test."""
    with ExitStack() as opened:
        http = opened.enter_context(httpx.Client(base_url=f"{outputs.api_url}/", timeout=30, trust_env=False))

        def make(tier: Tier = "premium", *, customer_id: str = demonstration.CUSTOMER_ID) -> Partner:
            added = administration.add(customer_id, "A partner of the tests", tier)
            opened.callback(administration.disable, added.api_key)
            return Partner(added.api_key, added.secret, outputs.api_url, http)

        yield make


@pytest.fixture
def partner(make_partner: MakePartner) -> Partner:
    """One that acts for the demonstration's customer."""
    return make_partner()


# --- a ticket's way


def test_a_partner_opens_a_ticket_follows_it_and_reads_its_solution(
    partner: Partner, customer: Caller, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    created = partner.ask("itsm/tickets", json=request_body)

    assert created.status_code == httpx.codes.ACCEPTED
    ticket_id = created.json()["ticket_id"]
    # Where the partner may go, not where users do.
    assert created.headers["Location"] == f"/v1/itsm/tickets/{ticket_id}"
    assert set(created.json()) == {"ticket_id", "status", "created_at", "estimated_completion"}
    eventually(lambda: partner.ask(f"itsm/tickets/{ticket_id}").json()["status"] == "READY")
    for rest in ("", "/solution"):
        shown = partner.ask(f"itsm/tickets/{ticket_id}{rest}")
        assert shown.status_code == httpx.codes.OK
        assert shown.headers["Cache-Control"] == "no-store"
        assert shown.json() == customer.request("GET", f"tickets/{ticket_id}{rest}").json()


def test_the_client_signs_for_a_partner(partner: Partner, eventually: Eventually, request_body: dict[str, Any]) -> None:
    ticket_id = partner.client.itsm_create_ticket(msgspec.convert(request_body, types.CreateTicketRequest)).ticket_id

    eventually(lambda: partner.client.itsm_get_ticket(ticket_id).status == "READY")
    assert partner.client.itsm_get_solution(ticket_id).citations


def test_a_partner_sees_what_its_customer_opened(
    partner: Partner, customer: Caller, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.answer(request_body).ticket_id

    assert partner.ask(f"itsm/tickets/{ticket_id}").json()["status"] == "READY"
    assert partner.ask(f"itsm/tickets/{ticket_id}/solution").json()["citations"]


def test_a_solution_in_the_making_is_worth_asking_for_later(
    partner: Partner, bedrock: Bedrock, problem: Problem, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.delay("Converse", 2)
    ticket_id = partner.ask("itsm/tickets", json=request_body).json()["ticket_id"]
    early = partner.ask(f"itsm/tickets/{ticket_id}/solution")

    assert problem(early, httpx.codes.CONFLICT).title == "Solution not ready"
    assert int(early.headers["Retry-After"]) > 0
    eventually(lambda: partner.ask(f"itsm/tickets/{ticket_id}").json()["status"] == "READY")


def test_a_partner_opens_tickets_for_its_own_customer_only(
    partner: Partner, problem: Problem, request_body: dict[str, Any]
) -> None:
    foreign = request_body | {"customer": {"id": "C2002", "name": "Bruno Verdi"}}

    problem(partner.ask("itsm/tickets", json=foreign), httpx.codes.FORBIDDEN)


def test_an_invalid_body_is_a_problem(partner: Partner, problem: Problem, request_body: dict[str, Any]) -> None:
    problem(partner.ask("itsm/tickets", json=request_body | {"priority": "P9"}), httpx.codes.BAD_REQUEST)
    headers = {"Content-Type": "text/plain"}
    problem(partner.ask("itsm/tickets", json=request_body, headers=headers), httpx.codes.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("ticket_id", ["tkt_0", "%2e%2e", "%22", "tkt_%00", "*"])
def test_what_no_ticket_can_be_called_is_not_found(partner: Partner, problem: Problem, ticket_id: str) -> None:
    problem(partner.ask(f"itsm/tickets/{ticket_id}"), httpx.codes.NOT_FOUND)
    problem(partner.ask(f"itsm/tickets/{ticket_id}/solution"), httpx.codes.NOT_FOUND)


# --- the same call again


def test_a_repeated_key_gets_the_first_answer_however_it_is_signed(
    partner: Partner, administration: PartnerAdministration, problem: Problem, request_body: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = partner.ask("itsm/tickets", json=request_body, headers=key)
    second = partner.ask("itsm/tickets", json=request_body, headers=key)
    partner.secret = administration.rotate(partner.api_key).secret
    third = partner.ask("itsm/tickets", json=request_body, headers=key)

    assert [answer.status_code for answer in (first, second, third)] == [httpx.codes.ACCEPTED] * 3
    assert first.json() == second.json() == third.json()
    assert third.headers["Location"] == first.headers["Location"]
    other = partner.ask("itsm/tickets", json=request_body | {"priority": "P1"}, headers=key)
    problem(other, httpx.codes.UNPROCESSABLE_ENTITY)


def test_a_key_belongs_to_its_partner(make_partner: MakePartner, request_body: dict[str, Any]) -> None:
    """Two partners of one customer may choose the same."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    opened = [make_partner().ask("itsm/tickets", json=request_body, headers=key) for _ in range(2)]

    assert len({answer.json()["ticket_id"] for answer in opened}) == 2


# --- who is no partner


def refusals(partner: Partner, other: Partner) -> dict[str, str]:
    """What is wrong -> an Authorization header with that wrong and nothing else."""
    scheme, api_key, signature, timestamp = re.split("[ :]", partner.header(), maxsplit=3)
    assert (scheme, api_key) == ("Bearer", partner.api_key)
    changed = ("0" if signature[0] != "0" else "1") + signature[1:]
    later = rfc3339(now() + timedelta(seconds=100))
    return {
        "unknown key": partners.sign("esk_" + "0" * 32, partner.secret),
        "another's key": partners.sign(other.api_key, partner.secret),
        "another's secret": partners.sign(partner.api_key, other.secret),
        "changed signature": f"Bearer {api_key}:{changed}:{timestamp}",
        "no signature": f"Bearer {api_key}:-:{timestamp}",
        "upper-case signature": f"Bearer {api_key}:{signature.upper()}:{timestamp}",
        "changed time": f"Bearer {api_key}:{signature}:{later}",
        "too old": partner.header(age=310),
        "too new": partner.header(age=-310),
        "no time": f"Bearer {api_key}:{signature}:now",
        "two parts": f"Bearer {api_key}:{signature}",
        "other scheme": f"Basic {api_key}:{signature}:{timestamp}",
        "no scheme": f"{api_key}:{signature}:{timestamp}",
        "secret itself": f"Bearer {api_key}:{partner.secret}:{timestamp}",
        "very long": f"Bearer {api_key}:{'a' * 4_000}:{timestamp}",
        "garbage": "Bearer x",
    }


def without_id(answer: httpx.Response) -> dict[str, Any]:
    """The problem but for the request's own id."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_whoever_is_no_partner_is_told_the_same(
    make_partner: MakePartner, administration: PartnerAdministration, problem: Problem
) -> None:
    partner, other, disabled = make_partner(), make_partner(), make_partner()
    administration.disable(disabled.api_key)
    headers = refusals(partner, other) | {"disabled": disabled.header()}

    answers = {what: partner.ask(NOBODYS, header=header) for what, header in headers.items()}

    for answer in answers.values():
        problem(answer, httpx.codes.UNAUTHORIZED)
    told = without_id(answers["unknown key"])
    assert {what: without_id(answer) for what, answer in answers.items()} == dict.fromkeys(answers, told)
    names = {tuple(sorted(answer.headers)) for answer in answers.values()}
    assert len(names) == 1
    # And the partner whose key was misused is one as before.
    problem(partner.ask(NOBODYS), httpx.codes.NOT_FOUND)


def test_without_a_header_no_partners_route_answers(anybody: httpx.Client, problem: Problem) -> None:
    problem(anybody.get(NOBODYS), httpx.codes.UNAUTHORIZED)
    problem(anybody.get(NOBODYS, headers={"x-api-key": "a" * 40}), httpx.codes.UNAUTHORIZED)


@pytest.mark.parametrize("age", [290, -290])
def test_clocks_may_differ_by_less_than_five_minutes(partner: Partner, problem: Problem, age: int) -> None:
    problem(partner.ask(NOBODYS, header=partner.header(age=age)), httpx.codes.NOT_FOUND)


def test_a_disabled_key_is_refused_until_it_is_enabled(
    partner: Partner, administration: PartnerAdministration, problem: Problem
) -> None:
    problem(partner.ask(NOBODYS), httpx.codes.NOT_FOUND)

    administration.disable(partner.api_key)
    # Each with a signature of its own: the gateway remembers what it has seen.
    problem(partner.ask(NOBODYS), httpx.codes.UNAUTHORIZED)
    administration.enable(partner.api_key)
    problem(partner.ask(NOBODYS), httpx.codes.NOT_FOUND)


# --- rotation


def test_after_a_rotation_both_secrets_live(
    partner: Partner, administration: PartnerAdministration, problem: Problem
) -> None:
    first = partner.secret
    second = administration.rotate(partner.api_key).secret
    assert second != first

    for secret in (first, second):
        partner.secret = secret
        problem(partner.ask(NOBODYS), httpx.codes.NOT_FOUND)

    third = administration.rotate(partner.api_key).secret
    expected = {first: httpx.codes.UNAUTHORIZED, second: httpx.codes.NOT_FOUND, third: httpx.codes.NOT_FOUND}
    for secret, status in expected.items():
        partner.secret = secret
        problem(partner.ask(NOBODYS), status)


def test_a_secret_can_be_replaced_at_once(
    partner: Partner, administration: PartnerAdministration, problem: Problem
) -> None:
    new = administration.rotate(partner.api_key, grace=timedelta(0)).secret

    problem(partner.ask(NOBODYS), httpx.codes.UNAUTHORIZED)
    partner.secret = new
    problem(partner.ask(NOBODYS), httpx.codes.NOT_FOUND)


# --- routes


@pytest.mark.parametrize(
    ("method", "path"),
    [(route.method, route.path.replace("{id}", "tkt_0")) for route in ROUTES if route.authentication == "cognito"],
)
def test_a_partners_signature_opens_no_users_route(partner: Partner, problem: Problem, method: str, path: str) -> None:
    headers = {"Authorization": partner.header()}
    problem(partner.http.request(method, path.lstrip("/"), headers=headers), httpx.codes.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("method", "path"),
    [(route.method, route.path.replace("{id}", "tkt_0")) for route in ROUTES if route.authentication == "itsm-hmac"],
)
def test_a_users_token_opens_no_partners_route(
    customer: Caller, operator: Caller, problem: Problem, method: str, path: str
) -> None:
    for user in (customer, operator):
        problem(user.request(method, path), httpx.codes.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/tickets"),
        ("GET", "/tickets/tkt_0/status"),
        ("GET", "/tickets/tkt_0/solution/stream"),
        ("POST", "/tickets/tkt_0/feedback"),
        ("POST", "/tickets/tkt_0/review"),
        ("POST", "/kb/search"),
        ("DELETE", "/tickets/tkt_0"),
    ],
)
def test_partners_have_no_other_routes(partner: Partner, problem: Problem, method: str, path: str) -> None:
    headers = {"Authorization": partner.header()}
    problem(partner.http.request(method, f"{ITSM}{path}".lstrip("/"), headers=headers), httpx.codes.NOT_FOUND)


# --- what the gateway remembers


def verdicts(logs: Logs, partner: Partner) -> list[str]:
    """What the authorizer has said of the partner so far."""
    return [entry["message"] for entry in logs.entries("itsm_authorizer") if entry.get("api_key") == partner.api_key]


def test_one_signature_opens_all_the_partners_routes_and_is_judged_once(
    partner: Partner, logs: Logs, problem: Problem, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    """Whichever was asked first: what the gateway remembers of it holds for the others too."""
    header = partner.header()
    problem(partner.ask(NOBODYS, header=header), httpx.codes.NOT_FOUND)
    created = partner.ask("itsm/tickets", header=header, json=request_body)
    assert created.status_code == httpx.codes.ACCEPTED
    path = f"itsm/tickets/{created.json()['ticket_id']}"
    eventually(lambda: partner.ask(path, header=header).json()["status"] == "READY")
    assert partner.ask(f"{path}/solution", header=header).status_code == httpx.codes.OK

    assert eventually(lambda: verdicts(logs, partner)) == ["authorized"]


@pytest.mark.timeout(60)
def test_a_remembered_signature_is_good_no_longer_than_any_other(
    partner: Partner, logs: Logs, problem: Problem, eventually: Eventually
) -> None:
    """The gateway remembers it for 300 s more; the functions see that it is too old."""
    header = partner.header(age=295)
    problem(partner.ask(NOBODYS, header=header), httpx.codes.NOT_FOUND)

    refused = eventually(
        lambda: (
            answer if (answer := partner.ask(NOBODYS, header=header)).status_code != httpx.codes.NOT_FOUND else None
        ),
        seconds=20,
    )

    problem(refused, httpx.codes.UNAUTHORIZED)
    assert verdicts(logs, partner) == ["authorized"]


# --- limits


@pytest.mark.timeout(60)
def test_a_partner_over_its_limit_is_asked_to_wait_and_nobody_else(
    make_partner: MakePartner, problem: Problem, eventually: Eventually
) -> None:
    partner, others = make_partner("standard"), make_partner("standard")
    header = partner.header()

    def ask(_: int) -> httpx.Response:
        return partner.ask(NOBODYS, header=header)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(5 * STANDARD_BURST)))

    refused = [answer for answer in answers if answer.status_code != httpx.codes.NOT_FOUND]
    assert refused
    assert len(answers) - len(refused) >= STANDARD_BURST
    for answer in refused:
        problem(answer, httpx.codes.TOO_MANY_REQUESTS)
        assert int(answer.headers["Retry-After"]) > 0
    # Another one of the same tier has a count of its own; and what is counted is forgotten in time.
    problem(others.ask(NOBODYS), httpx.codes.NOT_FOUND)
    eventually(lambda: partner.ask(NOBODYS).status_code == httpx.codes.NOT_FOUND)


def test_a_partners_calls_are_counted_whatever_key_it_sends(partner: Partner, problem: Problem) -> None:
    """Which count is the partner's the authorizer says, never a header."""
    problem(partner.ask(NOBODYS, headers={"x-api-key": "nobody's key of twenty characters"}), httpx.codes.NOT_FOUND)


# --- what is written down


def test_no_log_holds_a_secret_or_a_signature(
    partner: Partner, logs: Logs, problem: Problem, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    header, pasted = partner.header(), partners.sign(partner.secret, partner.secret)
    assert partner.ask("itsm/tickets", header=header, json=request_body).status_code == httpx.codes.ACCEPTED
    # In the wrong place, too.
    problem(partner.ask(NOBODYS, header=pasted), httpx.codes.UNAUTHORIZED)
    eventually(lambda: "authorized" in verdicts(logs, partner))
    eventually(lambda: logs.has("itsm_authorizer", message="refused", reason="unknown key"))

    lines = [line for group in logs.lines().values() for line in group]
    for never in (partner.secret, header.split(":")[1], pasted.split(":")[1]):
        assert [line for line in lines if never in line] == []
