"""Our own stacks as they are: nothing is refused, nothing unjudged once all is known; a preview says little."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from harness import graph, stack_file
from harness.engine import Engine
from harness.judging import gate
from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.toolchain import ensure_pulumi
from policies.pack import CANNOT_JUDGE
from policies.report.entries import Outcome

if TYPE_CHECKING:
    from pathlib import Path

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

NOT_KNOWN_IN_A_PREVIEW: Final = {
    # Documents that hold the ARN of a key, a role or a network interface that is made with them.
    ("RolePolicy", "policy"),
    ("VpcEndpoint", "policy"),
    # The functions' ARNs are in it; whether they stream, and so how long they may take, stands in it too.
    ("RestApi", "body"),
    ("Function", "timeout"),
    ("StateMachine", "definition"),
}
"""(type, property) that a first preview of production leaves open, honestly."""


@pytest.mark.parametrize("stack", stack_file.in_order(REPOSITORY))
def test_no_rule_refuses_our_stack_and_none_cannot_judge_it(stack: str) -> None:
    report = gate.report_of(graph.build(stack), gate.own_settings())
    told = [*report.of(Outcome.VIOLATION), *report.of(Outcome.CANNOT_JUDGE)]
    assert not [f"{each.id} {each.name}: {each.sentence}" for each in told]


def test_a_first_preview_of_production_is_passed_and_says_what_it_cannot_know(tmp_path: Path) -> None:
    cli = ensure_pulumi(Paths.find(), Silent())
    run = Engine(root=REPOSITORY, state=tmp_path / "state", stack="prod", cli=cli).preview()
    assert not [each.message for each in run.findings if each.level == "mandatory"]
    open_questions = {
        ((each.urn or "").rpartition("::")[0].rpartition(":")[2], path)
        for each in run.findings
        if each.policy == CANNOT_JUDGE
        for path in re.findall("cannot judge `([^`]+)`", each.message)
    }
    assert open_questions == NOT_KNOWN_IN_A_PREVIEW
