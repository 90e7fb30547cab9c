"""Each archive's bill of materials is valid CycloneDX, says what the archive holds, and is always the same."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components.bundling import Archive, Bundles, BundleTarget
from components.bundling.archive import Entry, pack
from harness import sbom, stack_file
from harness.errors import HarnessError
from harness.local_stack import make_bundles
from harness.paths import REPOSITORY
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.harness.conftest import Done

LOCK = REPOSITORY / "requirements" / "lambda.txt"
ARM64 = BundleTarget("python3.13", "arm64")


@pytest.fixture(scope="module")
def prod() -> Bundles:
    return make_bundles("prod", REPOSITORY, Silent())


@pytest.fixture(scope="module")
def bills(prod: Bundles) -> Mapping[str, Any]:
    target = stack_file.read(REPOSITORY, "prod").functions.target
    return {name: json.loads(text) for name, text in sbom.documents(prod, target, LOCK).items()}


def test_every_bill_is_valid_cyclonedx(bills: Mapping[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for name, bill in bills.items():
        assert validator.validate_str(json.dumps(bill)) is None, name


def test_every_archive_has_one_that_names_it_by_its_hash(prod: Bundles, bills: Mapping[str, Any]) -> None:
    assert list(bills) == [archive.name for archive in prod.archives]
    for archive in prod.archives:
        assert bills[archive.name]["metadata"]["component"]["hashes"] == [
            {"alg": "SHA-256", "content": hashlib.sha256(archive.path.read_bytes()).hexdigest()}
        ]
    assert len({bill["serialNumber"] for bill in bills.values()}) == len(bills)


def test_packages_are_those_in_the_archive_with_version_hashes_and_licence(
    prod: Bundles, bills: Mapping[str, Any]
) -> None:
    with zipfile.ZipFile(prod.dependencies.path) as archive:
        folders = {match[1] for name in archive.namelist() if (match := re.match(r"python/([^/]+)\.dist-info/", name))}
    packages = bills["dependencies"]["components"]
    # As names are written in a folder's name: Events-0.5, typing_extensions-4.16.0.
    assert {f"{package['name']}-{package['version']}" for package in packages} == {
        folder.lower().replace("_", "-") for folder in folders
    }
    lock = LOCK.read_text()
    for package in packages:
        assert package["purl"] == f"pkg:pypi/{package['name']}@{package['version']}"
        assert f"{package['name']}=={package['version']} " in lock
        assert package["hashes"]
        assert all(f"--hash=sha256:{digest['content']}" in lock for digest in package["hashes"])
        assert package["licenses"], package["name"]


def test_packages_say_what_they_need(bills: Mapping[str, Any]) -> None:
    bill = bills["dependencies"]
    needs = {
        re.split("[/@]", entry["ref"])[-2]: {re.split("[/@]", needed)[-2] for needed in entry["dependsOn"]}
        for entry in bill["dependencies"]
        if entry["ref"].startswith("pkg:")
    }
    assert needs["boto3"] == {"botocore", "jmespath", "s3transfer"}
    # Required by its metadata, and left out of the archive on purpose (requirements/lambda-overrides.txt).
    assert "opensearch-protobufs" not in needs["opensearch-py"]
    known = {"dependencies", *(component["bom-ref"] for component in bill["components"])}
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known


def test_own_code_is_listed_file_by_file(prod: Bundles, bills: Mapping[str, Any]) -> None:
    for archive in (prod.support, *prod.functions.values()):
        with zipfile.ZipFile(archive.path) as file:
            expected = {name: hashlib.sha256(file.read(name)).hexdigest() for name in file.namelist()}
        components = bills[archive.name]["components"]
        assert {each["name"]: each["hashes"][0]["content"] for each in components} == expected
        assert {each["type"] for each in components} == {"file"}


def test_the_same_archives_give_the_same_bytes_with_no_time_and_no_machine_in_them(
    prod: Bundles, tmp_path: Path
) -> None:
    target = stack_file.read(REPOSITORY, "prod").functions.target
    first = sbom.write(prod, target, LOCK, tmp_path / "first")
    second = sbom.write(prod, target, LOCK, tmp_path / "second")
    for name, path in first.items():
        assert path.name == f"{name}.cdx.json"
        text = path.read_text()
        assert second[name].read_text() == text
        assert "timestamp" not in text
        assert str(REPOSITORY) not in text


def test_the_command_writes_them_and_tells_where(call: Callable[..., Done], tmp_path: Path) -> None:
    done = call("bundle", "--stack", "prod", "--sbom", str(tmp_path / "bills"), "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert set(told["bills"]) == {archive["name"] for archive in told["archives"]}
    assert all(json.loads(Path(path).read_text())["bomFormat"] == "CycloneDX" for path in told["bills"].values())


def layer(folder: Path, *packages: tuple[str, str, str]) -> Bundles:
    """Archives of which only the dependencies' holds something: packages by name, version and further metadata."""
    content = pack(
        Entry(
            f"python/{name}-{version}.dist-info/METADATA",
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{more}".encode(),
        )
        for name, version, more in packages
    )
    path = folder / "dependencies.zip"
    path.write_bytes(content)
    archive = Archive(
        name="dependencies",
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        packed_bytes=len(content),
        unpacked_bytes=0,
        seconds=0,
        from_cache=False,
    )
    empty = folder / "empty.zip"
    empty.write_bytes(pack([]))
    return Bundles(
        dependencies=archive,
        support=Archive("support", empty, "0" * 64, 0, 0, 0, from_cache=False),
        functions={},
    )


def locked(folder: Path, *lines: str) -> Path:
    path = folder / "lock.txt"
    path.write_text(
        "".join(f"{line} \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n" for line in lines)
    )
    return path


@pytest.mark.parametrize(
    ("packages", "lines", "told"),
    [
        ([("one", "1.0", "")], [], "one 1.0, which is not locked"),
        ([("one", "1.0", "")], ["one==1.1"], "one 1.0, which is locked at 1.1"),
        ([("one", "1.0", "")], ["one==1.0", "two==1.0"], "no two, which is locked"),
    ],
)
def test_an_archive_that_holds_other_than_what_is_locked_is_refused(
    packages: list[tuple[str, str, str]], lines: list[str], told: str, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match=told):
        sbom.documents(layer(tmp_path, *packages), ARM64, locked(tmp_path, *lines))


def test_what_is_locked_for_other_machines_is_not_missed(tmp_path: Path) -> None:
    lock = locked(tmp_path, "one==1.0", "two==1.0 ; sys_platform == 'win32'", "three==1.0 ; python_version < '3.12'")
    (package,) = json.loads(sbom.documents(layer(tmp_path, ("one", "1.0", "")), ARM64, lock)["dependencies"])[
        "components"
    ]
    assert [digest["content"] for digest in package["hashes"]] == ["a" * 64, "b" * 64]


@pytest.mark.parametrize(
    ("metadata", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0\n", [{"expression": "MIT OR Apache-2.0"}]),
        ("License: apache-2.0\n", [{"expression": "Apache-2.0"}]),
        ("License: Dual License\n", [{"license": {"name": "Dual License"}}]),
        (
            "License: Dual License\nClassifier: License :: OSI Approved :: BSD License\n",
            [{"license": {"name": "BSD License"}}],
        ),
        (f"License: {'Permission is hereby granted ' * 9}\n", None),
        ("", None),
    ],
)
def test_a_licence_is_an_spdx_expression_where_it_can_be_and_otherwise_the_packages_own_word(
    metadata: str, licences: list[dict[str, Any]] | None, tmp_path: Path
) -> None:
    bundles = layer(tmp_path, ("one", "1.0", metadata))
    (package,) = json.loads(sbom.documents(bundles, ARM64, locked(tmp_path, "one==1.0"))["dependencies"])["components"]
    assert package.get("licenses") == licences


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bundles = layer(tmp_path, ("one", "1.0", ""))
    with pytest.raises(HarnessError, match="cannot be written"):
        sbom.write(bundles, ARM64, locked(tmp_path, "one==1.0"), tmp_path / "file" / "folder")
