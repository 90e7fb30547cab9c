"""What a project may choose: limits, levels, which stacks are production, and what is exempted.

A project gives it as configuration of the policy ``rules``: ``pulumi preview --policy-pack DIR --policy-pack-config
FILE`` with ``{"rules": {"limits": {...}, "levels": {...}}}``. Every field is optional. Everything wrong with it is told
at once.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from policies.exemptions import Exemption, matches
from policies.exemptions import read as read_exemptions
from policies.rule import Level

if TYPE_CHECKING:
    from policies.rule import Rule

OWN: Final = Path(__file__).parent / "settings.toml"
"""This project's own choices, in force where the configuration does not say otherwise."""


ENABLED_REGIONS: Final = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
)
"""Those that an account has without asking (Account management guide, "Enable or disable AWS Regions"): where nobody
has said where data may be, the others are most likely a mistake."""


class SettingsError(ValueError):
    """The configuration cannot be used; the message lists everything wrong with it."""


@dataclass(frozen=True)
class Limit:
    """A number that a project may choose."""

    name: str
    """In the configuration: ``apiFunctionTimeout``."""
    default: float
    unit: str
    """``seconds``."""
    description: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A project's choices. Defaults: those of each rule and limit, ``prod`` as production, no exemptions."""

    limits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Limit's name -> value, where it is not the default."""
    levels: Mapping[str, Level] = field(default_factory=lambda: MappingProxyType({}))
    """Rule's id -> level in every stack."""
    stack_levels: Mapping[str, Mapping[str, Level]] = field(default_factory=lambda: MappingProxyType({}))
    """Stack's name -> rule's id -> level there."""
    production: tuple[str, ...] = ("prod", "production", "*-prod", "*-production")
    """Names of stacks, ``*`` for any text."""
    tags: tuple[str, ...] = ()
    """Keys with which everything is tagged; if none are given, any tag will do."""
    regions: tuple[str, ...] = ENABLED_REGIONS
    """Where resources may be, ``*`` for any text; what CloudFront needs in us-east-1 may be there besides."""
    names: tuple[str, ...] = ("*{stack}*",)
    """What names on AWS are like, ``*`` for any text and ``{stack}`` for the stack's name."""
    exemptions: tuple[Exemption, ...] = ()
    today: dt.date = field(default_factory=lambda: dt.datetime.now(tz=dt.UTC).date())

    def limit(self, limit: Limit) -> float:
        """The value of a limit."""
        return self.limits.get(limit.name, limit.default)

    def is_production(self, stack: str) -> bool:
        """Whether a stack of this name is production."""
        return any(matches(stack, pattern) for pattern in self.production)

    def level(self, rule: Rule, stack: str) -> Level:
        """What a violation of ``rule`` does in a stack of this name."""
        own = rule.level
        if rule.outside_production is not None and not self.is_production(stack):
            own = rule.outside_production
        return self.stack_levels.get(stack, {}).get(rule.id) or self.levels.get(rule.id) or own


SCHEMA: Final[Mapping[str, dict[str, object]]] = MappingProxyType(
    {
        "limits": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
        "levels": {"type": "object", "additionalProperties": {"enum": [level.value for level in Level]}},
        "stackLevels": {"type": "object", "additionalProperties": {"type": "object"}},
        "production": {"type": "array", "items": {"type": "string"}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "regions": {"type": "array", "items": {"type": "string"}},
        "names": {"type": "array", "items": {"type": "string"}},
        "exemptions": {"type": "array", "items": {"type": "object"}},
    }
)
"""JSON schema of the configuration's fields, for the engine; `read` says more about what is wrong."""


def own() -> Mapping[str, object]:
    """What ``settings.toml`` beside this module says; for an engine's configuration to override."""
    return tomllib.loads(OWN.read_text(encoding="utf-8")) if OWN.exists() else {}


def read(config: Mapping[str, object], rules: Mapping[str, Rule], limits: Mapping[str, Limit]) -> Settings:
    """The settings that a configuration describes.

    Args:
        config: ``limits``, ``levels``, ``stackLevels``, ``production``, ``tags``, ``regions``, ``names``,
            ``exemptions``; see `Settings`.
        rules: all rules by id, so that a misspelt one is an error.
        limits: all limits by name.

    Raises:
        SettingsError: something in it is unknown or of a wrong type; all of it is listed.
    """
    wrong: list[str] = [f"{name}: there is no such setting" for name in config if name not in SCHEMA]
    numbers: dict[str, float] = {}
    for name, value in _table(config.get("limits"), "limits", wrong).items():
        if name not in limits:
            wrong.append(f"limits.{name}: there is no such limit; there are {', '.join(sorted(limits))}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            wrong.append(f"limits.{name}: is no number of {limits[name].unit}")
        else:
            numbers[name] = float(value)
    stacks = {
        stack: _levels(levels, f"stackLevels.{stack}", rules, wrong)
        for stack, levels in _table(config.get("stackLevels"), "stackLevels", wrong).items()
    }
    exemptions, problems = read_exemptions(config.get("exemptions"), rules)
    settings = Settings(
        limits=numbers,
        levels=_levels(config.get("levels"), "levels", rules, wrong),
        stack_levels=stacks,
        production=_texts(config.get("production", Settings.production), "production", "stacks' names", wrong),
        tags=_texts(config.get("tags", Settings.tags), "tags", "tags' keys", wrong),
        regions=_texts(config.get("regions", Settings.regions), "regions", "regions", wrong),
        names=_texts(config.get("names", Settings.names), "names", "patterns of names", wrong),
        exemptions=exemptions,
    )
    if wrong or problems:
        raise SettingsError("The policies' configuration is wrong:\n  " + "\n  ".join((*wrong, *problems)))
    return settings


def _levels(value: object, at: str, rules: Mapping[str, Rule], wrong: list[str]) -> dict[str, Level]:
    levels: dict[str, Level] = {}
    for rule, level in _table(value, at, wrong).items():
        if rule not in rules:
            wrong.append(f"{at}.{rule}: there is no such rule")
        elif level not in [each.value for each in Level]:
            wrong.append(f"{at}.{rule}: is {level}, not {', '.join(each.value for each in Level)}")
        else:
            levels[rule] = Level(level)
    return levels


def _texts(value: object, at: str, what: str, wrong: list[str]) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(each) for each in value)
    wrong.append(f"{at}: is no list of {what}")
    return ()


def _table(value: object, at: str, wrong: list[str]) -> Mapping[str, object]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    wrong.append(f"{at}: is no table")
    return {}
