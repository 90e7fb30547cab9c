"""Calls of the emulator's services in somebody's name: signed, so that its IAM judges them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from yarl import URL

from harness import aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientSession
    from multidict import CIMultiDictProxy

ROOT: Final = Credentials(aws.ROOT_ACCESS_KEY, aws.ROOT_ACCESS_KEY)
"""The emulator's administrator, whom its IAM lets do anything."""
_RENEWED_BEFORE: Final = 15 * 60
"""Seconds that credentials must still be good for."""


class RoleError(Exception):
    """A role that cannot be assumed by the service it is for."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class _Session:
    credentials: Credentials
    expires: float


@dataclass
class Emulator:
    """The emulator at ``url``, for calls in ``region``."""

    session: ClientSession
    url: str
    region: str
    _assumed: dict[tuple[str, str], _Session] = field(default_factory=dict)
    _assuming: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def credentials(self, role: str, service: str) -> Credentials:
        """Credentials of the role with that ARN, as ``service`` (``apigateway.amazonaws.com``) gets them.

        Raises:
            RoleError: there is no such role, or it does not trust the service.
        """
        async with self._assuming:
            known = self._assumed.get((role, service))
            if known is None or known.expires - time.time() < _RENEWED_BEFORE:
                try:
                    known = await asyncio.to_thread(self._assume, role, service)
                except (ClientError, BotoCoreError) as error:
                    raise RoleError(f"{role} cannot be assumed by {service}: {error}") from error
                self._assumed[role, service] = known
            return known.credentials

    async def call(
        self, service: str, credentials: Credentials, *, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """Send a request of ``service``'s API; ``path`` is percent-encoded.

        Raises:
            aiohttp.ClientError: no answer.
        """
        url = URL(self.url + path, encoded=True)
        request = AWSRequest(method=method, url=str(url), data=body, headers=dict(headers))
        # It reads the clock and computes an HMAC, and touches nothing else.
        SigV4Auth(credentials, service, self.region).add_auth(request)
        async with self.session.request(method, url, data=body, headers=dict(request.headers)) as response:
            return Reply(status=response.status, headers=response.headers, body=await response.read())

    def _assume(self, role: str, service: str) -> _Session:
        iam, sts = self._client("iam"), self._client("sts")
        trust = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
        # The emulator lets its root assume a role that trusts any service; AWS asks for this one.
        if service not in _trusted(trust):
            raise RoleError(f"{role} does not trust {service}")
        assumed = sts.assume_role(RoleArn=role, RoleSessionName=service.partition(".")[0])["Credentials"]
        credentials = Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
        return _Session(credentials, assumed["Expiration"].timestamp())

    def _client(self, service: str) -> Any:
        return aws.session(self.region).client(service, endpoint_url=self.url, config=aws.config())  # type: ignore[call-overload]  # any name


def _trusted(document: Mapping[str, Any]) -> set[str]:
    """The services that a trust policy names."""
    statements = document["Statement"]
    named: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        services = (statement.get("Principal") or {}).get("Service", [])
        named |= {services} if isinstance(services, str) else set(services)
    return named
