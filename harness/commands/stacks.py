"""Which stack a command is about: the local one, or a deployed one by the operator's own credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.deployed_stack import DeployedStack
from harness.local_stack import STACK, LocalStack
from harness.paths import Paths

if TYPE_CHECKING:
    from harness.operated_stack import OperatedStack
    from harness.progress import Progress

Stack = Annotated[
    str, typer.Option("--stack", help="local, or a deployed one: dev, staging, prod, organisation/project/stack.")
]


def operated(stack: str, progress: Progress) -> OperatedStack:
    """The stack that an operator named."""
    return LocalStack() if stack == STACK else DeployedStack(Paths.find(), stack, progress)
