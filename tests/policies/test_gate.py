"""The gate: `harness policies` judges stacks with every value known, and lets nothing through that is left unjudged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import cli, graph
from harness.judging import gate
from policies import judge
from policies.exemptions import Exemption
from policies.report.entries import Outcome
from policies.rule import Level, cannot_judge
from policies.rules import sqs
from policies.settings import Settings
from policies.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.graph import Graph
    from policies.rule import Verdict

QUEUE = "ticket-queue"


@pytest.fixture(scope="session")
def local() -> Graph:
    return graph.build("local")


@pytest.fixture(scope="session")
def two() -> Settings:
    """Settings under which two rules speak, so that what is told is about what a test changed."""
    asked = {"sqs-encryption", "sqs-tls-only"}
    return Settings(levels={rule: Level.DISABLED for rule in judge.BY_ID if rule not in asked})


def changed(stack: Graph, name: str, **inputs: Any) -> Graph:
    """The graph with other inputs of a queue; None takes one away."""
    queue = stack.one(sqs.QUEUE, name)
    made = {key: value for key, value in {**queue.inputs, **inputs}.items() if value is not None}
    outputs = {key: value for key, value in queue.outputs.items() if key not in inputs}
    return replace(stack, resources={**stack.resources, queue.urn: replace(queue, inputs=made, outputs=outputs)})


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], two: Settings
) -> Callable[..., tuple[int, str]]:
    """Runs the command on a graph in place of the program's; its exit code and standard output."""

    def command(stack: Graph, *arguments: str, settings: Settings = two) -> tuple[int, str]:
        monkeypatch.setattr(gate, "_graph", lambda _: stack)
        monkeypatch.setattr(gate, "own_settings", lambda: settings)
        code = cli.run(["policies", "--stack", "local", *arguments], debug=False)
        return code, capsys.readouterr().out

    return command


def test_the_stack_as_it_is_passes_with_everything_judged(local: Graph) -> None:
    report = gate.report_of(local, gate.own_settings())
    assert [entry.sentence for entry in report.entries if entry.stops] == []
    assert report.passes
    assert report.resources is not None
    assert report.resources > 100


def test_a_violation_is_told_with_the_line_that_asks_for_the_resource(local: Graph, two: Settings) -> None:
    bare = changed(local, QUEUE, kmsMasterKeyId=None)
    (entry,) = (each for each in gate.report_of(bare, two).entries if each.id == "sqs-encryption")
    assert (entry.outcome, entry.stops, entry.name) == (Outcome.VIOLATION, True, QUEUE)
    file, _, line = entry.place.rpartition(":")
    assert file.startswith("components/")
    assert line.isdecimal()


def test_every_resource_of_the_program_is_asked_for_in_a_line_of_it(local: Graph) -> None:
    assert [each.urn for each in local if not each.place.startswith(("components/", "__main__.py:"))] == []


def test_what_a_rule_cannot_judge_stops_the_gate(local: Graph, two: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubtful(*_: object) -> Iterator[Verdict]:
        yield cannot_judge(Unknown("policy"), urn=local.one(sqs.QUEUE, QUEUE).urn)

    monkeypatch.setitem(vars(sqs.TLS_ONLY), "check_stack", doubtful)
    report = gate.report_of(local, two)
    assert not report.passes
    assert [entry.id for entry in report.entries if entry.stops] == ["sqs-tls-only"]


def test_the_command_ends_with_1_only_where_something_stops(run: Callable[..., tuple[int, str]], local: Graph) -> None:
    code, out = run(local)
    assert code == 0
    assert "local passes" in out
    code, out = run(changed(local, QUEUE, kmsMasterKeyId=None))
    assert code == 1
    assert "sqs-encryption" in out
    assert "local does not pass" in out


def test_json_and_markdown_and_sarif_tell_the_same(
    run: Callable[..., tuple[int, str]], local: Graph, tmp_path: Path
) -> None:
    bare = changed(local, QUEUE, kmsMasterKeyId=None)
    code, out = run(bare, "--json", "--sarif", str(tmp_path / "out.sarif"))
    assert code == 1
    (stack,) = json.loads(out)["stacks"]
    (violation,) = stack["violation"]
    assert (violation["rule"], violation["name"], stack["passes"]) == ("sqs-encryption", QUEUE, False)
    (sarif_run,) = json.loads((tmp_path / "out.sarif").read_text())["runs"]
    errors = [each for each in sarif_run["results"] if each["level"] == "error" and not each["suppressions"]]
    assert [each["ruleId"] for each in errors] == ["sqs-encryption"]
    code, out = run(bare, "--markdown")
    assert code == 1
    assert out.startswith("## Policies: `local` may not pass")
    code, out = run(bare, "--sarif", "-")
    assert json.loads(out)["runs"][0]["automationDetails"]["id"] == "policies/local/"


def test_what_is_exempted_is_listed_and_does_not_stop(
    run: Callable[..., tuple[int, str]], local: Graph, two: Settings
) -> None:
    exemption = Exemption(
        rule="sqs-encryption",
        type=sqs.QUEUE,
        name=QUEUE,
        reason="holds nothing that anybody wrote",
        owner="platform team",
        expires=two.today,
    )
    bare = changed(local, QUEUE, kmsMasterKeyId=None)
    code, out = run(bare, "--json", settings=replace(two, exemptions=(exemption,)))
    assert code == 0
    (stack,) = json.loads(out)["stacks"]
    (exempted,) = stack["exempted"]
    assert exempted["exemption"] == {
        "reason": exemption.reason,
        "owner": exemption.owner,
        "expires": two.today.isoformat(),
        "days_left": 0,
    }


@pytest.mark.parametrize(
    "arguments", [("--json", "--markdown"), ("--json", "--sarif", "-"), ("--markdown", "--sarif", "-")]
)
def test_one_document_is_printed(run: Callable[..., tuple[int, str]], local: Graph, arguments: tuple[str, ...]) -> None:
    assert run(local, *arguments) == (1, "")


def test_a_stack_that_there_is_not_is_told_before_any_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policies", "--stack", "local", "--stack", "nowhere"], debug=False) == 1
    assert "There is no stack 'nowhere'" in capsys.readouterr().err
