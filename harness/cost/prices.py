"""The price table: what AWS asks for one unit of a thing, dated, each line with its source."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import msgspec

TABLE: Final = Path(__file__).with_name("prices.toml")


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for ``per`` units."""

    usd: float
    per: float
    unit: str
    source: str
    """AWS's page."""
    note: str = ""
    as_of: str = ""
    """When the line was last compared with its source, if later than the table."""

    def of(self, quantity: float) -> float:
        """US dollars for so many units."""
        return quantity * self.usd / self.per


class PriceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    region: str
    as_of: str
    """The year, or the day, of which the prices are."""
    provenance: str
    """Where they come from."""
    prices: dict[str, Price]


@functools.cache
def load() -> PriceTable:
    """The table that comes with the harness."""
    return msgspec.toml.decode(TABLE.read_bytes(), type=PriceTable)
