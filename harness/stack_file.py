"""The settings of a stack, read from its file as the engine would hand them to the program."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from components import settings
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ORDER: Final = ("local", "dev", "staging", "prod")
"""From the smallest stack to the one that matters most; others follow by name."""


def names(root: Path) -> tuple[str, ...]:
    """The stacks that have a file, by name."""
    return tuple(sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml")))


def in_order(root: Path) -> tuple[str, ...]:
    """The same, in ``ORDER``."""
    return tuple(sorted(names(root), key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)))


def read(root: Path, stack: str, changes: Mapping[str, object] | None = None) -> settings.Settings:
    """The settings of ``stack``, with ``changes`` (``functions.runtime`` -> a value) in place of what its file says.

    Raises:
        HarnessError: there is no such stack, or settings are wrong; names all of them.
    """
    try:
        return settings.parse(_configuration(_changed(_document(root, stack), changes or {})))
    except settings.SettingsError as error:
        raise HarnessError(f"Pulumi.{stack}.yaml: {error}", "Correct them and run the command again.") from error


def config(root: Path, stack: str) -> dict[str, str]:
    """The configuration of ``stack`` as the engine passes it to the program, unchecked.

    Raises:
        HarnessError: there is no such stack, or its file has no settings.
    """
    return _configuration(_document(root, stack))


def changed(root: Path, stack: str, changes: Mapping[str, object]) -> str:
    """The text of a stack's file with other settings: ``functions.runtime`` -> a value.

    Of its settings alone: what protects the secrets of a deployed stack's state (``secretsprovider``, a key in an AWS
    account) is of no use to a stack on this machine.

    Raises:
        HarnessError: there is no such stack, or its file has no settings.
    """
    document = _changed(_document(root, stack), changes)
    return yaml.safe_dump({"config": document["config"]}, sort_keys=False)


def _document(root: Path, stack: str) -> dict[str, Any]:
    file = root / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = ", ".join(names(root))
        raise HarnessError(f"There is no stack {stack!r}: {file.name} is missing.", f"Stacks are: {known}.")
    try:
        found = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as error:
        raise HarnessError(f"{file.name} is not YAML: {error}", "Correct the line that is named.") from error
    if not isinstance(found, dict) or not isinstance(found.get("config"), dict):
        raise HarnessError(f"{file.name} has no settings.", "Give it a `config:` section, as the other stacks have.")
    return found


def _changed(document: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for path, value in changes.items():
        first, *others = path.split(".")
        place, last = made["config"], _key(first)
        for name in others:
            place = place.setdefault(last, {})
            last = name
        place[last] = value
    return made


def _configuration(document: dict[str, Any]) -> dict[str, str]:
    return {_key(str(key)): _text(value) for key, value in document["config"].items()}


def _key(name: str) -> str:
    """A name without a namespace is one of the project's."""
    return name if ":" in name else f"{settings.NAMESPACE}:{name}"


def _text(value: object) -> str:
    """Scalars and structures as the engine passes them: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
