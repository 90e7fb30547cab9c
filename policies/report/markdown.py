"""Reports as Markdown, for a comment on a pull request or a run's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.report.entries import Outcome
from policies.report.markup import code, folded, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policies.report.entries import Entry, Report

LONGEST: Final = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
_COUNTED: Final = {
    Outcome.VIOLATION: "violations",
    Outcome.CANNOT_JUDGE: "cannot be judged",
    Outcome.ADVICE: "advice",
    Outcome.EXEMPTED: "exempted",
}


def markdown(reports: Sequence[Report]) -> str:
    """The whole comment: what stops a deployment openly, the rest behind a click."""
    head = [_head(reports)]
    stops = [part for report in reports for part in _stops(report)]
    told = [part for report in reports for part in _told(report)]
    whole = "\n\n".join([*head, *stops, *told]) + "\n"
    if len(whole) <= LONGEST:
        return whole
    cut = "The list is too long for a comment: the SARIF file has all of it."
    return "\n\n".join([*head, cut, *stops])[:LONGEST] + "\n"


def _head(reports: Sequence[Report]) -> str:
    refused = [report for report in reports if not report.passes]
    verdict = f"{', '.join(f'`{code(each.stack)}`' for each in refused)} may not pass" if refused else "nothing stops"
    rows = [
        (
            f"`{code(report.stack)}`",
            "passes" if report.passes else "**stops**",
            *(str(len(report.of(outcome))) for outcome in _COUNTED),
            "" if report.resources is None else str(report.resources),
        )
        for report in reports
    ]
    return f"## Policies: {verdict}\n\n" + table(("stack", "", *_COUNTED.values(), "resources"), rows)


def _stops(report: Report) -> Iterator[str]:
    stack = f"`{code(report.stack)}`"
    if report.faults:
        yield f"### {stack} was not judged to its end\n\n" + "\n".join(f"- {text(fault)}" for fault in report.faults)
    for outcome, title in ((Outcome.VIOLATION, "violates"), (Outcome.CANNOT_JUDGE, "cannot be judged")):
        if stopping := [entry for entry in report.of(outcome) if entry.stops]:
            yield f"### {stack} {title}: {len(stopping)}\n\n" + _found(stopping)


def _told(report: Report) -> Iterator[str]:
    stack = f"<code>{text(report.stack)}</code>"
    if waiting := [entry for entry in report.of(Outcome.CANNOT_JUDGE) if not entry.stops]:
        yield folded(f"{stack} cannot be judged yet: {len(waiting)}", _found(waiting))
    if advice := report.of(Outcome.ADVICE):
        yield folded(f"{stack} advice: {len(advice)}", _found(advice))
    if exempted := report.of(Outcome.EXEMPTED):
        yield folded(f"{stack} exempted: {len(exempted)}", _exempted(exempted, report))


def _found(entries: Iterable[Entry]) -> str:
    rows = [
        (
            f"[`{code(entry.id)}`]({entry.rule.url})" if entry.rule else f"`{code(entry.id)}`",
            entry.rule.severity.value if entry.rule else "",
            f"`{code(entry.name)}`" + (f"<br>`{code(entry.place)}`" if entry.place else ""),
            text(entry.sentence) + (f"<br>Mend: {text(entry.rule.mend)}" if entry.rule else ""),
        )
        for entry in entries
    ]
    return table(("rule", "severity", "resource", "what"), rows)


def _exempted(entries: Iterable[Entry], report: Report) -> str:
    rows = [
        (
            f"`{code(entry.id)}`",
            f"`{code(entry.name)}`",
            text(entry.sentence),
            text(entry.exemption.reason),
            text(entry.exemption.owner),
            f"{entry.exemption.expires} ({entry.exemption.days_left(report.today)} days left)",
        )
        for entry in entries
        if entry.exemption is not None
    ]
    return table(("rule", "resource", "what", "reason", "owner", "ends"), rows)
