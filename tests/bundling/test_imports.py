"""Each bundle runs by itself: in a clean interpreter that sees the archives and the standard library only."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from components.bundling.archive import Entry
from components.bundling.services import services
from components.bundling.sources import WRAPPER
from harness import import_budget

if TYPE_CHECKING:
    from pathlib import Path

    from components.bundling import Bundles


@pytest.fixture(scope="module")
def unpacked(host: Bundles, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return import_budget.unpack(host, tmp_path_factory.mktemp("bundles"))


def imported(path: list[str], statement: str) -> str:
    """What the statement prints; fails with the child's own words."""
    try:
        return import_budget.run(path, f"import sys; sys.path[:0] = {{path!r}}; {statement}")
    except subprocess.CalledProcessError as error:
        pytest.fail(error.stderr)


def test_every_handler_is_imported_from_its_bundle_alone(unpacked: dict[str, list[str]]) -> None:
    for function, path in unpacked.items():
        statement = f"import {function}.handler as it; print(callable(it.handler), it.__file__)"
        answer = imported(path, statement).split()
        assert answer[0] == "True"
        assert answer[1].startswith(path[0])


def test_everything_in_the_support_layer_is_importable(unpacked: dict[str, list[str]]) -> None:
    statement = (
        "import pkgutil, support;"
        "[__import__(each.name) for each in pkgutil.walk_packages(support.__path__, 'support.')]; print('done')"
    )
    assert imported(next(iter(unpacked.values())), statement).strip() == "done"


def test_the_streaming_runtime_starts_from_its_layer_with_nothing_but_the_standard_library(
    host: Bundles, tmp_path: Path
) -> None:
    with zipfile.ZipFile(host.support.path) as file:
        file.extractall(tmp_path)
        mode = file.getinfo(WRAPPER).external_attr >> 16
    (tmp_path / WRAPPER).chmod(mode & 0o777)  # extractall forgets it, Lambda does not
    (tmp_path / "app.py").write_text("raise ValueError('it came as far as the function')")
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",  # nobody listens there
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_HANDLER": "app.handler",
    }
    command = [str(tmp_path / WRAPPER), sys.executable, "-S", "/var/runtime/bootstrap.py"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "ValueError: it came as far as the function" in run.stdout
    assert run.returncode == 1


def test_a_client_of_every_service_in_use_is_made_from_the_bundle(
    unpacked: dict[str, list[str]], host: Bundles
) -> None:
    with zipfile.ZipFile(host.support.path) as file:
        used = services(Entry(name, file.read(name)) for name in file.namelist())
    statement = f"import boto3; print(*(boto3.client(name).meta.service_model.service_name for name in {used!r}))"
    assert imported(next(iter(unpacked.values())), statement).split() == list(used)


def test_versions_of_packages_can_be_asked_for(unpacked: dict[str, list[str]]) -> None:
    statement = "from importlib.metadata import version; print(version('boto3'), version('aws-lambda-powertools'))"
    assert imported(next(iter(unpacked.values())), statement)
