"""Own code: what goes in the ``support`` layer and in each function, checked before it is packed."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from components.bundling.archive import Entry
from components.bundling.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LAYER_PACKAGES: Final = ("support", "streaming")
"""Folders that are no functions: what is packed in the ``support`` layer."""
HANDLER: Final = "handler.py"
WRAPPER: Final = "streaming-runtime"
"""The script of the package ``streaming`` that a function starts by ``AWS_LAMBDA_EXEC_WRAPPER=/opt/streaming-runtime``:
Lambda unpacks layers in ``/opt``, and it lies at the layer's root."""

_FROM_THE_RUNTIME: Final = frozenset({"awslambdaric", "runtime_client", "snapshot_restore_py"})
"""Modules that Lambda's managed Python runtime supplies itself."""


def support(lambdas: Path) -> list[Entry]:
    """The files of the ``support`` layer; Lambda puts the layer's ``python`` folder on the path.

    Raises:
        BundleError: the wrapper script is none that Linux could start.
    """
    files = [file for package in LAYER_PACKAGES for file in _files(lambdas / package, package)]
    return [
        _wrapper(path) if name == f"streaming/{WRAPPER}" else Entry.read(path, f"python/{name}") for path, name in files
    ]


def functions(lambdas: Path) -> dict[str, list[Entry]]:
    """The files of each function: every folder beside the layer's that holds any.

    Raises:
        BundleError: a folder has files, but no ``handler.py``.
    """
    found: dict[str, list[Entry]] = {}
    for folder in sorted(path for path in lambdas.iterdir() if path.is_dir() and path.name not in LAYER_PACKAGES):
        entries = [Entry.read(path, name) for path, name in _files(folder, folder.name)]
        if not entries:
            continue  # What git leaves of a folder whose files went away: __pycache__.
        if f"{folder.name}/{HANDLER}" not in {entry.name for entry in entries}:
            raise BundleError(
                f"{folder} is no function: it has no {HANDLER}",
                f"Add {HANDLER} with a function `handler(event, context)`, or move the folder out of {lambdas}.",
            )
        found[folder.name] = entries
    return found


def modules(names: Iterable[str], *, below: str = "") -> frozenset[str]:
    """Dotted names of the modules and packages among files ``names``, seen from the folder ``below``."""
    dotted: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        if path.suffix not in {".py", ".so"} or not path.is_relative_to(below):
            continue
        path = path.relative_to(below)
        parts = [*path.parent.parts, path.name.partition(".")[0]]
        dotted.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return frozenset(dotted)


def check(entries: Sequence[Entry], folder: Path, known: frozenset[str]) -> None:
    """Refuse what would fail when Lambda imports it, naming file and line.

    Args:
        entries: the files of one archive.
        folder: where they come from, for the message.
        known: dotted names of the modules that the archive and its layers hold.
    """
    for entry in entries:
        if not entry.name.endswith(".py"):
            continue
        where = folder / entry.name.removeprefix("python/")
        try:
            tree = ast.parse(entry.content, str(where))
        except SyntaxError as error:
            problem = f"{where}:{error.lineno}: {error.msg}: {(error.text or '').strip()}"
            raise BundleError(problem, "Mend the line, then try again.") from None
        except ValueError as error:
            raise BundleError(f"{where}: {error}", "Write the file as text, in UTF-8.") from None
        for line, module in _imports(tree):
            if not _importable(module, known):
                raise BundleError(
                    f"{where}:{line}: imports {module}, which neither Python, nor the layers, nor this function have",
                    "Correct the name, move the module to lambdas/support, or add its package to "
                    "requirements/lambda.in and run `make lock`.",
                )
        if entry.name.endswith(f"/{HANDLER}") and "handler" not in _top_level_names(tree):
            raise BundleError(
                f"{where}: defines no `handler`", "Define `handler(event, context)`: Lambda calls it by that name."
            )


def _wrapper(path: Path) -> Entry:
    """Executable whatever the check-out made of its mode, and refused if it made other line ends of its own."""
    content = path.read_bytes()
    if not content.startswith(b"#!") or b"\r" in content:
        raise BundleError(
            f"{path}: Lambda could not start this script, it needs a first line #!… and LF line ends",
            "Restore the file as it is in the repository: git config core.autocrlf false, then check it out again.",
        )
    return Entry(WRAPPER, content, executable=True)


def _files(folder: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in {"__pycache__", "tests"} and name[0] != ".")
        for name in sorted(names):
            if name[0] != "." and name != "README.md" and not name.endswith((".pyc", ".pyi")):
                path = Path(parent, name)
                yield path, f"{prefix}/{path.relative_to(folder).as_posix()}"


def _importable(module: str, known: frozenset[str]) -> bool:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in _FROM_THE_RUNTIME:
        return True
    return module in known


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Absolute imports that run: not those for type checkers only, nor those whose failure is caught."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module is not None:
                yield node.lineno, node.module
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
        elif isinstance(node, ast.Try) and any("ImportError" in _caught(handler) for handler in node.handlers):
            todo.extend([*node.orelse, *node.finalbody])
        else:
            todo.extend(ast.iter_child_nodes(node))


def _caught(handler: ast.ExceptHandler) -> str:
    return "ImportError" if handler.type is None else ast.unparse(handler.type).replace("ModuleNotFound", "Import")


def _top_level_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
    return names
