"""The README's examples are what they look like: they type-check, and they run."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from energy_support_client import Client, RetryPolicy, errors
from harness.paths import REPOSITORY
from support import contract

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = REPOSITORY / "client"
README = (CLIENT / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
TITLES = re.findall(r"^## (.*)$(?:(?!^## ).*\n)*?^```python$", README, flags=re.MULTILINE)


def test_the_examples_type_check(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    files = []
    for number, example in enumerate(EXAMPLES):
        files.append(tmp_path / f"example_{number}.py")
        files[-1].write_text(example)
    cache = pytestconfig.cache.mkdir("mypy-readme")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(CLIENT)},
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=TITLES)
def test_the_example_runs(
    example: str, service: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"URL": service.url, "COGNITO": service.cognito_url, "TOKEN": "t", "API_KEY": "k", "SECRET": "s"}
    for name, value in (variables | {"CLIENT_ID": "c", "USERNAME": "u", "PASSWORD": "p"}).items():
        monkeypatch.setenv(f"ENERGY_SUPPORT_{name}", value)
    monkeypatch.setenv("NO_PROXY", "*")
    service.cognito.append(service.json(200, {"AuthenticationResult": {"IdToken": "i", "ExpiresIn": 3600}}))
    service.pages["limit=50"] = service.json(200, contract.TicketPage(tickets=[service.ticket("tkt_0123456789ab")]))
    events = [
        service.event("start", ticket_id="tkt_0123456789ab", status="READY"),
        service.event("chunk", type="text", content="Switch it off "),
        service.event("chunk", type="text", content="and on."),
        service.event("complete", status="READY", total_tokens=5, grounded=True),
    ]
    service.streams.append(events)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
    assert capsys.readouterr().out
    assert service.seen


def test_every_error_is_told_of() -> None:
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert kinds <= set(re.findall(r"`(\w+Error)`", README))


def test_the_figures_are_those_of_the_code() -> None:
    policy = RetryPolicy()
    assert f"Up to {policy.attempts} tries, waits of 0 to {policy.base_seconds} s," in README
    assert f"up to 0 to {policy.cap_seconds:.0f} s (" in README
    assert f"takes {inspect.signature(Client).parameters['timeout'].default:.0f} s at most" in README
