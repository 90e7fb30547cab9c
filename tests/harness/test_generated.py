"""Documents that are made from the code say what the code says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from harness import contract_versions, generated, published_contract
from harness.errors import HarnessError
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def test_no_generated_document_is_stale() -> None:
    stale = generated.stale(REPOSITORY)
    changes = generated.told(generated.contract_changed(REPOSITORY))
    assert not stale, f"run `make docs`: {', '.join(stale)}" + (
        f"\nthe contract changed:\n{changes}" if changes else ""
    )


# --- the published contract


def with_symptoms_of(longest: int) -> dict[str, Any]:
    """The contract, with another limit."""
    document = published_contract.published()
    document["components"]["schemas"]["CreateTicketRequest"]["properties"]["symptom_text"]["maxLength"] = longest
    return document


BREAKS = "BREAKING: CreateTicketRequest.symptom_text takes less: maxLength was 6000, is 5000"


def test_who_breaks_the_contract_is_told_so(tmp_path: Path) -> None:
    published = tmp_path / published_contract.PATH
    published.parent.mkdir()
    published.write_text(json.dumps(with_symptoms_of(6000)))
    assert published_contract.PATH in generated.stale(tmp_path)
    assert BREAKS in generated.told(generated.contract_changed(tmp_path))
    published.write_text(json.dumps(with_symptoms_of(4000)))
    told = generated.told(generated.contract_changed(tmp_path))
    assert "takes more: maxLength was 4000, is 5000" in told
    assert "BREAKING" not in told


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_contract_that_cannot_be_read_is_only_stale(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "docs").mkdir()
        (tmp_path / published_contract.PATH).write_text(text)
    assert published_contract.PATH in generated.stale(tmp_path)
    assert generated.contract_changed(tmp_path) == ()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on a branch of its own; `main` published the contract, and went on since."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "first", None)
    commit(tmp_path, "published", with_symptoms_of(6000))
    git(tmp_path, "checkout", "--quiet", "-b", "mine")
    commit(tmp_path, "mine", with_symptoms_of(5000))
    git(tmp_path, "checkout", "--quiet", "main")
    commit(tmp_path, "later", with_symptoms_of(7000))
    git(tmp_path, "checkout", "--quiet", "mine")
    return tmp_path


def commit(root: Path, message: str, document: dict[str, Any] | None) -> None:
    (root / "docs").mkdir(exist_ok=True)
    if document is not None:
        (root / published_contract.PATH).write_text(json.dumps(document))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    git(root, "tag", message)


def git(root: Path, *arguments: str) -> None:
    person = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *person, *arguments], cwd=root, check=True, capture_output=True)


def test_a_branch_is_compared_with_where_it_left_main(clone: Path) -> None:
    found = contract_versions.compare(clone)
    assert [f"BREAKING: {change}" for change in found.breaking] == [BREAKS]


def test_any_version_can_be_compared_with(clone: Path) -> None:
    assert contract_versions.compare(clone, "mine").changes == ()
    assert "was 7000" in str(contract_versions.compare(clone, "later").breaking[0])


def test_before_anything_was_published_nothing_can_break(clone: Path) -> None:
    found = contract_versions.compare(clone, "first")
    assert (found.published, found.changes) == (False, ())


@pytest.mark.parametrize("name", ["nowhere", "--all", ""])
def test_a_version_that_git_does_not_know_is_told(clone: Path, name: str) -> None:
    if name:
        with pytest.raises(HarnessError, match=f"no commit {name}"):
            contract_versions.compare(clone, name)
    git(clone, "branch", "--delete", "--force", "main")
    # Without a main branch: the last commit.
    assert contract_versions.compare(clone).changes == ()
