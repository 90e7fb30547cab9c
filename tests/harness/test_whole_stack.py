"""The whole stack when things go wrong, as in a terminal, in folders with spaces: nothing that is real is left out."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.conftest import CommandLine

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)


def eventually(check: Callable[[], bool], *, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.1)
    return check()


def test_a_stack_whose_first_run_was_interrupted_and_whose_emulator_then_died_is_mended_by_the_next_run(
    clone: CommandLine,
) -> None:
    processes = Processes(records=clone.local / "processes", logs=clone.local / "logs")
    state = clone.local / "engine" / ".pulumi" / "stacks" / "energy-support" / "local.json"
    try:
        with clone.start("up", "--json") as run:
            assert eventually(lambda: state.exists() and b"aws:dynamodb/table:Table" in state.read_bytes(), seconds=120)
            os.killpg(run.pid, signal.SIGINT)
            out, err = run.communicate(timeout=60)
        assert (run.returncode, out) == (130, "")
        assert "Interrupted" in err
        assert "Traceback" not in err

        record = json.loads((processes.records / "emulator.json").read_bytes())
        os.kill(record["service"]["pid"], signal.SIGKILL)
        assert eventually(lambda: "dead" in clone("status", "--json").out)
        status = clone("status")
        assert status.code == 1
        assert "emulator: it was ended by SIGKILL" in status.out

        up = clone("up", "--json")
        assert (up.code, up.err) == (0, "")
        assert set(json.loads(up.out)) >= {"outputs", "changes", "knowledge"}
        assert clone("status", "--json").code == 0
        ticket = clone("ticket", "create", "--wait", "--json")
        assert json.loads(ticket.out)["status"] == "READY"
        assert "No such ticket" in clone("ticket", "show", "tkt_000000000000").err
    finally:
        down = clone("down", "--json")
    assert json.loads(down.out) == {"stopped": ["emulator", "front", "search", "bedrock"]}
    command_lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    assert not [line for line in command_lines if str(clone.local) in line]
