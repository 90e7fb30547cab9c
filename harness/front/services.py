"""Integrations with a service of AWS: a template makes its request, another one shows its answer."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp

from harness import vtl
from harness.front.emulator import RoleError
from harness.front.handover import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.front.emulator import Emulator, Reply
    from harness.front.handover import FailureKind, HandOver, Integration, IntegrationResponse

_GATEWAY: Final = "apigateway.amazonaws.com"
_JSON: Final = "application/json"
_URI: Final = re.compile(r"arn:[^:]+:apigateway:[^:]+:(?P<service>[^:]+):(?P<kind>action|path)/(?P<rest>.+)")
_TARGETS: Final = {"dynamodb": "DynamoDB_20120810"}
"""Service -> prefix of ``X-Amz-Target``, for URIs that end in ``action/<name>``."""
_LITERAL: Final = re.compile("'(.*)'", re.DOTALL)


class MisconfiguredError(Exception):
    """The API names what is not there, or what the front does not know."""


async def finish(handed: HandOver, emulator: Emulator) -> Answer:
    """The answer to a request that a service of AWS answers; it never fails but in the API's own words."""
    try:
        async with asyncio.timeout(handed.integration.timeout_in_millis / 1000):
            reply = await _call(handed, emulator)
        return _shown(handed, reply)
    except (MisconfiguredError, RoleError, vtl.VtlError) as error:
        return _failed(handed, "API_CONFIGURATION_ERROR", error)
    except TimeoutError as error:
        return _failed(handed, "INTEGRATION_TIMEOUT", error)
    except aiohttp.ClientError as error:
        return _failed(handed, "INTEGRATION_FAILURE", error)


def _failed(handed: HandOver, kind: FailureKind, error: Exception) -> Answer:
    """The log is the front's own: AWS writes as much into the execution log."""
    print(f"{handed.request_id} {kind}: {error!r}", flush=True)
    return handed.failures[kind]


async def _call(handed: HandOver, emulator: Emulator) -> Reply:
    integration = handed.integration
    uri = _URI.fullmatch(integration.uri)
    if uri is None:
        raise MisconfiguredError(f"the URI {integration.uri} is no service's")
    if integration.credentials is None:
        raise MisconfiguredError("the integration has no role")
    rendered = _render(_request_template(handed), handed, handed.event["body"] or "")
    headers = {"Content-Type": _JSON, "Accept": _JSON, **_mapped_headers(handed)}
    if uri["kind"] == "action":
        if uri["service"] not in _TARGETS:
            raise MisconfiguredError(f"the front knows no actions of {uri['service']}")
        headers |= {
            "X-Amz-Target": f"{_TARGETS[uri['service']]}.{uri['rest']}",
            "Content-Type": "application/x-amz-json-1.0",
        }
    return await emulator.call(
        uri["service"],
        await emulator.credentials(integration.credentials, _GATEWAY),
        method=integration.http_method,
        path="/" if uri["kind"] == "action" else f"/{quote(uri['rest'])}",
        headers=headers,
        body=rendered.text.encode(errors="replace"),
    )


def _shown(handed: HandOver, reply: Reply) -> Answer:
    """The integration response that the service's status selects, rendered."""
    response = _selected(handed.integration, reply.status)
    body = reply.body.decode(errors="replace")
    headers = {"Content-Type": _JSON, "x-amzn-RequestId": handed.request_id}
    for target, source in response.response_parameters.items():
        value = _value(source, handed, reply)
        if value is not None:
            headers[target.removeprefix("method.response.header.")] = value
    template = _response_template(handed, response)
    if template is None:
        return Answer(status=int(response.status_code), headers=headers, body=body)
    rendered = _render(template, handed, body)
    # Names are compared as HTTP does: an override of content-type replaces Content-Type.
    replaced = {name.lower() for name in rendered.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in replaced}
    return Answer(
        status=rendered.status or int(response.status_code), headers=kept | dict(rendered.headers), body=rendered.text
    )


def _selected(integration: Integration, status: int) -> IntegrationResponse:
    responses = integration.integration_responses.values()
    for response in responses:
        if response.selection_pattern and re.fullmatch(response.selection_pattern, str(status)):
            return response
    for response in responses:
        if not response.selection_pattern:
            return response
    raise MisconfiguredError(f"no integration response is for status {status}")


def _render(template: str, handed: HandOver, body: str) -> vtl.Rendered:
    event = handed.event
    parameters = vtl.Parameters(
        path=event["pathParameters"] or {},
        querystring=event["queryStringParameters"] or {},
        header=event["headers"] or {},
    )
    return vtl.render(
        template,
        body=body,
        parameters=parameters,
        context=event["requestContext"],
        stage_variables=event["stageVariables"],
    )


def _request_template(handed: HandOver) -> str:
    """The template for the body's media type; the gateway has refused types without one."""
    media_type = _media_type(_header(handed.event, "content-type") or _JSON)
    for known, template in handed.integration.request_templates.items():
        if _media_type(known) == media_type:
            return template
    raise MisconfiguredError(f"there is no request template for {media_type}")


def _response_template(handed: HandOver, response: IntegrationResponse) -> str | None:
    """The template for the media type that the caller wants most, else that for JSON."""
    templates = response.response_templates
    wanted = _media_type((_header(handed.event, "accept") or _JSON).partition(",")[0])
    return templates.get(wanted, templates.get(_JSON))


def _mapped_headers(handed: HandOver) -> dict[str, str]:
    headers: dict[str, str] = {}
    for target, source in handed.integration.request_parameters.items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        value = _value(source, handed, None)
        if place != "header":
            raise MisconfiguredError(f"the front maps headers only, not {target}")
        if value is not None:
            headers[name] = value
    return headers


def _value(source: str, handed: HandOver, reply: Reply | None) -> str | None:
    """What a mapping expression stands for; None if it is not there."""
    if literal := _LITERAL.fullmatch(source):
        return literal[1]
    event = handed.event
    places: dict[str, Mapping[str, Any]] = {
        "method.request.header.": {name.lower(): value for name, value in (event["headers"] or {}).items()},
        "method.request.querystring.": event["queryStringParameters"] or {},
        "method.request.path.": event["pathParameters"] or {},
        "context.": event["requestContext"],
        "stageVariables.": event["stageVariables"] or {},
        "integration.response.header.": {} if reply is None else reply.headers,
    }
    for prefix, values in places.items():
        if source.startswith(prefix):
            name = source.removeprefix(prefix)
            found = values.get(name.lower() if ".header." in prefix else name)
            return None if found is None else str(found)
    raise MisconfiguredError(f"the front does not know the mapping {source}")


def _header(event: Mapping[str, Any], name: str) -> str | None:
    return next((str(value) for known, value in (event["headers"] or {}).items() if known.lower() == name), None)


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()
