"""Where the harness keeps things: the user's cache, shared between clones, and this clone's own state."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parent.parent
"""The folder of this clone."""


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Every folder that the harness writes to."""

    root: Path
    """The clone whose program is run."""
    cache: Path
    """What costs time to get and depends on versions only: tools, archives. May be deleted at any time."""
    local: Path
    """What the ``local`` stack is made of: data, logs, ports, the engine's state. ``harness reset`` empties it."""

    @classmethod
    def find(cls) -> Self:
        """The folders of this clone, with ``$XDG_CACHE_HOME`` and ``$HARNESS_LOCAL_DIR`` honoured."""
        return cls(root=REPOSITORY, cache=user_cache(), local=local_state())

    @property
    def logs(self) -> Path:
        """One log file per local service."""
        return self.local / "logs"

    @property
    def services(self) -> Path:
        """One folder per local service, with its data."""
        return self.local / "services"


def user_cache() -> Path:
    """``$XDG_CACHE_HOME`` (default ``~/.cache``) ``/energy-support``, shared between clones."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification: a relative path is invalid and must be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "energy-support"


def local_state() -> Path:
    """``$HARNESS_LOCAL_DIR``, default ``.local`` in this clone."""
    chosen = os.environ.get("HARNESS_LOCAL_DIR", "")
    return Path(chosen).resolve() if chosen else REPOSITORY / ".local"
