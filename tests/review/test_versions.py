"""Two versions of the whole program compared, as a pull request is: by the command line, in a clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from harness.paths import REPOSITORY
from harness.source_copy import python_path

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)

STACK = "prod"


class Clone:
    """A copy of the sources under git, which a test may change."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a clone"
        self._local = folder / "local"
        for name in ("components", "harness", "lambdas", "policies", "requirements"):
            # With its byte code: copies are as old as what they are made from.
            shutil.copytree(REPOSITORY / name, self.root / name)
        for file in (REPOSITORY / "__main__.py", REPOSITORY / ".gitignore", *REPOSITORY.glob("Pulumi*.yaml")):
            shutil.copy2(file, self.root)
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")

    def git(self, *arguments: str) -> None:
        named = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *named, *arguments], cwd=self.root, check=True)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert text.count(old) == 1, f"{file}: {old}"
        (self.root / file).write_text(text.replace(old, new))

    def preview(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from harness.cli import main; main()", "preview", "--stack", STACK, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": python_path(self.root), "HARNESS_LOCAL_DIR": str(self._local)},
            capture_output=True,
            text=True,
            check=False,
        )

    def review(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self.preview("--against", "HEAD", "--json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["review"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("versions"))


def test_prepared_changes_of_the_whole_program_are_told_and_nothing_else(clone: Clone) -> None:
    alarms = "\n  energy-support:alarms"
    clone.edit(f"Pulumi.{STACK}.yaml", f"    log_days: 365{alarms}", f"    log_days: 180{alarms}")
    clone.edit("components/tables.py", 'Attribute("failure_id")', 'Attribute("failure")')
    code, review = clone.review()
    assert code == 1
    actions = {(change["type"].rpartition(":")[2], change["action"]) for change in review["changes"]}
    assert actions == {("Table", "replace"), ("LogGroup", "update")}
    assert review["summary"]["unchanged"] > 200

    (stop,) = review["blocked"]
    assert stop["name"] == "failures"
    assert "hashKey (source: terraform-provider-aws dynamodb/table.go: ForceNew)" in stop["sentence"]
    assert "Pulumi refuses it" in stop["sentence"]
    lost = {risk["sentence"] for risk in review["risks"] if risk["kind"] == "lost safety"}
    assert lost == {"retentionInDays goes from 365 to 180: older log events are deleted at once"}
    assert [risk["name"] for risk in review["risks"] if risk["kind"] == "data loss"] == ["failures"]


def test_a_version_that_git_does_not_know_is_told(clone: Clone) -> None:
    done = clone.preview("--against=--nowhere", "--json")
    assert done.returncode == 1
    assert "git knows no commit --nowhere here" in done.stderr
