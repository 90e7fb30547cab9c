"""The table of metrics: what it names is written, by the functions that it names, and nothing else is."""

from __future__ import annotations

import ast
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import environment, telemetry
from support.metrics import METRICS, SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAMBDAS = Path(telemetry.__file__).parents[1]
CALLS = {"count": "Count", "count_by": "Count", "measure": "Seconds", "measure_by": "Seconds"}
"""What writes metrics, and their unit."""


@functools.cache
def tree(module: str) -> ast.Module | None:
    """The module's source; None where it is not ours."""
    path = LAMBDAS.joinpath(*module.split("."))
    found = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return ast.parse(found.read_text()) if found.exists() else None


def imports(module: ast.Module) -> Iterator[str]:
    """Modules that it loads when it runs."""
    nodes: list[ast.AST] = [module]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        nodes.extend(ast.iter_child_nodes(node))


def loaded(module: str) -> set[str]:
    """Own modules that are loaded with it, itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        source = tree(current)
        if current in found or source is None:
            continue
        found.add(current)
        waiting.extend(imports(source))
    return found - {"support.metrics", "support.telemetry"}


@functools.cache
def written(module: str) -> dict[str, dict[str, str | None]]:
    """Metric -> unit and further dimension, for each that the module's calls write."""
    source = tree(module)
    assert source is not None
    tables = {
        target.id: {name for name in METRICS if repr(name) in ast.unparse(node.value)}
        for node in source.body
        if isinstance(node, ast.AnnAssign) and node.value is not None
        for target in (node.target,)
        if isinstance(target, ast.Name)
    }
    found: dict[str, dict[str, str | None]] = {}
    for call in (node for node in ast.walk(source) if isinstance(node, ast.Call)):
        if not (isinstance(call.func, ast.Name) and call.func.id in CALLS):
            continue
        kind = call.keywords[0].arg if call.keywords else None
        for name in named(call.args[0], tables, source):
            found[name] = {"unit": CALLS[call.func.id], "kind": kind}
    return found


def named(argument: ast.expr, tables: dict[str, set[str]], source: ast.Module) -> set[str]:
    """What a call's first argument may be: a text, a constant, an item of a table, or one drawn from its items."""
    match argument:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.Name(id=name) if name in tables:
            return tables[name]
        case ast.Subscript(value=ast.Name(id=table)):
            return tables[table]
        case ast.Name():
            assert ".items()" in ast.unparse(source), "a metric's name comes from nowhere"
            return set().union(*tables.values())
    raise AssertionError(f"cannot tell which metric {ast.unparse(argument)} is")


@pytest.mark.spec("code.metrics")
def test_the_table_says_who_writes_what() -> None:
    writers: dict[str, set[str]] = {}
    how: dict[str, dict[str, str | None]] = {}
    for function in environment.FUNCTIONS:
        for module in loaded(f"{function}.handler"):
            for name, details in written(module).items():
                writers.setdefault(name, set()).add(function)
                how[name] = details
    assert writers == {name: set(metric.functions) for name, metric in METRICS.items()}
    assert how == {name: {"unit": metric.unit, "kind": metric.kind} for name, metric in METRICS.items()}


@pytest.mark.spec("code.metrics")
def test_each_metric_is_written_under_its_function_and_once_more_under_its_kind(
    log_lines: Callable[[], list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "f")
    telemetry.count_by("Counted", Kind="a")
    telemetry.measure_by("Measured", 1.5, Kind="b")
    counted, measured = log_lines()
    for line, name, unit, value in ((counted, "Counted", "Count", 1.0), (measured, "Measured", "Seconds", 1.5)):
        [definition] = json.loads(json.dumps(line["_aws"]))["CloudWatchMetrics"]
        assert definition["Metrics"] == [{"Name": name, "Unit": unit}]
        assert sorted(definition["Dimensions"]) == [["Kind"], [SERVICE]]
        assert line[name] == [value]
        assert line[SERVICE] == "f"
