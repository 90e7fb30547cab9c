"""Who may do what among the functions' sources: handlers wire, services decide, repositories know where things lie."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from support import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

LAMBDAS = Path(clients.__file__).parents[1]
SOURCES = {path.relative_to(LAMBDAS).as_posix(): ast.parse(path.read_text()) for path in LAMBDAS.rglob("*.py")}
LONGEST_HANDLER = 120
"""Lines: what is longer does more than parse, call and format."""
REACHED = "connectivity_check/handler.py"
"""Asks whether a table can be reached, and reads none."""


def imports(source: ast.Module) -> set[str]:
    """What a module imports when it runs; names for the type checker do not count."""
    found: set[str] = set()
    for node in ast.walk(source):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{name.name}" for name in names)}
    return found


def keywords(source: ast.Module) -> Iterator[str]:
    for node in ast.walk(source):
        if isinstance(node, ast.Call):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg is not None)


@pytest.mark.spec("code.thin-handlers")
def test_services_and_repositories_are_given_their_clients() -> None:
    makers = {name for name, source in SOURCES.items() if "support.clients" in imports(source)}
    assert {name for name in makers if not name.endswith("/handler.py")} == set()
    assert {name for name, source in SOURCES.items() if "boto3" in imports(source)} <= {
        "support/clients.py",
        "support/search_client.py",
    }


@pytest.mark.spec("code.thin-handlers")
def test_only_repositories_know_tables() -> None:
    askers = {name for name, source in SOURCES.items() if "TableName" in keywords(source)}
    assert {name for name in askers if not name.startswith("support/repositories/")} <= {REACHED}


@pytest.mark.spec("code.thin-handlers")
def test_handlers_are_thin() -> None:
    lines = {path.parent.name: len(path.read_text().splitlines()) for path in LAMBDAS.glob("*/handler.py")}
    assert {name: count for name, count in lines.items() if count > LONGEST_HANDLER} == {}


@pytest.mark.spec("code.clients")
def test_a_client_is_made_at_first_use_and_once(aws: None) -> None:
    makers = [made for name, made in vars(clients).items() if hasattr(made, "cache_info") and not name.startswith("_")]
    functions = [
        name for name, made in vars(clients).items() if inspect.isfunction(made) and made.__module__ == clients.__name__
    ]
    # Whatever makes a client keeps it.
    assert set(functions) <= {"_config"}
    for make in makers:
        make.cache_clear()
        assert make() is make()
        assert make.cache_info().misses == 1


@pytest.mark.spec("code.clients")
def test_no_module_makes_a_client_when_it_is_imported() -> None:
    for name, source in SOURCES.items():
        for statement in source.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
                made = [ast.unparse(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)]
                assert not [call for call in made if call.startswith(("clients.", "boto3."))], name


BEFORE_A_HANDLER = ("support/http.py", "support/streaming_http.py")
"""What calls a handler behind the API, and tells the log of the request."""


@pytest.mark.spec("code.logger")
def test_whatever_a_function_logs_names_the_request() -> None:
    for name in BEFORE_A_HANDLER:
        assert "set_correlation_id" in called(SOURCES[name])
    entered = {PurePosixPath(name).stem for name in BEFORE_A_HANDLER}
    for name, source in SOURCES.items():
        if name.endswith("/handler.py"):
            behind_api = any(f"support.{entry}" in imports(source) for entry in entered)
            assert behind_api or "set_correlation_id" in called(source), name


def called(source: ast.Module) -> set[str]:
    return {
        node.func.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
