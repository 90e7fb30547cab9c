"""A small repository to bundle, and the bundles of the real one."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.bundling import BundleTarget, bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.bundling import Bundles

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Repository:
    """What bundling reads of a repository, with a cache of its own."""

    root: Path
    cache: Path

    def write(self, name: str, text: str, *, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        path.chmod(mode)
        return path

    def bundle(self, target: BundleTarget, built: list[str] | None = None) -> Bundles:
        """Bundle it; the names of the archives that were not in the cache are added to ``built``."""
        return bundle(target, built.append if built is not None else None, root=self.root, cache=self.cache)


SOURCES: Mapping[str, str] = {
    "lambdas/support/__init__.py": "",
    "lambdas/support/clients.py": """\
        import boto3

        def sqs():
            return boto3.client("sqs")
        """,
    "lambdas/hello/__init__.py": "",
    "lambdas/hello/handler.py": """\
        from support import clients

        def handler(event, context):
            return clients.sqs().meta.service_model.service_name
        """,
}


def _write(root: Path, cache: Path) -> Repository:
    repository = Repository(root, cache)
    (root / "requirements").mkdir(parents=True)
    shutil.copyfile(ROOT / "requirements" / "lambda.txt", root / "requirements" / "lambda.txt")
    for name, text in SOURCES.items():
        repository.write(name, text)
    return repository


@pytest.fixture(scope="session")
def built_dependencies(tmp_path_factory: pytest.TempPathFactory, arm64: BundleTarget) -> Path:
    """A cache that holds the small repository's dependencies, which take a second to make."""
    folder = tmp_path_factory.mktemp("built")
    _write(folder / "repository", folder / "cache").bundle(arm64)
    return folder / "cache"


@pytest.fixture
def repository(tmp_path: Path, built_dependencies: Path) -> Repository:
    """The small repository; only its dependencies are in the cache."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for path in built_dependencies.glob("dependencies-*"):
        shutil.copyfile(path, cache / path.name)
    return _write(tmp_path / "repository", cache)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Repository:
    """The same in another folder, with nothing in its cache."""
    return _write(tmp_path / "a" / "clone of it", tmp_path / "b" / "cache")


@pytest.fixture(scope="session")
def arm64() -> BundleTarget:
    return BundleTarget("python3.13", "arm64")


@pytest.fixture(scope="session")
def real(arm64: BundleTarget) -> Bundles:
    """This repository's bundles for AWS."""
    return bundle(arm64)


@pytest.fixture(scope="session")
def host() -> Bundles:
    """This repository's bundles for the machine that runs the tests."""
    return bundle(BundleTarget.host())
