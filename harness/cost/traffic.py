"""From a month's traffic to what each part of the system does in it: calls, requests, items, gigabytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.cost.profiles import SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cost.profiles import Profile
    from harness.graph import Graph

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
_EVENTS_PER_TICKET: Final = 2
"""Opened, and settled."""
_READ_KB, _WRITE_KB = 4, 1
"""Of one unit (DynamoDB developer guide, read and write operations)."""
_FULL_BATCH: Final = 10


@dataclass(frozen=True)
class ItemTraffic:
    """Of one table, in a month."""

    reads: float
    writes: float
    kept_gb: float


@dataclass(frozen=True)
class Traffic:
    """What happens to a stack in a month."""

    graph: Graph
    profile: Profile

    # --- requests

    @property
    def requests(self) -> float:
        """Of the API, from everybody."""
        p = self.profile
        per_ticket = 1 + p.status_polls + p.ticket_reads + p.lists + p.solution_reads + p.streams + p.feedbacks
        return p.tickets * (per_ticket + 2 * p.review_share) + p.searches

    @property
    def partner_requests(self) -> float:
        p = self.profile
        return p.tickets * p.partner_share * (1 + p.ticket_reads + p.solution_reads)

    @property
    def answered_gb(self) -> float:
        p = self.profile
        return (self.requests * p.answer_kb + p.tickets * p.streams * p.solution_kb) / 1e6

    # --- functions

    def calls(self) -> Mapping[str, float]:
        """Function key -> calls; a function that is not in it has no traffic that is known here."""
        p = self.profile
        cached = p.cached_share if self.graph.settings.api.cache_gib is not None else 0.0
        batch = self._messages_per_batch()
        calls = {
            "create_ticket": p.tickets,
            "list_tickets": p.tickets * p.lists,
            "get_ticket": p.tickets * p.ticket_reads,
            "get_solution": p.tickets * p.solution_reads * (1 - cached),
            "get_solution_stream": p.tickets * p.streams,
            "review_ticket": p.tickets * p.review_share * 2,
            "kb_search": p.searches,
            # Each signed token is a new one: its answer is of use for no other call.
            "itsm_authorizer": self.partner_requests,
            "process_ticket": p.tickets / batch,
            "publish_events": p.tickets * _EVENTS_PER_TICKET,
            "feedback_writer": p.tickets * p.feedbacks,
            "kb_ingest": p.documents,
            "dlq_processor": p.tickets * p.failure_share,
            # Called by the deployment and by people.
            "search_bootstrap": 0.0,
            "connectivity_check": 0.0,
        }
        return {**calls, **self._scheduled()}

    def _messages_per_batch(self) -> float:
        window = self.graph.settings.functions.batching_window_seconds
        return min(_FULL_BATCH, max(1.0, self.profile.tickets / SECONDS * self.profile.peak_to_mean * window))

    def _scheduled(self) -> dict[str, float]:
        """Function key -> calls by the clock, read from the stack's own rules."""
        rules = {
            str(rule.outputs.get("name")): rule for rule in self.graph.of_type("aws:cloudwatch/eventRule:EventRule")
        }
        names = {
            str(function.outputs.get("arn")): function.name
            for function in self.graph.of_type("aws:lambda/function:Function")
        }
        found: dict[str, float] = {}
        for target in self.graph.of_type("aws:cloudwatch/eventTarget:EventTarget"):
            rule = rules.get(str(target.inputs["rule"]))
            rate = _RATE.fullmatch(str(rule.inputs.get("scheduleExpression", ""))) if rule is not None else None
            function = next((name for arn, name in names.items() if str(target.inputs["arn"]).startswith(arn)), None)
            if rate and function:
                found[function] = SECONDS / (int(rate[1]) * _UNITS[rate[2]])
        return found

    # --- data

    def items(self) -> Mapping[str, ItemTraffic]:
        """Short name of a table -> what happens to it."""
        p = self.profile
        ticket, solution = _write_units(p.ticket_kb), _write_units(p.solution_kb)
        indexes = 3
        kept = self.graph.settings.retention.ticket_days / 30
        polls = p.status_polls + p.ticket_reads + 2 * p.solution_reads + p.streams + 2
        return {
            # Opened, settled, and each index written with it.
            "tickets": ItemTraffic(
                reads=p.tickets * (polls + p.lists * 20 * p.ticket_kb / _READ_KB) * _read_units(p.ticket_kb)
                + self._scheduled().get("reconcile", 0),
                writes=p.tickets * 2 * ticket * indexes,
                kept_gb=p.tickets * kept * p.ticket_kb * indexes / 1e6,
            ),
            "solutions": ItemTraffic(
                reads=p.tickets * (p.solution_reads + p.streams + 1) * _read_units(p.solution_kb),
                writes=p.tickets * (1 + p.review_share) * solution,
                kept_gb=p.tickets * kept * p.solution_kb / 1e6,
            ),
            "idempotency-keys": ItemTraffic(reads=0, writes=p.tickets * 2 * ticket, kept_gb=p.tickets / 30 * 2 / 1e6),
            "api-keys": ItemTraffic(reads=self.partner_requests, writes=0, kept_gb=0.001),
            "feedback": ItemTraffic(
                reads=0, writes=p.tickets * p.feedbacks, kept_gb=12 * p.tickets * p.feedbacks * 0.5 / 1e6
            ),
            "failures": ItemTraffic(
                reads=0,
                writes=p.tickets * p.failure_share * ticket,
                kept_gb=p.tickets * p.failure_share * 0.5 * p.ticket_kb / 1e6,
            ),
        }

    @property
    def table_calls(self) -> float:
        """Reads and writes of all tables, as an audit trail counts them: one for each call."""
        p = self.profile
        return p.tickets * (6 + p.status_polls + p.ticket_reads + p.lists + 2 * p.solution_reads + 2 * p.streams)

    # --- messages and models

    def messages(self) -> Mapping[str, float]:
        """Short name of a queue -> messages."""
        p = self.profile
        return {
            "tickets": p.tickets,
            "tickets-dlq": p.tickets * p.failure_share,
            "feedback": p.tickets * p.feedbacks,
            "feedback-dlq": 0.0,
            "kb-ingest": p.documents,
            "kb-ingest-dlq": 0.0,
            "events-dlq": 0.0,
            "async-failures": 0.0,
        }

    @property
    def events(self) -> float:
        return self.profile.tickets * _EVENTS_PER_TICKET

    @property
    def solutions_written(self) -> float:
        """By the model, for tickets and for streams."""
        return self.profile.tickets * (1 + self.profile.streams)

    @property
    def tokens_embedded(self) -> float:
        p = self.profile
        return (p.tickets + p.searches) * p.tokens_embedded + p.documents * p.tokens_of_document

    @property
    def vpc_gb(self) -> float:
        """Between functions in the VPC and AWS's services: prompts, answers, messages."""
        p = self.profile
        return (p.tickets * (p.tokens_read + p.tokens_written) * 0.005 + (p.tickets + p.searches) * 12) / 1e6


def _write_units(kilobytes: float) -> float:
    return max(1.0, -(-kilobytes // _WRITE_KB))


def _read_units(kilobytes: float) -> float:
    return max(1.0, -(-kilobytes // _READ_KB))
