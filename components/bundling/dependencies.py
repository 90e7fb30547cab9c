"""Third-party packages: installed by uv for the target from the lock file, then stripped to what runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from components.bundling.archive import Entry
from components.bundling.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from components.bundling.target import BundleTarget

_TIMEOUT: Final = 300
"""Seconds that uv may take, downloads on a slow line included."""

_SHARED_DATA: Final = frozenset({"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"})
"""What botocore reads for every client, beside the service's own model."""

_METADATA: Final = frozenset({"METADATA", "entry_points.txt"})
"""Of a dist-info folder: what importlib.metadata reads, and Amazon Inspector to find vulnerable versions."""

_NEVER_IMPORTED: Final = (
    re.compile(r"(^|/)(__pycache__|tests|testing/data)/"),
    re.compile(r"^bin/"),  # scripts, whose first line names the machine they were installed on
    re.compile(r"^boto3/examples/"),
    re.compile(r"^\.lock$"),  # uv's own
    re.compile(r"\.(pyc|pyi|pyx|pxd|c|h)$|(^|/)py\.typed$"),
)
_SERVICE_DATA: Final = re.compile(r"^boto(?:core|3)/data/([^/]+)(?:/|$)")
_DOCUMENTATION_DATA: Final = re.compile(r"^botocore/data/.*/examples-1\.json(\.gz)?$")


def find_uv() -> Path:
    """The uv to install with: ``$UV`` (set by uv itself), beside the interpreter (PyPI's ``uv``), or on PATH.

    Raises:
        BundleError: there is none.
    """
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    for candidate in (os.environ.get("UV"), str(beside), shutil.which("uv")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise BundleError(
        f"uv, which installs the dependencies for Lambda, is neither on PATH nor beside {sys.executable}",
        "Run `make install`, or install uv: https://docs.astral.sh/uv/",
    )


def entries(lock: Path, target: BundleTarget, services: Collection[str]) -> list[Entry]:
    """The files of the ``dependencies`` layer.

    Args:
        lock: requirements with hashes; nothing beside them is installed.
        target: whose wheels to take; no package is built from source.
        services: the AWS services whose models are kept.

    Raises:
        BundleError: uv is missing or refuses, or a service is unknown to botocore.
    """
    with tempfile.TemporaryDirectory(prefix="energy-support-bundle-") as folder:
        _install(lock, target, Path(folder))
        found = [Entry(f"python/{name}", path.read_bytes()) for path, name in _kept(Path(folder), services)]
    _require_models(found, services)
    return found


def _install(lock: Path, target: BundleTarget, folder: Path) -> None:
    command = [
        *(str(find_uv()), "pip", "install", "--quiet", "--no-progress", "--python", sys.executable),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile-bytecode"),
        *("--python-version", target.python_version, "--target", str(folder), "--requirement", str(lock)),
    ]
    if target.uv_platform is not None:
        command += ["--python-platform", target.uv_platform]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise BundleError(
            f"dependencies: uv did not end within {_TIMEOUT} s", "Check the network, then try again."
        ) from None
    if run.returncode != 0:
        raise BundleError(
            f"dependencies: uv cannot install {lock} for {target.identity}:\n{run.stderr.strip()}",
            "If the network or the package index is at fault, try again; if a hash or a version is, run `make lock`.",
        )


def _kept(folder: Path, services: Collection[str]) -> Iterator[tuple[Path, str]]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _is_needed(name, services):
            yield path, name


def _is_needed(name: str, services: Collection[str]) -> bool:
    if any(pattern.search(name) for pattern in _NEVER_IMPORTED) or _DOCUMENTATION_DATA.match(name):
        return False
    data = _SERVICE_DATA.match(name)
    if data is not None:
        return data[1] in services or data[1] in _SHARED_DATA
    path = PurePosixPath(name)
    return path.name in _METADATA if path.parts[0].endswith(".dist-info") else True


def _require_models(found: Collection[Entry], services: Collection[str]) -> None:
    packed = {match[1] for entry in found if (match := _SERVICE_DATA.match(entry.name.removeprefix("python/")))}
    unknown = sorted(set(services) - packed)
    if unknown:
        raise BundleError(
            f"dependencies: botocore has no model of {', '.join(unknown)}, for which own code makes a client",
            "Correct the service's name in the call of client(…).",
        )
