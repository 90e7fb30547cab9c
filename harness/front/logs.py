"""Log lines of functions: into a file for people, and to CloudWatch Logs, as the emulator does for its own."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import TYPE_CHECKING, Final

import aiohttp

from harness.front.emulator import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.front.emulator import Emulator
    from harness.front.handover import Function

_COLLECTED_SECONDS: Final = 0.2
"""How long lines wait for others to be sent with."""


class _RefusedError(Exception):
    pass


class FunctionLog:
    """The log stream of one execution environment."""

    def __init__(self, function: Function, file: Path, emulator: Emulator) -> None:
        self.stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{function.version}]{uuid.uuid4().hex}"
        self._function = function
        self._file = file
        self._emulator = emulator
        self._waiting: list[tuple[int, str]] = []
        self._sending: asyncio.Task[None] | None = None
        self._made = False

    def start(self, request_id: str, version: str) -> None:
        self.line(f"START RequestId: {request_id} Version: {version}")

    def end(self, request_id: str, milliseconds: float, memory: int) -> None:
        self.line(f"END RequestId: {request_id}")
        self.line(f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {memory} MB")

    def line(self, text: str) -> None:
        """A line of its output, now."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        self._waiting.append((int(time.time() * 1000), text))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            await asyncio.sleep(_COLLECTED_SECONDS)
            lines, self._waiting = self._waiting, []
            events = [{"timestamp": at, "message": text} for at, text in lines if text]
            try:
                if not self._made:
                    await self._call("CreateLogStream", {})
                    self._made = True
                if events:
                    await self._call("PutLogEvents", {"logEvents": events})
            except (_RefusedError, aiohttp.ClientError) as error:
                print(f"log lines of {self._function.name} were not taken: {error}", flush=True)

    async def _call(self, action: str, more: Mapping[str, object]) -> None:
        group = {"logGroupName": self._function.log_group, "logStreamName": self.stream}
        # Not as the function's role: the emulator asks for a right on the group where AWS asks for one on its streams.
        reply = await self._emulator.call(
            "logs",
            ROOT,
            method="POST",
            path="/",
            headers={"X-Amz-Target": f"Logs_20140328.{action}", "Content-Type": "application/x-amz-json-1.1"},
            body=json.dumps({**group, **more}).encode(),
        )
        if reply.status >= 300:
            raise _RefusedError(f"{action} answered {reply.status}: {reply.body.decode(errors='replace')}")
