"""Stand-ins for modules that the emulator's own modules use. Runs in the emulator's own environment."""

from __future__ import annotations

import types


def stand_in(module: types.ModuleType, **others: object) -> types.ModuleType:
    """A copy of ``module`` with ``others`` in it, for one user of it: the rest of the process keeps the module."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__, **others)
    return copy
