"""The `random` package, of which the program uses one type. It calls nothing."""

from __future__ import annotations

import secrets
import string
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.resource import Created, Live, Prop, ResourceType, State
from harness.provider.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-random resource_password.go: RequiresReplace"
_SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"


class RandomPassword(ResourceType):
    """`random.RandomPassword`."""

    pulumi_type = "random:index/randomPassword:RandomPassword"
    service = ""
    regional = False
    secret_outputs = frozenset({"result"})
    sentence = "Drawn on this machine."
    properties = MappingProxyType(
        {
            "length": Prop(replace=_SOURCE, limits=(1, 1024)),
            "special": Prop(replace=_SOURCE, default=True),
            "overrideSpecial": Prop(replace=_SOURCE),
            "keepers": Prop(replace=_SOURCE),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:  # noqa: ARG002 - nothing is called
        return ()

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("length") is None:
            yield Problem("length", "required, and not given")

    def create(self, aws: Aws, inputs: Properties) -> Created:  # noqa: ARG002 - nothing is called
        special = inputs.get("overrideSpecial", _SPECIAL) if inputs.get("special", True) else ""
        characters = string.ascii_letters + string.digits + special
        return Created("none", {"result": "".join(secrets.choice(characters) for _ in range(inputs["length"]))})

    def read(self, aws: Aws, state: State) -> Live:  # noqa: ARG002 - nothing is called
        return Live({}, {"result": state.outputs["result"]})

    def delete(self, aws: Aws, state: State) -> None:
        """There is nothing to delete."""


TYPES = (RandomPassword(),)
