"""Status and headers of a streamed HTTP response, in the form that API Gateway and function URLs read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from streaming.failures import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONTENT_TYPE: Final = "application/vnd.awslambda.http-integration-response"
"""Says that a prelude goes before the body."""
DELIMITER: Final = bytes(8)
"""Ends the prelude. JSON escapes NUL, so it never stands inside."""
LIMIT: Final = 16_384
"""Bytes within which the delimiter must have come (API Gateway developer guide, "Lambda proxy integration format for
response streaming")."""
_DEFAULT_HEADERS: Final = {"Content-Type": "application/octet-stream"}


class PreludeError(RuntimeFault):
    """Status or headers are such that the gateway would answer 500 in their place."""


@dataclass(frozen=True)
class Prelude:
    """Status and headers, which a handler yields before its first chunk.

    It is sent at once: from then on an error can no longer change the status.

    Raises:
        PreludeError: the status is no HTTP status, or a header holds a line end.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_HEADERS))
    cookies: Sequence[str] = ()
    """Values for ``Set-Cookie``, one for each."""
    multi_value_headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """API Gateway only: headers that come several times; they win over ``headers`` of the same name."""

    def __post_init__(self) -> None:
        status: object = self.status  # a proxy answer may hold anything
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise PreludeError(f"{status!r} is no HTTP status: use an integer from 100 to 599")
        for name, value in self._lines():
            if not isinstance(value, str) or any(end in name + value for end in "\r\n"):
                raise PreludeError(f"the header {name!r} has the value {value!r}: use a string without line ends")

    def encode(self) -> bytes:
        """The bytes that go before the body, with the delimiter.

        Raises:
            PreludeError: they are more than :data:`LIMIT`.
        """
        document: dict[str, object] = {"statusCode": self.status, "headers": dict(self.headers)}
        if self.multi_value_headers:
            document["multiValueHeaders"] = {name: list(values) for name, values in self.multi_value_headers.items()}
        if self.cookies:
            document["cookies"] = list(self.cookies)
        encoded = json.dumps(document, separators=(",", ":")).encode() + DELIMITER
        if len(encoded) > LIMIT:
            raise PreludeError(
                f"status and headers take {len(encoded):,} bytes with their delimiter, the limit is {LIMIT:,}: "
                "send shorter or fewer headers and cookies"
            )
        return encoded

    def _lines(self) -> Iterator[tuple[str, object]]:
        yield from self.headers.items()
        yield from ((name, value) for name, values in self.multi_value_headers.items() for value in values)
        yield from (("Set-Cookie", cookie) for cookie in self.cookies)
