"""Runs in the environment of checkov: which of its checks are about which types, as one JSON document.

``checkov --list`` leaves out types of the checks that look at several resources, so its registries are asked.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol, cast

from checkov.cloudformation.checks.resource.registry import cfn_registry
from checkov.common.checks_infra.registry import get_graph_checks_registry
from checkov.terraform.checks.resource.registry import resource_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class _Check(Protocol):
    """The part of checkov's checks that is used here; graph checks are trees of them."""

    id: str
    name: str


class _Registry(Protocol):
    checks: Mapping[str, Iterable[_Check]]


def _filtered(check: object) -> Iterator[str]:
    """The types that a graph check names as those that it is about, wherever in the tree it does."""
    if getattr(check, "attribute", None) == "resource_type":
        yield from cast("Iterable[str]", getattr(check, "attribute_value", ()))
    for part in _parts(check):
        yield from _filtered(part)


def _types(check: object) -> Iterator[str]:
    """Every type that a graph check looks at; a filter in it names all that there are."""
    parts = list(_parts(check))
    if not parts:
        yield from cast("Iterable[str]", getattr(check, "resource_types", None) or ())
    for part in parts:
        yield from _types(part)


def _parts(check: object) -> Iterable[object]:
    return cast("Iterable[object]", getattr(check, "sub_checks", None) or ())


def _checks(form: str, registry: _Registry) -> dict[str, dict[str, object]]:
    names: dict[str, str] = {}
    types: dict[str, set[str]] = {}
    for type_, checks in registry.checks.items():
        for check in checks:
            names[check.id] = check.name
            types.setdefault(check.id, set()).add(type_)
    graph = get_graph_checks_registry(form)
    graph.load_checks()
    for check in graph.checks:
        names.setdefault(check.id, check.name)
        types.setdefault(check.id, set()).update(list(_filtered(check)) or _types(check))
    return {id_: {"name": name, "types": sorted(types[id_])} for id_, name in sorted(names.items())}


def main() -> None:
    """Write ``{form: {check's id: {"name": …, "types": […]}}}``."""
    json.dump(
        {
            "cloudformation": _checks("cloudformation", cast("_Registry", cfn_registry)),
            "terraform": _checks("terraform", cast("_Registry", resource_registry)),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
