"""The Pulumi CLI: from PATH, from the cache, from its makers, or built from its Go module."""

from __future__ import annotations

import platform
import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.toolchain.commands import output_of
from harness.toolchain.downloads import UnreachableError, fetch, fetch_text, verify
from harness.toolchain.golang import GoProgram, build
from harness.toolchain.once import made_once
from harness.toolchain.pins import parse, pinned

if TYPE_CHECKING:
    from harness.paths import Paths
    from harness.progress import Progress

_RELEASES = "https://get.pulumi.com/releases/sdk"
_CHECKSUMS = "https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt"
"""As its install script and its GitHub releases have them."""
_ANSWER_SECONDS = 3.0
"""Where only package registries can be reached, this is how long the attempt may cost."""
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


def ensure_pulumi(paths: Paths, progress: Progress) -> Path:
    """The Pulumi CLI, of the Python SDK's version (``requirements/dev.txt``) or, if on PATH, newer.

    The first time on a machine without it this takes seconds where its makers' downloads can be reached and some
    minutes of building where only a Go module proxy can.
    """
    version = pinned(paths, "dev", "pulumi")
    on_path = _on_path(version)
    if on_path is not None:
        return on_path

    def make(folder: Path) -> None:
        try:
            _download(version, folder, progress)
        except UnreachableError:
            program = GoProgram(
                name="the Pulumi CLI",
                version=version,
                module="pulumi_cli",
                package=PACKAGE,
                linker_flags=f"-s -w -X {_VERSION_VARIABLE}={version}",
            )
            scratch = paths.cache / "pulumi" / f"{version}.build"
            build(paths, program, folder / "pulumi", scratch=scratch, progress=progress)

    return made_once(paths.cache / "pulumi" / version, make, progress) / "pulumi"


def _on_path(version: str) -> Path | None:
    """Not an older one, and no other major version: it would not understand the SDK."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    theirs, ours = parse(output_of([found, "version"], timeout=10) or ""), parse(version)
    return Path(found) if theirs[:1] == ours[:1] and theirs >= ours else None


def _download(version: str, folder: Path, progress: Progress) -> None:
    """The CLI alone out of its makers' archive, checked against their published checksums."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise UnreachableError(f"no archive for {platform.system()} {platform.machine()}")
    name = f"pulumi-v{version}-{system}-{machine}.tar.gz"
    checksums = fetch_text(_CHECKSUMS.format(version=version), timeout=_ANSWER_SECONDS)
    expected = re.search(rf"^([0-9a-f]{{64}})\s+\*?{re.escape(name)}$", checksums, re.MULTILINE)
    if expected is None:
        raise UnreachableError(f"no checksum for {name}")
    title = f"Download the Pulumi CLI {version}"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = Path(scratch) / name
        fetch(
            f"{_RELEASES}/{name}",
            archive,
            timeout=_ANSWER_SECONDS,
            on_size=lambda size: progress.start(title, total=size or None),
            on_bytes=lambda count: progress.advance(title, count),
        )
        verify(archive, "sha256", expected[1])
        with tarfile.open(archive) as files:
            # "pulumi/pulumi": the language hosts beside it are not used, the program runs inside the harness.
            member = files.getmember("pulumi/pulumi")
            member.name = "pulumi"
            files.extract(member, folder, filter="data")
    progress.finish(title)
