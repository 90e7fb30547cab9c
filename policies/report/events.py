"""The engine's account of a run: what ``pulumi preview --event-log FILE`` writes, one JSON object a line.

The engine tells the findings and no exemptions: what is exempted, its policies do not report (`policies.pack`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies import judge
from policies.finding import told
from policies.report.entries import Entry, Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Event = Mapping[str, object]

_COLOUR: Final = re.compile(r"<\{%.*?%\}>")
"""How the engine writes colours for whoever shows them."""
_UNREAD: Final = "The stack was not judged to its end: the run broke off before that, or had no policy pack."


class EventsError(ValueError):
    """What was given is no event log."""


def read(lines: Iterable[str]) -> Report:
    """What a run found.

    A log of a run that did not come to judging the whole stack is a report with a fault: it must not look clean.

    Raises:
        EventsError: a line is no event; or there is none.
    """
    events = list(_events(lines))
    if not events:
        raise EventsError("there is no event in it")
    return Report(
        stack=_stack(events),
        entries=tuple(entry for each in _all(events, "policyEvent") for entry in _entries(each)),
        faults=tuple(_faults(events)),
        resources=len({str(each.get("resourceUrn")) for each in _all(events, "policyAnalyzeSummaryEvent")}),
    )


def _events(lines: Iterable[str]) -> Iterator[Event]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError as error:
            raise EventsError(f"line {number} is no JSON: {error}") from error
        if not isinstance(event, dict) or "sequence" not in event:
            raise EventsError(f"line {number} is no event of the engine")
        yield event


def _all(events: Iterable[Event], kind: str) -> Iterator[Event]:
    for event in events:
        found = event.get(kind)
        if isinstance(found, Mapping):
            yield found


def _stack(events: Iterable[Event]) -> str:
    """Name of the stack, from the URN of any resource."""
    for event in _all(events, "resourcePreEvent"):
        metadata = event.get("metadata")
        if isinstance(metadata, Mapping) and str(metadata.get("urn", "")).startswith("urn:"):
            return str(metadata["urn"]).split(":", 3)[2]
    return ""


def _faults(events: list[Event]) -> Iterator[str]:
    if any(_all(events, "policyAnalyzeStackSummaryEvent")):
        return
    yield _UNREAD
    for event in _all(events, "diagnosticEvent"):
        if event.get("severity") == "error":
            yield _plain(event.get("message"))


def _plain(message: object) -> str:
    return _COLOUR.sub("", str(message)).strip()


def _entries(event: Event) -> Iterator[Entry]:
    message, policy = _plain(event.get("message")), f"{event.get('policyPackName')}/{event.get('policyName')}"
    urn, stops = str(event.get("resourceUrn") or ""), event.get("enforcementLevel") == "mandatory"
    outcome = Outcome.VIOLATION if stops else Outcome.ADVICE
    ours = [each for each in told(message) if each.rule in judge.BY_ID]
    if not ours:
        yield Entry(id=policy, outcome=outcome, stops=stops, urn=urn, problem=message)
    for said in ours:
        yield Entry(
            id=said.rule,
            outcome=Outcome.CANNOT_JUDGE if said.unknown else outcome,
            stops=stops,
            urn=urn,
            problem=said.problem,
            path=said.path,
            rule=judge.BY_ID[said.rule],
        )
