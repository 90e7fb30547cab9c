"""Saved queries of CloudWatch Logs Insights: their texts are files, and here is where each looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from components import api, network, search, workflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.names import Names

_FOLDER: Final = Path(__file__).parent / "templates" / "queries"
LARGEST_SET: Final = 50
"""Log groups that one query may look at (CloudWatch Logs quotas)."""

FUNCTIONS: Final = (
    "cold-starts",
    "crashes",
    "errors",
    "given-up",
    "memory",
    "model-failures",
    "one-request",
    "one-ticket",
    "operator-access",
)
"""Over the logs of all functions."""
CALLS: Final = ("failed-calls", "refused-calls", "slow-calls")
"""Over the access log of the API."""


def texts(names: Names, functions: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """Name of each query -> its text, and the log groups that it looks at."""
    of_functions = [names.function_log_group(key) for key in sorted(functions)]
    groups = {
        **dict.fromkeys(FUNCTIONS, of_functions),
        **{name: [api.access_log_name(names)] for name in CALLS},
        "refused-partners": [names.function_log_group("itsm_authorizer")],
        "rejected-traffic": [network.flow_log_group_name(names)],
        "workflow-failures": [workflow.log_group_name(names)],
        "search-errors": [search.log_group_name(names, "application")],
    }
    return {name: ((_FOLDER / f"{name}.txt").read_text(), groups[name]) for name in sorted(groups)}
