"""A stack that is made for AWS, on this machine: which settings it keeps, and where it lies beside the local one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from components.settings import HOST
from harness import emulated_settings, stack_file
from harness.local_stack import OTHER_PORTS, STACK, LocalStack
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from components.settings import Settings
    from tests.harness.conftest import Done

    Call = Callable[..., Done]


def flat(settings: Settings) -> dict[str, object]:
    """Key -> value, as keys are written: ``functions.runtime``."""
    return {
        f"{group}.{field}" if isinstance(values, dict) and group != "tags" else group: value
        for group, values in settings.model_dump().items()
        for field, value in (values.items() if isinstance(values, dict) and group != "tags" else [(group, values)])
    }


def test_the_local_stack_takes_all_of_its_own_settings() -> None:
    assert emulated_settings.replaced(REPOSITORY, STACK) == ()


@pytest.mark.parametrize("stack", [name for name in stack_file.names(REPOSITORY) if name != STACK])
def test_a_stack_keeps_its_settings_but_those_that_are_listed_with_a_reason(
    stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_LOCAL_DIR", str(tmp_path))
    theirs = stack_file.read(REPOSITORY, stack)
    local = LocalStack.of(stack)
    listed = {one.key for one in local.replaced_settings}
    assert all(one.why for one in local.replaced_settings)
    before, here = flat(theirs), flat(local.settings)
    differing = {key for key in before if before[key] != here[key]}
    assert differing == listed
    assert local.settings.account_id == "000000000000"
    assert local.settings.functions.runtime == HOST
    assert local.settings.environment == stack


def test_the_engine_is_given_the_same_settings(tmp_path: Path) -> None:
    changes = {one.key: one.here for one in emulated_settings.replaced(REPOSITORY, "prod")}
    written = yaml.safe_load(stack_file.changed(REPOSITORY, "prod", changes))
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(written))
    assert stack_file.read(tmp_path, "prod") == stack_file.read(REPOSITORY, "prod", changes)


def test_it_has_a_folder_and_ports_of_its_own_that_every_command_finds_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_LOCAL_DIR", str(tmp_path))
    assert LocalStack.of(STACK).paths.local == tmp_path
    local = LocalStack.of("prod")
    assert (local.stack, LocalStack().stack) == ("prod", STACK)
    assert local.paths.local.is_relative_to(tmp_path)
    assert local.services.ports_from == OTHER_PORTS
    assert LocalStack().services.ports_from == 0
    monkeypatch.setenv("HARNESS_LOCAL_DIR", str(local.paths.local))
    assert LocalStack().stack == "prod"


def test_what_the_harness_does_not_deploy_is_told(call: Call, tmp_path: Path) -> None:
    done = call("up", "--stack", "prod")
    assert (done.code, done.out) == (1, "")
    assert "pulumi up" in done.err
    assert "--local" in done.err
    done = call("up", "--stack", "nope", "--local", "--json")
    assert done.code == 1
    assert "There is no stack 'nope'" in done.err
    assert call("status", "--stack", "prod", "--json").code == 1
    assert call("down", "--stack", "prod", "--json").code == 0
