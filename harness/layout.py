"""Whether the local state was made by this version of the harness: newer services may misread what older ones wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.errors import HarnessError
from harness.toolchain.opensearch import VERSION as OPENSEARCH_VERSION
from harness.toolchain.pins import pinned
from support import typed

if TYPE_CHECKING:
    from harness.paths import Paths

LAYOUT = 1
"""Raise it with every change of what lies where under the local state."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What the state under ``.local`` was written by."""

    layout: int
    emulator: str
    opensearch: str

    def __str__(self) -> str:
        return f"layout {self.layout}, emulator {self.emulator}, OpenSearch {self.opensearch}"


def claim(paths: Paths) -> None:
    """Mark fresh local state as this version's; raise if another version's is there."""
    current = Layout(layout=LAYOUT, emulator=pinned(paths, "emulator", "ministack"), opensearch=OPENSEARCH_VERSION)
    file = paths.local / "layout.json"
    try:
        found = typed.decode(file.read_bytes(), Layout)
    except FileNotFoundError:
        if paths.services.exists():
            raise _other(paths, "a version that left no mark", current) from None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(current))
        return
    except msgspec.MsgspecError:
        raise _other(paths, "a version that marked it in another way", current) from None
    if found != current:
        raise _other(paths, str(found), current)


def _other(paths: Paths, found: str, current: Layout) -> HarnessError:
    return HarnessError(
        f"The local state in {paths.local} was written by {found}; this is {current}.",
        "Run `harness reset`, which deletes it (tickets and documents of the local stack included), then `harness up`.",
    )
