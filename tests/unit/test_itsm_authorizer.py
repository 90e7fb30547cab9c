"""The partners' authorizer: who is let in, and that nobody learns anything from being refused."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from moto import mock_aws

from energy_support_client import HmacCredentials
from itsm_authorizer import handler as module
from support import clients
from support.caller import from_authorizer
from support.partners import LONGEST_HEADER, Partner, Previous, Secrets, Token, sign
from support.problems import UnauthenticatedError
from support.repositories.api_key_table import ApiKeyTable, SecretVault
from support.routes import ROUTES
from support.services.partner_authorization import DECOY, PartnerAuthorization, RefusedError
from support.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

    LogLines = Callable[[], list[dict[str, Any]]]

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
SKEW = timedelta(seconds=300)
METHOD_ARN = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/GET/itsm/tickets/tkt_0123456789ab"
KEY, SECRET, EARLIER, LEAKED = "esk_" + "0f" * 16, "current-secret", "earlier-secret", "long-gone-secret"
DISABLED, ROTATED, PAST_GRACE = "esk_" + "d1" * 16, "esk_" + "27" * 16, "esk_" + "9a" * 16


def header(api_key: str = KEY, secret: str = SECRET, at: datetime | str = NOW, *, scheme: str = "Bearer") -> str:
    timestamp = at if isinstance(at, str) else rfc3339(at)
    return f"{scheme} {api_key}:{sign(secret, api_key, timestamp)}:{timestamp}"


def partner(api_key: str = KEY, **changes: Any) -> Partner:
    known = Partner(
        api_key=api_key,
        customer_id="C1",
        name="ACME",
        tier="standard",
        usage_key="u" * 40,
        usage_key_id="usage-key-id",
        secrets=b"",
        disabled=False,
        created_at="2026-01-01T00:00:00Z",
        updated_at="2026-01-01T00:00:00Z",
    )
    return msgspec.structs.replace(known, **changes)


@dataclass
class World:
    """The authorizer over a fake AWS, at a time of the test's choosing."""

    moment: datetime
    calls: list[tuple[str, dict[str, Any]]]
    """Each call of AWS since the last look: operation and parameters."""
    dynamodb: DynamoDBClient
    kms: KMSClient
    key_arn: str

    def authorization(self) -> PartnerAuthorization:
        """As in a new execution environment."""
        keys, vault = ApiKeyTable(self.dynamodb, "api-keys"), SecretVault(self.kms, self.key_arn)
        return PartnerAuthorization(keys, vault, clock=lambda: self.moment)

    def ask(self, token: str, method_arn: str = METHOD_ARN) -> dict[str, Any]:
        event = {"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn}
        return module.handler(event, SimpleNamespace(aws_request_id="lambda-request"))  # type: ignore[arg-type]  # enough

    def refuses(self, token: str) -> bool:
        try:
            self.ask(token)
        except Exception as error:
            # The one text that the gateway answers with 401.
            if str(error) != "Unauthorized":
                raise
            return True
        return False

    def made_calls(self) -> list[tuple[str, dict[str, Any]]]:
        made = self.calls[:]
        self.calls.clear()
        return made


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[DynamoDBClient, KMSClient, str]]:
    """A table with partners of every kind; nothing in these tests changes it."""
    with mock_aws():
        dynamodb: DynamoDBClient = boto3.client("dynamodb", region_name="eu-west-1")
        kms: KMSClient = boto3.client("kms", region_name="eu-west-1")
        dynamodb.create_table(
            TableName="api-keys",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "api_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "api_key", "AttributeType": "S"}],
        )
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        table, vault = ApiKeyTable(dynamodb, "api-keys"), SecretVault(kms, arn)
        grace = Previous(EARLIER, rfc3339(NOW + timedelta(hours=1)))
        over = Previous(EARLIER, rfc3339(NOW - timedelta(seconds=1)))
        for api_key, secrets, disabled in (
            (KEY, Secrets(SECRET), False),
            (DISABLED, Secrets(SECRET), True),
            (ROTATED, Secrets(SECRET, grace), False),
            (PAST_GRACE, Secrets(SECRET, over), False),
        ):
            assert table.add(partner(api_key, secrets=vault.seal(api_key, secrets), disabled=disabled))
        yield dynamodb, kms, arn


@pytest.fixture
def world(deployed: tuple[DynamoDBClient, KMSClient, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    dynamodb, kms, arn = deployed
    made = World(moment=NOW, calls=[], dynamodb=dynamodb, kms=kms, key_arn=arn)

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        made.calls.append((f"{model.service_model.service_name}:{model.name}", params))

    application = made.authorization()
    monkeypatch.setattr(module, "application", lambda: application)
    for client in (dynamodb, kms):
        client.meta.events.register("provide-client-params", record, unique_id="calls")
    yield made
    for client in (dynamodb, kms):
        client.meta.events.unregister("provide-client-params", unique_id="calls")


# --- vectors


VALID = {
    "as it should be": header(),
    "scheme in lower case": header(scheme="bearer"),
    "scheme in upper case": header(scheme="BEARER"),
    "more than one space": header().replace(" ", "   "),
    "300 s old": header(at=NOW - SKEW),
    "300 s ahead": header(at=NOW + SKEW),
    "300 s old, with a fraction": header(at="2026-01-31T11:55:00.000Z"),
    "offset ahead": header(at="2026-01-31T13:00:00+01:00"),
    "offset behind": header(at="2026-01-31T07:30:00-04:30"),
    "unknown offset": header(at="2026-01-31T12:00:00-00:00"),
    "one decimal": header(at="2026-01-31T11:59:59.9Z"),
    "nanoseconds": header(at="2026-01-31T12:00:00.123456789Z"),
    "lower-case t and z": header(at="2026-01-31t12:00:00z"),
    "a leap second": header(at="2026-01-31T11:59:60Z"),
    "next day at home": header(at="2026-02-01T00:30:00+12:30"),
    "rotated, current secret": header(ROTATED, SECRET),
    "rotated, secret before, within its grace": header(ROTATED, EARLIER),
    "past the grace, current secret": header(PAST_GRACE, SECRET),
    "the client's own": HmacCredentials(KEY, SECRET).header(NOW.timestamp()),
}
SIGNATURE = sign(SECRET, KEY, rfc3339(NOW))
STAMP = rfc3339(NOW)
INVALID = {
    # a field altered
    "another key": f"Bearer {ROTATED}:{SIGNATURE}:{STAMP}",
    "no partner's key": header("esk_" + "ee" * 16),
    "key in upper case": f"Bearer {KEY.upper()}:{SIGNATURE}:{STAMP}",
    "signature of another secret": header(secret="current-secret "),
    "signature altered": f"Bearer {KEY}:{'0' if SIGNATURE[0] != '0' else '1'}{SIGNATURE[1:]}:{STAMP}",
    "signature cut": f"Bearer {KEY}:{SIGNATURE[:-1]}:{STAMP}",
    "signature grown": f"Bearer {KEY}:{SIGNATURE}0:{STAMP}",
    "signature in upper case": f"Bearer {KEY}:{SIGNATURE.upper()}:{STAMP}",
    "signature with 0x": f"Bearer {KEY}:0x{SIGNATURE}:{STAMP}",
    "timestamp altered": f"Bearer {KEY}:{SIGNATURE}:{rfc3339(NOW + timedelta(seconds=1))}",
    "the same moment, written otherwise": f"Bearer {KEY}:{SIGNATURE}:2026-01-31T12:00:00+00:00",
    # time
    "301 s old": header(at=NOW - SKEW - timedelta(seconds=1)),
    "301 s ahead": header(at=NOW + SKEW + timedelta(seconds=1)),
    "a moment too old": header(at="2026-01-31T11:54:59.999999Z"),
    "a moment too far ahead": header(at="2026-01-31T12:05:00.000001Z"),
    "local time without an offset": header(at="2026-01-31T12:00:00"),
    "a date": header(at="2026-01-31"),
    "a week date": header(at="2026-W05-6T12:00:00Z"),
    "basic format": header(at="20260131T120000Z"),
    "a comma for a point": header(at="2026-01-31T12:00:00,5Z"),
    "a point with nothing behind": header(at="2026-01-31T12:00:00.Z"),
    "no seconds": header(at="2026-01-31T12:00Z"),
    "seconds since 1970": header(at=str(int(NOW.timestamp()))),
    "31 February": header(at="2026-02-31T12:00:00Z"),
    "24 hours": header(at="2026-01-30T24:00:00Z"),
    "year 0": header(at="0000-01-31T12:00:00Z"),
    "the first moment": header(at="0001-01-01T00:00:00+23:59"),
    "the last moment": header(at="9999-12-31T23:59:60.9-23:59"),
    "an offset of 24 hours": header(at="2026-02-01T12:00:00+24:00"),
    "an offset of 99 minutes": header(at="2026-01-31T13:39:00+00:99"),
    "an offset without a colon": header(at="2026-01-31T13:00:00+0100"),
    # keys
    "disabled": header(DISABLED),
    "rotated, a secret of long ago": header(ROTATED, LEAKED),
    "past the grace, secret before": header(PAST_GRACE, EARLIER),
    "the decoy": header(DECOY),
    # shape
    "empty": "",
    "scheme only": "Bearer",
    "scheme and a space": "Bearer ",
    "no scheme": header().removeprefix("Bearer "),
    "another scheme": header(scheme="Basic"),
    "a longer scheme": header(scheme="Bearers"),
    "a JWT": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    "two parts": f"Bearer {KEY}:{SIGNATURE}",
    "parts of nothing": "Bearer ::",
    "no key": f"Bearer :{sign(SECRET, '', STAMP)}:{STAMP}",
    "no signature": f"Bearer {KEY}::{STAMP}",
    "no timestamp": f"Bearer {KEY}:{sign(SECRET, KEY, '')}:",
    "colons in front": f"Bearer :::{KEY}:{SIGNATURE}:{STAMP}",
    "colons between": f"Bearer {KEY}::{SIGNATURE}:{STAMP}",
    "colons behind": f"Bearer {KEY}:{SIGNATURE}:{STAMP}:::",
    "signed with its colons behind": header(at=f"{STAMP}::"),
    "nothing but colons": "Bearer " + ":" * 400,
    "space in front": " " + header(),
    "space behind": header() + " ",
    "signed with its space behind": header(at=f"{STAMP} "),
    "space for T": header(at="2026-01-31 12:00:00Z"),
    "tab after the scheme": header().replace(" ", "\t"),
    "space before the key": f"Bearer {KEY} :{SIGNATURE}:{STAMP}",
    "newline behind": header() + "\n",
    "newline in the signature": f"Bearer {KEY}:{SIGNATURE}\n:{STAMP}",
    "NUL in the key": f"Bearer {KEY}\0:{SIGNATURE}:{STAMP}",
    "unicode in the scheme": header().replace("Bearer", "Bearﬀer"),
    "unicode in the key": header(f"{KEY}é"),
    "unicode in the signature": f"Bearer {KEY}:{SIGNATURE[:-1]}\u0660:{STAMP}",
    "unicode in the timestamp": header(at="\uff12\uff10\uff12\uff16-01-31T12:00:00Z"),
    "a letter that folds to ASCII": f"Bearer {KEY[:-1]}\u212a:{SIGNATURE}:{STAMP}",
    "a surrogate": f"Bearer {KEY}:{SIGNATURE}:\ud800",
    "as long as can be": f"Bearer {'k' * (LONGEST_HEADER - 10)}:s:t",
    "too long": header("k" * LONGEST_HEADER),
    "far too long": "Bearer " + "a:" * 500_000,
}


@pytest.mark.parametrize("token", VALID.values(), ids=VALID)
def test_a_partners_own_signature_lets_it_in(world: World, token: str) -> None:
    answer = world.ask(token)
    assert answer["principalId"] == Token.parse(token).api_key  # type: ignore[union-attr]  # it is valid


@pytest.mark.parametrize("token", INVALID.values(), ids=INVALID)
def test_anything_else_is_unauthorized(world: World, token: str) -> None:
    assert world.refuses(token)


def test_a_header_is_good_for_its_window_and_no_longer(world: World) -> None:
    token = header()
    for seconds, refused in ((-301, True), (-300, False), (0, False), (300, False), (301, True), (86_400, True)):
        world.moment = NOW + timedelta(seconds=seconds)
        assert world.refuses(token) is refused


def test_the_secret_before_is_good_until_its_grace_is_over(world: World) -> None:
    for seconds, refused in ((3600, False), (3601, True)):
        world.moment = NOW + timedelta(seconds=seconds)
        assert world.refuses(header(ROTATED, EARLIER, world.moment)) is refused
        assert not world.refuses(header(ROTATED, SECRET, world.moment))


# --- properties

ANY_TEXT = st.text(max_size=40)
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=80)


class Memory:
    """A table and a vault without AWS, for as many tries as it takes."""

    def __init__(self) -> None:
        self.secret = SECRET

    def get(self, api_key: str) -> Partner | None:
        return partner() if api_key == KEY else None

    def seal(self, api_key: str, secrets: Secrets) -> bytes:
        assert api_key == DECOY
        return secrets.current.encode()

    def open(self, api_key: str, sealed: bytes) -> Secrets:
        return Secrets(self.secret if api_key == KEY else sealed.decode())


def refused(token: str, at: datetime = NOW) -> bool:
    memory = Memory()
    try:
        PartnerAuthorization(memory, memory, clock=lambda: at).authorize(token)
    except RefusedError:
        return True
    return False


@given(st.one_of(ANY_TEXT, st.builds("Bearer {}:{}:{}".format, *[st.one_of(ANY_TEXT, PRINTABLE)] * 3)))
def test_whoever_has_no_secret_is_refused(token: str) -> None:
    assert refused(token)


@given(st.sampled_from([KEY, DECOY, "x"]), ANY_TEXT, st.datetimes(timezones=st.just(UTC)))
def test_whoever_has_another_secret_is_refused(api_key: str, secret: str, at: datetime) -> None:
    # HMAC fills a short key up with zeros: these are the same secret.
    assume(secret.rstrip("\0") != SECRET)
    token = header(api_key, secret, at)
    assert refused(token, at)


@given(st.data())
def test_a_valid_header_with_one_character_altered_is_refused(data: st.DataObject) -> None:
    token = header()
    assert not refused(token)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.one_of(st.characters(), st.sampled_from("0123456789abcdefABCDEF:. +-TZtz")))
    # Only the scheme's name may be in another case.
    assume(other != token[place] and not (place < len("Bearer") and other.lower() == token[place].lower()))
    assert refused(token[:place] + other + token[place + 1 :])


@given(st.data())
def test_a_valid_header_with_a_character_more_or_less_is_refused(data: st.DataObject) -> None:
    token = header()
    place = data.draw(st.integers(0, len(token) - 1))
    more = data.draw(st.characters())
    assume(not (token[place] == " " or token[place - 1] == " ") or more != " ")
    assert refused(token[:place] + more + token[place:])
    assert refused(token[:place] + token[place + 1 :])


@given(st.integers(-100_000, 100_000))
def test_only_a_signature_within_the_window_is_good(seconds: int) -> None:
    assert refused(header(at=NOW + timedelta(seconds=seconds))) is (abs(seconds) > 300)


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.integers(-23 * 60, 23 * 60),
)
def test_a_moment_is_the_same_at_every_offset(at: datetime, minutes: int) -> None:
    sign_, distance = ("-" if minutes < 0 else "+"), abs(minutes)
    local = (at + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    token = Token(KEY, "", f"{local}{sign_}{distance // 60:02}:{distance % 60:02}")
    assert token.moment() == at


# --- nothing to be learned

SAME = {
    "let in": header(),
    "wrong signature": header(secret="guess"),
    "unknown key": header("esk_" + "ee" * 16),
    "unknown key of no shape": header("x"),
    "stale": header(at=NOW - timedelta(hours=1)),
    "no timestamp at all": header(at="yesterday"),
    "disabled": header(DISABLED),
    "disabled, wrong signature": header(DISABLED, "guess"),
    "secret before": header(ROTATED, EARLIER),
    "secret before, past its grace": header(PAST_GRACE, EARLIER),
}


@pytest.mark.parametrize("token", SAME.values(), ids=SAME)
def test_every_header_of_the_right_shape_makes_the_same_calls(world: World, token: str) -> None:
    world.made_calls()
    world.refuses(token)
    read, decrypted = world.made_calls()
    api_key = token.split(" ")[1].split(":", maxsplit=1)[0]
    assert read == (
        "dynamodb:GetItem",
        {"TableName": "api-keys", "Key": {"api_key": {"S": api_key}}, "ConsistentRead": True},
    )
    operation, parameters = decrypted
    assert operation == "kms:Decrypt"
    # The same shape, the same key, and a ciphertext that really is one.
    assert parameters.keys() == {"KeyId", "CiphertextBlob", "EncryptionContext"}
    assert list(parameters["EncryptionContext"]) == ["api_key"]
    assert isinstance(parameters["CiphertextBlob"], bytes)
    assert parameters["CiphertextBlob"]


@pytest.mark.parametrize("token", SAME.values(), ids=SAME)
def test_every_header_of_the_right_shape_is_compared_twice_in_constant_time(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(expected: bytes, given_: bytes) -> bool:
        compared.append((len(expected), len(given_)))
        return compare_digest(expected, given_)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    world.refuses(token)
    assert compared == [(64, 64)] * 2


def test_the_first_call_of_an_environment_makes_the_same_calls_whatever_it_holds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "application", world.authorization)
    for token in (*SAME.values(), "", "Bearer x"):
        world.made_calls()
        world.refuses(token)
        made = [operation for operation, _ in world.made_calls()]
        calls = ["dynamodb:GetItem", "kms:Decrypt"] if token in SAME.values() else []
        assert made == ["kms:Encrypt", *calls]


def test_the_decoy_cannot_be_signed_for(world: World) -> None:
    # Even with the decoy's own secret: nobody is that partner.
    memory = Memory()
    memory.secret = SECRET
    authorization = PartnerAuthorization(memory, memory, clock=lambda: NOW)
    decoy = memory.open("x", authorization._decoy).current
    with pytest.raises(RefusedError, match="unknown key"):
        authorization.authorize(header("x", decoy))


def test_the_secrets_of_one_partner_are_of_no_use_to_another(world: World) -> None:
    table = ApiKeyTable(world.dynamodb, "api-keys")
    known = table.get(KEY)
    assert known is not None
    mallory = "esk_" + "66" * 16
    assert table.add(msgspec.structs.replace(known, api_key=mallory))
    try:
        with pytest.raises(world.kms.exceptions.InvalidCiphertextException):
            world.ask(header(mallory))
    finally:
        table.remove(mallory, known.usage_key)


# --- outages


@pytest.mark.parametrize("operation", ["dynamodb.GetItem", "kms.Decrypt"])
@pytest.mark.parametrize("token", [header(), header("x")], ids=["known", "unknown"])
def test_what_is_down_does_not_look_like_a_refusal(
    world: World, operation: str, token: str, log_lines: LogLines
) -> None:
    client = getattr(world, operation.split(".", maxsplit=1)[0])

    def down(**_: Any) -> None:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="https://aws.example")

    client.meta.events.register(f"before-call.{operation}", down, unique_id="down")
    try:
        with pytest.raises(botocore.exceptions.EndpointConnectionError):
            world.ask(token)
    finally:
        client.meta.events.unregister(f"before-call.{operation}", unique_id="down")
    [line] = log_lines()
    assert (line["level"], line["message"]) == ("ERROR", "failed")
    assert not world.refuses(header())


@pytest.fixture
def new_environment() -> Iterator[None]:
    """Nothing made yet by the handler, nor left behind."""

    def clear() -> None:
        for made in (application, clients.dynamodb, clients.kms):
            made.cache_clear()

    application = module.application
    clear()
    yield
    clear()


def test_an_environment_that_could_not_start_starts_with_the_next_call(
    new_environment: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Back to the real one.
    monkeypatch.undo()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("API_KEYS_TABLE", "api-keys")
    monkeypatch.setenv("PARTNER_KEY_ARN", world.key_arn.replace("key/", "key/0"))
    with pytest.raises(world.kms.exceptions.NotFoundException):
        world.ask(header())
    monkeypatch.setenv("PARTNER_KEY_ARN", world.key_arn)
    assert not world.refuses(header(at=datetime.now(UTC)))


# --- what is logged


def test_no_secret_signature_or_header_is_ever_logged(world: World, log_lines: LogLines) -> None:
    for token in (*SAME.values(), *INVALID.values()):
        world.refuses(token)
    logged = json.dumps(log_lines())
    assert "wrong signature" in logged
    for secret in (SECRET, EARLIER, LEAKED, "guess"):
        assert secret not in logged
    assert not re.search(r"[0-9a-fA-F]{64}", logged)
    assert STAMP not in logged
    assert "Bearer" not in logged


@pytest.mark.parametrize(
    ("token", "reason", "api_key"),
    [
        (header(secret="guess"), "wrong signature", KEY),
        (header(at=NOW - timedelta(hours=1)), "not now", KEY),
        (header(DISABLED), "disabled", DISABLED),
        (header("my-secret-in-the-wrong-place"), "unknown key", None),
        ("my-secret-in-the-wrong-place", "malformed", None),
    ],
)
def test_the_log_tells_operators_why(
    world: World, log_lines: LogLines, token: str, reason: str, api_key: str | None
) -> None:
    assert world.refuses(token)
    [line] = log_lines()
    assert line["reason"] == reason
    assert line.get("api_key") == api_key
    assert "my-secret" not in json.dumps(line)


def test_no_representation_shows_a_secret() -> None:
    shown = repr([Token.parse(header()), Secrets(SECRET, Previous(EARLIER, STAMP)), Previous(EARLIER, STAMP)])
    assert SECRET not in shown
    assert EARLIER not in shown
    assert SIGNATURE not in shown


# --- what the gateway is told


def test_handlers_are_told_who_calls_and_until_when(world: World) -> None:
    context = world.ask(header(at="2026-01-31T12:58:00.5+01:00"))["context"]
    assert context == {
        "api_key": KEY,
        "customer_id": "C1",
        "rate_limit_tier": "standard",
        "not_after": "2026-01-31T12:03:00Z",
    }
    caller = from_authorizer(context, clock=lambda: NOW + timedelta(seconds=180))
    assert (caller.principal, caller.customer_id) == (KEY, "C1")
    with pytest.raises(UnauthenticatedError):
        from_authorizer(context, clock=lambda: NOW + timedelta(seconds=181))


def test_the_gateway_counts_calls_on_the_usage_key_and_not_on_the_partners_own(world: World) -> None:
    answer = world.ask(header())
    assert answer["usageIdentifierKey"] == "u" * 40
    # facts/aws.md row 28
    assert re.fullmatch(r"[A-Za-z0-9]{20,128}", answer["usageIdentifierKey"])


def test_the_answer_is_one_that_the_gateway_takes(world: World) -> None:
    answer = world.ask(header())
    assert answer.keys() == {"principalId", "policyDocument", "context", "usageIdentifierKey"}
    assert answer["principalId"] == KEY
    assert all(isinstance(value, str) for value in answer["context"].values())
    assert json.loads(json.dumps(answer)) == answer


ASKED = [
    f"{route.method}{route.path.replace('{id}', 'tkt_0123456789ab')}"
    for route in ROUTES
    if route.authentication == "itsm-hmac"
]


@pytest.mark.parametrize("asked", ASKED)
def test_whichever_route_was_asked_first_the_cached_policy_is_right_for_all_and_only_them(
    world: World, asked: str
) -> None:
    stage = METHOD_ARN.split("/v1/", maxsplit=1)[0] + "/v1"
    [statement] = world.ask(header(), f"{stage}/{asked}")["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    for route in ROUTES:
        for id_ in ("tkt_0123456789ab", "x", "..%2F..%2Fitsm%2Ftickets", "*", "a/b", "itsm/tickets", "/itsm/tickets/x"):
            arn = f"{stage}/{route.method}{route.path.replace('{id}', id_)}"
            assert allows(statement, arn) is (route.authentication == "itsm-hmac"), arn


@pytest.mark.parametrize(
    "arn",
    [
        METHOD_ARN.replace("/v1/", "/v2/"),
        METHOD_ARN.replace("a1b2c3d4e5", "f6g7h8i9j0"),
        METHOD_ARN.replace("123456789012", "210987654321"),
        METHOD_ARN.replace("eu-west-1", "eu-west-2"),
        METHOD_ARN.replace("GET", "DELETE"),
        METHOD_ARN.replace("GET", "POST"),
        METHOD_ARN.replace("/itsm/", "/"),
        METHOD_ARN.replace("/itsm/", "/x/itsm/"),
        METHOD_ARN.replace("/itsm/", "/ITSM/"),
        METHOD_ARN.replace("GET/itsm/tickets/tkt_0123456789ab", "GET/itsm/tickets"),
    ],
)
def test_a_cached_policy_allows_nothing_else(world: World, arn: str) -> None:
    [statement] = world.ask(header())["policyDocument"]["Statement"]
    assert allows(statement, METHOD_ARN)
    assert not allows(statement, arn)


def test_every_route_below_itsm_is_a_partners_because_a_wildcard_reaches_deeper(world: World) -> None:
    [statement] = world.ask(header())["policyDocument"]["Statement"]
    assert allows(statement, f"{METHOD_ARN}/solution/and/deeper")
    assert {route.authentication for route in ROUTES if route.path.startswith("/itsm")} == {"itsm-hmac"}
    assert not [route.path for route in ROUTES if route.authentication != "itsm-hmac" and "itsm" in route.path]


def allows(statement: dict[str, Any], arn: str) -> bool:
    """As IAM judges: ``*`` is any text, slashes included, and ``?`` any character."""
    patterns = [re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in statement["Resource"]]
    return any(re.fullmatch(pattern, arn, re.DOTALL) for pattern in patterns)
