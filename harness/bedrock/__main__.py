"""`python -m harness.bedrock --port N`: the stand-in in the foreground."""

from __future__ import annotations

import argparse
import asyncio

from harness.bedrock.http import serve
from harness.bedrock.runtime import Runtime
from harness.ports import LOOPBACK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on the loopback interface")
    parser.add_argument(
        "--chunk-seconds", type=float, default=0.02, help="pause between two chunks of a streamed answer (default 0.02)"
    )
    options = parser.parse_args()
    asyncio.run(serve(Runtime(chunk_seconds=options.chunk_seconds).handle, LOOPBACK, options.port))


if __name__ == "__main__":
    main()
