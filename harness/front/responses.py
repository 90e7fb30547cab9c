"""Responses with the headers that they were given, and none of aiohttp's own."""

from __future__ import annotations

from typing import Final

from aiohttp import web

_ADDED: Final = ("Server", "Content-Type")


class Streamed(web.StreamResponse):
    """Written piece by piece."""

    async def _prepare_headers(self) -> None:
        # The one place to do it without an `Application`, whose router would judge paths that are the emulator's.
        given = {name.lower() for name in self.headers}
        await super()._prepare_headers()
        for name in _ADDED:
            if name.lower() not in given:
                self.headers.popall(name, None)


class Whole(web.Response, Streamed):
    """With its body at once."""
