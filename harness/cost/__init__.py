"""What a stack costs in a month: its own resource graph, a dated price table, a profile of traffic."""

from __future__ import annotations

from harness.cost.bill import Estimate, Line, estimate

__all__ = ["Estimate", "Line", "estimate"]
