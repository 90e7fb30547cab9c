"""A streamed answer, parted into what is shown and what is checked, however it was cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.citations import Splitter
from support.generation import CITATIONS_BEGIN, CITATIONS_END, Quote

FRAGMENTS = st.sampled_from([CITATIONS_BEGIN, CITATIONS_END, "<", "<<", "<cit", "citations>", "<citation", "[]", "à\n"])
TEXTS = st.lists(FRAGMENTS | st.text(max_size=8), max_size=8).map("".join)
QUOTES = st.lists(st.builds(Quote, source_id=st.text(max_size=5), quote=st.text(max_size=20)), max_size=3)


def split(pieces: list[str]) -> tuple[list[str], list[Quote] | None]:
    splitter = Splitter()
    return [splitter.feed(piece) for piece in pieces], splitter.quotes()


@st.composite
def cut(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> list[str]:
    """A text in pieces, some of them empty."""
    text = draw(texts)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=10)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(cut(TEXTS))
def test_however_an_answer_is_cut_the_same_is_shown_and_cited(pieces: list[str]) -> None:
    text = "".join(pieces)
    shown, quotes = split(pieces)
    whole, whole_quotes = split([text])
    assert "".join(shown) == "".join(whole)
    assert quotes == whole_quotes
    assert split(list(text))[1] == quotes


@given(cut(TEXTS))
def test_only_what_may_begin_the_marker_is_held_back(pieces: list[str]) -> None:
    splitter, told, shown = Splitter(), "", ""
    for piece in pieces:
        told += piece
        shown += splitter.feed(piece)
        before, marker, _ = told.partition(CITATIONS_BEGIN)
        assert before.startswith(shown)
        held = before[len(shown) :]
        assert held == "" if marker else CITATIONS_BEGIN.startswith(held)
        assert held != CITATIONS_BEGIN


@given(st.text(), QUOTES, st.sampled_from(["", "\n", " \n "]))
def test_citations_are_what_stands_between_the_markers(text: str, quotes: list[Quote], space: str) -> None:
    listed = json.dumps([{"source_id": quote.source_id, "quote": quote.quote} for quote in quotes])
    told = f"{text}{CITATIONS_BEGIN}{space}{listed}{space}{CITATIONS_END}{space}"
    [shown], found = split([told])
    if CITATIONS_BEGIN not in text and not any(CITATIONS_END in q.quote + q.source_id for q in quotes):
        assert shown == text
        assert found == quotes


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "No list at all.",
        "<citations>",
        "<citations>[]",
        "<citations>[]</citations",
        "[]</citations>",
        "<citations></citations>",
        "<citations>{}</citations>",
        '<citations>[{"source_id": "d"}]</citations>',
        '<citations>[{"source_id": 1, "quote": "q"}]</citations>',
        "<citations>[]]</citations>",
        "<citations>[]</citations> And another thing.",
        "<citations>[]</citations><citations>[]</citations>",
        '<citations>[{"source_id": "d", "quote": "</citations>"}]</citations>',
    ],
)
def test_a_list_that_is_not_whole_or_not_the_end_is_none(answer: str) -> None:
    assert split([answer])[1] is None


def test_nothing_is_shown_once_the_list_has_begun() -> None:
    shown, quotes = split(["Do this.<cita", "tions>[", "]</citations>", "HACKED"])
    assert shown == ["Do this.", "", "", ""]
    assert quotes is None
