"""Who calls: signatures, tokens that are renewed in time, and nothing secret in sight."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import pickle
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_support_client import (
    AsyncClient,
    Client,
    CognitoCredentials,
    EnergySupportError,
    HmacCredentials,
    RetryPolicy,
    SignInError,
    StaticToken,
    UnauthenticatedError,
)

TICKET = "tkt_0123456789ab"
PASSWORD = "correct-horse-battery"
TOKEN = "eyJhbGciOi.secret-token.signature"


# --- signatures


@pytest.mark.parametrize(
    ("api_key", "secret", "now", "timestamp", "signature"),
    [
        # printf '%s' 'partner-1:2026-01-31T12:00:00Z' | openssl dgst -sha256 -hmac 's3cret'
        (
            "partner-1",
            "s3cret",
            1_769_860_800.9,
            "2026-01-31T12:00:00Z",
            "71a0ddf7dbf59215f32d1dd048a5d5325193b1b4d87913ac0e10548053e474d7",
        ),
        # printf '%s' 'a:b:c:1970-01-01T00:00:00Z' | openssl dgst -sha256 -hmac 'gehéim 🔑'
        (
            "a:b:c",
            "gehéim 🔑",
            0.0,
            "1970-01-01T00:00:00Z",
            "aa7f7b7d276e6380c7cfb4f562b7773f235ea09a15ca1af1f15f5dd7ffd6f9e6",
        ),
    ],
)
def test_signatures_are_those_of_the_specification(
    api_key: str, secret: str, now: float, timestamp: str, signature: str
) -> None:
    assert HmacCredentials(api_key, secret).header(now) == f"Bearer {api_key}:{signature}:{timestamp}"


@given(
    api_key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    secret=st.text(max_size=40),
    now=st.integers(0, 4_000_000_000),
)
def test_a_signature_is_over_key_and_time(api_key: str, secret: str, now: int) -> None:
    header = HmacCredentials(api_key, secret).header(now)
    signed, signature, timestamp = header[len("Bearer ") : -86], header[-85:-21], header[-20:]
    assert signed == api_key
    assert datetime.fromisoformat(timestamp) == datetime.fromtimestamp(now, UTC)
    expected = hmac.digest(secret.encode(), f"{api_key}:{timestamp}".encode(), hashlib.sha256)
    assert bytes.fromhex(signature) == expected


def test_a_signature_serves_a_minute_and_is_always_fresh_enough() -> None:
    credentials = HmacCredentials("k", "s")
    first = credentials.header(1000)
    assert credentials.header(1059) == first
    second = credentials.header(1060)
    assert second != first
    # A clock that was set back must not leave one of the future in use.
    assert credentials.header(500) != second


def test_each_try_is_signed_for_its_own_time(callers: Any, service: Any) -> None:
    service.then_status(503, retry_after="100")
    callers(HmacCredentials("k", "s"), timeout=200).itsm_get_ticket(TICKET)
    first, second = (seen.headers["authorization"] for seen in service.seen)
    assert first.endswith("2026-01-31T12:00:00Z")
    assert second.endswith(("2026-01-31T12:01:40Z", "2026-01-31T12:01:41Z"))


@pytest.mark.parametrize("wrong", ["", "a b", "a\n", "é", "a\r\nX: y"])
def test_what_no_header_carries_is_refused_without_showing_it(wrong: str) -> None:
    for made in (lambda: StaticToken(wrong), lambda: HmacCredentials(wrong, "s")):
        with pytest.raises(ValueError, match="printable") as caught:
            made()
        assert wrong == "" or wrong not in str(caught.value)


# --- Cognito


def cognito(service: Any, **options: Any) -> CognitoCredentials:
    settings = {"client_id": "client-1", "username": "anna@example.com", "password": PASSWORD} | options
    return CognitoCredentials(endpoint=service.cognito_url, **settings)


def tokens(service: Any, id_token: str = TOKEN, *, lives: int = 3600, refresh: str | None = "refresh-secret") -> Any:
    result = {"IdToken": id_token, "AccessToken": "access", "ExpiresIn": lives, "TokenType": "Bearer"}
    if refresh is not None:
        result["RefreshToken"] = refresh
    return service.json(200, {"AuthenticationResult": result, "ChallengeParameters": {}})


def refused(service: Any, type_: str, message: str = "No.", status: int = 400) -> Any:
    return service.json(status, {"__type": type_, "message": message})


def sign_ins(service: Any) -> list[dict[str, Any]]:
    return [msgspec.json.decode(seen.body) for seen in service.seen if seen.path.startswith("/cognito")]


def test_a_user_signs_in_once_and_calls_with_the_id_token(callers: Any, service: Any) -> None:
    service.cognito.append(tokens(service))
    client = callers(cognito(service))
    client.get_ticket(TICKET)
    client.get_ticket(TICKET)
    sign_in, *calls = service.seen
    assert sign_in.headers["x-amz-target"] == "AWSCognitoIdentityProviderService.InitiateAuth"
    assert sign_in.headers["content-type"] == "application/x-amz-json-1.1"
    assert "authorization" not in sign_in.headers
    assert msgspec.json.decode(sign_in.body) == {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": "client-1",
        "AuthParameters": {"USERNAME": "anna@example.com", "PASSWORD": PASSWORD},
    }
    assert [seen.headers["authorization"] for seen in calls] == [f"Bearer {TOKEN}"] * 2


def test_a_token_is_renewed_before_it_ends_with_the_refresh_token(callers: Any, service: Any, clock: Any) -> None:
    service.cognito += [tokens(service, "first"), tokens(service, "second", refresh=None), tokens(service, "third")]
    client = callers(cognito(service))
    for elapsed in (0, 3539, 3541, 7079, 7081):
        clock.elapsed = elapsed
        client.get_ticket(TICKET)
    used = [seen.headers["authorization"] for seen in service.seen if seen.method == "GET"]
    assert used == ["Bearer first", "Bearer first", "Bearer second", "Bearer second", "Bearer third"]
    # Cognito gives no new refresh token for an old one: it stays good.
    renewal = {
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "ClientId": "client-1",
        "AuthParameters": {"REFRESH_TOKEN": "refresh-secret"},
    }
    assert sign_ins(service)[1:] == [renewal, renewal]


def test_a_refresh_token_that_has_ended_is_replaced_by_signing_in_again(callers: Any, service: Any, clock: Any) -> None:
    service.cognito += [tokens(service, "first"), refused(service, "NotAuthorizedException"), tokens(service, "second")]
    client = callers(cognito(service))
    client.get_ticket(TICKET)
    clock.elapsed = 100_000
    client.get_ticket(TICKET)
    flows = [sign_in["AuthFlow"] for sign_in in sign_ins(service)]
    assert flows == ["USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH"]
    assert service.seen[-1].headers["authorization"] == "Bearer second"


def test_a_short_token_is_used_for_half_its_life(callers: Any, service: Any, clock: Any) -> None:
    service.cognito += [tokens(service, "first", lives=60), tokens(service, "second", lives=60)]
    client = callers(cognito(service))
    for elapsed in (0, 29, 31):
        clock.elapsed = elapsed
        client.get_ticket(TICKET)
    assert len(sign_ins(service)) == 2


def test_a_token_without_a_life_is_used_once(callers: Any, service: Any) -> None:
    service.cognito += [tokens(service, lives=0)] * 2
    client = callers(cognito(service))
    client.get_ticket(TICKET)
    client.get_ticket(TICKET)
    assert len(sign_ins(service)) == 2


@pytest.mark.parametrize("type_", ["NotAuthorizedException", "com.amazon.coral#UserNotFoundException"])
def test_a_user_who_is_refused_is_told_so_and_nothing_is_tried_again(callers: Any, service: Any, type_: str) -> None:
    service.cognito.append(refused(service, type_, "Incorrect username or password."))
    with pytest.raises(SignInError, match=r"(NotAuthorized|UserNotFound)Exception: Incorrect"):
        callers(cognito(service)).get_ticket(TICKET)
    assert len(service.seen) == 1


def test_a_challenge_is_told_as_such(callers: Any, service: Any) -> None:
    service.cognito.append(service.json(200, {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s"}))
    with pytest.raises(SignInError, match="SOFTWARE_TOKEN_MFA"):
        callers(cognito(service)).get_ticket(TICKET)


def test_an_outage_of_cognito_is_tried_again_within_the_calls_own_tries(callers: Any, service: Any, clock: Any) -> None:
    service.cognito += [
        refused(service, "TooManyRequestsException"),
        refused(service, "InternalErrorException", status=500),
    ]
    service.cognito.append(tokens(service))
    assert callers(cognito(service)).get_ticket(TICKET).ticket_id == TICKET
    assert len(clock.sleeps) == 2


def test_an_outage_of_cognito_that_lasts_ends_the_call(callers: Any, service: Any, clock: Any) -> None:
    service.cognito += [refused(service, "TooManyRequestsException")] * 9
    with pytest.raises(SignInError, match="TooManyRequests"):
        callers(cognito(service), retries=RetryPolicy(attempts=3)).get_ticket(TICKET)
    assert len(service.seen) == 3


def test_a_cut_sign_in_is_tried_again(callers: Any, service: Any) -> None:
    service.then_reset().then_reset(part=b"HTTP/1.1 200")
    service.cognito.append(tokens(service))
    assert callers(cognito(service)).get_ticket(TICKET).ticket_id == TICKET


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"AuthenticationResult": {"IdToken": "a b", "ExpiresIn": 9}}']
)
def test_an_answer_of_cognitos_that_holds_no_token_is_told_without_it(callers: Any, service: Any, body: bytes) -> None:
    service.cognito.append(service.json(200, None))
    service.cognito[0].body = body
    with pytest.raises(SignInError) as caught:
        callers(cognito(service)).get_ticket(TICKET)
    assert "a b" not in str(caught.value)


def test_a_lost_sign_in_does_not_lose_the_key_of_the_ticket(callers: Any, service: Any, ticket: Any) -> None:
    service.cognito.append(refused(service, "NotAuthorizedException"))
    with pytest.raises(SignInError) as caught:
        callers(cognito(service)).create_ticket(ticket())
    assert caught.value.idempotency_key


def test_threads_that_need_a_token_at_once_sign_in_once(service: Any) -> None:
    service.cognito.append(tokens(service))
    together = threading.Barrier(8)
    with httpx.Client(trust_env=False) as http, ThreadPoolExecutor(8) as pool:
        client = Client(service.url, cognito(service), http=http)

        def call(_: int) -> str:
            together.wait(10)
            return str(client.get_ticket(TICKET).ticket_id)

        assert list(pool.map(call, range(8))) == [TICKET] * 8
    assert len(sign_ins(service)) == 1


def test_tasks_that_need_a_token_at_once_sign_in_once(service: Any) -> None:
    service.cognito.append(tokens(service))

    async def call() -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            client = AsyncClient(service.url, cognito(service), http=http)
            await asyncio.gather(*(client.get_ticket(TICKET) for _ in range(8)))

    asyncio.run(call())
    assert len(sign_ins(service)) == 1


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"region": "eu-central-1", "endpoint": "https://cognito.example.com"},
        {"region": "evil.example/"},
        {"endpoint": "http://cognito.example.com"},
        {"endpoint": "cognito.example.com"},
    ],
)
def test_a_password_goes_to_one_address_that_is_safe(where: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"region|endpoint|https"):
        CognitoCredentials(client_id="c", username="u", password="p", **where)


# --- addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/v1",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://",
        "/v1",
        "https://user:pass@api.example.com",
        "https://api.example.com/v1?x=1",
        "http://localhost.example.com",
    ],
)
def test_tokens_are_sent_to_safe_addresses_only(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=r"https|credentials"):
            kind(url, StaticToken("t"))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1:4566/v1",
        "http://localhost/v1",
        "http://[::1]:1/",
        "http://x.localhost:1",
    ],
)
def test_loopback_needs_no_tls(url: str) -> None:
    Client(url, StaticToken("t")).close()


# --- nothing secret in sight

SECRETS = [TOKEN, PASSWORD, "refresh-secret", "partner-secret", "s3cret-body"]


def shown(error: BaseException) -> str:
    """All that a log of the error holds, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.__dict__)


@pytest.mark.parametrize("fault", ["reset", "stall", "401", "503", "garbage"])
@pytest.mark.parametrize("kind", ["static", "hmac", "cognito"])
def test_no_error_and_no_representation_shows_a_secret(callers: Any, service: Any, fault: str, kind: str) -> None:
    service.cognito.append(tokens(service))
    made = {"static": StaticToken(TOKEN), "hmac": HmacCredentials("k", "partner-secret"), "cognito": cognito(service)}
    # Signs in, where that is needed, with all the time it takes.
    callers(made[kind]).get_ticket(TICKET)
    client = callers(made[kind], retries=RetryPolicy(attempts=1, attempt_seconds=0.3))
    match fault:
        case "reset":
            service.then_reset()
        case "stall":
            service.then_stall()
        case "garbage":
            service.then_raw(b"garbage\r\n\r\n")
        case _:
            service.then_status(int(fault))
    with pytest.raises(EnergySupportError) as caught:
        client.get_ticket(TICKET)
    signature = service.seen[-1].headers["authorization"].removeprefix("Bearer ")
    text = shown(caught.value) + repr(made[kind]) + repr(client.client)
    assert not [secret for secret in [*SECRETS, signature] if secret in text]


@pytest.mark.parametrize("fault", ["reset", "stall", "refused", "garbage", "tokens without a life"])
def test_no_error_of_a_sign_in_shows_the_password(callers: Any, service: Any, fault: str) -> None:
    match fault:
        case "reset":
            service.then_reset()
        case "stall":
            service.then_stall()
        case "garbage":
            service.then_raw(b"garbage\r\n\r\n")
        case "refused":
            service.cognito.append(refused(service, "NotAuthorizedException"))
        case _:
            service.cognito.append(service.json(200, {"AuthenticationResult": {"IdToken": TOKEN, "ExpiresIn": TOKEN}}))
    client = callers(cognito(service), retries=RetryPolicy(attempts=1, attempt_seconds=0.3))
    with pytest.raises(SignInError) as caught:
        client.get_ticket(TICKET)
    assert not [secret for secret in SECRETS if secret in shown(caught.value)]


def test_an_error_survives_being_sent_to_another_process(callers: Any, service: Any, ticket: Any) -> None:
    service.then_status(401)
    with pytest.raises(UnauthenticatedError) as caught:
        callers().create_ticket(ticket())
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(copy), copy.status, copy.idempotency_key) == (str(caught.value), 401, caught.value.idempotency_key)
