"""The pack as a whole: what it tells of itself, the levels of findings, what it remembers, what starting it costs."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from dataclasses import replace

import pytest
from pulumi.runtime.proto import analyzer_pb2

from harness.judging.analyzer import UNKNOWN, Analyzer, Judged, judged
from harness.paths import REPOSITORY, Paths
from harness.toolchain.pins import pinned
from policies.pack import ACROSS, ADVICE, CANNOT_JUDGE, RULES_POLICY
from policies.rule import Given, Level, Rule
from policies.rules import RULES, sqs
from policies.settings import SettingsError

POLICIES = REPOSITORY / "policies"
GATE = json.loads((POLICIES / "gate.json").read_text())
DOCUMENTED = (
    "https://docs.aws.amazon.com/",
    "https://aws.amazon.com/",
    "https://repost.aws/",
    "https://www.pulumi.com/",
)
START_SECONDS = 1.0
"""What the pack may add to Python's own start (issue: under 1 s)."""


def queue(name: str = "orders", stack: str = "prod", **inputs: object) -> Judged:
    (made,) = judged([Given(sqs.QUEUE, name, {"name": name, **inputs})])
    return replace(made, urn=made.urn.replace("urn:pulumi:test:", f"urn:pulumi:{stack}:", 1))


def of_rule(analyzer: Analyzer, rule: str, *resources: Judged) -> list[tuple[str, bool]]:
    """(policy, whether it is mandatory) of what one rule says."""
    return [(each.policy, each.mandatory) for each in analyzer.judge(resources) if each.rule == rule]


# --- what it tells of itself


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_demands_why_answers_and_advises(rule: Rule) -> None:
    assert rule.demand
    assert not rule.demand.endswith(".")
    assert rule.why.endswith(".")
    assert all(rule.controls)
    assert rule.mend.endswith((".", ".)"))
    assert rule.url.startswith(DOCUMENTED)
    assert rule.guards


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_policy_carries_what_the_engine_shows() -> None:
    policies = {each.name: each for each in Analyzer().info().policies}
    levels = {name: analyzer_pb2.EnforcementLevel.Name(policy.enforcementLevel) for name, policy in policies.items()}
    assert levels == {RULES_POLICY: "MANDATORY", ACROSS: "MANDATORY", ADVICE: "ADVISORY", CANNOT_JUDGE: "ADVISORY"}
    for policy in policies.values():
        assert policy.severity != analyzer_pb2.POLICY_SEVERITY_UNSPECIFIED
        assert policy.remediation_steps
    assert list(policies[RULES_POLICY].tags) == [rule.id for rule in RULES]
    assert policies[RULES_POLICY].framework.reference


def test_a_type_that_no_rule_is_about_is_not_applicable_rather_than_compliant() -> None:
    stranger = Judged(type="aws:none/such:Such", name="it", urn="urn:pulumi:prod::p::aws:none/such:Such::it", inputs={})
    response = Analyzer().analyze(stranger)
    assert not response.diagnostics
    assert RULES_POLICY in {each.policy_name for each in response.not_applicable}
    assert RULES_POLICY not in {each.policy_name for each in Analyzer().analyze(queue()).not_applicable}


def test_what_the_pack_needs_elsewhere_is_what_is_locked_here() -> None:
    lines = [line for line in (POLICIES / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0] for line in lines]
    assert lines == [f"{name}=={pinned(Paths.find(), 'dev', name)}" for name in names]
    imported = {
        (node.module or "").partition(".")[0]
        for path in POLICIES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    } | {
        alias.name.partition(".")[0]
        for path in POLICIES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported - sys.stdlib_module_names - {"policies"} == {name.replace("-", "_") for name in names}


# --- levels


def test_a_violation_is_told_once_and_is_mandatory() -> None:
    assert of_rule(Analyzer(), "sqs-encryption", queue()) == [(RULES_POLICY, True)]
    assert of_rule(Analyzer(), "sqs-tls-only", queue()) == [(ACROSS, True)]


@pytest.mark.parametrize(
    ("level", "told"), [("advisory", [(ADVICE, False)]), ("disabled", []), ("mandatory", [(RULES_POLICY, True)])]
)
def test_a_rule_has_the_level_that_the_configuration_gives_it(level: str, told: list[tuple[str, bool]]) -> None:
    configuration = {RULES_POLICY: {"levels": {"sqs-encryption": level}}}
    assert of_rule(Analyzer(configuration), "sqs-encryption", queue()) == told


def test_a_level_of_a_stack_is_that_of_the_stack_in_the_urn() -> None:
    configuration = {RULES_POLICY: {"stackLevels": {"dev": {"sqs-encryption": "advisory"}}}}
    assert of_rule(Analyzer(configuration), "sqs-encryption", queue(stack="dev")) == [(ADVICE, False)]
    assert of_rule(Analyzer(configuration), "sqs-encryption", queue(stack="prod")) == [(RULES_POLICY, True)]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.outside_production], ids=lambda rule: rule.id)
def test_a_rule_that_is_milder_outside_production_is_so_by_the_stacks_name(rule: Rule) -> None:
    for stack, level in (("prod", rule.level), ("dev", rule.outside_production)):
        resources = [
            replace(
                each,
                urn=each.urn.replace(":test:", f":{stack}:", 1),
                made_from={
                    key: [urn.replace(":test:", f":{stack}:", 1) for urn in urns]
                    for key, urns in each.made_from.items()
                },
            )
            for each in judged(rule.violating)
        ]
        told = {mandatory for _, mandatory in of_rule(Analyzer(), rule.id, *resources)}
        assert told == ({level is Level.MANDATORY} if level is not Level.DISABLED else set())


def test_what_cannot_be_judged_is_advice_in_a_preview_and_stops_the_gate() -> None:
    undecided = queue(kmsMasterKeyId=UNKNOWN)
    assert of_rule(Analyzer(), "sqs-encryption", undecided) == [(CANNOT_JUDGE, False)]
    assert of_rule(Analyzer(levels=GATE), "sqs-encryption", undecided) == [(CANNOT_JUDGE, True)]


def test_the_gate_names_policies_that_exist() -> None:
    assert GATE.keys() <= {each.name for each in Analyzer().info().policies}


def test_everything_wrong_with_the_configuration_is_told_at_once() -> None:
    wrong = {RULES_POLICY: {"limits": {"visibility": 7}, "levels": {"sqs-encrypted": "mandatory"}}}
    with pytest.raises(SettingsError, match=r"limits\.visibility: there is no such limit.*\n.*levels\.sqs-encrypted"):
        Analyzer(wrong).analyze(queue())


# --- what it remembers of a run


def test_a_resource_is_judged_by_its_inputs_though_the_stack_shows_outputs() -> None:
    analyzer = Analyzer()
    analyzer.analyze(queue(kmsMasterKeyId=UNKNOWN))
    done = queue(kmsMasterKeyId="arn:aws:kms:eu-west-1:123456789012:key/1")
    found = [each for each in analyzer.analyze_stack([done]).diagnostics if "sqs-encryption" in each.message]
    assert [each.policyName for each in found] == [CANNOT_JUDGE]


def test_a_stack_whose_resources_were_not_seen_before_is_judged_whole() -> None:
    found = [each for each in Analyzer().analyze_stack([queue()]).diagnostics if "sqs-encryption" in each.message]
    assert [each.policyName for each in found] == [ACROSS]


def test_a_second_run_of_the_same_process_is_judged_anew() -> None:
    analyzer = Analyzer()
    first = [each for each in analyzer.judge([queue(kmsMasterKeyId=UNKNOWN)]) if each.rule == "sqs-encryption"]
    second = [each for each in analyzer.judge([queue()]) if each.rule == "sqs-encryption"]
    assert [(each.unknown, each.mandatory) for each in (*first, *second)] == [(True, False), (False, True)]


# --- what it costs


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_rules_are_imported_without_pulumi_and_the_pack_without_any_aws_sdk() -> None:
    program = (
        "import sys, policies.judge, policies.report.events; print('pulumi' in sys.modules);"
        "import policies.pack; policies.pack.Pack().policies();"
        "print(*sorted({'pulumi_aws', 'boto3', 'botocore', 'harness', 'components', 'support'} & set(sys.modules)))"
    )
    assert _run(program).splitlines() == ["False", ""]


def test_the_pack_starts_in_under_a_second() -> None:
    """Processor time, Python's own start taken off, once the byte code is kept; wall time would tell of other tests."""
    programs = ("import policies.pack; policies.pack.Pack().policies()", "pass")
    for program in programs:
        _run(program)
    pack, python = (
        statistics.median(float(_run(f"{program}\nimport time; print(time.process_time())")) for _ in range(5))
        for program in programs
    )
    assert pack - python < START_SECONDS


def test_only_the_packs_entry_starts_a_server() -> None:
    starters = {
        path.name
        for path in POLICIES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("PolicyPack")
    }
    assert starters == {"__main__.py"}
