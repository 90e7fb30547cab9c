"""Posts the review of a pull request as one comment on it, which the review of its next commit replaces.

Run by .github/workflows/post_review.yml as ``python3 -m harness.review_comment``, from the default branch and with the
standard library only. The review was written by the pull request's own code, which may be a stranger's: what it says is
shown, cut to what a comment holds, and nothing in it is believed or run. Which pull request it belongs to is asked of
GitHub, not read from it.

Environment: GH_TOKEN, GITHUB_REPOSITORY, GITHUB_SERVER_URL, RUN_ID (the run that left the review as an artifact) and
HEAD_OWNER, HEAD_BRANCH, HEAD_SHA (what it reviewed).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTIFACT: Final = "review"
FILE: Final = "review.md"
AUTHOR: Final = "github-actions[bot]"
MARK: Final = "<!-- the review of all stacks -->"
"""The first line of the comment, by which the next run finds it."""
LONGEST: Final = 60_000
"""Characters of the review that are posted; GitHub takes 65,536 in a comment."""
NO_ONE: Final = "\u200b"
"""After an @, so that nobody is called by what the review quotes: a space without width."""


@dataclass(frozen=True, kw_only=True)
class ReviewRun:
    """The run of the other workflow that made the review."""

    repository: str
    run_id: str
    head_owner: str
    head_branch: str
    head_sha: str
    address: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ReviewRun:
        repository, run_id = environment["GITHUB_REPOSITORY"], environment["RUN_ID"]
        return cls(
            repository=repository,
            run_id=run_id,
            head_owner=environment["HEAD_OWNER"],
            head_branch=environment["HEAD_BRANCH"],
            head_sha=environment["HEAD_SHA"],
            address=f"{environment['GITHUB_SERVER_URL']}/{repository}/actions/runs/{run_id}",
        )

    @property
    def foreign(self) -> bool:
        """Whether a fork's code made it."""
        return self.head_owner != self.repository.partition("/")[0]


def main() -> int:
    """Post the review; exit code 0 also where there is nothing to post, or nowhere."""
    run = ReviewRun.of(os.environ)
    number = pull_request(run)
    if number is None:
        print(f"No open pull request has {run.head_sha} as its last commit: a later run posts its review.")
        return 0
    post(run, number, body(run, downloaded(run)))
    print(f"The review stands in pull request {number}.")
    return 0


def pull_request(run: ReviewRun) -> int | None:
    """The open pull request whose last commit was reviewed. (A run of a fork's names none in its event.)"""
    head = f"{run.head_owner}:{run.head_branch}"
    found = api("GET", f"repos/{run.repository}/pulls", "-f", "state=open", "-f", f"head={head}")
    return next((int(pull["number"]) for pull in found if pull["head"]["sha"] == run.head_sha), None)


def downloaded(run: ReviewRun) -> str | None:
    """The review's text; None if the run ended before it left one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["gh", "run", "download", run.run_id, "--repo", run.repository, "--name", ARTIFACT, "--dir", folder]
        if subprocess.run(command, check=False).returncode:
            return None
        file = Path(folder) / FILE
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() and not file.is_symlink() else None


def body(run: ReviewRun, review: str | None) -> str:
    """The comment; where it comes from stands first, so that nothing in the review can hide it."""
    origin = f"[Run {run.run_id}]({run.address}) of {run.head_sha[:12]}"
    if run.foreign:
        origin += ", made by the fork's own code: read the change, do not rely on this"
    if review is None:
        return f"{MARK}\nThe previews left no review: {origin} says why.\n"
    shown = review.replace("@", f"@{NO_ONE}")
    if len(shown) > LONGEST:
        origin += "; its end is cut off here, the run's summary has it"
    return f"{MARK}\n<sub>{origin}</sub>\n\n{shown[:LONGEST]}"


def post(run: ReviewRun, number: int, text: str) -> None:
    """Write the comment, in the place of the one before."""
    path = f"repos/{run.repository}/issues/{number}/comments"
    pages = api("GET", path, "--paginate", "--slurp", "-f", "per_page=100")
    earlier = [
        comment["id"]
        for page in pages
        for comment in page
        if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARK)
    ]
    if earlier:
        api("PATCH", f"repos/{run.repository}/issues/comments/{earlier[0]}", body=text)
    else:
        api("POST", path, body=text)


def api(method: str, path: str, *options: str, body: str | None = None) -> Any:
    """GitHub's answer, of which the path says what it is."""
    given = None if body is None else json.dumps({"body": body})
    done = subprocess.run(
        ["gh", "api", "--method", method, path, *options, *(() if given is None else ("--input", "-"))],
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
