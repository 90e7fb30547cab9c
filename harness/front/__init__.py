"""The front: what users of the local API talk to.

It passes every request on to the emulator, and finishes those few that the emulator's gateway hands over because it
cannot serve their integration: calls of DynamoDB and SQS by mapping templates, and functions that stream.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from harness.front.handover import KEY_VARIABLE
from harness.paths import REPOSITORY
from harness.ports import LOOPBACK
from harness.processes import Child

NAME = "front"
PREFERRED_PORT = 4570
HEALTH = "/_front/health"


def url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def child(
    *,
    folder: Path,
    logs: Path,
    port: int,
    region: str,
    emulator_url: str,
    bedrock_url: str,
    key: str,
    emulator_pid: int | None = None,
) -> Child:
    """The front on ``port``, in this interpreter.

    Args:
        folder: for unpacked functions.
        logs: folder for the logs of functions that stream, a file each.
        port: on loopback.
        region: of the local stack.
        emulator_url: what requests are passed on to.
        bedrock_url: for the functions, as the emulator gives it to its own.
        key: shared with the emulator, which hands requests over to nobody else.
        emulator_pid: of the emulator, if it runs already.
    """
    return Child(
        name=NAME,
        command=(sys.executable, "-m", "harness.front", "--port", str(port)),
        environment={
            "PYTHONPATH": str(REPOSITORY),
            # Makes a running front another one when its code changed.
            "FRONT_DIGEST": _digest(),
            # Likewise when the emulator was started again: it knows none of the credentials that it lent before.
            "EMULATOR_PID": "" if emulator_pid is None else str(emulator_pid),
            "EMULATOR_URL": emulator_url,
            "BEDROCK_URL": bedrock_url,
            "REGION": region,
            "FUNCTION_LOGS": str(logs),
            KEY_VARIABLE: key,
        },
        folder=folder,
        scratch=folder / "tmp",
        health_url=f"{url(port)}{HEALTH}",
        start_seconds=30,
        stop_seconds=10,
    )


def _digest() -> str:
    here = Path(__file__).parent
    sources = [*sorted(path for path in here.iterdir() if path.is_file()), here.parent / "vtl.py"]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
