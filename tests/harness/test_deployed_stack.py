"""Reaching a deployed stack: whoever is not logged in, or to the wrong account, is told so before anything is touched.

That it works is shown in tests/e2e/test_replay.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from harness.deployed_stack import DeployedStack
from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.paths import Paths
    from harness.progress import Progress

MOTOS_ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's login, and an empty state in files."""
    (tmp_path / "state").mkdir()
    for name, value in {
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_a_stack_without_a_file_is_told_before_anything_is_asked(paths: Paths, silent: Progress) -> None:
    with pytest.raises(HarnessError, match="no stack 'qa'"):
        _ = DeployedStack(paths, "acme/energy-support/qa", silent).outputs


@pytest.mark.parametrize("name", ["dev", "organization/energy-support/dev"])
def test_a_stack_that_pulumi_does_not_know_is_told(paths: Paths, silent: Progress, name: str) -> None:
    with pytest.raises(HarnessError, match=f"Pulumi knows no stack {name}") as raised:
        DeployedStack(paths, name, silent).replay()
    assert "PULUMI_BACKEND_URL" in raised.value.mend


def test_who_is_not_logged_in_to_pulumi_is_told(
    paths: Paths, silent: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN", raising=False)
    with pytest.raises(HarnessError, match="Pulumi cannot read stack dev") as raised:
        DeployedStack(paths, "dev", silent).replay()
    assert "pulumi login" in raised.value.mend


def test_who_is_not_known_to_aws_is_told(paths: Paths, silent: Progress) -> None:
    with pytest.raises(HarnessError, match="AWS does not know you") as raised:
        DeployedStack(paths, "dev", silent).client("dynamodb")
    assert "AWS_PROFILE" in raised.value.mend


def test_another_account_is_not_touched_though_it_may_have_tables_of_the_same_names(
    paths: Paths, silent: Progress
) -> None:
    stack = DeployedStack(paths, "dev", silent)
    with mock_aws(), pytest.raises(HarnessError) as raised:
        stack.client("dynamodb")
    assert f"signed in to the account {MOTOS_ACCOUNT}" in raised.value.message
    assert f"lives in {stack.settings.account_id}" in raised.value.message
