"""Things that are deleted under one name and created under another, where `aliases` would have kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.provider.calls import ProviderError
from harness.provider.registry import resource_type
from harness.provider.values import DEFAULTS_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.review.planned import Planned, Properties


def renames(steps: Sequence[Planned]) -> Mapping[str, Planned]:
    """URN of what is created -> the deletion of what looks like the same thing."""
    gone = {step.urn: step for step in steps if step.operation == "delete" and step.old is not None}
    found: dict[str, Planned] = {}
    for step in steps:
        if step.operation == "create":
            twin = next((other for other in gone.values() if _is_same(other, step)), None)
            if twin is not None:
                found[step.urn] = gone.pop(twin.urn)
    return found


def has_same_name(type_: str, old: Properties, new: Properties) -> bool | None:
    """Whether both have one physical name, or whatever tells two of the type apart; None for a type not known here."""
    try:
        kind = resource_type(type_)
    except ProviderError:
        return None
    return kind.name not in new.get(DEFAULTS_KEY, ()) and kind.same_identity(old, new)


def _is_same(gone: Planned, come: Planned) -> bool:
    if gone.type != come.type or gone.old is None or come.new is None:
        return False
    before, after = gone.old.inputs, come.new.inputs
    return before == after or bool(has_same_name(come.type, before, after))
