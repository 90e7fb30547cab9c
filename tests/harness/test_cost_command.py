"""`harness cost`: one document for scripts, one message for what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.conftest import Done

    Call = Callable[..., Done]


def test_an_estimate_for_scripts(call: Call) -> None:
    done = call("cost", "--stack", "dev", "--profile", "small", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["estimate"]["total"] > 0
    assert document["estimate"]["as_of"]
    assert document["traffic"]["tickets"] == 5_000
    assert {choice["choice"] for choice in document["comparisons"]} >= {"Processor of the functions"}


def test_an_estimate_for_people_says_where_its_prices_come_from(call: Call) -> None:
    done = call("cost", "--stack", "dev", "--profile", "small", "--lines")
    assert done.code == 0, done.err
    assert "USD a month" in done.out
    assert "AWS was not asked" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--stack", "nowhere"), "no stack 'nowhere'"), (("--profile", "huge"), "no profile 'huge'")],
)
def test_what_there_is_not_is_told(call: Call, arguments: tuple[str, ...], told: str) -> None:
    done = call("cost", *arguments)
    assert done.code == 1
    assert told in done.err
