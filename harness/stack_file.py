"""The settings of a stack, read from its file as the engine would hand them to the program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from components import settings
from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path


def names(root: Path) -> tuple[str, ...]:
    """The stacks that have a file."""
    return tuple(sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml")))


def read(root: Path, stack: str) -> settings.Settings:
    """The settings of ``stack``.

    Raises:
        HarnessError: there is no such stack, or settings are wrong; names all of them.
    """
    try:
        return settings.parse(config(root, stack))
    except settings.SettingsError as error:
        raise HarnessError(f"Pulumi.{stack}.yaml: {error}", "Correct them and run the command again.") from error


def config(root: Path, stack: str) -> dict[str, str]:
    """The configuration of ``stack`` as the engine passes it to the program, unchecked.

    Raises:
        HarnessError: there is no such stack, or its file has no settings.
    """
    file = root / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = ", ".join(names(root))
        raise HarnessError(f"There is no stack {stack!r}: {file.name} is missing.", f"Stacks are: {known}.")
    try:
        found = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as error:
        raise HarnessError(f"{file.name} is not YAML: {error}", "Correct the line that is named.") from error
    values = found.get("config") if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise HarnessError(f"{file.name} has no settings.", "Give it a `config:` section, as the other stacks have.")
    return {_key(str(key)): _text(value) for key, value in values.items()}


def _key(name: str) -> str:
    """A name without a namespace is one of the project's."""
    return name if ":" in name else f"{settings.NAMESPACE}:{name}"


def _text(value: object) -> str:
    """Scalars and structures as the engine passes them: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
