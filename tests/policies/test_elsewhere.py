"""The pack in a project that is not this one: a real engine, a copy of the folder, a configuration, and reports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi import automation as auto

from harness.engine_process import EngineCommand, write_plugins
from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.provider import assumed
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

QUEUE, FUNCTION = "aws:sqs/queue:Queue", "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
ACCOUNT = "arn:aws:{}:eu-south-1:111122223333:{}"
KEY = ACCOUNT.format("kms", "key/1")
ASKED = {"sqs-encryption", "sqs-visibility"}
"""The rules that this is about; the others may say what they like."""


def shop() -> None:
    """A program that has never heard of ours."""
    plain, encrypted = {"name": "thumbnails"}, {"name": "orders", "kmsMasterKeyId": KEY}
    pulumi.CustomResource(QUEUE, "thumbnails", {**plain, "visibilityTimeoutSeconds": 30})
    pulumi.CustomResource(QUEUE, "orders", {**encrypted, "visibilityTimeoutSeconds": 60})
    role = ACCOUNT.format("iam", "role/worker")
    pulumi.CustomResource(FUNCTION, "worker", {"name": "worker", "timeout": 10, "role": role})
    pulumi.CustomResource(
        MAPPING, "mapping", {"eventSourceArn": ACCOUNT.format("sqs", "orders"), "functionName": "worker"}
    )


class Logged(EngineCommand):
    """The CLI, which keeps its event log."""

    def __init__(self, path: Path, plugins: Path, log: Path) -> None:
        super().__init__(path, plugins)
        self._log = log

    def run(self, args: list[str], *rest: Any, **named: Any) -> auto.CommandResult:
        logged = ["--event-log", str(self._log)] if args[0] == "preview" else []
        return super().run([*args, *logged], *rest, **named)


@dataclass(frozen=True)
class Preview:
    """How a preview ended."""

    error: str
    events: Path
    pack: Path

    def report(self, *arguments: str) -> str:
        """``python -m policies.report``, of the copy."""
        command = [sys.executable, "-m", "policies.report", str(self.events), *arguments]
        done = subprocess.run(
            command,
            cwd=self.pack.parent,
            env={"PYTHONPATH": str(self.pack.parent), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def results(self) -> list[tuple[str, str, str]]:
        """(rule, resource, level) of each result about the rules under test."""
        (run,) = json.loads(self.report("--sarif", "-"))["runs"]
        return sorted(
            (each["ruleId"], each["locations"][0]["logicalLocations"][0]["name"], each["level"])
            for each in run["results"]
            if each["ruleId"] in ASKED
        )


@pytest.fixture
def preview(tmp_path: Path) -> Callable[..., Preview]:
    """Runs a preview of the shop with a copy of the pack, under a configuration and the copy's own settings."""
    pack = tmp_path / "shared tools" / "policies"
    shutil.copytree(REPOSITORY / "policies", pack, ignore=shutil.ignore_patterns("__pycache__"))
    plugins = tmp_path / "plugins"
    write_plugins(plugins)
    (tmp_path / "state").mkdir()

    def run(configuration: Mapping[str, object] | None = None, settings: str = "") -> Preview:
        (pack / "settings.toml").write_text(settings)
        events = tmp_path / "events.json"
        stack = auto.create_or_select_stack(
            stack_name="live",
            project_name="shop",
            program=shop,
            opts=auto.LocalWorkspaceOptions(
                pulumi_command=Logged(ensure_pulumi(Paths.find(), Silent()), plugins, events),
                pulumi_home=str(tmp_path / "home"),
                env_vars={
                    "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
                    "PULUMI_CONFIG_PASSPHRASE": "",
                    "PULUMI_SKIP_UPDATE_CHECK": "1",
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PULUMI_DEBUG_COMMANDS": "1",
                    # The local provider checks nothing and asks nobody.
                    assumed.VARIABLE: "1",
                    "PYTHONDONTWRITEBYTECODE": "",
                },
            ),
        )
        stack.set_config("aws:region", auto.ConfigValue("eu-south-1"))
        given = []
        if configuration is not None:
            (tmp_path / "policies.json").write_text(json.dumps(configuration))
            given = [str(tmp_path / "policies.json")]
        error = ""
        try:
            stack.preview(color="never", policy_packs=[str(pack)], policy_pack_configs=given)
        except auto.CommandError as refused:
            error = str(refused)
        return Preview(error, events, pack)

    return run


def test_the_pack_judges_a_project_that_it_does_not_know(preview: Callable[..., Preview]) -> None:
    judged = preview()
    assert "sqs-encryption" in judged.error
    assert judged.results() == [("sqs-encryption", "thumbnails", "error")]


def test_a_configuration_changes_limits_levels_and_exempts(preview: Callable[..., Preview]) -> None:
    exemption = {
        "rule": "sqs-encryption",
        "type": QUEUE,
        "name": "letters",
        "reason": "names of public pictures",
        "owner": "media team",
        "expires": "2020-01-31",
    }
    judged = preview(
        {
            "rules": {
                "limits": {"visibilityFactor": 8},
                "levels": {"sqs-encryption": "advisory"},
                "exemptions": [exemption],
            }
        }
    )
    assert judged.results() == [("sqs-encryption", "thumbnails", "warning"), ("sqs-visibility", "orders", "error")]
    assert "under 80 seconds: 8 times what worker may take" in judged.error
    text = judged.report("--markdown")
    assert text.startswith("## Policies: `live` may not pass")
    assert "exemption-expired" in text
    assert "ended on 2020-01-31; nothing needs it any more" in text


def test_a_copy_has_settings_of_its_own(preview: Callable[..., Preview]) -> None:
    judged = preview(settings='[limits]\nvisibilityFactor = 7\n[stackLevels.live]\nsqs-encryption = "disabled"\n')
    assert judged.results() == [("sqs-visibility", "orders", "error")]
    assert "under 70 seconds" in judged.error


def test_a_configuration_that_is_wrong_stops_the_preview_and_says_all_that_is(preview: Callable[..., Preview]) -> None:
    wrong = {"limits": {"visibility": 8}, "levels": {"sqs-encrypted": "advisory"}, "exemptions": [{"rule": "x"}]}
    judged = preview({"rules": wrong})
    for problem in (
        "The policies' configuration is wrong",
        "limits.visibility: there is no such limit",
        "levels.sqs-encrypted: there is no such rule",
        "exemptions[0].owner: is missing",
        "exemptions[0].rule: x is no rule",
    ):
        assert problem in judged.error
    assert "was not judged to its end" in judged.report("--markdown")


def test_what_is_unknown_can_be_made_to_stop_elsewhere_too(preview: Callable[..., Preview]) -> None:
    judged = preview(json.loads((REPOSITORY / "policies" / "gate.json").read_text()))
    assert judged.results() == [("sqs-encryption", "thumbnails", "error")]
