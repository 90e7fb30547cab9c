"""The review of a pull request is one comment, and nothing that a stranger wrote into it does more than be shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from harness import review_comment
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SHA = "1234567890abcdef1234567890abcdef12345678"
GH = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
given = sys.stdin.read() if "--input" in arguments else ""
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([arguments, given]) + "\\n")
if arguments[0] == "run":
    review = folder / "review.md"
    if not review.exists():
        sys.exit(1)
    target = pathlib.Path(arguments[arguments.index("--dir") + 1])
    (target / "review.md").write_bytes(review.read_bytes())
else:
    answers = json.loads((folder / "answers").read_text())
    print(json.dumps(answers[arguments[2] + " " + arguments[3]]))
"""
Calls: TypeAlias = list[tuple[list[str], str]]
"""What `gh` was called with: its arguments, and what it was given to read."""
Run: TypeAlias = Callable[..., Calls]


@pytest.fixture
def answers() -> dict[str, Any]:
    """What GitHub says."""
    return {
        "GET repos/acme/support/pulls": [
            {"number": 6, "head": {"sha": "0" * 40}},
            {"number": 7, "head": {"sha": SHA}},
        ],
        "GET repos/acme/support/issues/7/comments": [
            [{"id": 1, "user": {"login": "someone"}, "body": f"{review_comment.MARK}\nI pretend."}],
            [{"id": 2, "user": {"login": review_comment.AUTHOR}, "body": "Another workflow's."}],
        ],
        "POST repos/acme/support/issues/7/comments": {},
        "PATCH repos/acme/support/issues/comments/3": {},
    }


@pytest.fixture
def run(tmp_path: Path, answers: dict[str, Any]) -> Run:
    """Runs the program as the workflow does, with a GitHub of those answers; the calls that it made."""

    def call(review: str | None, **environment: str) -> Calls:
        (tmp_path / "answers").write_text(json.dumps(answers))
        if review is not None:
            (tmp_path / "review.md").write_text(review)
        gh = tmp_path / "gh"
        gh.write_text(GH.format(python=sys.executable, folder=str(tmp_path)))
        gh.chmod(0o755)
        subprocess.run(
            # -S: without what is installed, as on the machine that runs it.
            [sys.executable, "-S", "-m", "harness.review_comment"],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
                "GITHUB_REPOSITORY": "acme/support",
                "GITHUB_SERVER_URL": "https://github.example.com",
                "RUN_ID": "99",
                "HEAD_OWNER": "acme",
                "HEAD_BRANCH": "a-branch",
                "HEAD_SHA": SHA,
                **environment,
            },
            check=True,
            capture_output=True,
        )
        made = map(json.loads, (tmp_path / "calls").read_text().splitlines())
        return [(arguments, given) for arguments, given in made]

    return call


def written(calls: Calls) -> tuple[str, str]:
    """Method and path, and the text, of the one call that wrote something."""
    ((arguments, given),) = [call for call in calls if call[1]]
    return f"{arguments[2]} {arguments[3]}", json.loads(given)["body"]


def test_the_first_review_is_a_new_comment(run: Run) -> None:
    where, text = written(run("## prod\n\nNothing changes.\n"))
    assert where == "POST repos/acme/support/issues/7/comments"
    origin = f"<sub>[Run 99](https://github.example.com/acme/support/actions/runs/99) of {SHA[:12]}</sub>"
    assert text == f"{review_comment.MARK}\n{origin}\n\n## prod\n\nNothing changes.\n"


def test_the_next_one_takes_its_place(run: Run, answers: dict[str, Any]) -> None:
    answers["GET repos/acme/support/issues/7/comments"].append(
        [{"id": 3, "user": {"login": review_comment.AUTHOR}, "body": f"{review_comment.MARK}\nOld."}]
    )
    where, _ = written(run("New."))
    assert where == "PATCH repos/acme/support/issues/comments/3"


def test_a_review_of_a_commit_that_is_no_longer_the_last_is_not_posted(
    run: Run,
) -> None:
    calls = run("Old.", HEAD_SHA="f" * 40)
    assert [arguments[3] for arguments, _ in calls] == ["repos/acme/support/pulls"]


def test_a_run_without_a_review_is_told(run: Run) -> None:
    _, text = written(run(None))
    assert "The previews left no review" in text


def test_a_strangers_review_is_only_shown(run: Run) -> None:
    hostile = "@acme/everyone `$(touch /tmp/x)` ${{ github.token }}\n" + "@" * 65_000
    calls = run(hostile, HEAD_OWNER="stranger", HEAD_BRANCH='"; rm -rf ~ #')
    _, text = written(calls)
    assert "@acme" not in text
    assert f"@{review_comment.NO_ONE}acme/everyone" in text
    # Above all that the stranger wrote, where it cannot be hidden.
    assert text.index("made by the fork's own code") < text.index("acme/everyone")
    assert "cut off here" in text
    assert len(text) < 65_536
    # A branch's name is one argument, whatever stands in it.
    assert 'head=stranger:"; rm -rf ~ #' in calls[0][0]
