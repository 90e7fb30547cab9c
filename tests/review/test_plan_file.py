"""A plan that somebody else made: what it does not say is unknown, and what it says cannot become markup."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.review import plan_file
from harness.review.changes import Preview, Review, review
from harness.review.markdown import LONGEST, markdown
from harness.review.replacements import UNKNOWN, documented

if TYPE_CHECKING:
    from pathlib import Path

URN = "urn:pulumi:prod::energy-support::{type}::{name}"
STRANGE = "aws:odd/thing:Thing"
TABLE = "aws:dynamodb/table:Table"


def step(op: str, type_: str, name: str = "it", **more: Any) -> dict[str, Any]:
    inputs = more.pop("inputs", {})
    sides = {"oldState": {"type": type_, "inputs": inputs}, "newState": {"type": type_, "inputs": inputs}}
    if op == "delete":
        del sides["newState"]
    return {"op": op, "urn": URN.format(type=type_, name=name), **sides, "detailedDiff": None, **more}


def reviewed(folder: Path, *steps: dict[str, Any], **more: Any) -> Review:
    file = folder / "plan.json"
    file.write_text(json.dumps({"steps": steps, "changeSummary": {"same": 7}, **more}))
    plan = plan_file.read(str(file))
    return review(
        Preview(
            stack=plan.stack,
            against="what is deployed",
            judge="official",
            steps=plan.steps,
            unchanged=plan.unchanged,
            errors=plan.errors,
        )
    )


def test_a_change_of_which_nobody_says_how_it_is_made_is_never_called_an_update(tmp_path: Path) -> None:
    found = reviewed(tmp_path, step("update", STRANGE, diffReasons=["colour"]))
    assert (found.stack, found.summary["unchanged"]) == ("prod", 7)
    assert [(change.action, change.properties[0].source) for change in found.changes] == [("unknown", UNKNOWN)]
    assert "whether it replaces: unknown" in markdown(found)


def test_what_the_official_provider_says_in_detail_is_known(tmp_path: Path) -> None:
    told = {"colour": {"kind": "update", "inputDiff": True}}
    (change,) = reviewed(tmp_path, step("update", STRANGE, detailedDiff=told)).changes
    assert (change.action, change.properties[0].replaces) == ("update", False)


@pytest.mark.parametrize(
    "told", [{"replaceReasons": ["colour"]}, {"detailedDiff": {"colour": {"kind": "add-replace"}}}]
)
def test_a_replacement_without_a_known_source_says_so(tmp_path: Path, told: dict[str, Any]) -> None:
    (change,) = reviewed(tmp_path, step("replace", STRANGE, **told)).changes
    assert [(found.path, found.source) for found in change.forced_by] == [("colour", UNKNOWN)]
    assert change.delete_first is None


def test_a_replacement_that_names_no_property_is_still_one(tmp_path: Path) -> None:
    found = reviewed(tmp_path, step("replace", TABLE, inputs={"name": "t"}))
    assert [(stop.name, UNKNOWN in stop.sentence) for stop in found.blocked] == [("it", True)]
    assert found.changes[0].delete_first


def test_the_sdk_is_a_source_where_our_tables_have_none() -> None:
    said = documented("aws:opensearch/domain:Domain")["vpcOptions"]
    assert said.startswith("pulumi_aws ")
    assert "forces a new resource" in said


def test_the_parts_of_a_replacement_are_one_change(tmp_path: Path) -> None:
    parts = [step(op, TABLE, replaceReasons=["hashKey"]) for op in ("delete-replaced", "replace", "create-replacement")]
    (change,) = reviewed(tmp_path, *parts).changes
    assert (change.action, change.delete_first) == ("replace", True)
    (change,) = reviewed(tmp_path, *reversed(parts)).changes
    assert (change.action, change.delete_first) == ("replace", False)


def test_a_plan_that_failed_does_not_pass(tmp_path: Path) -> None:
    found = reviewed(tmp_path, step("same", TABLE), diagnostics=[{"message": "no such thing", "severity": "error"}])
    assert not found.passes
    assert "no such thing" in markdown(found)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"steps": 1}'])
def test_what_is_no_plan_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan").write_text(text)
    with pytest.raises(HarnessError) as caught:
        plan_file.read(str(tmp_path / "plan"))
    assert "pulumi preview --json" in caught.value.mend
    with pytest.raises(HarnessError):
        plan_file.read(str(tmp_path / "none"))


def test_names_and_values_cannot_make_markup_nor_call_anybody(tmp_path: Path) -> None:
    hostile = "`</summary><img src=x>\n# @everyone | [a](b)"
    told = {"colour": {"kind": "update"}}
    steps = [
        step("update", STRANGE, hostile, detailedDiff=told, inputs={"colour": hostile}),
        step("delete", TABLE, hostile),
    ]
    text = markdown(reviewed(tmp_path, *steps, diagnostics=[{"message": hostile, "severity": "error"}]))
    text = re.sub(r"^```text$.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    outside = "".join(part for line in text.splitlines() for part in line.split("`")[::2])
    assert "<img" not in outside
    assert "@e" not in outside
    assert "[a](b)" not in outside
    assert all(line.count("`") % 2 == 0 for line in text.splitlines())


def test_a_comment_is_never_longer_than_github_takes(tmp_path: Path) -> None:
    steps = [step("update", STRANGE, f"thing-{n}", diffReasons=[f"property-{n}" * 9]) for n in range(900)]
    text = markdown(reviewed(tmp_path, *steps))
    assert len(text) <= LONGEST + 1
    assert "900" in text
