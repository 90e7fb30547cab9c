"""Passwords that the provider ``random`` makes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from policies.limits import SECRET_STRENGTH
from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up
from policies.wants import as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.values import Resource, Value

PASSWORD: Final = "random:index/randomPassword:RandomPassword"  # noqa: S105 - a type token

_KINDS: Final = {"lower": 26, "upper": 26, "numeric": 10, "number": 10, "special": 21}
"""Kind of characters -> how many of them the provider draws from; ``number`` is an old name of ``numeric``."""


def _strength(password: Resource, settings: Settings) -> Iterator[Verdict]:
    values = {name: look_up(password, name).value for name in ("length", "overrideSpecial", *_KINDS)}
    unknown = [each for each in values.values() if isinstance(each, Unknown)]
    if unknown:
        yield from (cannot_judge(each) for each in unknown)
        return
    length = as_number(values["length"])
    least = settings.limit(SECRET_STRENGTH)
    bits = (length or 0) * math.log2(max(1, _characters(values)))
    if bits < least:
        problem = f"is {shown(values['length'])}: of these characters that makes {bits:.0f} bits, under {least:g}"
        yield Verdict("length", problem)


def _characters(values: dict[str, Value]) -> int:
    """How many characters the password is drawn from; a kind is left out only where that is said."""
    wanted = {"numeric" if name == "number" else name for name in _KINDS if values[name] is not False}
    if values["numeric"] is False or values["number"] is False:
        wanted.discard("numeric")
    own = values["overrideSpecial"]
    special = len(set(own)) if isinstance(own, str) and own else _KINDS["special"]
    return sum(special if name == "special" else _KINDS[name] for name in wanted)


_KEPT: Final = "the kind is in then"

STRENGTH: Final = Rule(
    id="random-password-strength",
    demand="A password that is made here cannot be guessed",
    why="Nobody has to remember it, so nothing speaks for a short one; and who gets hold of its hash has all the time "
    "in the world.",
    severity=Severity.MEDIUM,
    controls=("NIST SP 800-131A", "CWE-521"),
    mend="Set a greater length.",
    url="https://www.pulumi.com/registry/packages/random/api-docs/randompassword/",
    guards=(
        Guard(type=PASSWORD, path="length", weaker=(8, 0, "")),
        *(Guard(type=PASSWORD, path=kind, absent=_KEPT) for kind in _KINDS),
        Guard(type=PASSWORD, path="overrideSpecial", absent="they are the provider's own then"),
    ),
    violating=(Given(PASSWORD, "database", {"length": 12}),),
    compliant=(Given(PASSWORD, "database", {"length": 24, "special": False}),),
    check=_strength,
)

RULES: Final = (STRENGTH,)
