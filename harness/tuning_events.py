"""Events to call a function with for measuring it: calls of the API that change nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from harness import demonstration
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ROUTES: Final = {
    "list_tickets": ("GET", "/tickets"),
    "get_ticket": ("GET", "/tickets/{id}"),
    "get_solution": ("GET", "/tickets/{id}/solution"),
    "kb_search": ("POST", "/kb/search"),
}
"""Functions that can be called as often as one likes."""


def of(function: str, *, ticket_id: str | None) -> Mapping[str, Any]:
    """A call of the demonstration's customer.

    Raises:
        HarnessError: the function changes something, or needs a ticket and none is given.
    """
    if function not in _ROUTES:
        raise HarnessError(
            f"There is no event to call {function} with: what it does would be done again and again.",
            "Give one that does no harm by --event FILE (JSON, as Lambda hands it to the function).",
        )
    method, resource = _ROUTES[function]
    if "{id}" in resource and ticket_id is None:
        raise HarnessError(
            f"{function} needs a ticket to show.",
            f"Give the id of one of customer {demonstration.CUSTOMER_ID} by --ticket, or an event by --event FILE.",
        )
    claims = {"sub": "harness-tune", "cognito:groups": "customer", "custom:customer_id": demonstration.CUSTOMER_ID}
    return {
        "resource": resource,
        "path": resource.replace("{id}", ticket_id or ""),
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "pathParameters": {"id": ticket_id} if "{id}" in resource else None,
        "queryStringParameters": None,
        "requestContext": {"requestId": "harness-tune", "authorizer": {"claims": claims}},
        "body": json.dumps({"query": demonstration.REQUEST["symptom_text"]}) if method == "POST" else None,
        "isBase64Encoded": False,
    }


def read(file: Path) -> Mapping[str, Any]:
    """An event from a file.

    Raises:
        HarnessError: it cannot be read as a JSON object.
    """
    try:
        event = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise HarnessError(f"{file} holds no event: {error}", "Give a file with one JSON object.") from error
    if not isinstance(event, dict):
        raise HarnessError(f"{file} holds no event.", "Give a file with one JSON object.")
    return event
