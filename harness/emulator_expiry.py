"""The emulator's expired items, removed a few at a time; runs in the emulator's own environment.

Its own thread looks at every item of every table in one go, once a minute: most of a second in which it and the thread
that serves requests take turns, at 120,000 items.
"""

from __future__ import annotations

import threading
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SECONDS = 60.0
"""From one look at everything to the next."""
PARTITIONS = 200
"""Looked at in one go."""
_PAUSE_SECONDS = 0.02
_UNTIL_THERE_ARE_TABLES = 1.0
_REAPER = "dynamodb-ttl-reaper"
"""The emulator's thread."""


def remove_a_few_at_a_time() -> None:
    """Do the work of the emulator's own thread, which finds nothing to do any more."""

    class Settings(AccountRegionScopedDict):  # type: ignore[misc]  # it has no types
        def all_items(self) -> Any:
            return () if threading.current_thread().name == _REAPER else super().all_items()

    settings = Settings()
    settings._data = dynamodb._ttl_settings._data  # noqa: SLF001  # there is no public way in
    dynamodb._ttl_settings = settings  # noqa: SLF001
    threading.Thread(target=_run, name="expiry", daemon=True).start()


def _run() -> None:
    while True:
        tables = list(_tables())
        for table, attribute in tables:
            partitions = iter(list(table["items"]))
            while some := list(islice(partitions, PARTITIONS)):
                with dynamodb._lock:  # noqa: SLF001  # as the emulator does
                    _remove(table, attribute, some)
                time.sleep(_PAUSE_SECONDS)
        # There are none until the emulator has loaded its state, or somebody makes one.
        time.sleep(EVERY_SECONDS if tables else _UNTIL_THERE_ARE_TABLES)


def _tables() -> Iterator[tuple[dict[str, Any], str]]:
    """Each table whose items expire, and the attribute that says when."""
    for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):  # noqa: SLF001
        table = dynamodb._tables.get_scoped(account, region, name)  # noqa: SLF001
        if table and setting.get("TimeToLiveStatus") == "ENABLED" and setting.get("AttributeName"):
            yield table, setting["AttributeName"]


def _remove(table: dict[str, Any], attribute: str, partitions: list[str]) -> None:
    now = time.time()
    for partition in partitions:
        for sort, item in list(table["items"].get(partition, {}).items()):
            if _expires(item, attribute) <= now:
                dynamodb._remove_item(table, partition, sort)  # noqa: SLF001


def _expires(item: dict[str, Any], attribute: str) -> float:
    """Unix time; never, where there is no number (DynamoDB developer guide, "Using time to live")."""
    try:
        return float(item[attribute]["N"])
    except (KeyError, TypeError, ValueError):
        return float("inf")
