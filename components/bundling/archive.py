"""Archives that are the same byte for byte whenever and wherever they are packed."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""The zip format's own zero: no clock gets in."""
_UNIX: Final = 3
_READABLE, _EXECUTABLE = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
"""Lambda needs files to be world-readable, and wrapper scripts executable *in the zip* (facts/aws.md row 41)."""
_LEVEL: Final = 9


@dataclass(frozen=True)
class Archive:
    """One packed archive in the cache; the path is named by its inputs, so its bytes never change."""

    name: str
    """``dependencies``, ``support`` or the function's key."""
    path: Path
    sha256: str
    """Of the file, in hexadecimal; AWS shows the same digest as CodeSha256, in base64."""
    packed_bytes: int
    unpacked_bytes: int
    seconds: float
    """What it took to build it, or to find it in the cache."""
    from_cache: bool


@dataclass(frozen=True)
class Entry:
    """A file of an archive."""

    name: str
    """Path inside the archive, with forward slashes."""
    content: bytes
    executable: bool = False

    @classmethod
    def read(cls, path: Path, name: str) -> Entry:
        return cls(name, path.read_bytes(), executable=bool(path.stat().st_mode & stat.S_IXUSR))


def pack(entries: Iterable[Entry]) -> bytes:
    """The archive of ``entries``: sorted names, fixed dates and modes, no folders, deflate at level 9.

    Equal entries give equal bytes on every machine with the same zlib (see the decision record).
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for entry in sorted(entries, key=lambda entry: entry.name):
            info = zipfile.ZipInfo(entry.name, _EARLIEST)
            info.create_system = _UNIX
            info.external_attr = (_EXECUTABLE if entry.executable else _READABLE) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.content)
    return buffer.getvalue()


def digest(*parts: str | bytes) -> str:
    """SHA-256 over ``parts``, each with its length, so that no two lists of parts look alike."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()


def digest_of(entries: Iterable[Entry]) -> str:
    """SHA-256 over names, modes and contents."""
    return digest(
        *(part for entry in entries for part in (entry.name, "755" if entry.executable else "644", entry.content))
    )
