"""Who may call, and whose tickets they see (spec section 2)."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any, Literal, cast

import httpx
import pytest

from harness.sign_in import SignIn
from support.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_cognito_idp import CognitoIdentityProviderClient

    from harness.local_stack import LocalStack, Outputs
    from tests.e2e.conftest import Caller, Eventually, MakeCaller, Problem

EVERY_ROUTE = [(route.method, route.path.lstrip("/").replace("{id}", "tkt_0")) for route in ROUTES]
WITH_A_FUNCTION = [
    ("GET", "tickets"),
    ("GET", "tickets/tkt_0"),
    ("GET", "tickets/tkt_0/solution"),
    ("GET", "tickets/tkt_0/solution/stream"),
    ("GET", "tickets/tkt_0/review"),
    ("POST", "tickets/tkt_0/review"),
    ("POST", "kb/search"),
]
"""Routes of users whose function sees who calls."""
BODIES = {"kb/search": {"query": "cavo"}, "tickets/tkt_0/review": {"decision": "APPROVE"}}


# --- tokens


def forged(token: str) -> str:
    """With one character of the signature changed."""
    head, claims, signature = token.split(".")
    return ".".join([head, claims, ("B" if signature[0] == "A" else "A") + signature[1:]])


def promoted(token: str) -> str:
    """With other claims under the same signature."""
    head, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return ".".join([head, _encoded(said | {"cognito:groups": ["operator"]}), signature])


def unsigned(token: str) -> str:
    """Claiming to need no signature."""
    return ".".join([_encoded({"alg": "none", "typ": "JWT"}), token.split(".")[1], ""])


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_without_a_token_no_route_answers(anybody: httpx.Client, problem: Problem, method: str, path: str) -> None:
    problem(anybody.request(method, path), httpx.codes.UNAUTHORIZED)


@pytest.mark.parametrize(
    "path", ["tickets", "tickets/tkt_0/status", "tickets/tkt_0/solution/stream", "itsm/tickets/tkt_0"]
)
@pytest.mark.parametrize("token", ["x", "x.y.z", "x:y:z", "null", "Basic dXNlcjpwYXNz", "a" * 5_000])
def test_garbage_is_no_token(with_token: MakeCaller, problem: Problem, token: str, path: str) -> None:
    problem(with_token(token).request("GET", path), httpx.codes.UNAUTHORIZED)


@pytest.mark.parametrize("change", [forged, promoted, unsigned])
def test_a_changed_token_is_no_token(
    sign_in: SignIn, with_token: MakeCaller, problem: Problem, change: Callable[[str], str]
) -> None:
    token = sign_in.id_token("customer", "C3003")

    assert with_token(token).request("GET", "tickets").status_code == httpx.codes.OK
    problem(with_token(change(token)).request("GET", "tickets"), httpx.codes.UNAUTHORIZED)


@pytest.fixture
def cognito(stack: LocalStack) -> CognitoIdentityProviderClient:
    return cast("CognitoIdentityProviderClient", stack.client("cognito-idp"))


@pytest.fixture
def hasty(cognito: CognitoIdentityProviderClient, outputs: Outputs) -> Iterator[SignIn]:
    """Signs in with tokens that live for a second."""
    client = cognito.create_user_pool_client(
        UserPoolId=outputs.user_pool_id,
        ClientName=f"e2e-{secrets.token_hex(8)}",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
        IdTokenValidity=1,
        TokenValidityUnits={"IdToken": "seconds"},
        ReadAttributes=["email", "custom:customer_id"],
    )["UserPoolClient"]["ClientId"]
    yield SignIn(cognito, outputs.user_pool_id, client)
    cognito.delete_user_pool_client(UserPoolId=outputs.user_pool_id, ClientId=client)


def test_an_expired_token_is_no_token(
    hasty: SignIn, with_token: MakeCaller, problem: Problem, eventually: Eventually
) -> None:
    service = with_token(hasty.id_token("customer", "C3003"))
    expired = eventually(
        lambda: response if (response := service.request("GET", "tickets")).status_code != httpx.codes.OK else None
    )

    problem(expired, httpx.codes.UNAUTHORIZED)


def test_a_token_of_another_user_pool_is_no_token(
    cognito: CognitoIdentityProviderClient, with_token: MakeCaller, problem: Problem
) -> None:
    schema: Any = [{"Name": "customer_id", "AttributeDataType": "String", "Mutable": True}]
    pool = cognito.create_user_pool(PoolName=f"e2e-{secrets.token_hex(8)}", Schema=schema)["UserPool"]["Id"]
    try:
        client = cognito.create_user_pool_client(
            UserPoolId=pool, ClientName="e2e", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        cognito.create_group(UserPoolId=pool, GroupName="operator")
        token = SignIn(cognito, pool, client).id_token("operator", "C1001")
        problem(with_token(token).request("GET", "tickets"), httpx.codes.UNAUTHORIZED)
    finally:
        cognito.delete_user_pool(UserPoolId=pool)


def test_an_access_token_names_no_customer_and_so_is_refused(
    sign_in: SignIn, with_token: MakeCaller, problem: Problem
) -> None:
    response = with_token(sign_in.tokens("customer", "C3003")["AccessToken"]).request("GET", "tickets")

    # AWS's authorizer takes ID tokens only; the emulator's takes both, and the function finds no customer in it.
    assert response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
    problem(response, response.status_code)


# --- groups


@pytest.mark.parametrize(("method", "path"), WITH_A_FUNCTION)
def test_a_user_of_no_group_may_do_nothing(
    sign_in: SignIn, with_token: MakeCaller, problem: Problem, method: str, path: str
) -> None:
    """Where a template answers, such a user is told what strangers are: see test_status.py and test_feedback.py."""
    service = with_token(sign_in.tokens(None, "C1001")["IdToken"])
    body = {"json": BODIES[path]} if method == "POST" else {}

    problem(service.request(method, path, **body), httpx.codes.FORBIDDEN)


@pytest.mark.parametrize("group", [None, "operator"])
def test_only_customers_open_tickets(
    sign_in: SignIn,
    with_token: MakeCaller,
    problem: Problem,
    request_body: dict[str, Any],
    group: Literal["operator"] | None,
) -> None:
    service = with_token(sign_in.tokens(group, request_body["customer"]["id"])["IdToken"])

    problem(service.request("POST", "tickets", json=request_body), httpx.codes.FORBIDDEN)


def test_a_customer_without_a_number_sees_nothing(sign_in: SignIn, with_token: MakeCaller, problem: Problem) -> None:
    problem(with_token(sign_in.id_token("customer")).request("GET", "tickets"), httpx.codes.FORBIDDEN)


def test_nobody_can_make_themselves_another_customer(cognito: CognitoIdentityProviderClient, outputs: Outputs) -> None:
    client = cognito.describe_user_pool_client(UserPoolId=outputs.user_pool_id, ClientId=outputs.user_pool_client_id)

    assert "custom:customer_id" in client["UserPoolClient"]["ReadAttributes"]
    assert "custom:customer_id" not in client["UserPoolClient"].get("WriteAttributes", ["custom:customer_id"])


# --- whose tickets


def test_an_operator_lists_the_tickets_of_the_customer_it_names(
    customer: Caller, operator: Caller, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id
    listed = operator.request("GET", "tickets", params={"customer_id": request_body["customer"]["id"], "limit": 100})

    assert ticket_id in {ticket["ticket_id"] for ticket in listed.json()["tickets"]}


def test_an_operator_must_name_a_customer(operator: Caller, problem: Problem) -> None:
    told = problem(operator.request("GET", "tickets"), httpx.codes.BAD_REQUEST)

    assert isinstance(told.errors, list)
    assert [(fault.path, fault.keyword) for fault in told.errors] == [("customer_id", "required")]


def test_a_customer_lists_itself_and_nobody_else(
    customer: Caller, other_customer: Caller, problem: Problem, request_body: dict[str, Any]
) -> None:
    own = request_body["customer"]["id"]
    ticket_id = customer.create_ticket(request_body).ticket_id

    assert customer.request("GET", "tickets", params={"customer_id": own}).status_code == httpx.codes.OK
    problem(other_customer.request("GET", "tickets", params={"customer_id": own}), httpx.codes.FORBIDDEN)
    others = other_customer.request("GET", "tickets", params={"limit": 100}).json()["tickets"]
    assert ticket_id not in {ticket["ticket_id"] for ticket in others}
