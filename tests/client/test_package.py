"""The package by itself: what it needs, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from harness.paths import REPOSITORY

CLIENT = REPOSITORY / "client"


def loaded_by(statement: str) -> set[str]:
    """The packages that are loaded after ``statement``, in a Python that knows nothing else of this project."""
    code = f"import sys; sys.path[:0] = [{str(CLIENT)!r}]; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_types_and_errors_cost_neither_httpx_nor_an_event_loop() -> None:
    loaded = loaded_by("import energy_support_client, energy_support_client.types")
    assert "msgspec" in loaded
    assert not loaded & {"httpx", "httpcore", "anyio", "asyncio", "ssl"}


def test_a_client_that_waits_costs_no_event_loop_of_ours() -> None:
    loaded = loaded_by("from energy_support_client import *; Client('http://localhost', StaticToken('t')).close()")
    assert "httpx" in loaded
    assert "asyncio" not in loaded


def test_nothing_of_the_service_is_loaded() -> None:
    loaded = loaded_by("from energy_support_client import *; AsyncClient('http://localhost', StaticToken('t'))")
    assert not loaded & {"support", "components", "harness", "lambdas", "boto3", "botocore", "pulumi"}


def test_it_depends_on_httpx_and_msgspec_only() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    names = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert names == {"httpx", "msgspec"}
