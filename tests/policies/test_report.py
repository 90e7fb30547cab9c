"""Reports for pull requests: SARIF, Markdown, and both of them from the engine's own account of a run."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.paths import REPOSITORY
from policies.exemptions import Exemption
from policies.finding import Finding, in_one, told
from policies.judge import Judgement
from policies.report import events
from policies.report.entries import Outcome, Report, of_judgement
from policies.report.markdown import LONGEST, markdown
from policies.report.sarif import sarif
from policies.rule import Level, Verdict, cannot_judge
from policies.rules import RULES, sqs
from policies.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TODAY = dt.date(2027, 1, 15)
URN = f"urn:pulumi:prod::shop::support:queues:Queues${sqs.QUEUE}::orders"
EXEMPTION = Exemption(
    rule="sqs-encryption",
    type=sqs.QUEUE,
    name="orders",
    reason="holds nothing | that @anybody wrote",
    owner="platform team",
    expires=TODAY + dt.timedelta(days=30),
)


def finding(path: str = "kmsMasterKeyId", level: Level = Level.MANDATORY, urn: str = URN) -> Finding:
    return Finding(sqs.ENCRYPTION, Verdict(path, "is not set"), urn, level)


def unjudged() -> Finding:
    return Finding(sqs.ENCRYPTION, cannot_judge(Unknown("kmsMasterKeyId")), URN, Level.MANDATORY)


def report(judgement: Judgement, *, unknown_stops: bool = True, place: str = "components/queues.py:88") -> Report:
    entries = of_judgement(judgement, unknown_stops=unknown_stops, places={URN: place} if place else {})
    return Report(stack="prod", entries=tuple(entries), resources=7, today=TODAY)


MIXED = Judgement(
    findings=[finding(), finding("policy", Level.ADVISORY), unjudged()], exempted=[(finding("name"), EXEMPTION)]
)


def results(log: dict[str, object]) -> list[dict[str, Any]]:
    runs = cast("list[dict[str, Any]]", log["runs"])
    return [result for run in runs for result in run["results"]]


# --- SARIF


@pytest.mark.parametrize(
    "made", [report(MIXED), report(Judgement()), report(MIXED, place="")], ids=["all", "none", "x"]
)
def test_the_log_is_what_the_standard_says(made: Report, check_sarif: Callable[[object], None]) -> None:
    check_sarif(sarif([made, replace(made, stack="dev", faults=("broke off",))]))


def test_a_result_says_what_where_and_how_bad() -> None:
    log = results(sarif([report(MIXED)]))
    assert [(each["properties"]["outcome"], each["level"]) for each in log] == [
        ("violation", "error"),
        ("advice", "warning"),
        ("cannot-judge", "error"),
        ("exempted", "error"),
    ]
    first = log[0]
    assert first["ruleId"] == "sqs-encryption"
    assert "`kmsMasterKeyId` is not set." in first["message"]["text"]
    assert sqs.ENCRYPTION.mend in first["message"]["text"]
    (location,) = first["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "components/queues.py"
    assert location["physicalLocation"]["region"] == {"startLine": 88}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == URN


def test_a_finding_whose_place_is_not_known_is_shown_on_the_project() -> None:
    place = results(sarif([report(MIXED, place="")]))[0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("Pulumi.yaml", 1)


def test_what_is_exempted_is_suppressed_with_its_reason_and_all_else_is_not() -> None:
    found = {each["properties"]["outcome"]: each["suppressions"] for each in results(sarif([report(MIXED)]))}
    (suppression,) = found.pop("exempted")
    assert suppression["kind"] == "external"
    assert suppression["justification"] == f"{EXEMPTION.reason} (platform team, until {EXEMPTION.expires})"
    assert not any(found.values())


def test_a_finding_keeps_its_fingerprint_when_it_moves_and_shares_it_with_no_other() -> None:
    def prints(made: Report) -> dict[str, str]:
        return {
            each["properties"]["property"]: each["partialFingerprints"]["primaryLocationLineHash"]
            for each in results(sarif([made]))
        }

    first = report(Judgement(findings=[finding("a"), finding("b"), finding("c", urn=f"{URN}-2")]))
    later = report(Judgement(findings=[finding("c", urn=f"{URN}-2"), finding("b")]), place="components/moved.py:1")
    assert prints(later) == {path: mark for path, mark in prints(first).items() if path != "a"}
    assert len(set(prints(first).values())) == 3
    twice = results(sarif([report(Judgement(findings=[finding(), finding()]))]))
    assert len({each["partialFingerprints"]["primaryLocationLineHash"] for each in twice}) == 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_told_with_why_mend_and_controls(rule: Any, check_sarif: Callable[[object], None]) -> None:
    found = Finding(rule, Verdict("path", "is wrong"), URN, Level.MANDATORY)
    log = sarif([report(Judgement(findings=[found]))])
    check_sarif(log)
    (described,) = cast("Any", log)["runs"][0]["tool"]["driver"]["rules"]
    assert described["id"] == rule.id
    assert rule.mend in described["help"]["markdown"]
    assert described["properties"]["controls"] == list(rule.controls)
    assert 0 < float(described["properties"]["security-severity"]) <= 10


def test_each_stack_has_a_run_of_its_own_name() -> None:
    made = report(MIXED)
    runs = cast("Any", sarif([made, replace(made, stack="dev")]))["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == ["policies/prod/", "policies/dev/"]


# --- Markdown


def test_markdown_shows_openly_what_stops_and_folds_the_rest() -> None:
    text = markdown([report(MIXED)])
    opened, _, folded = text.partition("<details>")
    assert text.startswith("## Policies: `prod` may not pass")
    assert "### `prod` violates: 1" in opened
    assert "### `prod` cannot be judged: 1" in opened
    assert f"Mend: {sqs.ENCRYPTION.mend}" in opened
    assert "`components/queues.py:88`" in opened
    assert "advice: 1" in folded
    assert "exempted: 1" in folded
    assert "platform team | 2027-02-14 (30 days left)" in folded


def test_nothing_that_anybody_wrote_makes_markup_or_mentions_people() -> None:
    text = markdown([report(MIXED)])
    assert "holds nothing \\| that @\u200banybody wrote" in text
    evil = replace(report(MIXED).entries[0], urn=f"{URN}`|<img>\n@team", problem="is <b>@team</b> | `x`")
    text = markdown([replace(report(MIXED), entries=(evil,))])
    assert "<b>" not in text
    assert "@team</b>" not in text
    rows = [line for line in text.splitlines() if "sqs-encryption" in line]
    assert [line.count(" | ") for line in rows] == [3]


def test_a_report_that_is_too_long_keeps_what_stops() -> None:
    advice = [finding(f"path-{number}", Level.ADVISORY) for number in range(2000)]
    text = markdown([report(Judgement(findings=[finding(), *advice]))])
    assert len(text) <= LONGEST + 1
    assert "`prod` violates: 1" in text
    assert "too long for a comment" in text


def test_a_clean_stack_is_told_in_a_line() -> None:
    text = markdown([report(Judgement())])
    assert text.startswith("## Policies: nothing stops")
    assert "| `prod` | passes | 0 | 0 | 0 | 0 | 7 |" in text


# --- the engine's account


def log_of(*found: Mapping[str, object], whole: bool = True) -> str:
    """An event log, as the engine writes it."""
    resource = {"resourcePreEvent": {"metadata": {"op": "create", "urn": URN, "type": sqs.QUEUE}}}
    judged = {"policyAnalyzeSummaryEvent": {"resourceUrn": URN, "policyPackName": "energy-support"}}
    end = {"policyAnalyzeStackSummaryEvent": {"policyPackName": "energy-support", "passed": ["advice"]}}
    events_: list[Mapping[str, object]] = [resource, judged, *found, *([end] if whole else [])]
    return "".join(json.dumps({"sequence": n, "timestamp": 0, **event}) + "\n" for n, event in enumerate(events_))


def policy_event(message: str, **changes: object) -> dict[str, object]:
    return {
        "policyEvent": {
            "resourceUrn": URN,
            "message": f"<{{%fg 13%}}>What auditors ask of a resource.\n{message}<{{%reset%}}>\n",
            "color": "raw",
            "policyName": "rules",
            "policyPackName": "energy-support",
            "policyPackVersion": "0.1.0",
            "policyPackVersionTag": "0.1.0",
            "enforcementLevel": "mandatory",
            **changes,
        }
    }


def read(text: str) -> Report:
    return events.read(text.splitlines())


def test_a_finding_told_by_the_engine_is_the_one_that_the_rule_made() -> None:
    told_ = read(log_of(policy_event(str(finding())), policy_event(str(unjudged()), enforcementLevel="advisory")))
    made = report(Judgement(findings=[finding(), unjudged()]), unknown_stops=False, place="")
    assert told_.entries == made.entries
    assert (told_.stack, told_.resources, told_.passes) == ("prod", 1, False)


@pytest.mark.parametrize("problem", ["is `a`, not b", "says (a; b): `c`", "is a.\n  Mend: nothing", "ends. It does"])
@pytest.mark.parametrize("path", ["policy.Statement[0].Action", "tags.cost center: (x)", "name"])
def test_a_message_is_read_back_whatever_it_quotes(path: str, problem: str) -> None:
    made = Finding(sqs.ENCRYPTION, Verdict(path, problem), URN, Level.MANDATORY)
    (said,) = told(f"What auditors ask of a resource.\n{made}")
    assert (said.rule, said.path, said.unknown) == ("sqs-encryption", path, False)
    assert problem.startswith(said.problem)


def test_a_value_that_many_rules_wait_for_is_told_once_and_read_back_rule_by_rule() -> None:
    findings = [replace(unjudged(), rule=rule) for rule in (sqs.ENCRYPTION, sqs.VISIBILITY)]
    ((urn, message),) = in_one(findings)
    assert urn == unjudged().urn
    told_ = read(log_of(policy_event(message, enforcementLevel="advisory")))
    assert told_.entries == report(Judgement(findings=findings), unknown_stops=False, place="").entries
    assert [message for _, message in in_one(findings[:1])] == [str(findings[0])]


def test_another_packs_finding_is_told_as_that_packs() -> None:
    other = policy_event("Buckets are green.", policyName="colour", policyPackName="other", enforcementLevel="advisory")
    (entry,) = read(log_of(other)).entries
    assert (entry.id, entry.outcome, entry.rule) == ("other/colour", Outcome.ADVICE, None)
    assert "Buckets are green." in entry.sentence


def test_a_run_that_broke_off_never_looks_clean(check_sarif: Callable[[object], None]) -> None:
    error = {
        "diagnosticEvent": {"severity": "error", "message": "<{%fg 9%}>the program failed<{%reset%}>", "color": "raw"}
    }
    broken = read(log_of(error, whole=False))
    assert not broken.passes
    assert "the program failed" in broken.faults
    assert "was not judged to its end" in markdown([broken])
    log = sarif([broken])
    check_sarif(log)
    assert cast("Any", log)["runs"][0]["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "there is no event"), ("nonsense\n", "line 1 is no JSON"), ("{}\n[]\n", "line 1 is no event")],
)
def test_what_is_no_event_log_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(events.EventsError, match=problem):
        read(text)


# --- used elsewhere


_PROGRAM = """
import runpy, sys
try:
    runpy.run_module("policies.report", run_name="__main__", alter_sys=True)
finally:
    print(sys.modules["policies"].__file__, *{"pulumi", "pulumi_policy", "harness"} & set(sys.modules), file=sys.stderr)
"""


def run(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """``python -m policies.report`` from a copy of the folder; says last which it was, and what of ours it loaded."""
    if not (folder / "policies").exists():
        shutil.copytree(REPOSITORY / "policies", folder / "policies", ignore=shutil.ignore_patterns("__pycache__"))
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_needs_neither_pulumi_nor_the_harness(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text(log_of(policy_event(str(finding()))))
    done = run(tmp_path, "events.json", "--sarif", "out.sarif", "--markdown")
    assert (done.returncode, done.stderr) == (0, f"{tmp_path / 'policies' / '__init__.py'}\n")
    assert "`prod` violates: 1" in done.stdout
    assert results(json.loads((tmp_path / "out.sarif").read_text()))[0]["ruleId"] == "sqs-encryption"
    piped = run(tmp_path, "-", "--sarif", "-", given=log_of(policy_event(str(finding()))))
    assert json.loads(piped.stdout) == json.loads((tmp_path / "out.sarif").read_text())


def test_the_command_says_what_is_wrong_with_how_it_is_called(tmp_path: Path) -> None:
    missing = run(tmp_path, "none.json", "--markdown")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "none.json cannot be read" in missing.stderr
    both = run(tmp_path, "none.json", "--markdown", "--sarif", "-")
    neither = run(tmp_path, "none.json")
    assert both.returncode == neither.returncode == 2
    assert "one document is printed" in both.stderr


def test_an_entry_for_json_has_everything_that_a_script_may_ask() -> None:
    documents = cast("Any", report(MIXED).document())
    (exempted,) = documents["exempted"]
    assert exempted["exemption"] == {
        "reason": EXEMPTION.reason,
        "owner": "platform team",
        "expires": "2027-02-14",
        "days_left": 30,
    }
    (violation,) = documents["violation"]
    assert (violation["type"], violation["name"], violation["property"]) == (sqs.QUEUE, "orders", "kmsMasterKeyId")
    assert documents["passes"] is False
