"""The local AWS: ministack, one process that speaks every service's API and runs the functions."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from harness.fault_rules import MODEL, RELAY, SEARCH
from harness.front.handover import KEY_VARIABLE
from harness.ports import LOOPBACK
from harness.processes import Child

NAME = "emulator"
PREFERRED_PORT = 4566
HEALTH = "/_ministack/health"
LAUNCHER = Path(__file__).with_name("emulator_launcher.py")
RELAYS_VARIABLE = "HARNESS_RELAYS"
"""Environment variable of the emulator: service -> where its calls are passed on to, as JSON."""
_SOURCES = (*sorted(LAUNCHER.parent.glob("emulator_*.py")), LAUNCHER.with_name("fault_rules.py"))


def url(port: int) -> str:
    """The one endpoint of every AWS service."""
    return f"http://{LOOPBACK}:{port}"


def child(
    *, python: Path, folder: Path, port: int, region: str, bedrock_url: str, search_address: str, front_key: str
) -> Child:
    """The emulator on ``port``, with its state under ``folder``.

    Functions run as its children and inherit its environment, so what they need to find the other local services is
    set here. ``region`` is that of calls that carry none because nobody signs them, such as a sign-in.
    ``search_address`` is the search node's host and port. Whoever shows ``front_key`` is the front, which finishes what
    the gateway hands over.

    Default settings:
        - IAM enforced: a role without the permission is denied, as on AWS
        - state kept on a clean stop (SIGTERM), and a second after a change (`emulator_snapshots`), S3 objects at once
        - faults in the functions' calls on request (see `emulator_faults`)
        - a request on loopback counts as one over TLS (see `emulator_launcher`)
        - loopback only; no Docker, no MQTT and no SFTP listener
    """
    return Child(
        name=NAME,
        # -P: the folder of the script, which is this package's, is not for the emulator to import from.
        command=(str(python), "-P", str(LAUNCHER)),
        environment={
            "GATEWAY_PORT": str(port),
            # Makes a running emulator another one when the launcher changed.
            "LAUNCHER_DIGEST": hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest(),
            KEY_VARIABLE: front_key,
            "BIND_HOST": LOOPBACK,
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": region,
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
            # Unpacked functions and layers.
            "TMPDIR": str(folder / "tmp"),
            # It would look for a daemon and reap containers, other people's included.
            "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # A domain's endpoint is a bare host, as on AWS; functions are given the one with the scheme.
            "MINISTACK_OPENSEARCH_ENDPOINT": search_address,
            # Functions' calls of the model pass through the emulator, which knows the faults; those of the search node
            # too: it finds the node's address in their settings.
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"{url(port)}{RELAY}{MODEL}",
            RELAYS_VARIABLE: msgspec.json.encode({SEARCH: f"http://{search_address}", MODEL: bedrock_url}).decode(),
            "AWS_EC2_METADATA_DISABLED": "true",
            # Functions must not see the developer's own profile.
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "TZ": "UTC",
            "LOG_LEVEL": "INFO",
        },
        folder=folder,
        scratch=folder / "tmp",
        health_url=f"{url(port)}{HEALTH}",
        start_seconds=60,
        stop_seconds=30,
    )
