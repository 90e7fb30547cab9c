"""Archives are the same wherever and whenever they are packed, and hold nothing but what runs."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.bundling import BundleTarget
from components.bundling.archive import Entry, digest, pack
from components.bundling.services import services
from components.bundling.sources import WRAPPER

if TYPE_CHECKING:
    from components.bundling import Archive, Bundles
    from tests.bundling.conftest import Repository


def names(archive: Archive) -> list[str]:
    with zipfile.ZipFile(archive.path) as file:
        return file.namelist()


def modes(archive: Archive) -> dict[str, int]:
    with zipfile.ZipFile(archive.path) as file:
        return {info.filename: info.external_attr >> 16 for info in file.infolist()}


@pytest.mark.spec("bundling.reproducible")
def test_two_folders_and_two_runs_give_the_same_bytes(
    repository: Repository, elsewhere: Repository, arm64: BundleTarget
) -> None:
    first, second = repository.bundle(arm64), elsewhere.bundle(arm64)
    assert [each.sha256 for each in first.archives] == [each.sha256 for each in second.archives]
    for archive in first.archives:
        assert hashlib.sha256(archive.path.read_bytes()).hexdigest() == archive.sha256


def test_an_archive_says_how_big_it_is(real: Bundles) -> None:
    for archive in real.archives:
        with zipfile.ZipFile(archive.path) as file:
            assert sum(info.file_size for info in file.infolist()) == archive.unpacked_bytes
        assert archive.path.stat().st_size == archive.packed_bytes


def test_dates_order_and_modes_are_fixed(real: Bundles) -> None:
    for archive in real.archives:
        with zipfile.ZipFile(archive.path) as file:
            infos = file.infolist()
        assert [info.filename for info in infos] == sorted(info.filename for info in infos)
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.create_system for info in infos} == {3}
        scripts = {info.filename for info in infos if info.external_attr >> 16 == stat.S_IFREG | 0o755}
        assert {info.external_attr >> 16 for info in infos if info.filename not in scripts} == {stat.S_IFREG | 0o644}
        assert scripts == ({WRAPPER} if archive.name == "support" else set())


def test_a_script_stays_executable_in_the_archive(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("lambdas/support/bootstrap", "#!/bin/sh\n", mode=0o700)
    repository.write("lambdas/support/data.json", "{}", mode=0o600)
    found = modes(repository.bundle(arm64).support)
    assert found["python/support/bootstrap"] == stat.S_IFREG | 0o755
    assert found["python/support/data.json"] == stat.S_IFREG | 0o644


def test_the_streaming_runtime_lies_where_lambda_starts_it_from(real: Bundles) -> None:
    found = names(real.support)
    assert {WRAPPER, "python/streaming/__main__.py", "python/streaming/loop.py"} <= set(found)
    assert f"python/streaming/{WRAPPER}" not in found
    with zipfile.ZipFile(real.support.path) as file:
        assert file.read(WRAPPER).startswith(b"#!/bin/bash\n")
    assert "streaming" not in real.functions


def test_the_wrapper_script_is_executable_whatever_the_check_out_made_of_it(
    repository: Repository, arm64: BundleTarget
) -> None:
    repository.write(f"lambdas/streaming/{WRAPPER}", "#!/bin/bash\n", mode=0o644)
    assert modes(repository.bundle(arm64).support)[WRAPPER] == stat.S_IFREG | 0o755


@pytest.mark.spec("bundling.reproducible")
@given(st.dictionaries(st.text("abc/._", min_size=1), st.tuples(st.binary(), st.booleans())))
def test_the_order_of_files_does_not_change_the_bytes(files: dict[str, tuple[bytes, bool]]) -> None:
    entries = [Entry(name, content, executable=executable) for name, (content, executable) in files.items()]
    assert pack(entries) == pack(entries[::-1])


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_no_two_lists_of_inputs_share_a_digest(one: list[bytes], other: list[bytes]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


def test_own_code_lies_where_lambda_looks_for_it(real: Bundles) -> None:
    assert "python/support/contract.py" in names(real.support)
    for function, archive in real.functions.items():
        assert f"{function}/handler.py" in names(archive)
        assert {name.partition("/")[0] for name in names(archive)} == {function}


def test_every_function_of_the_service_has_an_archive(real: Bundles) -> None:
    assert {"create_ticket", "get_ticket", "list_tickets", "get_solution", "kb_search"} <= real.functions.keys()
    assert "support" not in real.functions


def test_nothing_is_packed_that_does_not_run(real: Bundles) -> None:
    unwanted = re.compile(
        r"__pycache__|/tests/|\.pyc$|\.pyi$|RECORD$|README\.md$|INSTALLER$|^python/bin/|/examples-1\.json"
    )
    assert [name for archive in real.archives for name in names(archive) if unwanted.search(name)] == []


def test_grpc_is_not_bundled(real: Bundles) -> None:
    assert [name for name in names(real.dependencies) if re.match(r"python/(grpc|google|opentelemetry)", name)] == []


def test_packages_keep_the_metadata_that_tells_their_version(real: Bundles) -> None:
    assert any(re.fullmatch(r"python/boto3-[\d.]+\.dist-info/METADATA", name) for name in names(real.dependencies))


@pytest.mark.spec("functions.boto3")
def test_only_the_models_of_services_in_use_are_bundled(real: Bundles) -> None:
    with zipfile.ZipFile(real.support.path) as file:
        used = set(services(Entry(name, file.read(name)) for name in file.namelist()))
    data = {match[1] for name in names(real.dependencies) if (match := re.match(r"python/botocore/data/(.+?)/", name))}
    assert data == used
    assert {"dynamodb", "bedrock-runtime"} <= used


def test_the_dependencies_layer_is_small(real: Bundles) -> None:
    assert real.dependencies.packed_bytes < 10_000_000


@pytest.mark.spec("bundling.target")
def test_wheels_are_those_of_the_target(real: Bundles, repository: Repository) -> None:
    libraries = [name for name in names(real.dependencies) if name.endswith(".so")]
    assert libraries
    assert all("cpython-313-aarch64-linux-gnu" in name for name in libraries)
    with zipfile.ZipFile(real.dependencies.path) as file:
        # The ELF header's machine: 183 is AArch64 (System V ABI for the Arm 64-bit architecture).
        assert {int.from_bytes(file.read(name)[18:20], "little") for name in libraries} == {183}

    intel = repository.bundle(BundleTarget("python3.12", "x86_64"))
    assert any("cpython-312-x86_64-linux-gnu" in name for name in names(intel.dependencies))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b'boto3.client("sqs")', ("sqs",)),
        (b"session.client(\n    'dynamodb', config=c)\nclient(\"s3\")", ("dynamodb", "s3")),
        (b"def client(name): ...", ()),
        (b"no clients", ()),
    ],
)
def test_services_are_read_from_the_calls_that_make_clients(source: bytes, expected: tuple[str, ...]) -> None:
    assert services([Entry("a.py", source)]) == expected
