"""The user's cache of archives: addressed by content, shared between clones, safe for processes that run at once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

_DIGITS = 32
"""Of the 64 of a digest that names show: collisions stay out of reach, names stay short."""


def default_folder() -> Path:
    """``$XDG_CACHE_HOME`` (default ``~/.cache``) ``/energy-support/bundles``; all of it may be deleted at any time."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification: a relative path is invalid and must be ignored.
    root = base if base.is_absolute() else Path.home() / ".cache"
    return root / "energy-support" / "bundles"


@dataclass(frozen=True)
class Stored:
    """What is known of an archive without opening it."""

    sha256: str
    packed_bytes: int
    unpacked_bytes: int


class Cache:
    """Archives, and which inputs gave which archive.

    ``<name>-<digest of the archive>.zip`` holds the bytes: equal bytes keep their path, whatever they were made from.
    ``<name>-<digest of the inputs>.json`` says which archive these inputs gave.

    A file is written beside its place and renamed into it, so readers (the engine among them) see all of it or
    nothing. Two processes that build from the same inputs write the same bytes: it does not matter who is last.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str, stored: Stored) -> Path:
        """Where the archive's bytes are."""
        return self._folder / f"{name}-{stored.sha256[:_DIGITS]}.zip"

    def find(self, name: str, key: str) -> Stored | None:
        """What the inputs with the digest ``key`` gave, if it is there and as long as when stored; else None."""
        try:
            stored = Stored(**json.loads(self._record(name, key).read_bytes()))
            whole = self.path(name, stored).stat().st_size == stored.packed_bytes
        except (OSError, ValueError, TypeError):
            return None
        return stored if whole else None

    def store(self, name: str, key: str, packed: bytes, unpacked_bytes: int) -> Stored:
        """Keep an archive; raises OSError if the cache cannot be written."""
        stored = Stored(hashlib.sha256(packed).hexdigest(), len(packed), unpacked_bytes)
        self._folder.mkdir(parents=True, exist_ok=True)
        _replace(self.path(name, stored), packed)
        # Last, because it is what makes the archive count as stored.
        _replace(self._record(name, key), json.dumps(asdict(stored)).encode())
        return stored

    def _record(self, name: str, key: str) -> Path:
        return self._folder / f"{name}-{key[:_DIGITS]}.json"


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
