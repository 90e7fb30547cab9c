"""What grows with every ticket, written down change by change: items of tables, and executions of state machines.

A snapshot writes all that there is. After half an hour of load that is six seconds of work for one second's changes, in
a copy of a process of gigabytes. So what changes under load is appended to a journal: a line of JSON for each item or
execution that has changed since the last time, with what it is now; ``null`` for an item that is gone. A snapshot of
the whole takes the journal's place when it has become long, or a table or state machine itself has changed.

Each snapshot says which journal is the first after it. A line read twice does no harm, as the last one counts; the last
line of all may be torn. Runs in the emulator's own environment.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.core import persistence
from ministack.services import dynamodb, stepfunctions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Owned = tuple[str, str, str]
    """Account, region, and a table's name or an execution's ARN."""

STATES = frozenset({"dynamodb", "stepfunctions"})
"""The state files that a journal goes with."""
SHORT_BYTES = 64 * 1024 * 1024
"""Up to which a journal is never too long; beyond, twice the snapshot is."""
SUCCESSOR = "harness_journal"
"""The member of a snapshot's file that holds the number of the journal after it."""
_SUCCESSOR = re.compile(rf'^{{"{SUCCESSOR}": (\d+)')
_BYTES = '"__bytes__"'
_ITEM, _EXECUTION = "item", "execution"


class Journal:
    """Appends what has changed. Its methods are called by one thread, ``collect`` by the one that serves requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: dict[tuple[Owned, str, str], None] = {}
        self._executions: dict[Owned, None] = {}
        self._notice: Callable[[], None] = lambda: None
        self._bytes = 0
        self.number = 0

    def follow(self, notice: Callable[[], None]) -> None:
        """Note every change from now on, and call ``notice`` at each."""
        self._notice = notice
        put, remove, add_event = dynamodb._set_item, dynamodb._remove_item, stepfunctions._add_event  # noqa: SLF001

        @functools.wraps(put)
        def putting(table: Any, partition: str, sort: str, item: Any) -> Any:
            old = put(table, partition, sort, item)
            self._item_changed(table, partition, sort)
            return old

        @functools.wraps(remove)
        def removing(table: Any, partition: str, sort: str) -> Any:
            old = remove(table, partition, sort)
            self._item_changed(table, partition, sort)
            return old

        @functools.wraps(add_event)
        def adding(execution: Any, *event: Any, **details: Any) -> Any:
            added = add_event(execution, *event, **details)
            arn = execution["executionArn"]
            with self._lock:
                self._executions[_owned(arn, arn)] = None
            self._notice()
            return added

        dynamodb._set_item, dynamodb._remove_item = putting, removing  # noqa: SLF001
        stepfunctions._add_event = adding  # noqa: SLF001

    def _item_changed(self, table: Any, partition: str, sort: str) -> None:
        with self._lock:
            self._items[_owned(table["TableArn"], table["TableName"]), partition, sort] = None
        self._notice()

    def collect(self) -> str:
        """The lines of what has changed since the last call."""
        with self._lock:
            items, self._items = self._items, {}
            executions, self._executions = self._executions, {}
        lines = [*_items(items), *_executions(executions)]
        return "".join(json.dumps(line, default=persistence._json_default) + "\n" for line in lines)  # noqa: SLF001

    def append(self, lines: str) -> None:
        """Keep them, as far as the operating system does: it outlives the emulator."""
        if lines:
            with _file(self.number).open("a") as file:
                self._bytes += file.write(lines)

    def is_long(self) -> bool:
        whole = sum(file.stat().st_size for file in map(_state_file, STATES) if file.exists())
        return self._bytes > max(SHORT_BYTES, 2 * whole)

    def begin(self) -> None:
        """What comes from now on goes to another journal."""
        self.number += 1
        self._bytes = 0

    def forget(self) -> None:
        """Delete the journals before this one: snapshots have taken their place."""
        for number, file in _files():
            if number < self.number:
                file.unlink()

    def restore(self) -> None:
        """Bring what was loaded from the state files up to date, and go on behind it."""
        first = {state: _successor(state) for state in STATES}
        # Not behind a line that may be torn.
        self.number = max([*first.values(), *(number + 1 for number, _ in _files())])
        for number, file in _files():
            with file.open() as lines:
                for line in lines:
                    _apply(line, items=number >= first["dynamodb"], executions=number >= first["stepfunctions"])
        self._bytes = sum(file.stat().st_size for _, file in _files())
        for table in dynamodb._tables._data.values():  # noqa: SLF001
            dynamodb._items_replaced(table)  # noqa: SLF001
        # What was at work when the emulator ended is over, as it says of those in its own file.
        stepfunctions._restore_state({"executions": {}})  # noqa: SLF001


def _items(changed: Iterable[tuple[Owned, str, str]]) -> Iterator[list[Any]]:
    for owner, partition, sort in changed:
        table = dynamodb._tables._data.get(owner)  # noqa: SLF001
        if table is not None:
            yield [_ITEM, owner, partition, sort, table["items"].get(partition, {}).get(sort)]


def _executions(changed: Iterable[Owned]) -> Iterator[list[Any]]:
    for owner in changed:
        execution = stepfunctions._executions._data.get(owner)  # noqa: SLF001
        if execution is not None:
            yield [_EXECUTION, owner, execution]


def _apply(line: str, *, items: bool, executions: bool) -> None:
    try:
        # Few lines hold bytes, and to look for them costs more than all the rest.
        hook = persistence._json_object_hook if _BYTES in line else None  # noqa: SLF001
        kind, owner, *rest = json.loads(line, object_hook=hook)
    except ValueError:
        # The last line of all, torn by the end of the emulator.
        return
    if kind == _EXECUTION and executions:
        stepfunctions._executions._data[tuple(owner)] = rest[0]  # noqa: SLF001
    elif kind == _ITEM and items:
        partition, sort, item = rest
        table = dynamodb._tables._data.get(tuple(owner))  # noqa: SLF001
        if table is None:
            return
        if item is not None:
            table["items"].setdefault(partition, {})[sort] = item
        elif partition in table["items"]:
            table["items"][partition].pop(sort, None)
            if not table["items"][partition]:
                del table["items"][partition]


def _owned(arn: str, name: str) -> Owned:
    _, _, _, region, account, _ = arn.split(":", 5)
    return account, region, name


def _state_file(state: str) -> Path:
    return Path(persistence.STATE_DIR) / f"{state}.json"


def _successor(state: str) -> int:
    """The first journal with news for a state file; 0 for one that the emulator itself has written."""
    try:
        with _state_file(state).open() as file:
            found = _SUCCESSOR.match(file.read(64))
    except FileNotFoundError:
        return 0
    return int(found[1]) if found else 0


def _file(number: int) -> Path:
    return Path(persistence.STATE_DIR) / f"harness_journal.{number:08d}.jsonl"


def _files() -> list[tuple[int, Path]]:
    found = Path(persistence.STATE_DIR).glob("harness_journal.*.jsonl")
    return sorted((int(file.name.split(".")[1]), file) for file in found)
