"""What the proof's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.reliability.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made
