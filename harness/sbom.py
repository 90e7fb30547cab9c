"""A bill of materials for each archive that goes to AWS: CycloneDX 1.6, JSON.

What is listed is what the archive holds: packages by the metadata in it, own code file by file. The lock file says by
which hashes each package was checked when it was installed; an archive that holds anything else is refused. The same
archive and the same lock file give the same bytes: there is no time in them, and the serial number is made from what
they say.

Code that a package carries within itself (botocore's `vendored`, for one) is part of that package here, as it is in
its own metadata.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.markers import default_environment
from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.bundling.target import HOST
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

    from components.bundling import Archive, Bundles, BundleTarget

SUFFIX: Final = ".cdx.json"
"""Of a CycloneDX document's name, as its specification recommends."""
SPECIFICATION: Final = "1.6"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")
_HASH = re.compile(r"^\s+--hash=sha256:(?P<digest>[0-9a-f]{64})\b")
_METADATA = re.compile(r"^python/[^/]+\.dist-info/METADATA$")
_LONGEST_NAME: Final = 64
"""Characters of a licence's name; what is longer is its text."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A package that the lock file allows."""

    version: str
    hashes: tuple[str, ...]
    """SHA-256 of every file of that version; the one that was installed is among them."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that an archive holds."""

    name: NormalizedName
    metadata: RawMetadata
    pin: Pin

    @property
    def reference(self) -> str:
        """Its package URL, which is also how other parts of the document name it."""
        return f"pkg:pypi/{self.name}@{self.pin.version}"


def documents(bundles: Bundles, target: BundleTarget, lock: Path) -> Mapping[str, str]:
    """The bill of each archive, by the archive's name.

    Args:
        bundles: the archives of a stack.
        target: what they were made for.
        lock: the lock file that they were made from.

    Raises:
        HarnessError: the dependencies' archive does not hold what the lock file says.
    """
    environment = _environment(target)
    pins = _pins(lock, environment)
    bills = {archive.name: _own_code(archive) for archive in bundles.archives if archive != bundles.dependencies}
    bills[bundles.dependencies.name] = _third_party(bundles.dependencies, pins, environment)
    return {archive.name: _text({**_head(archive, target), **bills[archive.name]}) for archive in bundles.archives}


def write(bundles: Bundles, target: BundleTarget, lock: Path, folder: Path) -> Mapping[str, Path]:
    """Write the bill of each archive into ``folder``; their paths, by the archive's name.

    Raises:
        HarnessError: an archive does not hold what the lock file says, or the folder cannot be written to.
    """
    bills = documents(bundles, target, lock)
    paths = {name: folder / f"{name}{SUFFIX}" for name in bills}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            path.write_text(bills[name], encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"{error.filename or folder} cannot be written: {error.strerror}", "Name another folder."
        ) from error
    return paths


# --- the two kinds of archives


def _third_party(archive: Archive, pins: Mapping[NormalizedName, Pin], environment: dict[str, str]) -> dict[str, Any]:
    packages = tuple(_packages(archive, pins))
    _require_all(archive, pins, {package.name for package in packages})
    references = {package.name: package.reference for package in packages}
    return {
        "components": [_library(package) for package in packages],
        "dependencies": [
            {"ref": archive.name, "dependsOn": sorted(references.values())},
            *(
                {"ref": package.reference, "dependsOn": sorted(_needed(package, references, environment))}
                for package in packages
            ),
        ],
    }


def _packages(archive: Archive, pins: Mapping[NormalizedName, Pin]) -> Iterator[Package]:
    with zipfile.ZipFile(archive.path) as file:
        for name in sorted(filter(_METADATA.match, file.namelist()), key=str.lower):
            metadata, _ = parse_email(file.read(name))
            package, version = canonicalize_name(metadata["name"]), metadata["version"]
            pin = pins.get(package)
            if pin is None or pin.version != version:
                found = "is not locked" if pin is None else f"is locked at {pin.version}"
                raise _other(archive, f"{package} {version}, which {found}")
            yield Package(name=package, metadata=metadata, pin=pin)


def _require_all(archive: Archive, pins: Mapping[NormalizedName, Pin], found: Collection[NormalizedName]) -> None:
    missing = sorted(pins.keys() - found)
    if missing:
        raise _other(archive, f"no {', '.join(missing)}, which is locked for it")


def _other(archive: Archive, what: str) -> HarnessError:
    return HarnessError(
        f"The archive {archive.name} holds {what}: no bill can be made of it.",
        "Delete the folder of archives in the user's cache (`harness bundle --json` shows it), then try again.",
    )


def _library(package: Package) -> dict[str, Any]:
    described = {"description": package.metadata["summary"]} if package.metadata.get("summary") else {}
    licences = _licences(package.metadata)
    return {
        "type": "library",
        "bom-ref": package.reference,
        "name": package.name,
        "version": package.pin.version,
        **described,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.pin.hashes],
        **({"licenses": licences} if licences else {}),
        "purl": package.reference,
    }


def _licences(metadata: RawMetadata) -> list[dict[str, Any]]:
    """What the package says of its licence: an SPDX expression, or the words that it uses; nothing if nothing."""
    told = metadata.get("license_expression") or metadata.get("license", "")
    try:
        return [{"expression": canonicalize_license_expression(told)}]
    except InvalidLicenseExpression:
        classified = [
            classifier.rpartition(" :: ")[2]
            for classifier in metadata.get("classifiers", ())
            if classifier.startswith("License :: ")
        ]
        plain = [told] if told and len(told) <= _LONGEST_NAME and "\n" not in told else []
        return [{"license": {"name": name}} for name in classified or plain]


def _needed(package: Package, references: Mapping[NormalizedName, str], environment: dict[str, str]) -> Iterator[str]:
    """What the package requires, as far as it is in the archive: some is left out on purpose (lambda-overrides.txt)."""
    for text in package.metadata.get("requires_dist", ()):
        requirement = Requirement(text)
        reference = references.get(canonicalize_name(requirement.name))
        if reference is not None and (requirement.marker is None or requirement.marker.evaluate(environment)):
            yield reference


def _own_code(archive: Archive) -> dict[str, Any]:
    with zipfile.ZipFile(archive.path) as file:
        components = [
            {
                "type": "file",
                "bom-ref": name,
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read(name)).hexdigest()}],
            }
            for name in file.namelist()
        ]
    return {
        "components": components,
        "dependencies": [{"ref": archive.name, "dependsOn": [component["bom-ref"] for component in components]}],
    }


# --- what all of them say


def _head(archive: Archive, target: BundleTarget) -> dict[str, Any]:
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": archive.name,
                "group": "energy-support",
                "name": archive.name,
                "version": f"sha256:{archive.sha256}",
                "hashes": [{"alg": "SHA-256", "content": archive.sha256}],
                "properties": [
                    {"name": "energy-support:runtime", "value": target.runtime},
                    {"name": "energy-support:architecture", "value": target.architecture},
                ],
            },
        },
    }


def _text(bill: dict[str, Any]) -> str:
    said = json.dumps(bill, sort_keys=True)
    numbered = {**bill, "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, said).urn}
    return json.dumps(numbered, indent=2, sort_keys=True) + "\n"


# --- the lock file


def _environment(target: BundleTarget) -> dict[str, str]:
    """What markers are judged by: the target's interpreter, without extras."""
    own = {str(name): str(value) for name, value in default_environment().items()}
    if target.platform != HOST:
        machine = "aarch64" if target.architecture == "arm64" else target.architecture
        own |= {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "sys_platform": "linux",
        }
    version = target.python_version
    return own | {"python_version": version, "python_full_version": f"{version}.0", "extra": ""}


def _pins(lock: Path, environment: dict[str, str]) -> dict[NormalizedName, Pin]:
    """What the lock file allows for the target."""
    pins: dict[NormalizedName, Pin] = {}
    current: NormalizedName | None = None
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := _PIN.match(line):
            requirement = Requirement(f"{match['name']} ; {match['marker']}" if match["marker"] else match["name"])
            current = None
            if requirement.marker is None or requirement.marker.evaluate(environment):
                current = canonicalize_name(requirement.name)
                pins[current] = Pin(version=match["version"], hashes=())
        elif current is not None and (match := _HASH.match(line)):
            pin = pins[current]
            pins[current] = Pin(version=pin.version, hashes=(*pin.hashes, match["digest"]))
    return pins
