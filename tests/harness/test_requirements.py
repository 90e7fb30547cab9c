"""The locked packages are those that the `.in` files ask for, and say nothing of where they came from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SETS = sorted((REPOSITORY / "requirements").glob("*.in"), key=lambda path: path.name)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def wanted(file: Path) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in file.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


@pytest.mark.parametrize("file", SETS, ids=lambda path: path.stem)
def test_what_is_asked_for_is_locked(file: Path) -> None:
    locked = {canonicalize_name(name): version for name, version in PIN.findall(file.with_suffix(".txt").read_text())}

    for requirement in wanted(file):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is locked at {version}"


@pytest.mark.parametrize("file", SETS, ids=lambda path: path.stem)
def test_every_package_has_its_hashes_and_no_address(file: Path) -> None:
    text = file.with_suffix(".txt").read_text()

    assert len(PIN.findall(text)) == len(re.findall(r"==\S+.*\\\n\s+--hash=sha256:", text))
    assert not re.search(r"https?://|--index-url|--find-links", text)


def test_functions_get_the_packages_they_were_tested_with() -> None:
    here = dict(PIN.findall((REPOSITORY / "requirements" / "dev.txt").read_text()))
    there = dict(PIN.findall((REPOSITORY / "requirements" / "lambda.txt").read_text()))

    assert {name: version for name, version in there.items() if here.get(name) != version} == {}


def test_the_pulumi_cli_asks_the_environment_what_is_in_it_and_changes_nothing_there() -> None:
    """With uv it would write a lock file of its own and bring the environment to it (docs/decisions/0018)."""
    project = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
    assert project["runtime"]["options"] == {"toolchain": "pip", "virtualenv": ".venv"}
    assert "pip" in dict(PIN.findall((REPOSITORY / "requirements" / "dev.txt").read_text()))
    assert not (REPOSITORY / "uv.lock").exists()
