"""A real engine runs the pack on small stacks: previews, offline, with the local provider."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi import automation as auto

from harness.paths import Paths
from harness.progress import Silent
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from collections.abc import Callable

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
QUEUE, KEY, ROLE = "aws:sqs/queue:Queue", "aws:kms/key:Key", "aws:iam/role:Role"


@dataclass
class Preview:
    """How a preview ended."""

    error: str = ""
    findings: list[tuple[str, str]] = field(default_factory=list)
    """(policy, level) of each finding."""


def _resource(type_: str, inputs: dict[str, Any]) -> None:
    # By type token: importing the AWS SDK takes seconds, and nothing of it is under test.
    pulumi.CustomResource(type_, "it", inputs)


def _key_arn() -> pulumi.Output[str]:
    """An output that a preview does not know."""
    key: Any = pulumi.CustomResource(KEY, "key", {"enableKeyRotation": True, "arn": None})
    arn: pulumi.Output[str] = key.arn
    return arn


def _document(**elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **elements}]})


@pytest.fixture
def preview(tmp_path: Path) -> Callable[[Callable[[], None]], Preview]:
    """Runs a preview of a program with the pack on."""
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
    state = tmp_path / "state"
    state.mkdir()

    def run(program: Callable[[], None]) -> Preview:
        stack = auto.create_or_select_stack(
            stack_name="test",
            project_name="policies",
            program=program,
            opts=auto.LocalWorkspaceOptions(
                pulumi_command=auto.PulumiCommand(str(tmp_path)),
                pulumi_home=str(tmp_path / "home"),
                env_vars={
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "PULUMI_BACKEND_URL": f"file://{state}",
                    "PULUMI_CONFIG_PASSPHRASE": "",
                    "PULUMI_SKIP_UPDATE_CHECK": "1",
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PYTHONDONTWRITEBYTECODE": "",
                },
            ),
        )
        stack.set_config("aws:region", auto.ConfigValue("eu-west-1"))
        result = Preview()

        def listen(event: auto.EngineEvent) -> None:
            if event.policy_event is not None:
                level = event.policy_event.enforcement_level
                result.findings.append((event.policy_event.policy_name, level))

        try:
            stack.preview(on_event=listen, color="never", policy_packs=[str(ROOT / "policies")])
        except auto.CommandError as error:
            result.error = str(error)
        return result

    return run


def test_a_bad_stack_is_refused_with_the_mend(preview: Callable[[Callable[[], None]], Preview]) -> None:
    def program() -> None:
        _resource(QUEUE, {"name": "bare"})
        _resource(ROLE, {"name": "open", "assumeRolePolicy": _document(Action="sts:AssumeRole", Principal="*")})

    result = preview(program)
    assert {("encryption", "mandatory"), ("no-wildcard-grants", "mandatory")} <= set(result.findings)
    assert "encryption-queue" in result.error
    assert "Mend: Set kmsMasterKeyId" in result.error
    assert "iam-principal" in result.error


def test_a_key_made_in_the_same_preview_is_seen_to_be_one(
    preview: Callable[[Callable[[], None]], Preview],
) -> None:
    assert preview(lambda: _resource(QUEUE, {"name": "encrypted", "kmsMasterKeyId": _key_arn()})) == Preview()


def test_a_document_that_needs_what_is_not_made_yet_is_told_and_not_passed(
    preview: Callable[[Callable[[], None]], Preview],
) -> None:
    def program() -> None:
        policy = _key_arn().apply(lambda arn: _document(Action="*", Resource=arn))
        _resource("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": policy})

    assert preview(program) == Preview(findings=[("cannot-judge", "advisory")])
