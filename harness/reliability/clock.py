"""Time that passes when the world says so."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator

START: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
_OURS: Final = ("support.times",)
_POWERTOOLS: Final = tuple(
    f"aws_lambda_powertools.utilities.idempotency.{module}"
    for module in ("base", "persistence.base", "persistence.datarecord", "persistence.dynamodb")
)


class VirtualClock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.seconds = START.timestamp()

    def now(self, zone: tzinfo | None = UTC) -> datetime:
        return datetime.fromtimestamp(self.seconds, zone)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    @contextmanager
    def shown(self) -> Iterator[None]:
        """For the block's time, the services and Powertools see this clock."""
        clock = self

        class Virtual(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one is enough
                return clock.now(tz)

        with ExitStack() as patches:
            for module in _OURS:
                patches.enter_context(patch(f"{module}.datetime", Virtual))
            for module in _POWERTOOLS:
                patches.enter_context(patch(f"{module}.dt", SimpleNamespace(datetime=Virtual, timedelta=timedelta)))
            yield
