"""No false alarms: three programs that are compliant in unusual ways, through the real engine.

A preview knows little of what is not made yet; the update that follows knows all of it. Nothing is called: the local
provider takes every resource to have been made (harness/provider/assumed.py).
"""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pulumi
import pytest
from pulumi import automation as auto

from harness.paths import Paths
from harness.progress import Silent
from harness.provider.assumed import VARIABLE
from harness.toolchain import ensure_pulumi
from policies.finding import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenStack = Callable[[Callable[[], None]], auto.Stack]

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = sorted((Path(__file__).parent / "programs").glob("*.py"))
CHOICES: Final = {
    "rules": {
        "tags": ["Project", "Owner"],
        "regions": ["eu-west-*"],
        "names": ["*shop*", "*booking*", "*audit*"],
        "exemptions": [],
    }
}
"""What the programs' owners choose; ours are of no use to them."""
TOLD_IN_A_PREVIEW: Final[dict[str, set[tuple[str, str]]]] = {
    "methods_and_events": {
        # Documents that hold the ARN of what is made with them.
        ("sqs-receives", "bookings"),
        ("stepfunctions-timeouts", "booking"),
        # One of three things that the schedule's target is made from.
        ("eventbridge-dead-letters", "nightly"),
    },
    "separate_resources": {
        # How often a message is received stands in JSON text beside the ARN of the queue that is made with it.
        ("sqs-receives", "orders"),
    },
    "several_accounts": set(),
}
"""Program -> (rule, resource) of what its preview cannot know, and honestly says so."""


@dataclass
class Told:
    """What the pack said of a program."""

    refused: list[str] = field(default_factory=list)
    """Messages of what is wrong, mandatory or not."""
    unknown: set[tuple[str, str]] = field(default_factory=set)
    """(rule, resource) of what could not be judged."""
    unknown_paths: set[tuple[str, str]] = field(default_factory=set)
    """(resource, property) of the same."""

    def __call__(self, event: auto.EngineEvent) -> None:
        finding = event.policy_event
        if finding is None:
            return
        resource = (finding.resource_urn or "").rpartition("::")[2]
        if finding.policy_name == "cannot-judge":
            self.unknown.update((rule, resource) for rule in rules_of(finding.message) or (finding.message,))
            self.unknown_paths.update(
                (resource, path) for path in re.findall(r"cannot judge `([^`]+)`", finding.message)
            )
        else:
            self.refused.append(f"{resource}: {finding.message}")


@pytest.fixture
def open_stack(tmp_path: Path) -> OpenStack:
    """A new production stack of a program, whose engine has the pack and a provider that only assumes."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pulumi").symlink_to(ensure_pulumi(Paths.find(), Silent()))
    python = shlex.quote(sys.executable)
    for name, command in (
        ("pulumi-resource-aws", f'PYTHONPATH={shlex.quote(str(ROOT))} exec {python} -m harness.provider "$@"'),
        ("pulumi-analyzer-policy-python", f'exec {python} -u -m pulumi.policy "$1" "$2"'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{command}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "state").mkdir()

    def open_(program: Callable[[], None]) -> auto.Stack:
        return auto.create_or_select_stack(
            stack_name="prod",
            project_name="elsewhere",
            program=program,
            opts=auto.LocalWorkspaceOptions(
                pulumi_command=auto.PulumiCommand(str(tmp_path)),
                pulumi_home=str(tmp_path / "home"),
                env_vars={
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
                    "PULUMI_CONFIG_PASSPHRASE": "",
                    "PULUMI_SKIP_UPDATE_CHECK": "1",
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PYTHONDONTWRITEBYTECODE": "",
                    VARIABLE: "1",
                },
            ),
        )

    return open_


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """The file of the owners' choices."""
    file = tmp_path / "choices.json"
    file.write_text(json.dumps(CHOICES))
    return file


def assert_runs(operation: Callable[..., object], choices: Path, told: Told) -> None:
    """That the engine does all that a program asks for, with the pack on."""
    try:
        operation(
            on_event=told, color="never", policy_packs=[str(ROOT / "policies")], policy_pack_configs=[str(choices)]
        )
    except auto.CommandError:
        # What was refused is told better than by the engine's whole output.
        if not told.refused:
            raise
    assert told.refused == []


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_that_is_compliant_in_unusual_ways_is_passed(
    program: Path, open_stack: OpenStack, choices: Path
) -> None:
    def run() -> None:
        runpy.run_path(str(program))

    stack = open_stack(run)
    previewed, updated = Told(), Told()
    assert_runs(stack.preview, choices, previewed)
    assert previewed.unknown == TOLD_IN_A_PREVIEW[program.stem]
    assert_runs(stack.up, choices, updated)
    assert updated.unknown == set()


UNKNOWN_AT: Final = {
    "queue": ("aws:sqs/queue:Queue", "kmsMasterKeyId"),
    "table": ("aws:dynamodb/table:Table", "pointInTimeRecovery.enabled"),
    "function": ("aws:lambda/function:Function", "tracingConfig.mode"),
    "group": ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays"),
    "key": ("aws:kms/key:Key", "enableKeyRotation"),
    "role": ("aws:iam/role:Role", "assumeRolePolicy"),
    "grants": ("aws:iam/rolePolicy:RolePolicy", "policy"),
    "policy": ("aws:sqs/queuePolicy:QueuePolicy", "policy"),
    "topic": ("aws:sns/topic:Topic", "kmsMasterKeyId"),
    "block": ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicPolicy"),
    "url": ("aws:lambda/functionUrl:FunctionUrl", "authorizationType"),
    "subnet": ("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch"),
}
"""Resource -> its type, and one property of it that a preview does not know."""


def test_each_property_that_a_preview_does_not_know_is_told(open_stack: OpenStack, choices: Path) -> None:
    def program() -> None:
        # By type token, and made from what no rule knows to be right.
        answers: Any = pulumi.CustomResource("aws:ssm/parameter:Parameter", "answers", {"name": "a", "value": None})
        for name, (type_, path) in UNKNOWN_AT.items():
            value: object = answers.value
            for step in reversed(path.split(".")):
                value = {step: value}
            pulumi.CustomResource(type_, name, {"name": f"shop-{name}", **cast("dict[str, object]", value)})

    told = Told()
    try:
        open_stack(program).preview(
            on_event=told, color="never", policy_packs=[str(ROOT / "policies")], policy_pack_configs=[str(choices)]
        )
    except auto.CommandError:
        # So bare, they are refused for much else.
        assert told.refused
    assert {(name, path) for name, (_, path) in UNKNOWN_AT.items()} - told.unknown_paths == set()
