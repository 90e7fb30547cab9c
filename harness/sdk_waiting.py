"""The SDK's wait for the program's outputs, made linear.

At the end of a program the SDK waits for whichever output comes first, again and again, each time on all that are left
(`pulumi.runtime.stack.wait_for_rpcs`). With thousands of outputs that alone takes half of a preview's processor time.
Here the same wait ends with the first failure, or when all are there: what follows it in the SDK is the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pulumi.runtime import stack

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Asyncio:
    """`asyncio` as that module of the SDK sees it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def wait(
        tasks: Iterable[asyncio.Task[object]], *, return_when: str
    ) -> tuple[set[asyncio.Task[object]], set[asyncio.Task[object]]]:
        once = asyncio.FIRST_EXCEPTION if return_when == asyncio.FIRST_COMPLETED else return_when
        return await asyncio.wait(tasks, return_when=once)


def install() -> None:
    """For every program that this process runs from now on."""
    vars(stack)["asyncio"] = _Asyncio()
