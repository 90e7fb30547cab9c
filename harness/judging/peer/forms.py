"""The bad stack in each language that the peer reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judging.peer import terraform
from harness.judging.peer.bad_stack import BAD_STACK
from harness.judging.peer.cloudformation import template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.judging.peer.scanner import Form


@dataclass(frozen=True)
class Written:
    """The bad stack in one language."""

    text: str
    names: Mapping[str, str]
    """As the peer calls a resource -> its name."""

    @property
    def types(self) -> Mapping[str, str]:
        """Name of a resource -> its type, in the language."""
        return {name: called.rpartition(".")[0] for called, name in self.names.items()}


def written() -> Mapping[Form, Written]:
    """In all of them."""
    in_cloudformation = template(BAD_STACK)
    return {
        "cloudformation": Written(in_cloudformation.text, in_cloudformation.names),
        "terraform": Written(terraform.configuration(BAD_STACK), terraform.names(BAD_STACK)),
    }
