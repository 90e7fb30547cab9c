"""The comparison with checkov: what it finds in the bad stack, the pack finds too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from harness import cli
from harness.judging import peer
from harness.judging.peer import comparison, page, record
from harness.judging.peer.bad_stack import BAD_STACK
from harness.judging.peer.cloudformation import template
from harness.judging.peer.comparison import Comparison, Reason
from harness.judging.peer.forms import written
from harness.paths import Paths
from harness.progress import Silent
from policies.judge import BY_ID

if TYPE_CHECKING:
    from pathlib import Path

    from harness.judging.peer.scanner import Form


COMMITTED: Final = record.FILE


@pytest.fixture(scope="module")
def said() -> record.Record:
    return record.read()


@pytest.fixture(scope="module")
def compared(said: record.Record) -> Comparison:
    return comparison.compare(said, comparison.reasons())


def with_finding(said: record.Record, check: str, resource: str) -> record.Record:
    """The record as if the check had failed on the resource as well."""
    form: Form = "cloudformation"
    answer = said.answers[form]
    findings = {**answer.findings, check: (*answer.findings.get(check, ()), resource)}
    answers = {**said.answers, form: msgspec.structs.replace(answer, findings=findings)}
    return msgspec.structs.replace(said, answers=answers)


def test_every_finding_of_the_peer_is_answered_or_has_a_reason(compared: Comparison) -> None:
    assert compared.faults == ()
    assert compared.answered


def test_the_record_is_of_the_bad_stack_as_it_is(said: record.Record) -> None:
    """If not: `harness policies --peer` asks checkov anew."""
    assert {form: each.text for form, each in said.answers.items()} == {
        form: record.digest(each.text) for form, each in written().items()
    }


def test_each_language_has_every_resource_of_the_bad_stack_once() -> None:
    names = sorted(each.name for each in BAD_STACK)
    assert sorted(name for parts in template(BAD_STACK).made_of.values() for name in parts) == names
    assert sorted(written()["terraform"].names.values()) == names


def test_a_finding_that_no_rule_names_is_a_fault(said: record.Record) -> None:
    result = comparison.compare(with_finding(said, "CKV_AWS_0", "queue"), comparison.reasons())
    assert result.faults == ("CKV_AWS_0 on queue is answered by no rule.",)


def test_a_finding_that_is_answered_on_another_resource_only_is_a_fault(
    said: record.Record, compared: Comparison
) -> None:
    assert any(each.found.check == "CKV_AWS_27" and each.found.resource == "queue" for each in compared.answered)
    result = comparison.compare(with_finding(said, "CKV_AWS_27", "table"), comparison.reasons())
    assert result.faults == ("CKV_AWS_27 on table is answered by no rule.",)


def test_a_reason_covers_the_resources_that_it_names_and_no_other(said: record.Record) -> None:
    result = comparison.compare(with_finding(said, "CKV_AWS_61", "queue"), comparison.reasons())
    assert result.faults == ("CKV_AWS_61 on queue is answered by no rule.",)


def test_the_rules_that_reasons_speak_of_are_there() -> None:
    why = comparison.reasons()
    texts = [each.why for each in (*why.silent.values(), *why.quiet.values())]
    assert {name for text in texts for name in re.findall(r"`([a-z0-9-]+)`", text)} <= BY_ID.keys()


def test_a_reason_that_is_no_longer_needed_is_a_fault(said: record.Record) -> None:
    why = comparison.reasons()
    old = msgspec.structs.replace(why, silent={**why.silent, "CKV_AWS_0": Reason("There was one.")})
    assert comparison.compare(said, old).faults == ("The reason for CKV_AWS_0 is no longer needed.",)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for what the command writes."""
    monkeypatch.setattr(record, "FILE", tmp_path / "record.json")
    monkeypatch.setattr(page, "PATH", str(tmp_path / "peer.md"))
    return tmp_path


def test_the_command_writes_what_is_committed(
    said: record.Record, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer, "asked", lambda _paths, _progress: said)
    assert cli.run(["policies", "--peer", "--json"], debug=False) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert record.read() == said
    assert record.FILE.read_bytes() == COMMITTED.read_bytes()
    assert (elsewhere / "peer.md").read_text() == page.document()


def test_the_command_fails_and_says_so_where_no_rule_answers(
    said: record.Record, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = with_finding(said, "CKV_AWS_0", "queue")
    monkeypatch.setattr(peer, "asked", lambda _paths, _progress: more)
    assert cli.run(["policies", "--peer"], debug=False) == 1
    assert "CKV_AWS_0 on queue is answered by no rule." in capsys.readouterr().out


@pytest.mark.timeout(600)
def test_the_peer_still_says_what_the_record_says(said: record.Record) -> None:
    """Runs checkov, which is installed into the cache if it is not there."""
    assert peer.asked(Paths.find(), Silent()) == said
