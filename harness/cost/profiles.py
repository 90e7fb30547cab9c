"""Traffic of a month, as an estimate assumes it."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN: Final = Path(__file__).with_name("profiles.toml")
HOURS: Final = 730.0
"""Of a month, as AWS's own calculator has it."""
SECONDS: Final = HOURS * 3600

_MILLISECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "create_ticket": 60,
        "list_tickets": 40,
        "get_ticket": 25,
        "get_solution": 30,
        "get_solution_stream": 6_000,
        "review_ticket": 60,
        "kb_search": 250,
        "itsm_authorizer": 30,
        "process_ticket": 7_000,
        "kb_ingest": 3_000,
        "publish_events": 60,
        "feedback_writer": 60,
        "dlq_processor": 100,
        "reconcile": 80,
        "canary_ticket": 20_000,
        "connectivity_check": 2_000,
        "search_bootstrap": 5_000,
    }
)

Count = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens in a month; counts are of the month, or of one ticket where they say so."""

    description: str = ""
    tickets: Count
    searches: Count
    documents: Count
    """Put into the knowledge base."""
    documents_kept: Count
    users: Count
    """Who sign in."""
    partner_share: Share = 0.2
    """Of tickets, opened by ITSM partners."""
    status_polls: Count = 8
    """Per ticket."""
    ticket_reads: Count = 2
    """Per ticket."""
    lists: Count = 0.5
    """Of tickets, per ticket."""
    solution_reads: Count = 2
    """Per ticket."""
    streams: Count = 0.5
    """Solutions read as a stream, per ticket."""
    feedbacks: Count = 0.3
    """Per ticket."""
    review_share: Share = 0.1
    """Of tickets, looked at by an operator."""
    failure_share: Share = 0.002
    """Of tickets, whose message ends in the failure queue."""
    cached_share: Share = 0.3
    """Of reads of solutions that the gateway's cache answers, where there is one."""
    peak_to_mean: Count = 6
    """How much busier the busiest hour is than the average one."""
    ticket_kb: Count = 3
    solution_kb: Count = 5
    document_kb: Count = 200
    answer_kb: Count = 3
    """Of an answer of the API."""
    log_kb: Count = 1.5
    """Written by a call of a function."""
    tokens_read: Count = 3_500
    """By the model, for one solution: instructions, passages, ticket."""
    tokens_written: Count = 600
    tokens_embedded: Count = 150
    """Of a symptom or a query."""
    tokens_of_document: Count = 6_000
    custom_metrics: Count = 40
    trace_share: Share = 0.05
    """Of requests, sampled by X-Ray."""
    milliseconds: dict[str, Annotated[float, msgspec.Meta(gt=0)]] = msgspec.field(default_factory=dict)
    """Function key -> billed time of a call, where it is another than usual (``harness tune`` measures it)."""

    def duration(self, function: str) -> float | None:
        """Seconds that a call of the function is billed for; None if nothing is assumed for it."""
        found = self.milliseconds.get(function, _MILLISECONDS.get(function))
        return None if found is None else found / 1000


def load(name: str) -> Profile:
    """A profile by its name, or the one table of a file.

    Raises:
        HarnessError: there is no such profile, or the file cannot be read as one.
    """
    file = Path(name) if name.endswith(".toml") else KNOWN
    try:
        tables = msgspec.toml.decode(file.read_bytes(), type=dict[str, Profile])
    except OSError as error:
        raise HarnessError(f"{name} cannot be read: {error.strerror}", "Give the path of a profile.") from error
    except msgspec.MsgspecError as error:
        raise HarnessError(f"{file.name} holds no profile: {error}", f"See {KNOWN.name} for the form.") from error
    if file != KNOWN:
        if len(tables) != 1:
            raise HarnessError(f"{file.name} holds {len(tables)} tables.", "Give it one, as the profile to use.")
        return next(iter(tables.values()))
    if name not in tables:
        raise HarnessError(f"There is no profile {name!r}.", f"Use {', '.join(tables)}, or a file that ends in .toml.")
    return tables[name]
