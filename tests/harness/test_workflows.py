"""The GitHub workflows: what runs a stranger's code may touch nothing, and what deploys is pinned and approved."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import github_workflows, toolchain
from harness.errors import HarnessError
from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.toolchain.pins import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKFLOWS = {path.stem: path for path in sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))}
USES = re.compile(r"^\s*(?:- )?uses: (\S+)(?:\s+#\s*(\S+).*)?$", re.MULTILINE)
STACKS = ("dev", "staging", "prod")


def read(name: str) -> dict[Any, Any]:
    """A workflow; YAML takes its key `on` for true."""
    found: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in read(name)["jobs"].values():
        yield from job.get("steps", ())


def uses() -> list[tuple[str, str, str | None]]:
    """Workflow, action and the comment behind it, of every use."""
    return [(name, *use) for name, path in WORKFLOWS.items() for use in USES.findall(path.read_text())]


# --- the linters


def test_the_linters_find_nothing() -> None:
    checked = github_workflows.check(Paths.find(), Silent())
    assert checked.findings == ()
    assert "zizmor" in checked.tools


@pytest.fixture
def broken(tmp_path: Path) -> Paths:
    """A repository whose workflow GitHub would refuse, and whose wording an attacker would use."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "broken.yml").write_text(
        "on: pull_request_target\n"
        "jobs:\n"
        "  one:\n"
        "    runs-on: ubuntu-24.04\n"
        "    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
        "      - run: echo ${{ nonsense.x }}\n"
    )
    # Only a git repository has workflows, to actionlint.
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    found = Paths.find()
    return Paths(root=tmp_path, cache=found.cache, local=found.local)


def test_what_is_wrong_is_told_with_its_place(broken: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    actionlint = toolchain.ensure_actionlint(Paths.find(), Silent())
    monkeypatch.setattr(toolchain, "ensure_actionlint", lambda *_: actionlint)
    findings = github_workflows.check(broken, Silent()).findings
    places = {(each.tool, each.rule, each.place) for each in findings}
    assert ("zizmor", "dangerous-triggers", ".github/workflows/broken.yml:1") in places
    assert ("zizmor", "template-injection", ".github/workflows/broken.yml:6") in places
    told = [each for each in findings if "nonsense" in each.message]
    assert [(each.tool, each.rule, each.place) for each in told] == [
        ("actionlint", "expression", ".github/workflows/broken.yml:7")
    ]


def test_a_tool_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Path:
        raise HarnessError("no Go module proxy answers", "")

    monkeypatch.setattr(toolchain, "ensure_actionlint", missing)
    checked = github_workflows.check(Paths.find(), Silent())
    assert checked.tools == ("zizmor",)
    assert checked.missing == ("actionlint: no Go module proxy answers",)


def test_a_tool_that_says_nothing_is_no_clean_bill(broken: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = broken.root / "actionlint"
    tool.write_text("#!/bin/sh\necho cannot read >&2\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setattr(toolchain, "ensure_actionlint", lambda *_: tool)
    with pytest.raises(HarnessError, match=r"actionlint failed \(exit code 3\):\ncannot read"):
        github_workflows.check(broken, Silent())


def test_actionlint_is_of_the_version_that_is_pinned() -> None:
    paths = Paths.find()
    tool = toolchain.ensure_actionlint(paths, Silent())
    said = subprocess.run([tool, "-version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == toolchain.actionlint.pinned_version(paths)


# --- pins


def test_actions_are_pinned_by_commit_one_for_each_and_recorded() -> None:
    record = (REPOSITORY / "docs" / "decisions" / "0018-workflows.md").read_text()
    assert len(uses()) == sum(path.read_text().count("uses:") for path in WORKFLOWS.values())
    found = [(action, version) for _, action, version in uses() if not action.startswith("./")]
    for action, version in found:
        name, _, commit = action.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit), action
        assert f"| {name} | {version} | `{commit}` |" in record, action
    assert len({action for action, _ in found}) == len({action.partition("@")[0] for action, _ in found})


def test_the_cli_that_deploys_is_the_one_that_was_tested() -> None:
    (version,) = {
        step["with"]["pulumi-version"] for step in steps("deploy_stack") if "pulumi/actions@" in step.get("uses", "")
    }
    assert version == pinned(Paths.find(), "dev", "pulumi")


# --- rights


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(name: str) -> None:
    workflow = read(name)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert "timeout-minutes" in job or "uses" in job
    assert all("secrets." not in path.read_text() for path in WORKFLOWS.values())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_token_is_left_in_a_checkout(name: str) -> None:
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_value_from_outside_is_written_into_a_script(name: str) -> None:
    for step in steps(name):
        assert "${{" not in step.get("run", ""), step


def test_code_of_a_pull_request_can_only_read() -> None:
    for name, path in WORKFLOWS.items():
        triggers = read(name)[True]
        assert "pull_request_target" not in triggers
        if "pull_request" in triggers:
            assert {tuple(job["permissions"].items()) for job in read(name)["jobs"].values()} == {
                (("contents", "read"),)
            }
            assert "cache" not in path.read_text().replace("no cache that another run reads", "")


def test_what_may_comment_runs_the_default_branch_only() -> None:
    (job,) = read("post_review")["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    (checkout,) = (step for step in job["steps"] if "uses" in step)
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    writers = [name for name in WORKFLOWS if "write" in str([j["permissions"] for j in read(name)["jobs"].values()])]
    assert writers == ["deploy", "deploy_stack", "post_review"]


def test_every_stack_is_judged_with_every_value_known_and_told_even_when_it_does_not_pass() -> None:
    *_, judged, kept = read("pull_request")["jobs"]["policies"]["steps"]
    assert judged["run"] == '.venv/bin/harness policies --sarif policies.sarif --markdown >> "$GITHUB_STEP_SUMMARY"'
    assert (kept["if"], kept["with"]["path"]) == ("always()", "policies.sarif")


# --- deployment


def test_stacks_are_deployed_one_after_the_other_from_the_default_branch() -> None:
    jobs = read("deploy")["jobs"]
    assert {name: (job["with"]["stack"], job.get("needs")) for name, job in jobs.items()} == {
        "dev": ("dev", None),
        "staging": ("staging", "dev"),
        "prod": ("prod", "staging"),
    }
    assert jobs["dev"]["if"] == "vars.DEPLOY == 'yes' && github.ref_name == github.event.repository.default_branch"
    assert {stack for stack in STACKS if (REPOSITORY / f"Pulumi.{stack}.yaml").exists()} == set(STACKS)


def test_the_role_that_deploys_is_had_in_the_environment_that_asks_for_approval_after_the_review() -> None:
    jobs = read("deploy_stack")["jobs"]
    assert jobs["review"]["environment"] == "${{ inputs.stack }}-review"
    assert jobs["deploy"]["environment"] == "${{ inputs.stack }}"
    assert jobs["deploy"]["needs"] == "review"
    for job in jobs.values():
        (signed_in,) = (step for step in job["steps"] if "configure-aws-credentials@" in step.get("uses", ""))
        assert signed_in["with"]["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
        assert "aws-access-key-id" not in signed_in["with"]
    changing = [step["run"] for step in jobs["deploy"]["steps"] if "pulumi up" in step.get("run", "")]
    assert changing == ['pulumi up --stack "$STACK" --policy-pack policies --non-interactive --yes']
    assert all("pulumi up" not in step.get("run", "") for step in jobs["review"]["steps"])


# --- the review of all stacks


HARNESS = """#!/bin/sh
[ "$3" = staging ] && { echo "half a review"; exit 1; }
echo "## $3 against $5"
shift 5
echo "allowed: $*"
"""


def test_a_stack_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    tool = tmp_path / ".venv" / "bin" / "harness"
    tool.parent.mkdir(parents=True)
    tool.write_text(HARNESS)
    tool.chmod(0o755)
    script = REPOSITORY / ".github" / "preview_all.sh"
    done = subprocess.run(["sh", script, "abc", "review.md"], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 1
    review = (tmp_path / "review.md").read_text()
    assert [line for line in review.splitlines() if line.startswith("##")] == [
        "## prod against abc",
        "## dev against abc",
        "## local against abc",
    ]
    assert "> **staging** does not pass" in review
    assert "half a review" in review
    assert "--allow-replace" not in review
    assert {path.name for path in tmp_path.iterdir()} == {".venv", "review.md"}


def test_a_label_allows_a_replacement_by_name(tmp_path: Path) -> None:
    tool = tmp_path / ".venv" / "bin" / "harness"
    tool.parent.mkdir(parents=True)
    tool.write_text(HARNESS)
    tool.chmod(0o755)
    script = REPOSITORY / ".github" / "preview_all.sh"
    labels = "bug allow-replace:search allow-replace: allow-replace:tickets"
    subprocess.run(
        ["sh", script, "abc", "review.md"], cwd=tmp_path, check=False, capture_output=True, env={"LABELS": labels}
    )
    told = [line for line in (tmp_path / "review.md").read_text().splitlines() if line.startswith("allowed")]
    assert told == ["allowed: --allow-replace search --allow-replace tickets --markdown"] * 3
