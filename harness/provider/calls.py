"""Calls to AWS (here: to the emulator), with clients made once and errors on one line."""

from __future__ import annotations

import functools
import os
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from harness.provider.shapes import LOADER, LOADING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3
    from botocore.client import BaseClient

ENDPOINT_VARIABLE = "HARNESS_AWS_ENDPOINT"
"""Environment variable: the emulator's URL. Absent: the provider is offline and serves previews only."""
API_URL_VARIABLE = "HARNESS_API_URL"
"""Environment variable: the URL of what stands before the emulator's REST APIs. Absent: nothing does."""
ACCESS_KEY_VARIABLE = "HARNESS_AWS_ACCESS_KEY_ID"
"""Environment variable: the access key of an account of the emulator, in place of its root's."""
PACKAGE_VARIABLE = "HARNESS_PROVIDER_PACKAGE"
"""Environment variable: the Pulumi package that the process serves, `aws` if absent."""


class ProviderError(Exception):
    """Something the user can be told in one line; it is all the user sees."""


class AwsError(ProviderError):
    """A call that AWS refused."""

    def __init__(self, service: str, operation: str, code: str, message: str) -> None:
        super().__init__(f"{service} {operation}: {code}: {' '.join(message.split())}")
        self.code = code
        self.message = message


class OfflineError(ProviderError):
    """A call was needed and there is nothing to call."""

    def __init__(self) -> None:
        super().__init__(
            f"the local aws provider is offline ({ENDPOINT_VARIABLE} is not set), so it can only preview; "
            "start the local stack with `harness up`, or use the official aws provider for a real deployment"
        )


class Clients:
    """boto3 clients by service and region, each made once. Safe to use from many threads."""

    def __init__(self, endpoint: str, credentials: dict[str, str]) -> None:
        self.endpoint = endpoint
        self._credentials = credentials
        self._clients: dict[tuple[str, str], BaseClient] = {}

    def get(self, service: str, region: str) -> BaseClient:
        """The client of one service in one region."""
        with LOADING:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self._make(service, region)
        return client

    def _make(self, service: str, region: str) -> BaseClient:
        from botocore.config import Config  # noqa: PLC0415 - the process is ready before boto3 is loaded

        config = Config(
            retries={"total_max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
            # A synchronous invocation may take the function's 15 minutes.
            read_timeout=910 if service == "lambda" else 60,
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        )
        # mypy: the stubs know the service only as a literal
        client: BaseClient = _session().client(  # type: ignore[call-overload]
            service, region_name=region, endpoint_url=self.endpoint, config=config, **self._credentials
        )
        return client


@functools.cache
def _session() -> boto3.Session:
    import boto3  # noqa: PLC0415 - as above
    from botocore.session import Session  # noqa: PLC0415

    core = Session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(botocore_session=core)


@dataclass(frozen=True)
class Aws:
    """One service in one region, for one provider configuration."""

    service: str
    region: str
    account: str
    partition: str
    clients: Clients | None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation by its name in AWS's API reference. Parameters that are None are not sent.

        Raises:
            AwsError: AWS refused it, or could not be reached.
            OfflineError: there is no endpoint.
        """
        if self.clients is None:
            raise OfflineError
        client = self.clients.get(self.service, self.region)
        given = {name: value for name, value in params.items() if value is not None}
        try:
            response: dict[str, Any] = getattr(client, xform_name(operation))(**given)
        except ClientError as error:
            detail = error.response.get("Error", {})
            raise AwsError(
                self.service, operation, detail.get("Code", "Unknown"), detail.get("Message", str(error))
            ) from error
        except BotoCoreError as error:
            raise AwsError(self.service, operation, type(error).__name__, str(error)) from error
        return response

    def pages(self, operation: str, key: str, **params: Any) -> Iterator[Any]:
        """Every item of a paginated operation's list `key`."""
        token: dict[str, str] = {}
        while True:
            page = self(operation, **params, **token)
            yield from page.get(key) or []
            following = next((name for name in _TOKENS if page.get(name)), None)
            if following is None:
                return
            token = {_TOKENS[following]: page[following]}

    def of(self, service: str) -> Aws:
        """Another service, same region and account."""
        return replace(self, service=service)

    def wait(self, ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Ask `ready` ten times a second until it says yes.

        Raises:
            ProviderError: it did not within `seconds`, or the engine was told to stop.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.cancelled.wait(0.1):
                raise ProviderError(f"{what}: stopped waiting, the run was cancelled")
            if time.monotonic() > deadline:
                raise ProviderError(f"{what}: not within {seconds:g} s")

    def url(self, path: str) -> str:
        """Where the emulator serves what AWS would serve under a host name of its own.

        Raises:
            OfflineError: there is no endpoint.
        """
        if self.clients is None:
            raise OfflineError
        return f"{self.clients.endpoint}{path}"

    def api_url(self, path: str) -> str:
        """Where a REST API is called: through what stands before the emulator, if anything does.

        Raises:
            OfflineError: there is no endpoint.
        """
        front = os.environ.get(API_URL_VARIABLE)
        return f"{front.rstrip('/')}{path}" if front and self.clients is not None else self.url(path)

    def arn(self, resource: str, service: str = "", *, account: bool = True, region: bool = True) -> str:
        """An ARN in this account and region."""
        place = f"{self.region if region else ''}:{self.account if account else ''}"
        return f"arn:{self.partition}:{service or self.service}:{place}:{resource}"


_TOKENS = {
    "NextToken": "NextToken",
    "nextToken": "nextToken",
    "NextMarker": "Marker",
    "Marker": "Marker",
    "position": "position",
}


def credentials() -> dict[str, str]:
    """Keys for the emulator: its root key, or that of another of its accounts. Never the user's own AWS credentials."""
    return {
        "aws_access_key_id": os.environ.get(ACCESS_KEY_VARIABLE, "test"),
        "aws_secret_access_key": "test",
    }
