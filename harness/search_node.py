"""The local search service: one real OpenSearch node with the k-NN and neural-search plugins."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.ports import LOOPBACK
from harness.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

    from harness.toolchain import Java

NAME = "search"
PREFERRED_PORT = 9200
HEALTH = "/_cluster/health"
REQUIRED_PLUGINS = ("opensearch-knn", "opensearch-neural-search")

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_ARCHIVE_SINCE = 19
"""The Java release that can make its class archive by itself."""


def url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def child(*, java: Java, distribution: Path, folder: Path, port: int) -> Child:
    """The node on ``port``, with its data under ``folder``.

    It is started without the distribution's script, by the class that the script starts, because the script and the
    node refuse to run as root, which is who one is in many containers. The node asks who it runs as through JNA's
    native library; that library is kept from being unpacked, and a node without it only goes without memory locking
    and system-call filters, which a node on loopback can spare.

    Default settings:
        - heap 512 MB, one node, no replicas to wait for, no disk watermarks (a full laptop disk is not our business)
        - loopback only, no TLS and no users: the deployed domain has both, the parity table says so
        - from the second start on, classes come from an archive that Java keeps beside the data
    """
    settings = folder / "config"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "opensearch.yml").write_text("")
    (settings / "log4j2.properties").write_text(_LOG4J)
    (agent,) = (distribution / "agent").glob("opensearch-agent-bootstrap-*.jar")
    archive = ["-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={folder / 'classes.jsa'}", "-Xlog:cds=off"]
    return Child(
        name=NAME,
        command=(
            str(java.executable),
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            *(archive if java.version >= _ARCHIVE_SINCE else []),
            "-Djna.nosys=true",
            "-Djna.nounpack=true",
            "-Dlog4j2.disable.jmx=true",
            "-Djava.awt.headless=true",
            "--enable-native-access=ALL-UNNAMED",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-Dopensearch.path.home={distribution}",
            f"-Dopensearch.path.conf={settings}",
            "-Dopensearch.distribution.type=zip",
            "-Dopensearch.bundled_jdk=false",
            "-cp",
            # The agent's classes are referred to, its restrictions are not needed.
            f"{distribution / 'lib'}/*{os.pathsep}{agent}",
            "org.opensearch.bootstrap.OpenSearch",
            f"-Epath.data={folder / 'data'}",
            f"-Epath.logs={folder / 'tmp'}",
            "-Ecluster.name=energy-support-local",
            "-Enode.name=local",
            f"-Enetwork.host={LOOPBACK}",
            f"-Ehttp.port={port}",
            "-Etransport.port=0",
            "-Ediscovery.type=single-node",
            "-Ecluster.routing.allocation.disk.threshold_enabled=false",
        ),
        environment={},
        folder=folder,
        scratch=folder / "tmp",
        health_url=f"{url(port)}{HEALTH}",
        start_seconds=120,
        stop_seconds=30,
    )


def chosen_url() -> str | None:
    """The user's own node (``OPENSEARCH_URL``), to be used instead of ours; None if there is none."""
    return os.environ.get("OPENSEARCH_URL", "").rstrip("/") or None


def check_chosen(address: str) -> None:
    """Raise unless the node at ``address`` answers and can do what the service needs."""
    mend = "Start it, or correct OPENSEARCH_URL, or unset it to have a node started for you."
    try:
        with urllib.request.urlopen(f"{address}/_cat/plugins?format=json&h=component", timeout=5) as answer:  # noqa: S310 - the user's own address
            plugins = {entry["component"] for entry in json.load(answer)}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise HarnessError(
            f"OPENSEARCH_URL is set to {address}, but no OpenSearch answers there: {error}.", mend
        ) from error
    missing = [plugin for plugin in REQUIRED_PLUGINS if plugin not in plugins]
    if missing:
        raise HarnessError(f"The OpenSearch at {address} lacks plugins: {', '.join(missing)}.", mend)
