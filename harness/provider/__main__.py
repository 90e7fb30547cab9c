"""The plugin process: prints its port, as the engine expects, and serves until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import sys

from harness.provider.calls import PACKAGE_VARIABLE
from harness.provider.server import serve


def main() -> None:
    """Serve on a loopback port until the engine interrupts the process."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    server, port = serve(os.environ.get(PACKAGE_VARIABLE, "aws"))
    # The engine says Cancel, then ends a plugin by SIGINT and waits: what is slow to go looks to it like a crash.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


main()
