"""Exemptions themselves: one that has ended, that ends too late, or that nothing needs.

They are judged when everything else has been (`policies.judge.exempt`), by what was found and by the day; so these
rules watch no property of any resource, have no examples, and nobody can be exempted from them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from policies.limits import EXEMPTION_DAYS
from policies.rule import Level, Rule, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.exemptions import Exemption
    from policies.finding import Finding
    from policies.settings import Settings

_URL: Final = (
    "https://docs.aws.amazon.com/wellarchitected/latest/framework/sec_securely_operate_control_objectives.html"
)
_SHOWN: Final = 3
"""Names of resources that a finding tells."""

EXPIRED: Final = Rule(
    id="exemption-expired",
    demand="An exemption that has ended is taken out, or renewed by its owner",
    why="What was accepted for a while is accepted no longer; an exemption that stays behind hides from whoever reads "
    "the file what is in force.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected SEC01-BP03",),
    mend="Mend the violation and take the exemption out; or have its owner give it a new reason and a new day.",
    url=_URL,
    guards=(),
    violating=(),
    compliant=(),
)

TOO_LONG: Final = Rule(
    id="exemption-too-long",
    demand="An exemption ends within a year",
    why="One that holds for years is a change of the rules that nobody decided, and its owner is gone when it ends.",
    severity=Severity.LOW,
    controls=("Well-Architected SEC01-BP03",),
    mend="Let it end earlier; where the rule is wrong for good, choose another limit or level instead.",
    url=_URL,
    guards=(),
    violating=(),
    compliant=(),
)

UNUSED: Final = Rule(
    id="exemption-unused",
    demand="An exemption covers something that a rule finds",
    why="One that covers nothing today will cover what somebody does tomorrow, and nobody will have decided that.",
    severity=Severity.LOW,
    controls=("Well-Architected SEC01-BP03",),
    mend="Take it out; where only some stacks need it, name them in its `stacks`.",
    url=_URL,
    guards=(),
    violating=(),
    compliant=(),
    level=Level.ADVISORY,
)

RULES: Final = (EXPIRED, TOO_LONG, UNUSED)


def judge(
    exemption: Exemption, covered: Sequence[Finding], urn: str, settings: Settings
) -> Iterator[tuple[Rule, Verdict]]:
    """What is wrong with one exemption.

    Args:
        exemption: one that is about the stack.
        covered: what it is about among all that was found, whether it has ended or not.
        urn: of the stack.
        settings: for the day and the limit.
    """
    longest = settings.limit(EXEMPTION_DAYS)
    if not exemption.holds(settings.today):
        problem = f"ended on {exemption.expires}; {_needed(covered)} (owner: {exemption.owner})"
        yield EXPIRED, Verdict(str(exemption), problem, urn=urn)
    elif exemption.expires > settings.today + dt.timedelta(days=longest):
        problem = f"ends on {exemption.expires}, more than {longest:g} days from now (owner: {exemption.owner})"
        yield TOO_LONG, Verdict(str(exemption), problem, urn=urn)
    if not covered and exemption.holds(settings.today):
        yield UNUSED, Verdict(str(exemption), "covers nothing that a rule finds in this stack", urn=urn)


def _needed(covered: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(each.urn.rpartition("::")[2] for each in covered))
    if not names:
        return "nothing needs it any more"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more} still would need it"
