"""The local `aws` provider: pulumi-aws's resource types, served against an emulator with boto3.

`python -m harness.provider` is the plugin that the engine starts as `pulumi-resource-aws`; and, for the one type that
the program uses of the `random` package, as `pulumi-resource-random`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.provider.resource import Parity


def parity() -> list[Parity]:
    """For each resource type, sorted by name: whether the local stack makes it for real, partly, or only records it."""
    from harness.provider import registry  # noqa: PLC0415 - the plugin's start must not load every service

    return registry.parity()
