"""Exemptions: a rule's violation on one resource that somebody answers for, until a day.

Each names the rule, the resource, a reason, an owner and the day it ends. It is narrow: one rule, and resources by type
and name, in stacks by name. One that has ended, or that nothing needs any more, is a finding itself
(`policies.rules.exemptions`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from policies.rule import Rule
    from policies.values import Resource

_FIELDS: Final = ("rule", "type", "name", "reason", "owner", "expires")


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """One, as ``settings.toml`` or the configuration has it."""

    rule: str
    type: str
    """Type token of the resources."""
    name: str
    """The program's name for the resource; ``*`` stands for any text, but alone for none."""
    reason: str
    owner: str
    """Who answers for it: a person or a team, by address or handle."""
    expires: dt.date
    """The last day on which it holds."""
    stacks: tuple[str, ...] = ("*",)

    def covers(self, rule: Rule, resource: Resource) -> bool:
        """Whether it is about this rule and resource, ended or not."""
        return (
            self.rule == rule.id
            and self.type == resource.type
            and matches(resource.name, self.name)
            and self.is_about(resource.stack)
        )

    def is_about(self, stack: str) -> bool:
        """Whether it holds in a stack of this name."""
        return any(matches(stack, name) for name in self.stacks)

    def holds(self, today: dt.date) -> bool:
        """Whether it has not ended."""
        return today <= self.expires

    def days_left(self, today: dt.date) -> int:
        """Days until the last on which it holds; less than 0 if it has ended."""
        return (self.expires - today).days

    def __str__(self) -> str:
        return f"{self.rule} on {self.type} {self.name}"


def matches(text: str, pattern: str) -> bool:
    """Whether ``pattern``, in which ``*`` stands for any text, describes ``text``."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def read(value: object, rules: Mapping[str, Rule]) -> tuple[tuple[Exemption, ...], list[str]]:
    """The exemptions of a list of tables, and what is wrong with it.

    Args:
        value: a list of tables with the fields of `Exemption`; None for none. ``expires`` is a date, or its text.
        rules: all rules by id.
    """
    if value is None:
        return (), []
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (), ["exemptions: is no list"]
    exemptions: list[Exemption] = []
    wrong: list[str] = []
    for index, entry in enumerate(value):
        problems = list(_problems(entry, rules))
        wrong += [f"exemptions[{index}]{problem}" for problem in problems]
        if not problems:
            texts = {name: str(entry[name]) for name in _FIELDS if name != "expires"}
            stacks = tuple(str(stack) for stack in entry.get("stacks", ("*",)))
            exemptions.append(Exemption(**texts, expires=_date(entry["expires"]) or dt.date.min, stacks=stacks))
    return tuple(exemptions), wrong


def _problems(entry: object, rules: Mapping[str, Rule]) -> list[str]:
    if not isinstance(entry, Mapping):
        return [": is no table"]
    wrong = [f".{name}: there is no such field" for name in entry if name not in {*_FIELDS, "stacks"}]
    wrong += [f".{name}: is missing" for name in _FIELDS if not str(entry.get(name) or "").strip()]
    name = str(entry.get("name") or "").strip()
    if name and not name.strip("*"):
        wrong.append(".name: is every resource of the type; an exemption is for some that are named")
    rule = str(entry.get("rule") or "")
    if rule and rule not in rules:
        wrong.append(f".rule: {rule} is no rule")
    elif rule and not rules[rule].guards:
        wrong.append(f".rule: nobody can be exempted from {rule}")
    if entry.get("expires") and _date(entry["expires"]) is None:
        wrong.append(f".expires: {entry['expires']} is no date (write 2027-03-31)")
    stacks = entry.get("stacks", ("*",))
    if not isinstance(stacks, Sequence) or isinstance(stacks, str) or not stacks:
        wrong.append(".stacks: is no list of stacks' names")
    return wrong


def _date(value: object) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        return None
