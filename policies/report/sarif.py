"""Reports as SARIF 2.1.0, which GitHub's code scanning and other viewers read."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from policies.report.entries import Outcome
from policies.rule import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policies.report.entries import Entry, Report
    from policies.rule import Rule

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
PROJECT_FILE: Final = "Pulumi.yaml"
"""Where a finding is shown whose line in the program is not known."""
_ROOT: Final = "%SRCROOT%"
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "3.0"}
"""Inside the bands by which GitHub shows a rule's severity ("SARIF support for code scanning")."""
_LEVELS: Final = {Level.MANDATORY: "error", Level.ADVISORY: "warning", Level.DISABLED: "none"}


def sarif(reports: Iterable[Report]) -> dict[str, object]:
    """The log: a run for each stack, which GitHub keeps apart by the runs' ids."""
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report) for report in reports]}


def _run(report: Report) -> dict[str, object]:
    ids = sorted({entry.id for entry in report.entries})
    known = {entry.id: entry.rule for entry in report.entries if entry.rule is not None}
    faults = [{"level": "error", "message": {"text": fault}} for fault in report.faults]
    return {
        "tool": {
            "driver": {
                "name": "Pulumi policies",
                "rules": [_rule(known[id_]) if id_ in known else {"id": id_} for id_ in ids],
            }
        },
        # What stands behind the last slash would tell one run from the next.
        "automationDetails": {"id": f"policies/{report.stack}/"},
        "invocations": [{"executionSuccessful": not faults, "toolExecutionNotifications": faults}],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder of the Pulumi project."}}},
        "results": _results(report.entries, ids),
    }


def _rule(rule: Rule) -> dict[str, object]:
    controls = ", ".join(rule.controls)
    return {
        "id": rule.id,
        "name": rule.id.title().replace("-", ""),
        "shortDescription": {"text": f"{rule.demand}."},
        "fullDescription": {"text": rule.why},
        "helpUri": rule.url,
        "help": {
            "text": f"{rule.why}\n\nMend: {rule.mend}\n\nControls: {controls}",
            "markdown": f"{rule.why}\n\n**Mend:** {rule.mend}\n\n**Controls:** {controls}\n\n[More]({rule.url})",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
        "properties": {
            "security-severity": _SCORES[rule.severity],
            "tags": ["security", rule.id.partition("-")[0]],
            "controls": list(rule.controls),
        },
    }


def _results(entries: Sequence[Entry], ids: Sequence[str]) -> list[dict[str, object]]:
    seen: Counter[str] = Counter()
    results: list[dict[str, object]] = []
    for entry in entries:
        same = hashlib.sha256(f"{entry.id} {entry.urn} {entry.path}".encode()).hexdigest()[:32]
        seen[same] += 1
        results.append(_result(entry, ids.index(entry.id), f"{same}:{seen[same]}"))
    return results


def _result(entry: Entry, index: int, fingerprint: str) -> dict[str, object]:
    mend = f" Mend: {entry.rule.mend}" if entry.rule is not None else ""
    return {
        "ruleId": entry.id,
        "ruleIndex": index,
        "level": _level(entry),
        "message": {"text": f"{entry.name}: {entry.sentence}{mend}"},
        "locations": [
            {
                "physicalLocation": _place(entry.place),
                "logicalLocations": [
                    {"name": entry.name, "fullyQualifiedName": entry.urn, "kind": "resource"},
                ],
            }
        ],
        # The same finding of the next run, wherever in the file it has moved: the first name is what GitHub reads.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "ruleResourceProperty/v1": fingerprint},
        "suppressions": _suppressions(entry),
        "properties": {"outcome": entry.outcome.value, "property": entry.path, "resourceType": entry.type},
    }


def _level(entry: Entry) -> str:
    if entry.stops:
        return "error"
    if entry.outcome is Outcome.EXEMPTED and entry.rule is not None:
        return _LEVELS[entry.rule.level]
    return "warning" if entry.outcome is Outcome.ADVICE else "note"


def _place(place: str) -> dict[str, object]:
    file, _, line = place.rpartition(":")
    return {
        "artifactLocation": {"uri": file or PROJECT_FILE, "uriBaseId": _ROOT},
        "region": {"startLine": int(line) if file else 1},
    }


def _suppressions(entry: Entry) -> list[dict[str, object]]:
    """Of what is not exempted: none, said so; without that a reader cannot tell."""
    if entry.exemption is None:
        return []
    until = f"{entry.exemption.owner}, until {entry.exemption.expires}"
    return [{"kind": "external", "status": "accepted", "justification": f"{entry.exemption.reason} ({until})"}]
