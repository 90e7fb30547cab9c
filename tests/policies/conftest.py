"""A real engine with the pack, and a reader of SARIF that is not ours."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pulumi import automation as auto
from pydantic import BaseModel
from sarif_pydantic import Sarif  # type: ignore[import-untyped]  # it ships no types

from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.provider import assumed
from harness.provider.calls import PACKAGE_VARIABLE
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Reported:
    """A finding, as the engine tells of it."""

    policy: str
    level: str
    message: str
    urn: str


@dataclass
class Preview:
    """How a preview with the pack ended."""

    error: str = ""
    """What the engine ended with; empty if it had nothing against the program."""
    reported: list[Reported] = field(default_factory=list)


@pytest.fixture(scope="session")
def real_preview(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], None], str], Preview]:
    """Previews a program as a stack of some name: a real engine, the pack, and the local provider.

    The provider takes everything for granted (harness/provider/assumed.py): resources of any type, and any inputs.
    """
    folder = tmp_path_factory.mktemp("engine")
    tools = folder / "bin"
    tools.mkdir()
    (tools / "pulumi").symlink_to(ensure_pulumi(Paths.find(), Silent()))
    python, root = shlex.quote(sys.executable), shlex.quote(str(REPOSITORY))
    provider = f'PYTHONPATH={root} exec {python} -m harness.provider "$@"'
    for name, command in (
        ("pulumi-resource-aws", provider),
        ("pulumi-resource-random", f"export {PACKAGE_VARIABLE}=random\n{provider}"),
        ("pulumi-analyzer-policy-python", f'exec {python} -u -m pulumi.policy "$1" "$2"'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{command}\n")
        (tools / name).chmod(0o755)
    (folder / "state").mkdir()

    def run(program: Callable[[], None], stack: str) -> Preview:
        made = auto.create_or_select_stack(
            stack_name=stack,
            project_name="policies",
            program=program,
            opts=auto.LocalWorkspaceOptions(
                pulumi_command=auto.PulumiCommand(str(folder)),
                pulumi_home=str(folder / "home"),
                env_vars={
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
                    "PULUMI_CONFIG_PASSPHRASE": "",
                    "PULUMI_SKIP_UPDATE_CHECK": "1",
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PYTHONDONTWRITEBYTECODE": "",
                    assumed.VARIABLE: "1",
                },
            ),
        )
        made.set_config("aws:region", auto.ConfigValue("eu-west-1"))
        result = Preview()

        def listen(event: auto.EngineEvent) -> None:
            if (told := event.policy_event) is not None:
                result.reported.append(
                    Reported(told.policy_name, told.enforcement_level, told.message, told.resource_urn or "")
                )

        try:
            made.preview(on_event=listen, color="never", policy_packs=[str(REPOSITORY / "policies")])
        except auto.CommandError as error:
            # Without a finding it has failed for a reason that is none of the rules'.
            if not result.reported:
                raise
            result.error = str(error)
        return result

    return run


@pytest.fixture(scope="session")
def check_sarif() -> Callable[[object], None]:
    """Checks that a log has the fields and values of SARIF 2.1.0, and none that the standard does not know."""

    def check(log: object) -> None:
        assert list(_strangers(Sarif.model_validate(log))) == []

    return check


_MISSING = {"suppressions", "toolExecutionNotifications"}
"""Fields of the standard (SARIF 2.1.0, 3.27.23 and 3.20.21) that the models do not have."""


def _strangers(value: object, at: str = "log") -> Iterator[str]:
    """Fields that the models only let pass; a bag of properties may hold anything."""
    if isinstance(value, BaseModel):
        yield from (f"{at}.{name}" for name in value.model_extra or () if name not in _MISSING)
        for name in type(value).model_fields:
            if name != "properties":
                yield from _strangers(getattr(value, name), f"{at}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strangers(each, f"{at}[{index}]")
