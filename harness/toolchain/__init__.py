"""Finds, installs or builds what the local stack needs and a machine may lack; nothing twice, each with progress."""

from __future__ import annotations

from harness.toolchain.actionlint import ensure_actionlint
from harness.toolchain.environments import ensure_emulator, find_uv
from harness.toolchain.java import Java, ensure_java
from harness.toolchain.opensearch import ensure_opensearch
from harness.toolchain.pulumi import ensure_pulumi

__all__ = [
    "Java",
    "ensure_actionlint",
    "ensure_emulator",
    "ensure_java",
    "ensure_opensearch",
    "ensure_pulumi",
    "find_uv",
]
