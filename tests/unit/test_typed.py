"""`support.typed`: types from outside, safely from several threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from support import typed

FIRST_USE = """
import json, sys, threading
from harness.demonstration import REQUEST
from {module} import {function} as use
from {types} import CreateTicketRequest
value = json.dumps(dict(REQUEST)) if "{function}" == "decode" else dict(REQUEST)
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
def run():
    together.wait()
    assert use(value, CreateTicketRequest).symptom_text
threads = [threading.Thread(target=run) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
"""
"""Eight threads that meet a type for the first time."""
RUNS = 12
"""Without the lock, nine in ten of them end the process."""
ROOT = Path(__file__).resolve().parents[2]
FIRST_USES = (
    ("support.typed", "decode", "support.contract"),
    ("support.typed", "convert", "support.contract"),
    ("energy_support_client.answers", "decode", "energy_support_client.types"),
)


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    volts: float
    phase: Annotated[str, msgspec.Meta(pattern="^L[123]$")] = "L1"


@pytest.mark.parametrize(("module", "function", "types"), FIRST_USES)
def test_several_threads_may_be_the_first_to_use_a_type(module: str, function: str, types: str) -> None:
    program = FIRST_USE.format(module=module, function=function, types=types)

    ends = [subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode for _ in range(RUNS)]

    assert ends == [0] * RUNS


def test_a_document_becomes_the_type() -> None:
    assert typed.decode(b'{"volts": 230, "phase": "L2"}', Reading) == Reading(230, "L2")
    assert typed.decode("[1, 2]", list[int]) == [1, 2]


def test_a_mapping_becomes_the_type() -> None:
    assert typed.convert({"volts": 231.5}, Reading) == Reading(231.5)


@pytest.mark.parametrize("document", [b'{"volts": "230"}', b'{"volts": 230, "phase": "N"}', b'{"volts": 230, "x": 1}'])
def test_what_is_of_another_type_is_refused(document: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        typed.decode(document, Reading)


def test_texts_are_numbers_only_where_it_is_asked_for() -> None:
    assert typed.decode(b'{"volts": "230"}', Reading, strict=False) == Reading(230)
    assert typed.convert({"volts": "230"}, Reading, strict=False) == Reading(230)
    with pytest.raises(msgspec.ValidationError):
        typed.convert({"volts": "230"}, Reading)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        typed.decode(b"{", Reading)
