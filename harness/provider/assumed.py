"""Resources that are only assumed to be there: what a version of the program would have deployed, to compare with.

With the variable set, every creation succeeds and nothing is called. Outputs are made as harness/graph.py makes them,
which knows all that the program uses. Nothing is judged: what a version may not hold is the business of whoever
deployed it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from harness.provider import lifecycle
from harness.provider.calls import ProviderError
from harness.provider.recorded import Recorded
from harness.provider.registry import resource_type
from harness.provider.resource import State

if TYPE_CHECKING:
    from harness.provider.lifecycle import Configuration, Naming
    from harness.provider.resource import ResourceType
    from harness.provider.values import Properties

VARIABLE: Final = "HARNESS_AWS_ASSUMED"
"""Environment variable: set, every creation is assumed to have succeeded."""


def wanted() -> bool:
    """Whether this process only assumes."""
    return bool(os.environ.get(VARIABLE))


def kind(token: str) -> ResourceType | None:
    """The type; None if the provider does not know it (any more)."""
    try:
        return resource_type(token)
    except ProviderError:
        return None


def check(token: str, configuration: Configuration, olds: Properties, news: Properties, naming: Naming) -> Properties:
    """The inputs with what the provider fills in; those of a type that it does not know as they are."""
    known = kind(token)
    return news if known is None else lifecycle.check(known, configuration, olds, news, naming)[0]


def create(
    known: ResourceType | None, token: str, name: str, configuration: Configuration, inputs: Properties
) -> State:
    """A resource as it would be."""
    if isinstance(known, Recorded):
        return lifecycle.create(known, configuration, inputs)
    from harness.graph import Cloud  # noqa: PLC0415 - it loads Pulumi's SDK, which no other provider process needs

    cloud = Cloud(account_id=configuration.account, region=configuration.region, partition=configuration.partition)
    id_, answer = cloud.answer(token, name, inputs)
    return State(id_, inputs, {**lifecycle.preview_create(inputs), **answer})
