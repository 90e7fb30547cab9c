"""A quote holds if it really stands in the passage it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import grounding
from support.contract import Citation, Policies
from support.generation import Quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.knowledge import Passage

CONTENT = "Perché l'errore E102 appare:\n  il differenziale è   scattato & la carica si ferma."


@pytest.mark.parametrize(
    "quote",
    [
        "il differenziale è scattato",
        "appare: il differenziale",
        "  il\tdifferenziale\nè scattato ",
        "il differenziale e\u0300 scattato",
        "scattato & la carica",
        "scattato &amp; la carica",
    ],
)
def test_white_space_and_coding_do_not_count(quote: str) -> None:
    assert grounding.holds(quote, CONTENT)


@pytest.mark.parametrize(
    "quote",
    ["il differenziale non è scattato", "Il Differenziale È Scattato", "", "   ", "E102", "la carica", "x" * 50],
)
def test_what_does_not_stand_there_word_for_word_does_not_hold(quote: str) -> None:
    assert not grounding.holds(quote, CONTENT)


@given(st.text(st.characters(codec="utf-8"), min_size=30), st.data())
def test_every_long_enough_part_of_a_text_holds(text: str, data: st.DataObject) -> None:
    words = text.split()
    start = data.draw(st.integers(0, max(0, len(words) - 1)))
    part = " ".join(words[start:])
    assert grounding.holds(part, text) == (len(grounding._normalised(part)) >= grounding.SHORTEST_QUOTE)


def test_a_citation_must_name_a_passage_that_was_retrieved(make_passage: Callable[..., Passage]) -> None:
    passages = [make_passage(), make_passage(id="doc-0001", content="Charging stops when the cable overheats.")]
    quotes = [
        Quote(source_id="doc-0000", quote="Switch the charger off and on again."),
        Quote(source_id="doc-0001", quote="Switch the charger off and on again."),
        Quote(source_id="doc-9999", quote="Charging stops when the cable overheats."),
    ]
    check = grounding.check(quotes, passages)
    assert not check.all_hold
    assert [citation.source_id for citation in check.citations] == ["doc-0000"]
    assert check.citations[0].title == "WB-22 manual"
    assert grounding.check(quotes[:1], passages).all_hold
    assert grounding.check([], passages) == grounding.Check([], all_hold=True)


@pytest.mark.parametrize(
    ("found", "all_hold", "grounded_only", "verdict"),
    [
        (1, True, True, True),
        (1, False, True, False),
        (0, True, True, False),
        (0, True, False, True),
        (1, False, False, False),
    ],
)
def test_an_answer_is_shown_when_nothing_fails_and_something_holds_where_it_must(
    found: int, all_hold: object, grounded_only: object, verdict: object
) -> None:
    citation = Citation(source_id="doc-0000", title="Manual", quote="Switch the charger off and on again.")
    check = grounding.Check([citation] * found, all_hold=bool(all_hold))
    assert check.satisfies(Policies(grounded_only=bool(grounded_only))) is verdict
