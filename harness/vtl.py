"""API Gateway's mapping templates: a VTL engine, and around it the variables that the gateway offers.

Engine: `airspeed-ext`, LocalStack's, which follows API Gateway where that differs from Apache Velocity. The variables
are those of the API Gateway developer guide, "Mapping template variable reference". What a caller sent is a value of
such a variable and never part of a template, so nothing in it is evaluated.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, unquote_plus

from airspeed import Template, TemplateError, operators  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH_STEP: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_JAVASCRIPT: Final = {
    "'": r"\'",
    '"': r"\"",
    "\\": r"\\",
    "/": r"\/",
    "\b": r"\b",
    "\n": r"\n",
    "\t": r"\t",
    "\f": r"\f",
    "\r": r"\r",
}


class VtlError(Exception):
    """A template that cannot be rendered; the gateway answers 500 to whoever called."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a request holds beside its body: one value a name, the last one where there are several."""

    path: Mapping[str, str] = field(default_factory=dict)
    querystring: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A template's text, and what it set in ``$context.responseOverride``."""

    text: str
    status: int | None
    headers: Mapping[str, str]


def render(
    template: str,
    *,
    body: str = "",
    parameters: Parameters | None = None,
    context: Mapping[str, object] | None = None,
    stage_variables: Mapping[str, str] | None = None,
) -> Rendered:
    """Render a mapping template as API Gateway does.

    Args:
        template: VTL.
        body: the request's, or the integration's answer: ``$input``.
        parameters: the request's: ``$input.params``, in both directions.
        context: ``$context``.
        stage_variables: ``$stageVariables``.

    Raises:
        VtlError: the template is no VTL, or asks a variable for what it cannot do.
    """
    override: dict[str, Any] = {"header": {}}
    namespace = {
        "input": _Input(body, parameters or Parameters()),
        "util": _UTIL,
        "context": {**(context or {}), "responseOverride": override},
        "stageVariables": dict(stage_variables or {}),
    }
    try:
        text = _compiled(template).merge(namespace)
        status = override.get("status")
        return Rendered(
            text=text,
            status=None if status is None else int(status),
            headers={name: str(value) for name, value in override["header"].items()},
        )
    except VtlError:
        raise
    except (TemplateError, TypeError, ValueError) as error:
        raise VtlError(str(error)) from error


@functools.lru_cache(maxsize=64)
def _compiled(template: str) -> Any:
    return Template(template)


class _Input:
    """``$input``. Its methods have the names that templates use."""

    def __init__(self, body: str, parameters: Parameters) -> None:
        self.body = body
        self._parameters = {
            "path": dict(parameters.path),
            "querystring": dict(parameters.querystring),
            "header": dict(parameters.header),
        }

    def params(self, name: str | None = None) -> object:
        """All parameters by place; or one, looked for in path, query and headers, in this order."""
        if name is None:
            return self._parameters
        return next((found[name] for found in self._parameters.values() if name in found), None)

    def path(self, expression: str) -> object:
        """What a JSONPath finds, as an object; null for nothing."""
        return _find(self._document, expression)

    def json(self, expression: str) -> str:
        """What a JSONPath finds, as JSON; an empty string for nothing."""
        found = _find(self._document, expression)
        return '""' if found is None else json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    @functools.cached_property
    def _document(self) -> object:
        # A body that is no JSON is a string to the gateway.
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return self.body


def _escape_javascript(text: object) -> str:
    """As in Apache Commons Lang: a single quote becomes ``\\'``, which JSON does not know."""
    escaped = "".join(_JAVASCRIPT.get(letter) or letter for letter in _text(text))
    units = escaped.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if " " <= chr(code) <= "\x7f" else f"\\u{code:04X}" for code in codes)


def _url_encode(text: object) -> str:
    """As Java's ``URLEncoder``: for forms, so a blank becomes ``+``."""
    return quote_plus(_text(text), safe="*", errors="replace").replace("~", "%7E")


_UTIL: Final = {
    "escapeJavaScript": _escape_javascript,
    "parseJson": lambda text: json.loads(_text(text)),
    "urlEncode": _url_encode,
    "urlDecode": lambda text: unquote_plus(_text(text)),
    "base64Encode": lambda text: base64.b64encode(_text(text).encode(errors="replace")).decode(),
    "base64Decode": lambda text: base64.b64decode(_text(text)).decode(errors="replace"),
}
"""``$util``."""


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(operators.value_to_string(value))


def _find(document: object, expression: str) -> object:
    """A JSONPath of members and indexes. The gateway knows more of it; our templates do not ask for more."""
    if not expression.startswith("$"):
        raise VtlError(f"the JSONPath {expression!r} does not begin with $")
    found, at = document, 1
    while at < len(expression):
        step = _PATH_STEP.match(expression, at)
        if step is None:
            raise VtlError(f"the JSONPath {expression!r} has more than members and indexes")
        at = step.end()
        if step[2] is not None:
            index = int(step[2])
            found = found[index] if isinstance(found, list) and index < len(found) else None
        else:
            name = step[1] or step[3] or step[4] or ""
            found = found.get(name) if isinstance(found, dict) else None
    return found
