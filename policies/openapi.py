"""The OpenAPI document of a REST API, with API Gateway's extensions, as rules read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, json_object
from policies.links import function_names
from policies.values import Unknown, look_up, many, unknowns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.values import Resource, Value

INTEGRATION: Final = "x-amazon-apigateway-integration"
AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
VALIDATOR: Final = "x-amazon-apigateway-request-validator"
_AUTHENTICATION: Final = "x-amazon-apigateway-auth"
_AUTHENTICATION_TYPE: Final = "x-amazon-apigateway-authtype"
_ANY: Final = "x-amazon-apigateway-any-method"
_VERBS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", _ANY})
_WITH_BODY: Final = frozenset({"post", "put", "patch", _ANY})


def document(api: Resource) -> Mapping[str, Value] | Problem | Unknown | None:
    """The document that an API is made from; None if its methods are resources of their own."""
    body = look_up(api, "body").value
    if body is None:
        return None
    read = json_object(body, "body")
    if isinstance(read, Mapping):
        return next(unknowns(read), read)
    return read


@dataclass(frozen=True)
class Call:
    """Something of an API that calls a backend: an integration or an authorizer."""

    path: str
    definition: Mapping[str, Value]

    @property
    def streams(self) -> bool:
        """Whether the answer is passed on as it comes."""
        return self.definition.get("responseTransferMode") == "STREAM"

    @property
    def is_mock(self) -> bool:
        """Whether the gateway answers itself, and nothing is called."""
        return str(self.definition.get("type")).lower() == "mock"

    @property
    def uri(self) -> str:
        """What is called."""
        return str(self.definition.get("uri") or self.definition.get("authorizerUri") or "")

    @property
    def is_authorizer(self) -> bool:
        """Whether it judges callers, and answers none."""
        return "authorizerUri" in self.definition

    @property
    def calls_function(self) -> bool:
        """Whether that is a Lambda function."""
        return "lambda:path" in self.uri

    @property
    def function(self) -> str | None:
        """Name of the function; None if the address names none."""
        return next(function_names(self.uri), None)


def calls(value: Value, extension: str, path: str = "body") -> Iterator[Call]:
    """Everything in a document that stands under ``extension``, wherever."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key == extension and isinstance(member, Mapping):
                yield Call(f"{path}.{key}", member)
            else:
                yield from calls(member, extension, f"{path}.{key}")
    elif not isinstance(value, str | Unknown):
        for index, member in enumerate(many(value)):
            if isinstance(member, Mapping):
                yield from calls(member, extension, f"{path}[{index}]")


@dataclass(frozen=True)
class Operation:
    """One method of a path."""

    path: str
    """Where it stands: ``body.paths./orders.get``."""
    verb: str
    definition: Mapping[str, Value]
    shared: tuple[Value, ...]
    """Parameters of all methods of its path."""
    document: Mapping[str, Value]

    @property
    def is_mock(self) -> bool:
        """Whether the gateway answers itself: nothing is behind it that could be reached or hurt."""
        integration = self.definition.get(INTEGRATION)
        return isinstance(integration, Mapping) and Call(self.path, integration).is_mock

    @property
    def is_open(self) -> bool:
        """Whether anybody may call it.

        The gateway asks for all schemes that are listed, and looks at no list but the operation's own. The key of a
        usage plan tells who calls, and proves nothing.
        """
        asked = self.definition.get(_AUTHENTICATION)
        if isinstance(asked, Mapping) and str(asked.get("type")).upper() == "AWS_IAM":
            return False
        requirements = [each for each in many(self.definition.get("security")) if isinstance(each, Mapping)]
        authorizers = {name for name, scheme in _schemes(self.document) if _proves(scheme)}
        return {} in requirements or not any(authorizers & set(each) for each in requirements)

    @property
    def takes_body(self) -> bool:
        """Whether a caller may send a body."""
        return (
            self.verb in _WITH_BODY
            or "requestBody" in self.definition
            or any(str(each.get("in")) in {"body", "formData"} for each in self._parameters())
        )

    @property
    def takes_parameters(self) -> bool:
        """Whether a caller must send a parameter that the gateway could ask for: those of the path are always there."""
        return any(
            each.get("required") is True and str(each.get("in")) in {"query", "header", "None"}
            for each in self._parameters()
        )

    def unvalidated(self) -> str | None:
        """What of a request nobody looks at before the backend is called, as a clause; None if nothing."""
        if not (self.takes_body or self.takes_parameters):
            return None
        name = self.definition.get(VALIDATOR, self.document.get(VALIDATOR))
        declared = self.document.get(f"{VALIDATOR}s")
        validator = declared.get(str(name)) if isinstance(declared, Mapping) and name is not None else None
        if not isinstance(validator, Mapping):
            return "is not set" if name is None else f"is {name}, which the document does not declare"
        if self.takes_body and validator.get("validateRequestBody") is not True:
            return f"is {name}, which looks at no body"
        if self.takes_parameters and validator.get("validateRequestParameters") is not True:
            return f"is {name}, which looks at no parameters"
        return None

    def _parameters(self) -> Iterator[Mapping[str, Value]]:
        for parameter in (*self.shared, *many(self.definition.get("parameters"))):
            if isinstance(parameter, Mapping):
                # What is declared elsewhere is taken to be required.
                yield {"required": True} if "$ref" in parameter else parameter


def operations(read: Mapping[str, Value]) -> Iterator[Operation]:
    """All methods of all paths."""
    paths = read.get("paths")
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        if not isinstance(item, Mapping):
            continue
        for verb, definition in item.items():
            if verb.lower() in _VERBS and isinstance(definition, Mapping):
                shared = tuple(many(item.get("parameters")))
                yield Operation(f"body.paths.{path}.{verb}", verb.lower(), definition, shared, read)


def _schemes(read: Mapping[str, Value]) -> Iterator[tuple[str, Mapping[str, Value]]]:
    components = read.get("components")
    for schemes in (
        components.get("securitySchemes") if isinstance(components, Mapping) else None,
        read.get("securityDefinitions"),
    ):
        if isinstance(schemes, Mapping):
            yield from ((name, scheme) for name, scheme in schemes.items() if isinstance(scheme, Mapping))


def _proves(scheme: Mapping[str, Value]) -> bool:
    """Whether a scheme makes the gateway prove who calls."""
    return bool(scheme.get(AUTHORIZER)) or str(scheme.get(_AUTHENTICATION_TYPE)).lower() == "awssigv4"
