"""The pack as a whole: what it tells of itself, how unknowns are levelled, and what importing it costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pulumi.runtime.proto import analyzer_pb2

from policies.rules import GROUPS

if TYPE_CHECKING:
    from policies.findings import Rule
    from tests.policies.conftest import Engine

POLICIES = Path(__file__).resolve().parents[2] / "policies"
RULES = [rule for group in GROUPS for rule in group.rules]
GATE = json.loads((POLICIES / "gate.json").read_text())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_demands_answers_and_advises(rule: Rule) -> None:
    assert rule.demand
    assert not rule.demand.endswith(".")
    assert rule.controls
    assert rule.remediation.endswith(".")
    assert rule.url.startswith("https://docs.aws.amazon.com/")


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_policy_carries_what_the_engine_shows(engine: Engine) -> None:
    policies = {each.name: each for each in engine.info().policies}
    for group in GROUPS:
        policy = policies[group.name]
        assert policy.severity != analyzer_pb2.POLICY_SEVERITY_UNSPECIFIED
        assert list(policy.tags) == [rule.id for rule in group.rules]
        assert all(rule.remediation in policy.remediation_steps for rule in group.rules)
        assert policy.url
        assert policy.framework.reference
        assert policy.enforcementLevel == (analyzer_pb2.MANDATORY if group.mandatory else analyzer_pb2.ADVISORY)


def test_a_type_that_no_rule_is_about_is_not_applicable_rather_than_compliant(engine: Engine) -> None:
    response = engine.response("aws:cognito/userGroup:UserGroup", {"name": "customer"})
    assert not response.diagnostics
    assert {each.policy_name for each in response.not_applicable} >= {group.name for group in GROUPS}
    assert not engine.response("aws:sqs/queue:Queue", {"kmsMasterKeyId": "k"}).diagnostics


def test_what_cannot_be_judged_is_advice_in_a_preview_and_stops_the_gate(fresh_engine: Engine, unknown: str) -> None:
    undecided = ("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": unknown})
    (finding,) = fresh_engine.judge(*undecided)
    assert not finding.mandatory
    fresh_engine.configure({name: analyzer_pb2.EnforcementLevel.Value(level.upper()) for name, level in GATE.items()})
    (finding,) = fresh_engine.judge(*undecided)
    assert finding.mandatory


def test_the_gate_names_policies_that_exist(engine: Engine) -> None:
    assert GATE.keys() <= {each.name for each in engine.info().policies}


def test_rules_are_imported_without_pulumi_and_the_pack_without_the_aws_sdk() -> None:
    program = (
        "import sys, policies.rules; print('pulumi' in sys.modules);"
        "import policies.pack; policies.pack.policies(); print('pulumi_aws' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["False", "False"]


def test_only_the_packs_entry_starts_a_server() -> None:
    starters = {
        path.name
        for path in POLICIES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("PolicyPack")
    }
    assert starters == {"__main__.py"}
