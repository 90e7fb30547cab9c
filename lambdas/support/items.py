"""Plain values to and from DynamoDB's typed ones.

boto3's own converter refuses floats and gives ``Decimal``; the contract knows integers and floats, so these do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef


def to_item(values: Mapping[str, object]) -> dict[str, AttributeValueTypeDef]:
    """A whole item."""
    return {name: to_attribute(value) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of an item."""
    return {name: from_attribute(attribute) for name, attribute in item.items()}


def to_attribute(value: object) -> AttributeValueTypeDef:
    """Raises ``TypeError`` for what DynamoDB has no type for."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case list() | tuple():
            return {"L": [to_attribute(element) for element in value]}
        case dict():
            return {"M": to_item(value)}
    raise TypeError(f"DynamoDB has no type for {type(value).__name__}")


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """Raises ``TypeError`` for types that this service does not write (sets, binary)."""
    [(kind, value)] = attribute.items()
    match kind:
        case "NULL":
            return None
        case "S" | "BOOL":
            return value
        case "N":
            return float(value) if any(mark in value for mark in ".eE") else int(value)
        case "L":
            return [from_attribute(element) for element in value]
        case "M":
            return from_item(value)
    raise TypeError(f"unexpected DynamoDB type {kind}")
