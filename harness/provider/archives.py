"""Pulumi archives as zip files.

An archive arrives as a path on this machine or as a table of files; Lambda wants a zip. The same content gives the
same bytes, whatever the clock and the order of the folder say, so AWS's `CodeSha256` changes only with the content.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.provider.values import ARCHIVE, ASSET, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_bytes(archive: Mapping[str, Any]) -> bytes:
    """The archive as a zip file. A path to a zip is passed on as it is.

    Raises:
        ValueError: the archive is of a kind that is not supported here (a URI), or what it names is not there.
    """
    path = archive.get("path")
    if path is not None and Path(path).is_file():
        return Path(path).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content, mode in sorted(_entries(archive, "")):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = mode << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, content)
    return buffer.getvalue()


def text_archive(text: str, content_hash: str) -> dict[str, Any]:
    """An archive that holds one text: stands for code that is not the program's (drift found by a refresh)."""
    asset = {SIGNATURE: ASSET, "hash": content_hash, "text": text}
    return {SIGNATURE: ARCHIVE, "hash": content_hash, "assets": {"README": asset}}


def _entries(item: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, bytes, int]]:
    if "assets" in item:
        for name, child in item["assets"].items():
            yield from _entries(child, f"{prefix}/{name}" if prefix else name)
    elif "text" in item:
        yield prefix, item["text"].encode(), 0o644
    elif "path" in item:
        yield from _files(Path(item["path"]), prefix, is_archive=item.get(SIGNATURE) == ARCHIVE)
    else:
        message = f"archive {prefix or item.get('uri', '')!r}: only paths, texts and tables of them can be read here"
        raise ValueError(message)


def _files(path: Path, prefix: str, *, is_archive: bool) -> Iterator[tuple[str, bytes, int]]:
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            name = file.relative_to(path).as_posix()
            yield f"{prefix}/{name}" if prefix else name, file.read_bytes(), _mode(file)
    elif path.is_file() and is_archive:
        with zipfile.ZipFile(path) as nested:
            for entry in nested.infolist():
                if not entry.is_dir():
                    name = f"{prefix}/{entry.filename}" if prefix else entry.filename
                    yield name, nested.read(entry), (entry.external_attr >> 16) or 0o644
    elif path.is_file():
        yield prefix, path.read_bytes(), _mode(path)
    else:
        raise ValueError(f"archive: there is nothing at {path}")


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o111 else 0o644
