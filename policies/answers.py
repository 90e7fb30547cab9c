"""Answers that may be yes, no or not known, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from policies.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

Answer: TypeAlias = "bool | Unknown"


def any_of(answers: Iterable[Answer]) -> Answer:
    """Yes if one is; else not known if one is not known; else no."""
    unknown: Unknown | None = None
    for answer in answers:
        if answer is True:
            return True
        if isinstance(answer, Unknown):
            unknown = unknown or answer
    return unknown or False


def all_of(answers: Iterable[Answer]) -> Answer:
    """No if one is; else not known if one is not known; else yes, also of none."""
    unknown: Unknown | None = None
    for answer in answers:
        if answer is False:
            return False
        if isinstance(answer, Unknown):
            unknown = unknown or answer
    return unknown or True
