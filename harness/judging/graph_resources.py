"""A stack's graph as the policies judge it: every resource with its inputs and outputs, all of them known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policies.values import Resource

if TYPE_CHECKING:
    from harness.graph import Graph


def resources(graph: Graph) -> list[Resource]:
    """The resources of a graph, each with those that its inputs are made from."""
    plain = {
        each.urn: Resource(
            each.type,
            each.name,
            each.urn,
            {**each.outputs, **each.inputs, **({"id": each.id} if each.id else {})},
            protect=each.protect,
        )
        for each in graph
        if each.custom
    }
    return [
        replace(
            resource,
            depends_on={
                name: [plain[origin] for origin in sorted(origins) if origin in plain]
                for name, origins in graph.resources[urn].property_dependencies.items()
            },
        )
        for urn, resource in plain.items()
    ]
