"""`python -m harness.front --port N`: the front in the foreground, its settings in its environment."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from harness.front.admission import Admission
from harness.front.emulator import Emulator
from harness.front.handover import KEY_VARIABLE
from harness.front.pool import Pool
from harness.front.proxy import Proxy, tidy
from harness.ports import LOOPBACK

_LONGEST_LINE: Final = 16 * 1024
"""Bytes of a request line or header; the gateway's own limit is 10,240."""
_KEPT_SECONDS: Final = 30.0
"""How long a connection to the emulator is kept for the next request; it keeps them for 75 s."""
_AT_ONCE: Final = 8 * (os.cpu_count() or 1)
"""Requests at the emulator: enough to keep every core busy while some of them wait for stores or start cold."""
_WAIT_SECONDS: Final = 5.0
"""How long a request may wait for its turn: a burst of a hundred passes, a flood is told to come back."""
_BACKLOG: Final = 1024
"""Connections that the system keeps until they are accepted; those beyond it would be tried again after a second."""


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    ) as session:
        emulator = Emulator(session, os.environ["EMULATOR_URL"], os.environ["REGION"])
        pool = Pool(
            emulator=emulator,
            folder=Path.cwd() / "unpacked",
            logs=Path(os.environ["FUNCTION_LOGS"]),
            environment=_for_functions(),
        )
        protocol = web.Server(
            Proxy(emulator, pool, os.environ[KEY_VARIABLE], Admission(_AT_ONCE, _WAIT_SECONDS)).handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        server = await loop.create_server(protocol, LOOPBACK, port, backlog=_BACKLOG)
        tidying = asyncio.create_task(tidy(pool))
        await done.wait()
        server.close()
        tidying.cancel()
        pool.close()
        with contextlib.suppress(TimeoutError):
            await protocol.shutdown(1.0)


def _for_functions() -> dict[str, str]:
    """What the emulator gives its functions beside Lambda's variables, so that they meet no other AWS than it."""
    return {
        "AWS_ENDPOINT_URL": os.environ["EMULATOR_URL"],
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": os.environ["BEDROCK_URL"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on the loopback interface")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
