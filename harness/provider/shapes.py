"""botocore's service models: what AWS calls things, and what it refuses.

Three uses: property values become request members (`to_api`), response members become property values (`from_api`),
and a request is judged without sending it (`problems`): required members, enums, patterns, lengths and ranges.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape

from harness.provider.values import has_unknowns, is_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOADER: Final = Loader(include_default_search_paths=True)
"""Reads the models, each once; boto3's clients are made of the same ones."""
LOADING: Final = threading.Lock()
"""botocore's loading and making of clients are not safe for threads; using them is."""

LAGGING_ENUMS: Final = {
    # botocore's list lacks families the service offers (facts/aws.md, row 53; hashicorp/terraform-provider-aws #30205):
    # documentation "Supported instance types in Amazon OpenSearch Service", current and previous generation.
    "OpenSearchPartitionInstanceType": re.compile(
        r"((t2|t3)\.(micro|small|medium)"
        r"|(m[3-8]|m[678]g|m6gd|m7i|c[4-8]|c[678]g|c7i|r[3-8]|r[678]g|r6gd|r7gd|r8gd|r7i|i[234]|i4i|i4g|i7i|im4gn|or1|or2|om2|oi2)"
        r"\.(medium|large|([248]|10|12|16|18|24)?xlarge)"
        r"|ultrawarm1\.(medium|large|xlarge))\.search"
    ),
    "OpenSearchWarmPartitionInstanceType": re.compile(
        r"(ultrawarm1\.(medium|large|xlarge)|oi2\.([248]|12|16|24)?x?large)\.search"
    ),
    # A new runtime is usable on the day it is announced, the model follows with the next release.
    "Runtime": re.compile(r"(python|nodejs|java|dotnet|ruby|provided|go)[a-z0-9.]*"),
    "TLSSecurityPolicy": re.compile(r"Policy-Min-TLS-1-[0-9]-[A-Z0-9-]+"),
    "SecurityPolicy": re.compile(r"(TLS_1_[0-9]|SecurityPolicy_[A-Za-z0-9_]+)"),
}
"""Enums where botocore's list may be older than AWS: what matches is passed as well."""


_COUNTED: Final = frozenset({"Quantity", "Items"})
"""Members of a structure that is a list to everyone but CloudFront."""
_NameOf: TypeAlias = "Callable[[str], str]"
"""Request member → property."""


@dataclass(frozen=True)
class Problem:
    """One thing AWS would refuse: the property as the program names it, and why."""

    property: str
    reason: str


@dataclass(frozen=True)
class Request:
    """One call to AWS, not sent yet."""

    operation: str
    params: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)
    """Request member or map key → property, where that is not the member in camel case; "" for a level only AWS has."""


@cache
def service_model(service: str) -> ServiceModel:
    """The model of one service, by boto3's name of it. Loaded once (20 to 100 ms)."""
    with LOADING:
        return ServiceModel(LOADER.load_service_model(service, "service-2"), service_name=service)


def operation_model(service: str, operation: str) -> OperationModel:
    """The model of one operation, by its name in AWS's API reference (`CreateQueue`)."""
    return service_model(service).operation_model(operation)


def members_at(shape: Shape | None, *path: str) -> Mapping[str, Shape]:
    """The members of the structure that lies at `path` below a shape; lists on the way count as their items."""
    for part in path:
        shape = _item(shape)
        shape = shape.members[part] if isinstance(shape, StructureShape) else None
    shape = _item(shape)
    return shape.members if isinstance(shape, StructureShape) else {}


def _item(shape: Shape | None) -> Shape | None:
    return shape.member if isinstance(shape, ListShape) else shape


@lru_cache(maxsize=4096)
def camel(member: str) -> str:
    """An API member's name as the provider writes it: `KMSKeyArn` → `kmsKeyArn`, `EnforceHTTPS` → `enforceHttps`."""
    head, *rest = xform_name(member).split("_")
    return head + "".join(part.capitalize() for part in rest)


def _canonical(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def to_api(shape: Shape, value: Any, renames: Mapping[str, str]) -> Any:
    """A property's value as a request member of the given shape.

    Nested property names are found whatever their case; those that are called otherwise are in `renames` (property →
    member). A name with no member is kept, so that `problems` reports it. Unknown values stay unknown.
    """
    if is_unknown(value):
        return value
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        return _structure_to_api(shape, value, renames)
    if isinstance(shape, ListShape):
        items = value if isinstance(value, list) else [value]
        return [to_api(shape.member, item, renames) for item in items]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: to_api(shape.value, item, renames) for key, item in value.items()}
    return _scalar_to_api(shape.type_name, value)


def _structure_to_api(shape: StructureShape, value: Any, renames: Mapping[str, str]) -> Any:
    if isinstance(value, list) and shape.members.keys() >= _COUNTED:
        items = {"Items": to_api(shape.members["Items"], value, renames)} if value else {}
        return {"Quantity": len(value), **items}
    if isinstance(value, list) and len(value) == 1:  # a block that Pulumi did not flatten
        value = value[0]
    if not isinstance(value, dict):
        return value
    members = {_canonical(member): member for member in shape.members}
    converted: dict[str, Any] = {}
    for name, item in value.items():
        member: str = renames.get(name) or members.get(_canonical(name)) or name
        if item is not None:
            converted[member] = to_api(shape.members[member], item, renames) if member in shape.members else item
    return converted


def _scalar_to_api(kind: str, value: Any) -> Any:
    """Pulumi and AWS differ in a few scalar types: text for numbers and the reverse."""
    if kind == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if kind == "string" and isinstance(value, int | float):
        return str(value)
    if kind in {"integer", "long"} and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind in {"float", "double"} and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def from_api(shape: Shape, value: Any, renames: Mapping[str, str]) -> Any:
    """A response member as the provider shows it; the reverse of `to_api` (times as RFC 3339 text)."""
    if value is None:
        return None
    if isinstance(shape, StructureShape) and not shape.is_document_type and isinstance(value, dict):
        return _structure_from_api(shape, value, renames)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [from_api(shape.member, item, renames) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: from_api(shape.value, item, renames) for key, item in value.items()}
    if hasattr(value, "isoformat"):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _structure_from_api(shape: StructureShape, value: Mapping[str, Any], renames: Mapping[str, str]) -> Any:
    if shape.members.keys() == _COUNTED:
        return from_api(shape.members["Items"], value.get("Items") or [], renames)
    properties = {member: name for name, member in renames.items()}
    return {
        properties.get(member, camel(member)): from_api(shape.members[member], item, renames)
        for member, item in value.items()
        if member in shape.members and item is not None
    }


def problems(service: str, request: Request) -> list[Problem]:
    """What AWS would refuse in the request, as far as the service model says so. Unknown values are passed over."""
    shape = operation_model(service, request.operation).input_shape
    if shape is None:
        return []

    def name_of(member: str) -> str:
        return request.names.get(member, camel(member))

    return list(_judge(shape, dict(request.params), "", name_of))


def _judge(shape: Shape, value: Any, path: str, name_of: _NameOf) -> Iterator[Problem]:
    if is_unknown(value):
        return
    judge = _JUDGES.get(shape.type_name)
    if judge is not None:
        yield from judge(shape, value, path, name_of)


def _judge_structure(shape: StructureShape, value: Any, path: str, name_of: _NameOf) -> Iterator[Problem]:
    if shape.is_document_type:
        return
    if not isinstance(value, dict):
        yield Problem(path, f"expected an object, got {_kind(value)}")
        return
    for member in shape.required_members:
        if value.get(member) is None:
            yield Problem(_join(path, name_of(member)), "required, and not given")
    if shape.is_tagged_union and len(value) != 1 and not has_unknowns(value):
        yield Problem(path, f"exactly one of {', '.join(map(name_of, shape.members))} is allowed, got {len(value)}")
    for member, item in value.items():
        if member not in shape.members:
            known = ", ".join(sorted(map(name_of, shape.members)))
            yield Problem(_join(path, name_of(member)), f"AWS knows no such member here; it knows {known}")
        elif item is not None:
            yield from _judge(shape.members[member], item, _join(path, name_of(member)), name_of)


def _judge_list(shape: ListShape, value: Any, path: str, name_of: _NameOf) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, f"expected a list, got {_kind(value)}")
        return
    yield from _within(shape, len(value), path, "items")
    for index, item in enumerate(value):
        yield from _judge(shape.member, item, f"{path}[{index}]" if path else "", name_of)


def _judge_map(shape: MapShape, value: Any, path: str, name_of: _NameOf) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, f"expected an object, got {_kind(value)}")
        return
    yield from _within(shape, len(value), path, "entries")
    for key, item in value.items():
        # A map that AWS uses as a record (queue attributes): its keys are properties of their own.
        place = name_of(key) if name_of(key) != camel(key) else f"{path}.{key}"
        yield from _judge(shape.key, key, place, name_of)
        yield from _judge(shape.value, item, place, name_of)


def _judge_string(shape: StringShape, value: Any, path: str, _name_of: _NameOf) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem(path, f"expected text, got {_kind(value)}")
        return
    if shape.enum and value not in shape.enum:
        lagging = LAGGING_ENUMS.get(shape.name)
        if lagging is None or not lagging.fullmatch(value):
            yield Problem(path, f"{value!r} is not one of {', '.join(shape.enum)}")
        return
    yield from _within(shape, len(value), path, "characters")
    pattern = _compiled(str(shape.metadata.get("pattern", "")))
    if pattern is not None and not pattern.fullmatch(value):
        yield Problem(path, f"{_shown(value)} does not match {pattern.pattern}")


def _judge_number(shape: Shape, value: Any, path: str, _name_of: _NameOf) -> Iterator[Problem]:
    whole = shape.type_name in {"integer", "long"}
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        yield Problem(path, f"expected a{' whole' if whole else ''} number, got {_kind(value)}")
        return
    yield from _within(shape, value, path, "")


def _judge_boolean(_shape: Shape, value: Any, path: str, _name_of: _NameOf) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(path, f"expected true or false, got {_kind(value)}")


def _within(shape: Shape, size: float, path: str, unit: str) -> Iterator[Problem]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield Problem(path, f"{size} {unit} is less than the least allowed, {low}".replace("  ", " "))
    if high is not None and size > high:
        yield Problem(path, f"{size} {unit} is more than the most allowed, {high}".replace("  ", " "))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A service model's pattern. Those in a dialect Python does not speak (`\\p{L}`, POSIX classes) are passed over."""
    if not pattern or "\\p{" in pattern or "[:" in pattern:
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _kind(value: object) -> str:
    return {"dict": "an object", "list": "a list", "str": "text", "bool": "true/false", "NoneType": "nothing"}.get(
        type(value).__name__, "a number"
    )


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else f"{value[:77]}...")


_JUDGES: Final[Mapping[str, Callable[[Any, Any, str, _NameOf], Iterator[Problem]]]] = {
    "structure": _judge_structure,
    "list": _judge_list,
    "map": _judge_map,
    "string": _judge_string,
    "integer": _judge_number,
    "long": _judge_number,
    "float": _judge_number,
    "double": _judge_number,
    "boolean": _judge_boolean,
}
