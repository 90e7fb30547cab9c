"""Ports on the loopback interface that a clone keeps from run to run, so that URLs in deployed resources stay true."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from support import typed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_CHOICE = range(20_000, 30_000)
"""Below what kernels hand out for outgoing connections, so nobody is on them by chance."""


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """The port of each service, and which of them had to move because somebody else sits on their old one."""

    ports: Mapping[str, int]
    moved: Mapping[str, int]
    """Service -> the port it had in the last run."""


def assign(file: Path, preferred: Mapping[str, int], *, keep: Collection[str] = ()) -> Assigned:
    """A port for each service of ``preferred``: the last run's if it is free, else the preferred, else any.

    Services in ``keep`` are running: they keep theirs. The choice is written to ``file``.
    """
    known = read(file)
    ports: dict[str, int] = {}
    for name, first_choice in preferred.items():
        if name in keep and name in known:
            ports[name] = known[name]
            continue
        wishes = [known[name]] if name in known else [first_choice]
        others = {*ports.values(), *(port for other, port in known.items() if other != name)}
        ports[name] = next(port for port in (*wishes, *_shuffled()) if port not in others and is_free(port))
    if ports != known:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(ports))
    return Assigned(
        ports=ports, moved={name: known[name] for name in ports if known.get(name, ports[name]) != ports[name]}
    )


def read(file: Path) -> dict[str, int]:
    """The ports of the last run; none if there was none, or its record is damaged."""
    try:
        return typed.decode(file.read_bytes(), dict[str, int])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}


def is_free(port: int) -> bool:
    """Whether this process could listen there now."""
    with socket.socket() as probe:
        # Connections that linger from an earlier run do not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def _shuffled() -> list[int]:
    # Two clones that look at the same time should not find the same one.
    return random.sample(_CHOICE, k=len(_CHOICE))
