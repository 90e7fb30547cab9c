"""OpenSearch with the k-NN and neural-search plugins, unpacked in the cache."""

from __future__ import annotations

import platform
import shutil
import tarfile
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.toolchain.commands import ToolError, run
from harness.toolchain.downloads import UnreachableError, fetch, fetch_text, verify
from harness.toolchain.once import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.paths import Paths
    from harness.progress import Progress

VERSION = "3.6.0"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_ARCHIVE = (
    "https://artifacts.opensearch.org/releases/bundle/opensearch/{version}/opensearch-{version}-linux-{machine}.tar.gz"
)
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_ANSWER_SECONDS = 5.0
_PLUGINS = ("opensearch-knn", "opensearch-neural-search")


@dataclass(frozen=True, kw_only=True)
class _Artifact:
    coordinates: str
    """group:artifact:version of a zip"""
    sha256: str
    """The repository has no checksum for some of them, so they are pinned here."""
    bytes: int
    folder: str
    """Where it belongs, below the distribution; empty for the distribution itself."""

    @property
    def file(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.zip"


_ARTIFACTS = (
    _Artifact(
        coordinates="org.opensearch.distribution.integ-test-zip:opensearch:3.6.0",
        sha256="a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286",
        bytes=161_609_640,
        folder="",
    ),
    _Artifact(
        coordinates="org.opensearch.plugin:opensearch-knn:3.6.0.0",
        sha256="ac392ca28a39b3bf290648a422ef30cb149dda2963a9d7feb26060e932341c9a",
        bytes=6_015_541,
        folder="plugins/opensearch-knn",
    ),
    _Artifact(
        coordinates="org.opensearch.plugin:neural-search:3.6.0.0",
        sha256="6ef1b206e79391e2e36268e32dc34d27fd8b8a59a8eb0a7393c97d53b038e433",
        bytes=12_095_213,
        folder="plugins/opensearch-neural-search",
    ),
)


def ensure_opensearch(paths: Paths, progress: Progress) -> Path:
    """The distribution's folder (with ``lib``, ``modules``, ``plugins``), 200 MB, fetched once for all clones.

    By Maven where ``mvn`` is on PATH, else from the project's official archive.
    """

    def make(folder: Path) -> None:
        told: list[str] = []
        for way in (_with_maven, _with_archive):
            try:
                way(folder, progress)
            except (ToolError, UnreachableError) as error:
                told.append(str(error))
            else:
                return
        raise HarnessError(
            f"OpenSearch {VERSION} cannot be fetched:\n" + "\n".join(told),
            "Put Maven (`mvn`) on PATH and check that it reaches its repository, then run the command again; or set "
            "OPENSEARCH_URL to a running OpenSearch 3 that has the k-NN and neural-search plugins.",
        )

    return made_once(paths.cache / "opensearch" / VERSION, make, progress)


def _with_maven(folder: Path, progress: Progress) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UnreachableError("Maven (`mvn`) is not on PATH.")
    title = f"Fetch OpenSearch {VERSION} with Maven"
    progress.start(title, total=sum(artifact.bytes for artifact in _ARTIFACTS))
    # A repository of its own: growth can be watched, and the user's stays small.
    repository, files = folder / "repository", folder / "files"
    with _growth(repository, title, progress):
        for artifact in _ARTIFACTS:
            run(
                [maven, "--batch-mode", "--no-transfer-progress", f"-Dmaven.repo.local={repository}", _COPY,
                 f"-Dartifact={artifact.coordinates}:zip", f"-DoutputDirectory={files}"],
                lambda _line: None,
                mend="Check Maven's settings and that it reaches its repository.",
            )  # fmt: skip
    progress.finish(title)
    title = f"Unpack OpenSearch {VERSION}"
    progress.start(title, total=len(_ARTIFACTS))
    for artifact in _ARTIFACTS:
        verify(files / artifact.file, "sha256", artifact.sha256)
        with zipfile.ZipFile(files / artifact.file) as archive:
            archive.extractall(folder / artifact.folder)  # noqa: S202 - its digest is the pinned one
        progress.advance(title)
    shutil.rmtree(repository)
    shutil.rmtree(files)
    # The distribution's zip has one folder at its top; the plugins went beside it.
    _lift(folder / f"opensearch-{VERSION}", folder)
    progress.finish(title)


def _with_archive(folder: Path, progress: Progress) -> None:
    machine = _MACHINES.get(platform.machine().lower())
    if platform.system() != "Linux" or machine is None:
        raise UnreachableError(f"there is no official archive for {platform.system()} on {platform.machine()}")
    url = _ARCHIVE.format(version=VERSION, machine=machine)
    # "<sha512>  <file name>"
    expected = fetch_text(f"{url}.sha512", timeout=_ANSWER_SECONDS).split()[0]
    title, archive = f"Fetch OpenSearch {VERSION}", folder / "opensearch.tar.gz"
    fetch(
        url,
        archive,
        timeout=_ANSWER_SECONDS,
        on_size=lambda size: progress.start(title, total=size or None),
        on_bytes=lambda count: progress.advance(title, count),
    )
    verify(archive, "sha512", expected)
    with tarfile.open(archive) as files:
        files.extractall(folder, members=_wanted(files), filter="data")
    archive.unlink()
    _lift(folder / f"opensearch-{VERSION}", folder)
    progress.finish(title)


def _wanted(files: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Without the bundled Java and every plugin that the service does not use; one of those demands certificates."""
    for member in files:
        parts = member.name.removeprefix("./").split("/")[1:]
        if parts[:1] == ["jdk"] or (parts[:1] == ["plugins"] and len(parts) > 1 and parts[1] not in _PLUGINS):
            continue
        yield member


def _lift(inner: Path, outer: Path) -> None:
    for entry in inner.iterdir():
        target = outer / entry.name
        if target.is_dir():
            _lift(entry, target)
        else:
            entry.rename(target)
    inner.rmdir()


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*.zip*"):
        # Maven renames its files when they are complete.
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


@contextmanager
def _growth(folder: Path, title: str, progress: Progress) -> Iterator[None]:
    """Report how the files below ``folder`` grow while the block runs."""
    done = threading.Event()

    def watch() -> None:
        seen = 0
        while not done.wait(0.25):
            size = _size(folder)
            progress.advance(title, size - seen)
            seen = size

    watcher = threading.Thread(target=watch, name="maven-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
