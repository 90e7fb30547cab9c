"""Whether a solution really rests on the passages it cites."""

from __future__ import annotations

import unicodedata
from html import unescape
from typing import TYPE_CHECKING, Final, NamedTuple

from support.contract import Citation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.contract import Policies
    from support.generation import Document, Quote

SHORTEST_QUOTE: Final = 12
"""Characters: less is found in any text and proves nothing."""


class Check(NamedTuple):
    citations: list[Citation]
    """Those that hold."""
    all_hold: bool
    """Whether no citation failed."""

    def satisfies(self, policies: Policies) -> bool:
        """Whether the answer may be shown: none of its citations fails, and it has one where it needs one."""
        return self.all_hold and (bool(self.citations) or not policies.grounded_only)


def check(quotes: Sequence[Quote], documents: Sequence[Document]) -> Check:
    """Hold each quote against the document that it names."""
    by_id = {document.id: document for document in documents}
    citations = [
        Citation(source_id=quote.source_id, title=by_id[quote.source_id].title, quote=quote.quote)
        for quote in quotes
        if quote.source_id in by_id and holds(quote.quote, by_id[quote.source_id].content)
    ]
    return Check(citations, len(citations) == len(quotes))


def holds(quote: str, content: str) -> bool:
    """Whether the quote stands in the content, word for word; white space and the way accents are coded do not count.

    The model saw the content escaped, so a quote may be escaped too.
    """
    text = _normalised(content)
    return any(
        len(wanted) >= SHORTEST_QUOTE and wanted in text
        for wanted in (_normalised(quote), _normalised(unescape(quote)))
    )


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
