"""Amazon Bedrock. Who may ask which model is in roles' policies (`policies.rules.iam`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_all, look_through, unknowns
from policies.wants import CustomerKey, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.settings import Settings
    from policies.values import Found, Resource

GUARDRAIL: Final = "aws:bedrock/guardrail:Guardrail"

_GUIDE: Final = "https://docs.aws.amazon.com/bedrock/latest/userguide"
_FILTERS: Final = "contentPolicyConfig.filtersConfigs"
_ATTACK: Final = "PROMPT_ATTACK"
_HARM: Final = ("HATE", "INSULTS", "MISCONDUCT", "SEXUAL", "VIOLENCE")
_STRONG: Final = ("MEDIUM", "HIGH")


def _filter(kind: str, entry: str, answer: str) -> Mapping[str, str]:
    return {"type": kind, "inputStrength": entry, "outputStrength": answer}


_RIGHT: Final = (*(_filter(kind, "NONE", "HIGH") for kind in _HARM), _filter(_ATTACK, "HIGH", "NONE"))


def _guardrail(*filters: Mapping[str, str], **inputs: object) -> Given:
    return Given(
        GUARDRAIL,
        "answers",
        {
            "name": "answers",
            "blockedInputMessaging": "No.",
            "blockedOutputsMessaging": "No.",
            **({"contentPolicyConfig": {"filtersConfigs": list(filters)}} if filters else {}),
            **inputs,
        },
    )


def _filters(guardrail: Resource, _settings: Settings) -> Iterator[Verdict]:
    by_kind: dict[str, Found] = {}
    all_known = True
    for found in look_all(guardrail, f"{_FILTERS}[]"):
        # Whatever side a filter works on: what is not known of it may be what switches it off.
        yield from (cannot_judge(each) for each in unknowns(found.value))
        kind = next(look_through(found.value, "type", found.path)).value
        if isinstance(kind, Unknown):
            all_known = False
        else:
            by_kind[str(kind)] = found
    for kind in (*_HARM, _ATTACK):
        if kind in by_kind:
            yield from _works(by_kind[kind], "input" if kind == _ATTACK else "output")
        elif all_known:
            yield Verdict(_FILTERS, f"has no filter of type {kind}")


def _works(filter_: Found, side: str) -> Iterator[Verdict]:
    """That a filter works on one side: what goes to the model (input), or what comes from it (output)."""
    for name, right, problem in (
        ("Strength", _STRONG, f"not {' or '.join(_STRONG)}"),
        ("Enabled", (None, True), "the filter is off"),
        ("Action", (None, "BLOCK"), "the filter only looks on"),
    ):
        found = next(look_through(filter_.value, f"{side}{name}", filter_.path))
        if not isinstance(found.value, Unknown) and found.value not in right:
            yield Verdict(found.path, f"is {shown(found.value)}: {problem}")


_ON_BY_DEFAULT: Final = "the filter works then"

FILTERS: Final = Rule(
    id="bedrock-guardrail-filters",
    demand="A guardrail keeps harmful answers from users, and attacks through the prompt from the model",
    why="What users and documents write reaches the model, and may be written to make it ignore its instructions, or "
    "say what nobody should read. Questions may speak of harm; answers to them must not do any.",
    severity=Severity.MEDIUM,
    controls=("OWASP LLM01:2025", "Well-Architected GENSEC02-BP01"),
    mend="Give contentPolicyConfig a filter of each type, with outputStrength MEDIUM or HIGH, and one of type "
    "PROMPT_ATTACK with inputStrength MEDIUM or HIGH; all enabled, and blocking.",
    url=f"{_GUIDE}/guardrails-content-filters.html",
    guards=(
        Guard(
            type=GUARDRAIL,
            path=_FILTERS,
            weaker=(
                (),
                _RIGHT[:-1],
                tuple({**each, "outputStrength": "NONE"} for each in _RIGHT),
                tuple({**each, "inputStrength": "NONE"} for each in _RIGHT),
                tuple({**each, "outputEnabled": False} for each in _RIGHT),
                tuple({**each, "inputAction": "NONE"} for each in _RIGHT),
            ),
        ),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].type", weaker=("", "NO_SUCH_TYPE")),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].inputStrength", absent="what matters is answers, but for attacks"),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].outputStrength", absent="attacks are in what is asked"),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].inputEnabled", absent=_ON_BY_DEFAULT),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].outputEnabled", absent=_ON_BY_DEFAULT),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].inputAction", absent=_ON_BY_DEFAULT),
        Guard(type=GUARDRAIL, path=f"{_FILTERS}[].outputAction", absent=_ON_BY_DEFAULT),
    ),
    violating=(_guardrail(*(_filter(kind, "HIGH", "LOW") for kind in _HARM)),),
    compliant=(_guardrail(*_RIGHT),),
    check=_filters,
)

ENCRYPTION: Final = Rule(
    id="bedrock-guardrail-encryption",
    demand="A guardrail is encrypted with a customer-managed key",
    why="It holds what is forbidden to say, and no user's text, so AWS's own key does. With a key of one's own its use "
    "shows in an audit and can be taken back.",
    severity=Severity.LOW,
    controls=("NIST.800-53.r5 SC-28",),
    mend="Set kmsKeyArn to the ARN of a key of one's own that the guardrail's users may decrypt with.",
    url=f"{_GUIDE}/guardrails-permissions-kms.html",
    guards=(Guard(type=GUARDRAIL, path="kmsKeyArn", want=CustomerKey()),),
    violating=(_guardrail(),),
    compliant=(_guardrail(kmsKeyArn="arn:aws:kms:eu-west-1:123456789012:key/1"),),
    level=Level.ADVISORY,
)

RULES: Final = (FILTERS, ENCRYPTION)
