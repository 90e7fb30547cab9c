"""Property values as the engine sends them, and as plain Python.

The engine marks what JSON cannot say with signatures (Pulumi SDK, `runtime/rpc.py`): secrets, assets, archives. Inside
the provider a value is plain Python, an unknown is `UNKNOWN`, and the places of secrets are kept apart, so that no code
below the server has to know about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from google.protobuf import struct_pb2

# Properties of a resource: JSON whose shape only the resource type knows, hence Any (typed by the tables of each type).
Properties: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]

SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's mark of a secret, not one
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""An unknown value of any type. Text that holds it (a document made with a part yet unknown) is unknown as well."""
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)

DEFAULTS_KEY = "__defaults"
"""Names of the inputs that the provider filled in (the bridged providers' own convention)."""


def is_unknown(value: object) -> bool:
    """Whether nothing can be said about `value` yet."""
    return isinstance(value, str) and UNKNOWN in value


def has_unknowns(value: object) -> bool:
    """Whether `value`, or any part of it, is unknown."""
    if isinstance(value, Mapping):
        return any(has_unknowns(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknowns(item) for item in value)
    return is_unknown(value)


def is_archive(value: object) -> bool:
    """Whether `value` is an asset or an archive."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) in {ASSET, ARCHIVE}


def from_struct(struct: struct_pb2.Struct) -> tuple[Properties, frozenset[Path]]:
    """The properties as plain Python, and the paths at which a secret was unwrapped."""
    secrets: set[Path] = set()
    properties = {name: _plain(value, (name,), secrets) for name, value in struct.fields.items()}
    return properties, frozenset(secrets)


def plain(struct: struct_pb2.Struct) -> Properties:
    """The properties as plain Python, where the places of secrets do not matter."""
    return from_struct(struct)[0]


def to_struct(properties: Mapping[str, Any], secrets: Iterable[Path] = ()) -> struct_pb2.Struct:
    """The properties as the engine wants them, with what lies at the paths `secrets` marked as secret.

    Where a path no longer leads anywhere (the provider gave the property another shape) the whole property is marked:
    rather too much secret than too little.
    """
    struct = struct_pb2.Struct()
    struct.update(_without_none(properties))
    for path in sorted(secrets, key=len, reverse=True):
        parent = _descend(struct, path[:-1])
        if parent is None or not _mark(parent, path[-1]):
            _mark(struct, path[0])
    return struct


def walk(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every leaf of `value` with its path. Archives are leaves."""
    if isinstance(value, Mapping) and value and not is_archive(value):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))
    else:
        yield path, value


def path_text(path: Path) -> str:
    """A property path as the engine writes it: `a.b[0]["c.d"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(mark in part for mark in '.["]'):
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{part}" if text else part
    return text


def path_parts(text: str) -> Path:
    """The parts of a property path; `*` stands for any (ignoreChanges)."""
    parts: list[str | int] = []
    rest = text
    while rest:
        if rest.startswith('["'):
            end = rest.index('"]', 2)
            parts.append(rest[2:end].replace('\\"', '"'))
            rest = rest[end + 2 :]
        elif rest.startswith("["):
            end = rest.index("]")
            inner = rest[1:end]
            parts.append(int(inner) if inner.isdigit() else inner)
            rest = rest[end + 1 :]
        else:
            rest = rest.removeprefix(".")
            end = min((at for at in (rest.find("."), rest.find("[")) if at >= 0), default=len(rest))
            parts.append(rest[:end])
            rest = rest[end:]
    return tuple(parts)


def _plain(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _plain_object(value.struct_value, path, secrets)
    if kind == "list_value":
        return [_plain(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWNS else text
    return value.bool_value if kind == "bool_value" else None


def _plain_object(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else ""
    if signature == _SECRET:
        secrets.add(path)
        return _plain(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _plain(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    if signature == _RESOURCE:
        return _plain(fields["id"] if "id" in fields else fields["urn"], path, secrets)
    if signature in {ASSET, ARCHIVE}:
        # Its parts are not properties: a secret inside an archive would have to be the whole archive.
        return {name: _plain(item, path, secrets) for name, item in fields.items()}
    return {name: _plain(item, (*path, name), secrets) for name, item in fields.items()}


def _without_none(properties: Mapping[str, Any]) -> Properties:
    """The protocol has nulls, but the program's side reads them as "not there": leave them out."""
    return {name: value for name, value in properties.items() if value is not None}


def _descend(struct: struct_pb2.Struct, path: Path) -> struct_pb2.Struct | struct_pb2.ListValue | None:
    here: struct_pb2.Struct | struct_pb2.ListValue = struct
    for part in path:
        value = _child(here, part)
        if value is None:
            return None
        kind = value.WhichOneof("kind")
        if kind == "struct_value":
            here = value.struct_value
        elif kind == "list_value":
            here = value.list_value
        else:
            return None
    return here


def _child(parent: struct_pb2.Struct | struct_pb2.ListValue, part: str | int) -> struct_pb2.Value | None:
    if isinstance(parent, struct_pb2.Struct):
        return parent.fields[part] if isinstance(part, str) and part in parent.fields else None
    return parent.values[part] if isinstance(part, int) and part < len(parent.values) else None


def _mark(parent: struct_pb2.Struct | struct_pb2.ListValue, part: str | int) -> bool:
    """Wrap one child in the signature of a secret; False if there is no such child."""
    value = _child(parent, part)
    if value is None:
        return False
    if (
        value.HasField("struct_value")
        and value.struct_value.fields.get(SIGNATURE, struct_pb2.Value()).string_value == _SECRET
    ):
        return True
    inner = struct_pb2.Value()
    inner.CopyFrom(value)
    value.Clear()
    value.struct_value.fields[SIGNATURE].string_value = _SECRET
    value.struct_value.fields["value"].CopyFrom(inner)
    return True
