"""`harness preview --plan`: one document, and an exit code that a workflow can go by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import cli

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "urn:pulumi:prod::energy-support::aws:dynamodb/table:Table::tickets"


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """A plan that replaces a table."""
    state = {"type": "aws:dynamodb/table:Table", "inputs": {"name": "tickets"}}
    step = {
        "op": "replace",
        "urn": TABLE,
        "oldState": state,
        "newState": state,
        "detailedDiff": {"hashKey": {"kind": "update-replace", "inputDiff": True}},
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"steps": [step]}))
    return str(file)


@pytest.mark.parametrize(
    ("allowed", "code"), [([], 1), (["--allow-replace", "tickets"], 0), (["--allow-replace", TABLE], 0)]
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--markdown"]])
def test_the_exit_code_says_whether_it_may_pass(
    plan: str, allowed: list[str], code: int, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["preview", "--stack", "prod", "--plan", plan, *form, *allowed], debug=False) == code
    out = capsys.readouterr().out
    assert "tickets" in out
    if form == ["--json"]:
        document = json.loads(out)
        assert document["stack"] == "prod"
        assert set(document["review"]) == {
            *("schema", "stack", "against", "summary", "changes", "risks"),
            *("blocked", "allowed", "findings", "errors"),
        }
        assert [stop["urn"] for stop in document["review"]["allowed" if allowed else "blocked"]] == [TABLE]
        (change,) = document["review"]["changes"]
        assert change["properties"][0]["source"] == "terraform-provider-aws dynamodb/table.go: ForceNew"
    if form == ["--markdown"]:
        assert out.startswith("## `prod`: 1 to replace\n")
        assert "| replace |" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--against", "main"], "--against or --plan"),
        (["--stack", "dev"], "is a plan of stack prod, not of dev"),
        (["--json", "--markdown"], "--markdown or --json"),
    ],
)
def test_what_makes_no_sense_together_is_told(
    plan: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["preview", "--plan", plan, *arguments], debug=False) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert told in " ".join(err.split())
