"""docs/policies/peer.md: what checkov and the pack find in the same bad stack. From the record; no peer is needed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from harness.judging.peer import comparison, record
from harness.judging.peer.bad_stack import BAD_STACK
from harness.judging.peer.forms import written
from policies.judge import BY_ID
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.judging.peer.comparison import Comparison, Explained
    from harness.judging.peer.record import Record
    from harness.judging.peer.scanner import Form

PATH: Final = "docs/policies/peer.md"
_NAMES: Final = {"cloudformation": "CloudFormation", "terraform": "Terraform"}


def document() -> str:
    """The page."""
    said = record.read()
    return "\n".join(_lines(said, comparison.compare(said, comparison.reasons()))) + "\n"


def _lines(said: Record, result: Comparison) -> Iterator[str]:
    yield "# The pack and checkov, on the same bad stack"
    yield ""
    yield "Made by `harness policies --peer` and `make docs`; do not edit."
    yield ""
    yield (
        "A stack in which everything is wrong that [checkov](https://www.checkov.io) can notice "
        f"(`harness/judging/peer/bad_stack.py`, {result.resources} resources) is written as a CloudFormation template "
        "and as Terraform, because checkov knows more of the one than of the other. "
        f"checkov {said.version} reads both, offline; the pack judges the same resources as Pulumi's, through the "
        "policy SDK, as a production stack. A finding of checkov is answered if a rule that names the check fires on "
        "the same resource, or on one that it refers to or that refers to it."
    )
    yield ""
    yield from _figures(said, result)
    yield ""
    yield from _both(said, result)
    yield ""
    yield "## Found by checkov only, and meant so"
    yield ""
    yield from _explained(said, result.silent, "resources", count=True)
    yield ""
    yield "## Found by the pack only"
    yield ""
    yield "Findings that answer none of checkov's: it has no such check, or passes what the rule refuses."
    yield ""
    yield from _table(
        ("rule", "what it demands", "resources"),
        [(f"`{each.rule}`", BY_ID[each.rule].demand, each.resources) for each in result.own],
        right=(2,),
    )
    yield ""
    yield from _by_service(said)
    yield ""
    yield "## Checks of checkov that the bad stack cannot make fail"
    yield ""
    yield from _explained(said, result.quiet, "types")


def _figures(said: Record, result: Comparison) -> Iterator[str]:
    answered = Counter(form for each in result.answered for form in each.found.forms)
    silent = Counter(
        form
        for form, answer in said.answers.items()
        for each in result.silent
        for name in each.where
        if name in answer.findings.get(each.check, ())
    )
    forms = list(said.answers)
    by_form = [said.answers[form] for form in forms]
    yield from _table(
        ("", *(_NAMES[form] for form in forms)),
        [
            ("checks of checkov on types of the stack", *(len(each.checks) for each in by_form)),
            ("of these, fail", *(len(each.findings) for each in by_form)),
            ("findings: a check on a resource", *(sum(map(len, each.findings.values())) for each in by_form)),
            ("answered by the pack", *(answered[form] for form in forms)),
            ("left to checkov, for a reason below", *(silent[form] for form in forms)),
            ("**missed**", *(sum(form in each.forms for each in result.unanswered) for form in forms)),
        ],
        right=range(1, len(forms) + 1),
    )
    alone = sum(each.resources for each in result.own)
    itself = sum(each.itself for each in result.answered)
    yield ""
    yield (
        f"Together {len(result.answered)} findings are answered, {itself} of them on the very resource; of the pack's "
        f"{len(RULES)} rules {len(result.own)} have {alone} findings more, which checkov has not."
    )


def _both(said: Record, result: Comparison) -> Iterator[str]:
    rules: dict[str, set[str]] = {}
    resources: Counter[tuple[str, str]] = Counter()
    for each in result.answered:
        rules.setdefault(each.found.check, set()).update(each.rules)
        resources.update((each.found.check, form) for form in each.found.forms)
    forms = list(said.answers)
    yield "## Found by both"
    yield ""
    yield from _table(
        ("check", "what checkov says", *(_NAMES[form] for form in forms), "rules"),
        [
            (check, said.name(check), *(resources[check, form] or "" for form in forms), _listed(rules[check]))
            for check in sorted(rules, key=_order)
        ],
        right=range(2, 2 + len(forms)),
    )


def _by_service(said: Record) -> Iterator[str]:
    """How much either knows of each service."""
    services = {each.name: _service(each.type) for each in BAD_STACK}
    checks: dict[str, dict[Form, set[str]]] = {}
    for form, stack in written().items():
        of_type = {type_: services[name] for name, type_ in stack.types.items()}
        for check, known in said.answers[form].checks.items():
            for type_ in known.types:
                checks.setdefault(of_type[type_], {}).setdefault(form, set()).add(check)
    rules = Counter(each.id.partition("-")[0] for each in RULES)
    unnamed = [each for each in RULES if not any(control.startswith("CKV") for control in each.controls)]
    across = sum(each.check_stack is not None for each in unnamed)
    yield "## How much either knows"
    yield ""
    yield "Checks of checkov on types of the bad stack, and rules of the pack, by service."
    yield ""
    forms = list(said.answers)
    yield from _table(
        ("service", *(f"checkov, {_NAMES[form]}" for form in forms), "the pack"),
        [
            (service, *(len(checks.get(service, {}).get(form, ())) or "" for form in forms), rules[service] or "")
            for service in sorted({*checks, *rules})
        ],
        right=range(1, 2 + len(forms)),
    )
    yield ""
    yield (
        f"{len(unnamed)} of the {len(RULES)} rules name no check of checkov, and {across} of these judge resources by "
        f"one another: {_listed(each.id for each in unnamed)}."
    )


_SERVICES: Final = {
    "aws:cloudwatch/event": "eventbridge",
    "aws:cloudwatch/log": "logs",
    "aws:sfn/": "stepfunctions",
    "aws:vpc/": "ec2",
    "aws:wafv2/": "waf",
}
"""How a type begins -> its service in the rules' ids, where that is not its module."""


def _service(token: str) -> str:
    known = (service for start, service in _SERVICES.items() if token.startswith(start))
    return next(known, token.split(":")[1].partition("/")[0])


def _explained(said: Record, those: Iterable[Explained], where: str, *, count: bool = False) -> Iterator[str]:
    yield from _table(
        ("check", "what checkov says", where, "why"),
        [
            (each.check, said.name(each.check), len(each.where) if count else _listed(each.where), each.why)
            for each in sorted(those, key=lambda each: _order(each.check))
        ],
        right=(2,) if count else (),
    )


def _order(check: str) -> tuple[str, int]:
    family, _, number = check.rpartition("_")
    return family, int(number)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()) -> Iterator[str]:
    """A table, of which the columns at ``right`` hold figures."""
    figures = set(right)
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---:' if place in figures else '---' for place in range(len(head)))} |"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"
