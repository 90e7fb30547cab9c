"""Chunks: small, whole, and nothing lost."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from support.chunking import MAX_CHARACTERS, OVERLAP_CHARACTERS, chunks

SENTENCE = "The residual current monitor has tripped because of moisture in the plug. "
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=300),
        st.sampled_from(["# Title", "## Part ##", "", "```", "# in a fence", SENTENCE * 30, "x" * 3000, "word " * 400]),
    ),
    max_size=12,
).map("\n".join)


def words(text: str) -> set[str]:
    return {word for word in re.split(r"\s+", text) if word and len(word) < 400 and "#" not in word}


@given(TEXTS)
def test_no_chunk_is_too_long_or_empty(text: str) -> None:
    assert all(0 < len(chunk) <= MAX_CHARACTERS and chunk.strip() for chunk in chunks(text))


@given(TEXTS)
def test_no_word_under_a_heading_is_lost(text: str) -> None:
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert words(body) <= words("\n".join(chunks(text)))


@given(TEXTS)
def test_the_same_text_gives_the_same_chunks(text: str) -> None:
    assert chunks(text) == chunks(text)


def test_sections_are_not_joined_and_carry_their_heading() -> None:
    text = "# Manual\nIntro.\n\n## Fan\nIt hums.\n\nIt stops.\n## Display\nIt is dark."
    assert chunks(text) == ["Manual\nIntro.", "Fan\nIt hums.\n\nIt stops.", "Display\nIt is dark."]


def test_a_hash_in_code_is_no_heading() -> None:
    assert chunks("# A\n```\n# not a heading\n```\nafter") == ["A\n```\n# not a heading\n```\nafter"]


def test_a_chunk_that_continues_a_section_begins_with_the_end_of_the_one_before() -> None:
    paragraphs = [f"Paragraph {number}. {SENTENCE * 6}Last words {number}." for number in range(4)]
    first, second, *_ = chunks("# Fan\n" + "\n\n".join(paragraphs))
    overlap = second.split("\n\n")[0].removeprefix("Fan\n")
    assert 0 < len(overlap) <= OVERLAP_CHARACTERS
    assert first.endswith(overlap)


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    made = chunks(SENTENCE * 60)
    assert len(made) > 3
    assert all(chunk.endswith("plug.") for chunk in made)


def test_nothing_gives_no_chunks() -> None:
    assert chunks("") == chunks("\n \n# only a heading\n") == []
