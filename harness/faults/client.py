"""Sets rules for what is to go wrong (`harness.fault_rules`), at the emulator's door."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
import msgspec

from harness.errors import HarnessError
from harness.fault_rules import DOOR, Rule
from harness.front.handover import HEADER
from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack

T = TypeVar("T", bound=msgspec.Struct)
_SECONDS = 150.0
"""A snapshot is waited for."""


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was set."""

    id: int
    left: int | None
    """Calls that it still goes wrong for; None for all."""
    hits: int
    rule: Rule


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A call that met a rule."""

    rule: int
    kind: str
    service: str
    operation: str
    caller: str
    """Name of the function or of its role."""
    at: float
    """Unix time."""


class Snapshots(msgspec.Struct, frozen=True, kw_only=True):
    """The emulator's snapshots since it started."""

    taken: int
    seconds: float
    """That the last one took, beside the emulator's work."""
    busy_seconds: float
    """That a processor was busy with it."""
    fork_seconds: float
    """For which the emulator stood still, at most."""


class _Rules(msgspec.Struct):
    rules: list[InForce]


class _Added(msgspec.Struct):
    id: int


class _Removed(msgspec.Struct):
    removed: int


class _Hits(msgspec.Struct):
    hits: list[Hit]


class _Shown(msgspec.Struct):
    messages: int


class _Refused(msgspec.Struct):
    message: str = ""


class Faults:
    """The emulator's door. Every method raises :class:`HarnessError` for what it does not take."""

    def __init__(self, emulator_url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=emulator_url + DOOR, headers={HEADER: key}, timeout=_SECONDS, trust_env=False
        )

    @classmethod
    @contextmanager
    def of(cls, stack: LocalStack) -> Iterator[Self]:
        """The door of the running stack."""
        with cls(stack.services.endpoints().emulator, stack.services.door_key()) as faults:
            yield faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def add(self, rule: Rule) -> int:
        """Set a rule; its number."""
        return self._call("POST", "faults", _Added, json=dataclasses.asdict(rule)).id

    def rules(self) -> list[InForce]:
        """The rules that were set, those that are used up too, with what they have met."""
        return self._call("GET", "faults", _Rules).rules

    def remove(self, id_: int) -> bool:
        """Whether there was a rule with that number."""
        return self._call("DELETE", "faults", _Removed, params={"id": str(id_)}).removed > 0

    def clear(self, text: str | None = None) -> int:
        """Remove the rules for calls with exactly that text in their body or their event, or all; how many."""
        params = {} if text is None else {"contains": text}
        return self._call("DELETE", "faults", _Removed, params=params).removed

    def hits(self, rule: int | None = None) -> list[Hit]:
        """What met a rule, or any: the last 1000 calls, oldest first. Removed rules' too."""
        params = {} if rule is None else {"rule": str(rule)}
        return self._call("GET", "hits", _Hits, params=params).hits

    def show_hidden(self, queue: str, contains: str = "") -> int:
        """Make hidden messages of a queue (``tickets``) with that text visible at once; how many there were."""
        return self._call("POST", "visible", _Shown, json={"queue": queue, "contains": contains}).messages

    def snapshot(self) -> Snapshots:
        """Have the emulator's state written now, if it has changed; wait for it."""
        return self._call("POST", "snapshot", Snapshots, json={})

    def snapshots(self) -> Snapshots:
        """How the snapshots went."""
        return self._call("GET", "snapshot", Snapshots)

    def _call(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise HarnessError(f"The emulator does not answer: {error}.", "See `harness status`.") from error
        if response.is_success:
            return typed.decode(response.content, kind)
        told = typed.decode(response.content, _Refused).message if response.status_code < 500 else ""
        raise HarnessError(
            f"The emulator refused: {told or response.status_code}",
            "`harness faults add --help` tells what a rule is made of; `harness up` brings a changed emulator up.",
        )
