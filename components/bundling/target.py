"""What a bundle is made for: a Python, a processor, an operating system."""

from __future__ import annotations

import platform as host_platform
import re
import sys
import sysconfig
from dataclasses import dataclass
from typing import Final, Literal, get_args

from components.bundling.errors import BundleError

Architecture = Literal["arm64", "x86_64"]

HOST: Final = "host"
"""The platform of the interpreter that runs this program, whatever that is."""

_RUNTIME = re.compile(r"python3\.(\d{1,2})")
_FIRST_ON_AMAZON_LINUX_2023 = 12
_PROCESSORS: Final[dict[str, Architecture]] = {
    "aarch64": "arm64",
    "arm64": "arm64",
    "amd64": "x86_64",
    "x86_64": "x86_64",
}


@dataclass(frozen=True)
class BundleTarget:
    """The interpreter that will run the code.

    Default platform: Amazon Linux 2023, which Lambda's Python runtimes from 3.12 on run on (AWS Lambda developer
    guide, "Lambda runtimes"); its glibc 2.34 takes the ``manylinux_2_28`` wheels, Amazon Linux 2 does not.

    Raises:
        BundleError: the runtime or the architecture is none that this program can bundle for.
    """

    runtime: str
    """Lambda's identifier, such as ``python3.13``."""
    architecture: Architecture
    platform: str | None = None
    """A platform in uv's words (``uv pip install --python-platform``), :data:`HOST`, or None: from the architecture."""

    def __post_init__(self) -> None:
        match = _RUNTIME.fullmatch(self.runtime)
        if match is None:
            raise BundleError(f"{self.runtime!r} is not a Python runtime of Lambda", "Write it like python3.13.")
        if self.architecture not in get_args(Architecture):
            raise BundleError(
                f"{self.architecture!r} is not an architecture of Lambda", f"Use one of {get_args(Architecture)}."
            )
        if self.platform is None and int(match[1]) < _FIRST_ON_AMAZON_LINUX_2023:
            raise BundleError(
                f"{self.runtime} runs on Amazon Linux 2, whose C library is older than the wheels bundled here",
                "Use python3.12 or newer.",
            )

    @classmethod
    def host(cls) -> BundleTarget:
        """The interpreter that runs this program: what the local stack's functions run on."""
        machine = host_platform.machine().lower()
        architecture = _PROCESSORS.get(machine)
        if architecture is None:
            raise BundleError(f"no bundles are made for a {machine} processor", "Use an arm64 or x86_64 machine.")
        return cls(f"python3.{sys.version_info.minor}", architecture, HOST)

    @property
    def python_version(self) -> str:
        """``3.13`` for the runtime ``python3.13``."""
        return self.runtime.removeprefix("python")

    @property
    def uv_platform(self) -> str | None:
        """The value of uv's ``--python-platform``; None means the host's own, which uv finds out itself."""
        if self.platform is None:
            return f"{'aarch64' if self.architecture == 'arm64' else 'x86_64'}-manylinux_2_28"
        return None if self.platform == HOST else self.platform

    @property
    def identity(self) -> str:
        """Tells this target from every other, on any machine that shares the cache."""
        # The ABI tag tells C libraries apart too: cpython-311-x86_64-linux-gnu, …-linux-musl, …-darwin.
        platform = self.uv_platform or f"{sysconfig.get_config_var('SOABI')}"
        return f"{self.runtime} {self.architecture} {platform}"
