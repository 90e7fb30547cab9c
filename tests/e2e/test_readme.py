"""README.md shows each endpoint with a command that works."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from harness.paths import REPOSITORY
from support import routes

if TYPE_CHECKING:
    from harness.local_stack import LocalStack

SCRIPT: Final = next(
    block
    for block in re.findall(r"```bash\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    if "curl" in block
)
CURL: Final = re.compile(r"^curl .*", re.MULTILINE)


def called() -> set[tuple[str, str]]:
    """What the script asks for: method and path."""
    found = set()
    for line in CURL.findall(SCRIPT):
        path = re.search(r'"\$API([^"?]*)', line)
        assert path, line
        found.add(("POST" if " -d " in line else "GET", re.sub(r"\$[TR]", "{id}", path[1])))
    return found


def test_every_endpoint_is_called() -> None:
    assert called() == {(route.method, route.path) for route in routes.ROUTES}


def test_every_call_is_answered(stack: LocalStack) -> None:
    script = re.sub(r"^curl ", "curl --silent --show-error --fail ", SCRIPT, flags=re.MULTILINE)
    environment = os.environ | {"HARNESS_LOCAL_DIR": str(stack.paths.local), "NO_PROXY": "*"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "event: complete" in done.stdout
    assert done.stdout.count('"ticket_id"') > len(routes.ROUTES) // 2
