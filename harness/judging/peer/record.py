"""What the peer found in the bad stack when it was last asked: so that the comparison needs no peer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.judging.peer.scanner import Form, Known
from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.judging.peer.forms import Written
    from harness.judging.peer.scanner import Finding

FILE: Final = Path(__file__).with_name("record.json")
_OF_AWS: Final = ("CKV_AWS_", "CKV2_AWS_")


class Answer(msgspec.Struct, frozen=True):
    """What the peer says of the bad stack in one language."""

    text: str
    """Digest of what it read."""
    checks: dict[str, Known]
    """Its checks on types of the stack, by id."""
    findings: dict[str, tuple[str, ...]]
    """Check's id -> names of the resources on which it fails."""


class Record(msgspec.Struct, frozen=True):
    """One run of the peer."""

    version: str
    """Of checkov."""
    answers: dict[Form, Answer]

    def name(self, check: str) -> str:
        """What a check asks for, in checkov's words."""
        return next((each.checks[check].name for each in self.answers.values() if check in each.checks), check)


def answer(written: Written, findings: Iterable[Finding], known: Mapping[str, Known]) -> Answer:
    """What the peer said of the stack in one language."""
    by_check: dict[str, set[str]] = {}
    for finding in findings:
        if finding.check_id.startswith(_OF_AWS):
            by_check.setdefault(finding.check_id, set()).add(written.names[finding.resource])
    types = set(written.types.values())
    checks: dict[str, Known] = {}
    for check, each in known.items():
        # What fails on a type is about it, even if the check's definition does not say so.
        on = {written.types[name] for name in by_check.get(check, ())} | types.intersection(each.types)
        if check.startswith(_OF_AWS) and on:
            checks[check] = Known(each.name, tuple(sorted(on)))
    return Answer(
        text=digest(written.text),
        checks=checks,
        findings={check: tuple(sorted(names)) for check, names in sorted(by_check.items())},
    )


def digest(text: str) -> str:
    """Of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read() -> Record:
    """The committed record."""
    return typed.decode(FILE.read_bytes(), Record)


def write(record: Record) -> None:
    """Put a record into its file, to be committed."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
