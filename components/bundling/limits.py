"""What Lambda refuses, said before anything is uploaded: a preview never warns (facts/aws.md row 42)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from components.bundling.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection

    from components.bundling.archive import Archive

MAX_LAYERS: Final = 5
"""Layers of one function (AWS Lambda developer guide, "Lambda quotas")."""
MAX_UNPACKED_BYTES: Final = 262_144_000
"""A function and all its layers, unpacked: 250 MB (same page)."""
MAX_FUNCTION_BYTES: Final = 52_428_800
"""A function's packed archive uploaded directly: 50 MB (same page)."""
MAX_REQUEST_BYTES: Final = 70_167_211
"""A request to Lambda, which carries a directly uploaded archive in base64 (pulumi/pulumi-aws #137)."""


def check(layers: Collection[Archive], functions: Collection[Archive]) -> None:
    """Refuse archives that Lambda would refuse, all of them at once.

    Args:
        layers: the layers that every function has.
        functions: the functions' own archives.

    Raises:
        BundleError: an archive or a sum is over a limit; names it, its size and the limit.
    """
    problems: list[str] = []
    if len(layers) > MAX_LAYERS:
        problems.append(f"{len(layers)} layers ({_names(layers)}), the limit is {MAX_LAYERS} layers a function")
    problems += [
        f"{archive.name}: {archive.packed_bytes:,} bytes packed, the limit of a function is {MAX_FUNCTION_BYTES:,}"
        for archive in functions
        if archive.packed_bytes >= MAX_FUNCTION_BYTES
    ]
    problems += [
        f"{archive.name}: {_base64(archive.packed_bytes):,} bytes in base64 ({archive.packed_bytes:,} packed), "
        f"the limit of an upload is {MAX_REQUEST_BYTES:,}"
        for archive in layers
        if _base64(archive.packed_bytes) > MAX_REQUEST_BYTES
    ]
    shared = sum(layer.unpacked_bytes for layer in layers)
    problems += [
        f"{archive.name}: {shared + archive.unpacked_bytes:,} bytes unpacked together with {_names(layers)}, "
        f"the limit is {MAX_UNPACKED_BYTES:,}"
        for archive in functions
        if shared + archive.unpacked_bytes > MAX_UNPACKED_BYTES
    ]
    if problems:
        raise BundleError(
            "Lambda would refuse these archives:\n" + "\n".join(f"  {problem}" for problem in problems),
            "Remove what the functions do not import: packages in requirements/lambda.in, clients, data files.",
        )


def _base64(size: int) -> int:
    return -(-size // 3) * 4


def _names(archives: Collection[Archive]) -> str:
    return " and ".join(archive.name for archive in archives)
