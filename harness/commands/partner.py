"""ITSM partners of a stack: their keys, secrets and tiers. A secret is printed once and kept nowhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape

from harness import canary_key, console, partners
from harness.commands.stacks import Stack, operated
from harness.console import Json
from harness.local_stack import STACK
from harness.partners import PartnerAdministration
from support.partners import AUTHORIZER_CACHE_SECONDS, MAX_SKEW_SECONDS, Tier

partner = typer.Typer(
    help="ITSM partners: who may call the routes below /itsm. For a deployed stack, log in to its Pulumi state and to "
    "its AWS account first.",
    no_args_is_help=True,
)

SECRET_VARIABLE = "SUPPORT_PARTNER_SECRET"  # noqa: S105 - a variable's name
ONCE = "This is the only time that the secret is shown. If it gets lost, rotate it."

ApiKey = Annotated[str, typer.Argument(metavar="KEY", help="The partner's key, `esk_…`.")]


def register(app: typer.Typer) -> None:
    app.add_typer(partner, name="partner")


@partner.command("add")
def add(
    *,
    customer: Annotated[str, typer.Option(help="The customer whose tickets it may open and see, `C1042`.")],
    name: Annotated[str, typer.Option(help="What people call it, 1 to 100 characters.")],
    tier: Annotated[Tier, typer.Option(help="Which usage plan limits its calls.")] = "standard",
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Make a partner, and print its key and its secret, once."""
    with _partners(stack, json=json) as administration:
        added = administration.add(customer, name, tier)
    if json:
        console.print_json(added)
        return
    _show_secret(added.api_key, added.secret)


@partner.command("rotate")
def rotate(
    api_key: ApiKey,
    *,
    grace: Annotated[
        int,
        typer.Option(
            min=0,
            max=partners.LONGEST_GRACE // timedelta(hours=1),
            help="Hours for which the secret before stays good; 0 if it has leaked.",
        ),
    ] = partners.GRACE // timedelta(hours=1),
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Give a partner a new secret, and print it, once. Two are good at a time, at most."""
    with _partners(stack, json=json) as administration:
        rotated = administration.rotate(api_key, timedelta(hours=grace))
    if json:
        console.print_json(rotated)
        return
    _show_secret(api_key, rotated.secret)
    if rotated.previous_until is None:
        console.out.print(f"The secret before is refused after {AUTHORIZER_CACHE_SECONDS} s at most.")
    else:
        console.out.print(f"The secret before stays good until {rotated.previous_until}.")
    if rotated.dropped_early:
        console.out.print("[yellow]The one before that was still good, and no longer is.[/]")


@partner.command("disable")
def disable(api_key: ApiKey, *, stack: Stack = STACK, json: Json = False) -> None:
    """Refuse a partner's key."""
    with _partners(stack, json=json) as administration:
        administration.disable(api_key)
    _show_state(api_key, disabled=True, json=json)


@partner.command("enable")
def enable(api_key: ApiKey, *, stack: Stack = STACK, json: Json = False) -> None:
    """Take a disabled key again, with the secrets it had."""
    with _partners(stack, json=json) as administration:
        administration.enable(api_key)
    _show_state(api_key, disabled=False, json=json)


@partner.command("canary")
def canary(
    *,
    customer: Annotated[str, typer.Option(help="The customer that the canary's tickets are of.")] = canary_key.CUSTOMER,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Make the canary's partner, or give it a new secret, and put that where the canary reads it. It is shown nowhere.

    For a stack whose settings have `observability.canary`. Run it again to rotate.
    """
    with console.progress(json=json) as progress:
        provided = operated(stack, progress).canary_key().provide(customer)
    if json:
        console.print_json(provided)
        return
    done = "has a new secret" if provided.rotated else "is made"
    console.out.print(f"{provided.api_key}, for customer {provided.customer_id}, {done}; the canary uses it next time.")


@partner.command("sign")
def sign(api_key: ApiKey, *, json: Json = False) -> None:
    """Print an Authorization header for calls as this partner, signed now.

    The secret comes from SUPPORT_PARTNER_SECRET, or else from standard input, never from the command line, where other
    users of the machine and the shell's history would see it.
    """
    value = partners.sign(api_key, _secret())
    if json:
        console.print_json({"authorization": value, "good_for_seconds": MAX_SKEW_SECONDS})
    else:
        sys.stdout.write(value + "\n")


@partner.command("list")
def show(*, stack: Stack = STACK, json: Json = False) -> None:
    """Every partner, oldest first; no secrets."""
    with _partners(stack, json=json) as administration:
        found = administration.list()
    if json:
        console.print_json({"partners": found})
        return
    rows = [
        (
            each.api_key,
            each.customer_id,
            escape(each.name),
            each.tier,
            "[red]disabled[/]" if each.disabled else "good",
            each.created_at,
        )
        for each in found
    ]
    console.table(f"{len(rows)} partners", ("key", "customer", "name", "tier", "state", "since"), rows)


@contextmanager
def _partners(stack: str, *, json: bool) -> Iterator[PartnerAdministration]:
    with console.progress(json=json) as progress:
        yield operated(stack, progress).partners()


def _secret() -> str:
    if given := os.environ.get(SECRET_VARIABLE):
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("Secret", hide_input=True, err=True))
    return sys.stdin.readline().strip()


def _show_secret(api_key: str, secret: str) -> None:
    # Whole, however narrow the terminal: these are to be copied.
    console.out.print(f"key     {api_key}\nsecret  {secret}", soft_wrap=True)
    console.out.print(f"[yellow]{ONCE}[/]")


def _show_state(api_key: str, *, disabled: bool, json: bool) -> None:
    if json:
        console.print_json({"api_key": api_key, "disabled": disabled})
    elif disabled:
        seconds = AUTHORIZER_CACHE_SECONDS
        console.out.print(f"{escape(api_key)} is disabled; the gateway may remember it for {seconds} s more.")
    else:
        console.out.print(f"{escape(api_key)} is taken again.")
