"""Unchanged inputs cost nothing; changed ones rebuild what they touch; processes do not disturb one another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.bundling import BundleTarget, bundle
from components.bundling.cache import default_folder

if TYPE_CHECKING:
    from components.bundling import Bundles
    from tests.bundling.conftest import Repository

ROOT = Path(__file__).resolve().parents[2]


def hashes(bundles: Bundles) -> dict[str, str]:
    return {archive.name: archive.sha256 for archive in bundles.archives}


@pytest.mark.spec("bundling.unchanged")
def test_what_did_not_change_comes_from_the_cache_at_once(elsewhere: Repository, arm64: BundleTarget) -> None:
    built: list[str] = []
    first = elsewhere.bundle(arm64, built)
    assert built == ["dependencies", "support", "hello"]
    assert not any(archive.from_cache for archive in first.archives)

    started = time.perf_counter()
    second = elsewhere.bundle(arm64, built)
    assert time.perf_counter() - started < 0.1
    assert built == ["dependencies", "support", "hello"]
    assert all(archive.from_cache for archive in second.archives)
    assert [each.path for each in first.archives] == [each.path for each in second.archives]


@pytest.mark.spec("bundling.unchanged")
def test_the_real_repository_comes_from_the_cache_at_once(arm64: BundleTarget, real: Bundles) -> None:
    def seconds() -> float:
        started = time.perf_counter()
        assert hashes(bundle(arm64)) == hashes(real)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 0.1


def test_a_change_in_one_handler_changes_only_that_archive(repository: Repository, arm64: BundleTarget) -> None:
    before = hashes(repository.bundle(arm64))
    repository.write("lambdas/hello/handler.py", "def handler(event, context):\n    return 1\n")
    built: list[str] = []
    after = hashes(repository.bundle(arm64, built))
    assert built == ["hello"]
    assert {name for name in after if after[name] != before[name]} == {"hello"}


def test_a_new_data_file_and_a_new_mode_are_changes(repository: Repository, arm64: BundleTarget) -> None:
    seen = {hashes(repository.bundle(arm64))["support"]}
    file = repository.write("lambdas/support/rules.txt", "be careful")
    seen.add(hashes(repository.bundle(arm64))["support"])
    file.chmod(0o755)
    seen.add(hashes(repository.bundle(arm64))["support"])
    assert len(seen) == 3


def test_a_client_of_another_service_brings_its_model(repository: Repository, arm64: BundleTarget) -> None:
    repository.bundle(arm64)
    repository.write(
        "lambdas/support/clients.py", 'import boto3\ndef sqs():\n    return boto3.client("sqs"), boto3.client("sns")\n'
    )
    built: list[str] = []
    repository.bundle(arm64, built)
    assert "dependencies" in built


def test_targets_share_own_code_and_nothing_else(repository: Repository, arm64: BundleTarget) -> None:
    arm, intel = repository.bundle(arm64), repository.bundle(BundleTarget("python3.13", "x86_64"))
    assert arm.support.path == intel.support.path
    assert arm.dependencies.path != intel.dependencies.path


def test_an_archive_that_was_lost_or_cut_short_is_made_again(repository: Repository, arm64: BundleTarget) -> None:
    first = repository.bundle(arm64)
    first.support.path.unlink()
    first.functions["hello"].path.write_bytes(b"PK")
    built: list[str] = []
    assert hashes(repository.bundle(arm64, built)) == hashes(first)
    assert built == ["support", "hello"]


def test_two_processes_at_once_do_not_disturb_each_other(elsewhere: Repository, arm64: BundleTarget) -> None:
    program = (
        "import sys; from pathlib import Path; from components.bundling import BundleTarget, bundle\n"
        f"made = bundle(BundleTarget('python3.13', 'arm64'), root=Path({str(elsewhere.root)!r}),"
        f" cache=Path({str(elsewhere.cache)!r}))\n"
        "print(*(each.sha256 for each in made.archives))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [run.communicate(timeout=100)[0].split() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert outputs[0] == outputs[1] == [each.sha256 for each in elsewhere.bundle(arm64).archives]
    assert not [path for path in elsewhere.cache.iterdir() if path.name.startswith(".")]


def test_by_default_archives_are_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "energy-support" / "bundles"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == Path.home() / ".cache" / "energy-support" / "bundles"


def test_bundling_starts_without_pulumi() -> None:
    program = "import sys, components.bundling; print(sorted({'pulumi', 'boto3', 'harness'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"
