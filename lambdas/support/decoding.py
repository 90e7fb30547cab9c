"""Requests into contract types, and everything that is wrong with them at once.

msgspec stops at the first fault. A request that it refuses is therefore looked through a second time, member by member,
so that the caller can mend all of it in one go; the verdict itself is always msgspec's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from support import typed
from support.contract import FieldError
from support.problems import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T", bound=Struct)

_KEYWORDS: Final = (
    (re.compile(r"Object missing required field"), "required"),
    (re.compile(r"Object contains unknown field"), "additionalProperties"),
    (re.compile(r"`str` matching regex"), "pattern"),
    (re.compile(r"`str` of length >="), "minLength"),
    (re.compile(r"`str` of length <="), "maxLength"),
    (re.compile(r"`array` of length >="), "minItems"),
    (re.compile(r"`array` of length <="), "maxItems"),
    (re.compile(r"`(int|float)` >="), "minimum"),
    (re.compile(r"`(int|float)` <="), "maximum"),
    (re.compile(r"Invalid enum value"), "enum"),
)
"""How msgspec words a fault -> the JSON Schema keyword that was violated; anything else is a wrong type."""
_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_LONGEST_MESSAGE: Final = 200


def decode_body(body: str | bytes | None, type_: type[T]) -> T:
    """Decode a JSON body; raises :class:`InvalidRequestError` that lists every fault."""
    try:
        try:
            return typed.decode(body or b"", type_)
        except msgspec.ValidationError as error:
            # What comes after the first fault may not even be JSON: this decoding can fail as the first could.
            faults = list(_faults(typed.decode(body or b"", object), type_, "$")) or [_fault("$", error)]
            raise InvalidRequestError("The body does not follow the contract.", errors=faults) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault = FieldError(path="$", keyword="json", message="The body is not a JSON document in UTF-8.")
        raise InvalidRequestError("The body is not JSON.", errors=[fault]) from error


def decode_parameter(name: str, value: str, type_: Any) -> Any:
    """Decode a parameter, which arrives as text; raises :class:`InvalidRequestError`."""
    try:
        return typed.decode(msgspec.json.encode(value), type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"The parameter {name} is invalid.", errors=[_fault(name, error)]) from error


def _faults(value: object, type_: Any, path: str) -> Iterator[FieldError]:
    if isinstance(type_, type) and issubclass(type_, Struct) and isinstance(value, dict):
        yield from _member_faults(value, type_, path)
        return
    try:
        typed.decode(msgspec.json.encode(value), type_)
    except msgspec.ValidationError as error:
        yield _fault(path, error)


def _member_faults(value: dict[str, object], type_: type[Struct], path: str) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, f"{path}.{name}")
        elif field.required:
            yield FieldError(path=f"{path}.{name}", keyword="required", message="Is required")
    for name in sorted(value.keys() - fields.keys()):
        shown = name[:_LONGEST_MESSAGE]
        yield FieldError(path=f"{path}.{shown}", keyword="additionalProperties", message="Is not known")


def _fault(path: str, error: msgspec.ValidationError) -> FieldError:
    message = str(error)
    if place := _PLACE.search(message):
        message, path = message[: place.start()], path + place["path"]
    keyword = next((keyword for wording, keyword in _KEYWORDS if wording.search(message)), "type")
    return FieldError(path=path, keyword=keyword, message=message[:_LONGEST_MESSAGE])
