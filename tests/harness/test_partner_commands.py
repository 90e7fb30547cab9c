"""`harness partner`: what it prints, and that a secret is printed once, on standard output, and nowhere else."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import typer

from harness.canary_key import Provided
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from harness.partners import Added, Listed, PartnerAdministration, Rotated
from support.partners import Token

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from harness.paths import Paths
    from tests.harness.conftest import Done

    Call = Callable[..., Done]

KEY = "esk_" + "0f" * 16
SECRET = "S3cr3t-" + "x" * 36
VARIABLE = "SUPPORT_PARTNER_SECRET"


@dataclass
class Administration:
    """Answers as the real one does, which tests/unit/test_partners_administration.py is about."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    previous_until: str | None = "2026-02-01T12:00:00Z"
    dropped_early: bool = False

    def add(self, customer_id: str, name: str, tier: Any) -> Added:
        self.asked.append(("add", customer_id, name, tier))
        return Added(api_key=KEY, secret=SECRET, customer_id=customer_id, name=name, tier=tier)

    def rotate(self, api_key: str, grace: timedelta) -> Rotated:
        self.asked.append(("rotate", api_key, grace.total_seconds()))
        return Rotated(
            api_key=api_key, secret=SECRET, previous_until=self.previous_until, dropped_early=self.dropped_early
        )

    def disable(self, api_key: str) -> None:
        self.asked.append(("disable", api_key))

    def enable(self, api_key: str) -> None:
        self.asked.append(("enable", api_key))

    def list(self) -> tuple[Listed, ...]:
        return tuple(
            Listed(
                api_key=f"esk_{number}",
                customer_id="C1042",
                name="[bold]ACME[/] & Söhne",
                tier="premium",
                disabled=bool(number),
                created_at="2026-01-31T12:00:00Z",
                updated_at="2026-01-31T12:00:00Z",
            )
            for number in range(2)
        )


@pytest.fixture
def administration(monkeypatch: pytest.MonkeyPatch) -> Administration:
    made = Administration()
    monkeypatch.setattr(LocalStack, "partners", lambda _: made)
    return made


def fault(done: Done, *, code: int = 1) -> str:
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "defect" not in done.err
    assert done.err.count("Mend: ") == 1
    return done.err


def test_a_secret_is_printed_once_with_its_warning(call: Call, administration: Administration) -> None:
    for arguments in (("add", "--customer", "C1042", "--name", "ACME"), ("rotate", KEY)):
        done = call("partner", *arguments)
        assert (done.code, done.err) == (0, "")
        assert done.out.count(SECRET) == 1
        assert KEY in done.out
        assert "only time" in done.out


def test_for_scripts_a_secret_is_in_the_one_document(call: Call, administration: Administration) -> None:
    done = call("partner", "add", "--customer", "C1042", "--name", "ACME", "--tier", "premium", "--json")
    assert json.loads(done.out) == {
        "api_key": KEY,
        "secret": SECRET,
        "customer_id": "C1042",
        "name": "ACME",
        "tier": "premium",
    }
    assert SECRET not in done.err
    done = call("partner", "rotate", KEY, "--json")
    assert json.loads(done.out) == {
        "api_key": KEY,
        "secret": SECRET,
        "previous_until": "2026-02-01T12:00:00Z",
        "dropped_early": False,
    }


def test_no_command_keeps_a_secret(call: Call, administration: Administration, paths: Paths) -> None:
    call("partner", "add", "--customer", "C1042", "--name", "ACME")
    call("partner", "rotate", KEY)
    files = [file for file in paths.local.rglob("*") if file.is_file()] if paths.local.exists() else []
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["add", "--customer", "C1", "--name", "ACME"], ("add", "C1", "ACME", "standard")),
        (["add", "--customer", "C1", "--name", "ACME", "--tier", "premium"], ("add", "C1", "ACME", "premium")),
        (["rotate", KEY], ("rotate", KEY, 86_400.0)),
        (["rotate", KEY, "--grace", "2"], ("rotate", KEY, 7_200.0)),
        (["rotate", KEY, "--grace", "0"], ("rotate", KEY, 0.0)),
        (["disable", KEY], ("disable", KEY)),
        (["enable", KEY], ("enable", KEY)),
    ],
)
def test_what_is_asked_is_done(
    call: Call, administration: Administration, arguments: list[str], asked: tuple[object, ...]
) -> None:
    assert call("partner", *arguments).code == 0
    assert administration.asked == [asked]


def test_a_rotation_tells_what_becomes_of_the_other_secrets(call: Call, administration: Administration) -> None:
    assert "stays good until 2026-02-01T12:00:00Z" in call("partner", "rotate", KEY).out
    administration.dropped_early = True
    assert "no longer is" in call("partner", "rotate", KEY).out
    administration.previous_until = None
    assert "refused after 300 s at most" in call("partner", "rotate", KEY).out


def test_a_disabled_key_is_told_to_live_in_the_gateways_memory(call: Call, administration: Administration) -> None:
    assert "300 s" in call("partner", "disable", KEY).out
    assert json.loads(call("partner", "disable", KEY, "--json").out) == {"api_key": KEY, "disabled": True}
    assert json.loads(call("partner", "enable", KEY, "--json").out) == {"api_key": KEY, "disabled": False}


def test_partners_are_listed_as_they_are_called(call: Call, administration: Administration) -> None:
    done = call("partner", "list")
    assert "[bold]ACME[/] & Söhne" in done.out
    assert "disabled" in done.out
    assert [each["api_key"] for each in json.loads(call("partner", "list", "--json").out)["partners"]] == [
        "esk_0",
        "esk_1",
    ]


# --- sign


def signed_with(secret: str, header: str) -> bool:
    token = Token.parse(header)
    assert token is not None
    return token.signed_with(secret)


def test_a_header_is_signed_with_the_secret_of_the_environment(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    done = call("partner", "sign", KEY)
    assert re.fullmatch(rf"Bearer {KEY}:[0-9a-f]{{64}}:\S+Z\n", done.out)
    assert signed_with(SECRET, done.out.strip())
    document = json.loads(call("partner", "sign", KEY, "--json").out)
    assert signed_with(SECRET, document["authorization"])
    assert document["good_for_seconds"] == 300


def test_a_header_is_signed_with_the_secret_of_standard_input(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    assert signed_with(SECRET, call("partner", "sign", KEY).out.strip())


def test_a_person_is_asked_for_the_secret_without_an_echo(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[dict[str, object]] = []

    def prompt(_text: str, **how: object) -> str:
        asked.append(how)
        return SECRET

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", prompt)
    assert signed_with(SECRET, call("partner", "sign", KEY).out.strip())
    # On standard error: what is on standard output is the header.
    assert asked == [{"hide_input": True, "err": True}]


def test_what_cannot_be_signed_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "no secret" in fault(call("partner", "sign", KEY))
    monkeypatch.setenv(VARIABLE, SECRET)
    told = fault(call("partner", "sign", "esk 1"))
    assert "`harness partner list`" in told
    assert SECRET not in told


def test_no_command_takes_a_secret_as_an_argument(call: Call) -> None:
    for arguments in (("sign", KEY, SECRET), ("sign", KEY, "--secret", SECRET)):
        done = call("partner", *arguments)
        assert done.code == 2
        assert done.out == ""


# --- faults


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "--customer", "C1042", "--name", "ACME"],
        ["rotate", KEY],
        ["disable", KEY],
        ["enable", KEY],
        ["list"],
    ],
)
def test_without_a_stack_the_commands_say_so(call: Call, arguments: list[str]) -> None:
    told = fault(call("partner", *arguments, "--json"))
    assert "Nothing is deployed here" in told
    assert "`harness up`" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add"], "--customer"),
        (["add", "--customer", "C1"], "--name"),
        (["add", "--customer", "C1", "--name", "ACME", "--tier", "gold"], "'standard', 'premium'"),
        (["rotate"], "KEY"),
        (["rotate", KEY, "--grace", "-1"], "--grace"),
        (["rotate", KEY, "--grace", "721"], "--grace"),
        (["rotate", KEY, "--grace", "nan"], "--grace"),
        (["disable"], "KEY"),
        (["sign"], "KEY"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(
    call: Call, administration: Administration, arguments: list[str], told: str
) -> None:
    assert told in fault(call("partner", *arguments), code=2)
    assert administration.asked == []


def test_what_the_administration_refuses_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise HarnessError("There is no partner esk_nobody.", "`harness partner list` shows them.")

    monkeypatch.setattr(LocalStack, "partners", lambda _: PartnerAdministration)
    monkeypatch.setattr(PartnerAdministration, "disable", refused)
    assert "There is no partner esk_nobody." in fault(call("partner", "disable", "esk_nobody"))


@pytest.mark.parametrize("rotated", [False, True])
def test_the_canarys_secret_is_shown_nowhere(call: Call, monkeypatch: pytest.MonkeyPatch, rotated: bool) -> None:  # noqa: FBT001 - a case
    @dataclass
    class Key:
        def provide(self, customer_id: str) -> Provided:
            return Provided(api_key=KEY, customer_id=customer_id, rotated=rotated)

    monkeypatch.setattr(LocalStack, "canary_key", lambda _: Key())
    done = call("partner", "canary")
    assert (done.code, done.err) == (0, "")
    assert KEY in done.out
    assert "C0" in done.out
    assert ("new secret" in done.out) is rotated
    done = call("partner", "canary", "--customer", "C7", "--json")
    assert json.loads(done.out) == {"api_key": KEY, "customer_id": "C7", "rotated": rotated}
