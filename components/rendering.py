"""Templates of JSON documents: files with ``${Name}`` where something is filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components import iam

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def render(template: Mapping[str, Any], values: Mapping[str, object]) -> str:
    """``template`` with ``${Name}`` replaced; a text that is nothing but a placeholder becomes the value.

    Raises:
        ValueError: a placeholder has no value, or a value no placeholder.
    """
    used: set[str] = set()

    def value_of(name: str) -> object:
        used.add(name)
        if name not in values:
            raise ValueError(f"the template asks for {name}, which is not given")
        return values[name]

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(child) for key, child in node.items()}
        if isinstance(node, list):
            return [walk(child) for child in node]
        if not isinstance(node, str):
            return node
        whole = _PLACEHOLDER.fullmatch(node)
        return value_of(whole[1]) if whole else _PLACEHOLDER.sub(lambda match: str(value_of(match[1])), node)

    rendered = walk(template)
    if unused := values.keys() - used:
        raise ValueError(f"the template does not ask for {', '.join(sorted(unused))}")
    return iam.to_json(rendered)
