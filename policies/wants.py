"""What a guarded property may hold, each saying what is wrong with a value, and which values it must refuse."""
# ruff: noqa: ARG002 (some wants need no limits, but all answer the same questions)

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from policies.values import many

if TYPE_CHECKING:
    from policies.settings import Limit, Settings
    from policies.values import Value

KEYS: Final = frozenset({"aws:kms/key:Key", "aws:kms/alias:Alias", "aws:kms/replicaKey:ReplicaKey"})
"""What a key that is not known yet may come from."""


class Want(Protocol):
    """What is right for a property."""

    @property
    def settled_by(self) -> frozenset[str]:
        """Types any output of which is right."""

    @property
    def text(self) -> str:
        """What is wanted, for the documentation: "true", "at most 28"."""

    def problem(self, value: Value, settings: Settings) -> str | None:
        """What is wrong with a value that is there and known; None if nothing is."""

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        """Values that it must refuse, for the proof by mutation."""


@dataclass(frozen=True)
class _Plain:
    settled_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class On(_Plain):
    """True, and nothing that only looks like it."""

    text: str = "true"

    def problem(self, value: Value, settings: Settings) -> str | None:
        return None if value is True else f"is {shown(value)}, not true"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return (False, "false")


@dataclass(frozen=True)
class Off(_Plain):
    """False."""

    text: str = "false"

    def problem(self, value: Value, settings: Settings) -> str | None:
        return None if value is False else f"is {shown(value)}, not false"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return (True, "true")


@dataclass(frozen=True)
class OneOf:
    """One of these values."""

    values: tuple[str | float, ...]
    refused: tuple[str | float, ...] = ()
    """Values that AWS knows and that are too weak, for the proof."""
    settled_by: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return " or ".join(f"`{value}`" for value in self.values)

    def problem(self, value: Value, settings: Settings) -> str | None:
        is_one = not isinstance(value, bool) and isinstance(value, str | int | float) and value in self.values
        # The provider takes a number written as text too.
        if is_one or as_number(value) in self.values:
            return None
        return f"is {shown(value)}, not {' or '.join(str(each) for each in self.values)}"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return (*self.refused, "", "no-such-value")


@dataclass(frozen=True)
class AtMost:
    """A number up to a limit."""

    limit: Limit
    least: float = 0
    """What is less is no number that AWS takes, or means that there is no limit."""
    settled_by: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return f"at most {self.limit.default:.12g} {self.limit.unit}"

    def problem(self, value: Value, settings: Settings) -> str | None:
        most = settings.limit(self.limit)
        number = as_number(value)
        if number is not None and self.least <= number <= most:
            return None
        return f"is {shown(value)}, not {self.least:.12g} to {most:.12g} {self.limit.unit}"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        most = settings.limit(self.limit)
        return (most + 1, most * 100 + 1, self.least - 1)


@dataclass(frozen=True)
class AtLeast:
    """A number from a limit on."""

    limit: Limit
    settled_by: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return f"at least {self.limit.default:.12g} {self.limit.unit}"

    def problem(self, value: Value, settings: Settings) -> str | None:
        least = settings.limit(self.limit)
        number = as_number(value)
        return (
            None
            if number is not None and number >= least
            else f"is {shown(value)}, not {least:.12g} {self.limit.unit} or more"
        )

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        least = settings.limit(self.limit)
        return (least - 1, 0, -1)


@dataclass(frozen=True)
class CustomerKey:
    """A KMS key that the customer manages: by ARN, id or alias, but no ``alias/aws/…``."""

    settled_by: frozenset[str] = KEYS
    text: str = "a customer-managed KMS key"

    def problem(self, value: Value, settings: Settings) -> str | None:
        if not isinstance(value, str) or not value.strip():
            return f"is {shown(value)}, which names no key"
        return f"is {value}, a key that AWS manages" if "alias/aws/" in value else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return ("", " ", "alias/aws/sqs", "arn:aws:kms:eu-west-1:123456789012:alias/aws/s3")


@dataclass(frozen=True)
class Present:
    """Anything, but not nothing."""

    settled_by: frozenset[str] = frozenset()
    text: str = "set"

    def problem(self, value: Value, settings: Settings) -> str | None:
        empty = (
            value is False
            or (isinstance(value, str) and not value.strip())
            or (isinstance(value, Mapping | Sequence) and not value)
        )
        return "is empty" if empty else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return ("", " ", ())


@dataclass(frozen=True)
class Like:
    """Text that a pattern describes in full."""

    pattern: str
    text: str
    refused: tuple[str, ...]
    settled_by: frozenset[str] = frozenset()

    def problem(self, value: Value, settings: Settings) -> str | None:
        if isinstance(value, str) and re.fullmatch(self.pattern, value, re.DOTALL):
            return None
        return f"is {shown(value)}, not {self.text}"

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return self.refused


@dataclass(frozen=True)
class Each:
    """A list, not empty, of which each member is right."""

    want: OneOf | Like | CustomerKey
    settled_by: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return f"each {self.want.text}"

    def problem(self, value: Value, settings: Settings) -> str | None:
        if not many(value):
            return "is empty"
        return next((problem for each in many(value) if (problem := self.want.problem(each, settings))), None)

    def weaker(self, settings: Settings) -> tuple[Value, ...]:
        return ((), *((each,) for each in self.want.weaker(settings)))


def as_number(value: Value) -> float | None:
    """A number, also one written as text, as the provider takes it; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    return None


_LONGEST: Final = 80


def shown(value: Value) -> str:
    """A value as a finding tells it, cut where it is long; what is or may be a secret is never shown by a rule."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
