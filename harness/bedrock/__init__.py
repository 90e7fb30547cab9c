"""A stand-in for the Bedrock runtime: the operations the service uses, over HTTP, as boto3 speaks them.

Its answers are extracts of the documents in the prompt and its embeddings are hashed words and shared concepts: both
deterministic, neither a language model. They show that the mechanics work, not how good a real model's answers are.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from harness.paths import REPOSITORY
from harness.ports import LOOPBACK
from harness.processes import Child

NAME = "bedrock"
PREFERRED_PORT = 4580
HEALTH = "/_harness/health"


def url(port: int) -> str:
    """For ``AWS_ENDPOINT_URL_BEDROCK_RUNTIME``."""
    return f"http://{LOOPBACK}:{port}"


def child(*, folder: Path, port: int) -> Child:
    """The stand-in on ``port``, in this interpreter."""
    return Child(
        name=NAME,
        command=(sys.executable, "-m", "harness.bedrock", "--port", str(port)),
        environment={
            "PYTHONPATH": str(REPOSITORY),
            # Makes a running stand-in another one when its code or its word lists changed.
            "STAND_IN_DIGEST": _digest(),
        },
        folder=folder,
        scratch=folder / "tmp",
        health_url=f"{url(port)}{HEALTH}",
        start_seconds=30,
        stop_seconds=5,
    )


def _digest() -> str:
    sources = sorted(path for path in Path(__file__).parent.iterdir() if path.is_file())
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
