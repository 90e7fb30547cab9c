"""Who calls (spec section 2). No representation of these shows what must stay secret."""

from __future__ import annotations

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from energy_support_client import answers
from energy_support_client.errors import EnergySupportError, MalformedAnswerError, SignInError
from energy_support_client.operations import checked_url
from energy_support_client.steps import Answer, Flow, Outcome, Request, Send

if TYPE_CHECKING:
    from energy_support_client.retries import Timing

_TOKEN: Final = re.compile(r"[!-~]+")
"""What can stand in a header. What cannot is refused here: a library's own message would show it."""
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
SIGNATURE_SECONDS: Final = 60
"""How long a partner's signature is used. The service takes it for 300 s and remembers its verdict on it, so that calls
with the same one are answered sooner; the rest is left for clocks that differ."""
RENEWAL_SECONDS: Final = 60
"""How long before its end a token is renewed."""


class Credentials(ABC):
    """Something that says who calls. May be shared between clients, threads and tasks."""

    @abstractmethod
    def header(self, now: float) -> str | None:
        """The Authorization header at ``now``, in seconds since the epoch; None when one must be signed in for."""

    def sign_in(self, before: Send, timing: Timing) -> Flow[str]:  # noqa: ARG002 - for those that can
        """The header, got in one try within the limits of the step that it goes ``before``.

        Raises :class:`SignInError`. A client has one such flow at work at a time.
        """
        raise SignInError("These credentials cannot be renewed.")


class StaticToken(Credentials):
    """An ID token of the user pool that somebody else looks after."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {_printable(token, 'a token')}"

    def header(self, now: float) -> str:  # noqa: ARG002 - it does not change
        return self._header


class HmacCredentials(Credentials):
    """An ITSM partner's key: ``Bearer api_key:signature:timestamp``, for the ``itsm_`` methods."""

    def __init__(self, api_key: str, secret: str) -> None:
        self._api_key = _printable(api_key, "an API key")
        self._secret = secret.encode()
        self._signed = (float("-inf"), "")

    def header(self, now: float) -> str:
        signed_at, header = self._signed
        if not signed_at <= now < signed_at + SIGNATURE_SECONDS:
            header = self._sign(now)
            self._signed = (now, header)
        return header

    def _sign(self, now: float) -> str:
        timestamp = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = hmac.new(self._secret, f"{self._api_key}:{timestamp}".encode(), hashlib.sha256).hexdigest()
        return f"Bearer {self._api_key}:{signature}:{timestamp}"


class _Tokens(Struct, frozen=True, rename="pascal"):
    id_token: str
    expires_in: float
    refresh_token: str | UnsetType = UNSET


class _Authentication(Struct, frozen=True, rename="pascal"):
    """What InitiateAuth answers."""

    authentication_result: _Tokens | UnsetType = UNSET
    challenge_name: str = ""


class _Refusal(Struct, frozen=True):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""


class CognitoCredentials(Credentials):
    """A user of the pool, by name and password.

    The app client must allow USER_PASSWORD_AUTH and have no secret, and the user no second factor: there is nobody to
    ask for it. The ID token is renewed before it ends, with the refresh token as long as that is good.
    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html
    """

    def __init__(
        self, *, client_id: str, username: str, password: str, region: str | None = None, endpoint: str | None = None
    ) -> None:
        """``region`` of the user pool, or ``endpoint``, the whole address, where it is not AWS's usual one."""
        if (region is None) == (endpoint is None):
            raise ValueError("give either a region or an endpoint")
        if region is not None and not _REGION.fullmatch(region):
            raise ValueError("region is a name such as eu-central-1")
        self._endpoint = checked_url(endpoint or f"https://cognito-idp.{region}.amazonaws.com") + "/"
        self._client_id = client_id
        self._username = username
        self._password = password
        self._header = ""
        self._renew_at = float("-inf")
        self._refresh_token: str | UnsetType = UNSET

    def header(self, now: float) -> str | None:
        return self._header if now < self._renew_at else None

    def sign_in(self, before: Send, timing: Timing) -> Flow[str]:
        if self._refresh_token is not UNSET:
            try:
                return (
                    yield from self._initiate("REFRESH_TOKEN_AUTH", before, timing, REFRESH_TOKEN=self._refresh_token)
                )
            except SignInError as error:
                if error.retryable:
                    raise
                self._refresh_token = UNSET
        user = {"USERNAME": self._username, "PASSWORD": self._password}
        return (yield from self._initiate("USER_PASSWORD_AUTH", before, timing, **user))

    def _initiate(self, auth_flow: str, before: Send, timing: Timing, **parameters: str) -> Flow[str]:
        body = {"AuthFlow": auth_flow, "ClientId": self._client_id, "AuthParameters": parameters}
        request = Request(
            method="POST",
            url=self._endpoint,
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
            },
            content=msgspec.json.encode(body),
        )
        asked_at = timing.now()
        tokens = _tokens((yield replace(before, request=request, delay=0.0, signed=False, stream=False)))
        self._header = f"Bearer {tokens.id_token}"
        if tokens.refresh_token is not UNSET:
            self._refresh_token = tokens.refresh_token
        # A token that lives for less than two margins is used for half its life.
        self._renew_at = asked_at + tokens.expires_in - min(RENEWAL_SECONDS, tokens.expires_in / 2)
        return self._header


def _tokens(outcome: Outcome) -> _Tokens:
    """What Cognito gave; raises :class:`SignInError`, retryable where another try may help."""
    if isinstance(outcome, EnergySupportError):
        raise _sign_in_error(f"Cognito did not answer: {outcome}", retryable=outcome.retryable) from outcome
    if outcome.status != 200:
        raise _refused(outcome)
    try:
        answer = answers.decode(outcome.content, _Authentication)
    except MalformedAnswerError:
        # Without the cause: its frames hold the tokens.
        raise SignInError("Cognito gave an answer that cannot be read.") from None
    if answer.authentication_result is UNSET:
        raise SignInError(f"Cognito asks for {answer.challenge_name}, which needs a person.")
    if not _TOKEN.fullmatch(answer.authentication_result.id_token):
        raise SignInError("Cognito gave something that is no token.")
    return answer.authentication_result


def _refused(answer: Answer) -> SignInError:
    try:
        refusal = answers.decode(answer.content, _Refusal)
    except MalformedAnswerError:
        refusal = _Refusal()
    code = refusal.type.rpartition("#")[2] or f"HTTP {answer.status}"
    throttled = code in {"TooManyRequestsException", "LimitExceededException"}
    message = f"Cognito says {code}" + (f": {refusal.message}" if refusal.message else "")
    return _sign_in_error(message, retryable=throttled or answer.status == 429 or answer.status >= 500)


def _sign_in_error(message: str, *, retryable: bool) -> SignInError:
    error = SignInError(message)
    error.retryable = retryable
    return error


def _printable(value: str, what: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{what} is printable ASCII without spaces")
    return value
