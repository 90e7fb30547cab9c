"""The official CLI's ``pulumi preview --json``, read as our own engine's previews are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.review.planned import Planned, Side, masked, merged
from support import typed

MEND = "Make it with `pulumi preview --json > FILE`, with the whole standard output in it."


class _State(msgspec.Struct, frozen=True, rename="camel"):
    """A resource as the CLI writes it to a state or a plan (`apitype.ResourceV3`)."""

    type: str = ""
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    protect: bool = False
    retain_on_delete: bool = False


class _Difference(msgspec.Struct, frozen=True):
    kind: str


class _Step(msgspec.Struct, frozen=True, rename="camel"):
    op: str
    urn: str
    old_state: _State | None = None
    new_state: _State | None = None
    diff_reasons: list[str] | None = None
    replace_reasons: list[str] | None = None
    detailed_diff: dict[str, _Difference] | None = None


class _Diagnostic(msgspec.Struct, frozen=True):
    message: str = ""
    severity: str = ""


class _Digest(msgspec.Struct, frozen=True, rename="camel"):
    """What `pulumi preview --json` prints (`display.PreviewDigest`)."""

    steps: list[_Step] = []
    diagnostics: list[_Diagnostic] = []
    change_summary: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A preview that somebody else ran."""

    stack: str
    steps: tuple[Planned, ...]
    unchanged: int
    errors: tuple[str, ...]
    """What went wrong in that preview: what follows from it may be missing here."""


def read(file: str) -> Plan:
    """The plan in ``file``; ``-`` for standard input.

    Raises:
        HarnessError: it cannot be read, or is no such document.
    """
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        digest = typed.decode(text, _Digest)
    except OSError as error:
        raise HarnessError(f"The plan cannot be read: {error}", MEND) from error
    except msgspec.MsgspecError as error:
        raise HarnessError(f"{file} is no preview in JSON: {error}", MEND) from error
    if not digest.steps:
        raise HarnessError(f"{file} holds no steps: not even the stack itself, which every preview has.", MEND)
    return Plan(
        stack=digest.steps[0].urn.removeprefix("urn:pulumi:").split("::")[0],
        steps=merged(_planned(step) for step in digest.steps),
        unchanged=digest.change_summary.get("same", 0),
        errors=tuple(found.message.strip() for found in digest.diagnostics if found.severity == "error"),
    )


def _planned(step: _Step) -> Planned:
    state = step.new_state or step.old_state
    return Planned(
        urn=step.urn,
        type=state.type if state is not None and state.type else step.urn.split("::")[2].rpartition("$")[2],
        operation=step.op,
        old=_side(step.old_state),
        new=_side(step.new_state),
        detailed={path: found.kind for path, found in (step.detailed_diff or {}).items()},
        changed=tuple(step.diff_reasons or ()),
        forcing=tuple(step.replace_reasons or ()),
    )


def _side(state: _State | None) -> Side | None:
    if state is None:
        return None
    return Side(
        inputs=masked(state.inputs),
        outputs=masked(state.outputs),
        protect=state.protect,
        retain=state.retain_on_delete,
    )
