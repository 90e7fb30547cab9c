"""From lock file and sources to archives, building only what the cache does not have."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from components.bundling import dependencies, limits, sources
from components.bundling.archive import Archive, Entry, digest, digest_of, pack
from components.bundling.cache import Cache, default_folder
from components.bundling.services import services

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.bundling.target import BundleTarget

Progress = Callable[[str], None]
"""Told the name of each archive that has to be built, when its building begins."""

ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository."""


@dataclass(frozen=True)
class Bundles:
    """Everything that Lambda is given."""

    dependencies: Archive
    """Layer of third-party packages."""
    support: Archive
    """Layer of own code that the functions share."""
    functions: Mapping[str, Archive]
    """By the function's key, the name of its folder."""

    @property
    def archives(self) -> tuple[Archive, ...]:
        """Layers first, then functions by name."""
        return (self.dependencies, self.support, *self.functions.values())


def bundle(
    target: BundleTarget, progress: Progress | None = None, *, root: Path = ROOT, cache: Path | None = None
) -> Bundles:
    """The archives of all layers and functions for ``target``, from the cache where nothing changed.

    Args:
        target: what the archives are for. Own code is the same for every target.
        progress: called with the name of each archive that is not in the cache.
        root: the repository: ``requirements/lambda.txt`` and ``lambdas/`` are read.
        cache: where archives are kept, by default the user's cache, shared between clones.

    Raises:
        BundleError: sources or lock file cannot be bundled, or an archive is over a limit of Lambda.
        OSError: a source cannot be read, or the cache cannot be written.
    """
    builder = _Builder(root, Cache(cache or default_folder()), progress)
    bundles = builder.build(target)
    limits.check((bundles.dependencies, bundles.support), tuple(bundles.functions.values()))
    return bundles


class _Builder:
    """What one call of :func:`bundle` needs at every step."""

    def __init__(self, root: Path, cache: Cache, progress: Progress | None) -> None:
        self._lock = root / "requirements" / "lambda.txt"
        self._lambdas = root / "lambdas"
        self._cache = cache
        self._progress = progress
        # Archives made by another bundler or another zlib are other archives.
        self._tools = digest(*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))) + (
            zlib.ZLIB_RUNTIME_VERSION
        )

    def build(self, target: BundleTarget) -> Bundles:
        support = sources.support(self._lambdas)
        functions = sources.functions(self._lambdas)
        used = services([*support, *(entry for entries in functions.values() for entry in entries)])

        key = digest(self._tools, self._lock.read_bytes(), target.identity, *used)
        layer = self._archive("dependencies", key, lambda: dependencies.entries(self._lock, target, used))

        # Own code is checked against the modules it finds on AWS, so what these are is part of its key.
        shared = sources.modules((entry.name for entry in support), below="python")
        own_key = digest(key, *sorted(shared))

        def own(name: str, entries: Sequence[Entry]) -> Archive:
            def checked() -> Sequence[Entry]:
                known = _modules_of(layer) | shared | sources.modules(entry.name for entry in entries)
                sources.check(entries, self._lambdas, known)
                return entries

            return self._archive(name, digest(own_key, digest_of(entries)), checked)

        return Bundles(
            dependencies=layer,
            support=own("support", support),
            functions=MappingProxyType({name: own(name, entries) for name, entries in functions.items()}),
        )

    def _archive(self, name: str, key: str, entries: Callable[[], Sequence[Entry]]) -> Archive:
        begin = time.perf_counter()
        stored = self._cache.find(name, key)
        from_cache = stored is not None
        if stored is None:
            if self._progress is not None:
                self._progress(name)
            files = entries()
            stored = self._cache.store(name, key, pack(files), sum(len(file.content) for file in files))
        return Archive(
            name=name,
            path=self._cache.path(name, stored),
            sha256=stored.sha256,
            packed_bytes=stored.packed_bytes,
            unpacked_bytes=stored.unpacked_bytes,
            seconds=time.perf_counter() - begin,
            from_cache=from_cache,
        )


def _modules_of(layer: Archive) -> frozenset[str]:
    with zipfile.ZipFile(layer.path) as archive:
        return sources.modules(archive.namelist(), below="python")
