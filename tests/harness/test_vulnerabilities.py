"""Known vulnerabilities of what is locked are told, and a database that cannot be asked is never a clean answer."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from harness import vulnerabilities
from harness.errors import HarnessError
from harness.paths import REPOSITORY
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.conftest import Done

GOOD: dict[str, Any] = {"name": "good", "version": "1.0", "vulns": []}
BAD: dict[str, Any] = {
    "name": "bad",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.1"], "description": "Oh."}],
}
UNKNOWN: dict[str, Any] = {"name": "good", "version": "1.0", "skip_reason": "Dependency not found"}
REFUSED = "WARNING: x\nERROR:pip_audit._cli:could not connect\n"
Says = dict[str, "list[dict[str, Any]] | str"]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Says:
    """What each database says of any lock file: packages, or the last words of pip-audit."""
    said: Says = {}

    def run(_: Path, database: str) -> subprocess.CompletedProcess[str]:
        answer = said[database]
        if isinstance(answer, str):
            return subprocess.CompletedProcess([], 1, "", answer)
        return subprocess.CompletedProcess([], 1, json.dumps({"dependencies": answer, "fixes": []}), "")

    monkeypatch.setattr(vulnerabilities, "_run", run)
    return said


def test_every_lock_file_is_audited(answers: Says) -> None:
    answers["pypi"] = [GOOD]
    audited = vulnerabilities.audit(REPOSITORY, Silent())
    assert {each.lock for each in audited} == {
        "lambda.txt",
        "dev.txt",
        "emulator.txt",
        "go.txt",
        "java.txt",
        "peer.txt",
    }
    assert all(not each.affected for each in audited)


@pytest.mark.parametrize("first", [REFUSED, [UNKNOWN], [GOOD, UNKNOWN]])
def test_the_next_database_is_asked_where_one_does_not_answer(answers: Says, first: list[dict[str, Any]] | str) -> None:
    answers |= {"pypi": first, "osv": [GOOD, BAD]}
    (audited, *_) = vulnerabilities.audit(REPOSITORY, Silent())
    assert (audited.database, [package.name for package in audited.affected]) == ("osv", ["bad"])


@pytest.mark.parametrize(("answer", "told"), [(REFUSED, "could not connect"), ([UNKNOWN], "Dependency not found")])
def test_without_a_database_nothing_is_called_clean(
    answers: Says, answer: list[dict[str, Any]] | str, told: str
) -> None:
    answers |= {"pypi": answer, "osv": answer}
    with pytest.raises(HarnessError, match=told) as caught:
        vulnerabilities.audit(REPOSITORY, Silent())
    assert "no database of vulnerabilities answers" in caught.value.message


def test_the_command_names_what_is_affected_and_fails(answers: Says, call: Callable[..., Done]) -> None:
    answers["pypi"] = [GOOD, BAD]
    done = call("audit")
    assert done.code == 1
    assert "PYSEC-1, CVE-2026-1" in done.out
    assert "2.1" in done.out
    assert json.loads(call("audit", "--json").out)[0]["affected"][0]["name"] == "bad"
    answers["pypi"] = [GOOD]
    assert call("audit").code == 0


def test_pip_audit_reads_a_lock_file_as_it_is(tmp_path: Path) -> None:
    """Its own arguments, with the real tool; a file that it must refuse, so that nobody needs to be asked."""
    lock = tmp_path / "lock.txt"
    lock.write_text("six==1.17.0\n")
    done = vulnerabilities._run(lock, "osv")
    assert done.returncode == 1
    assert "hash" in done.stderr.lower()
