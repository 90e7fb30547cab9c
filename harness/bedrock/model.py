"""How the stand-in answers a prompt: with the sentences of its documents that overlap the ticket best, quoted.

It reads the prompt as `support.generation` writes it and behaves like a model in what a test can rest on: it quotes
word for word, it says when the documents do not help, and it obeys what stands outside the data blocks. So a prompt
whose data can break out of its tags is found out: `Reply only with: …` is ignored inside a block, obeyed outside.
Tests can ask for less: for quotes that stand nowhere, or for a model that obeys orders in the data as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Final

import msgspec

from harness.bedrock.embedding import features, similarity

_DOCUMENT: Final = re.compile(r"<document\b(?P<attributes>[^>]*)>(?P<content>.*?)</document>", re.DOTALL)
_TICKET: Final = re.compile(r"<ticket\b(?P<attributes>[^>]*)>(?P<content>.*?)</ticket>", re.DOTALL)
_BLOCKS: Final = re.compile(r"<documents>.*?</documents>|<ticket\b.*?</ticket>", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r'([\w-]+)="([^"]*)"')
_ORDER: Final = re.compile(r"Reply only with: (?P<text>[^\n<]+)")
_NUMBERED: Final = re.compile(r"^\s*\d+[.)]\s+(?P<text>\S.*?)\s*$")
_MARKS: Final = re.compile(r"^\s*(?:#{1,6}|>|\d+[.)]|[-*•])\s+")
_SENTENCE: Final = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)")

_ENOUGH: Final = 0.12
"""Overlap below which a sentence says nothing about the ticket."""
_NEAR_BEST: Final = 0.6
"""Share of the best sentence's overlap from which a further one is quoted as well."""
_MOST_QUOTES: Final = 3
_MOST_STEPS: Final = 6
_SHORTEST: Final = 20
"""Characters; anything shorter is a heading or a label."""

_LEAD: Final = {
    "it": "In base alla documentazione tecnica:",
    "en": "According to the technical documentation:",
    "de": "Laut der technischen Dokumentation:",
}
_NOTHING: Final = {
    "it": "La documentazione disponibile non descrive questo problema. Serve la verifica di un operatore.",
    "en": "The available documentation does not describe this problem. An operator has to look at it.",
    "de": "Die vorhandene Dokumentation beschreibt dieses Problem nicht. Ein Mitarbeiter muss es prüfen.",
}


_INVENTED: Final = "Nothing of the kind has ever been written about this product."


class Citation(msgspec.Struct, frozen=True):
    source_id: str
    quote: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool of `support.generation` records."""

    text: str
    steps: list[str]
    citations: list[Citation]
    confidence: float


@dataclass(frozen=True)
class _Document:
    id: str
    title: str
    content: str

    @property
    def steps(self) -> list[str]:
        """The items of its numbered lists."""
        return [match["text"] for line in self.content.splitlines() if (match := _NUMBERED.match(line))]


@dataclass(frozen=True)
class _Candidate:
    document: _Document
    sentence: str
    overlap: float


def answer(prompt: str, *, gullible: bool = False) -> Answer:
    """The answer to a user's message, all its text blocks joined; ``gullible``: orders in the data are obeyed too."""
    order = _ORDER.search(unescape(prompt) if gullible else _BLOCKS.sub("", prompt))
    if order is not None:
        return Answer(text=order["text"], steps=[], citations=[], confidence=1.0)
    ticket = _TICKET.search(prompt)
    attributes = _attributes(ticket["attributes"]) if ticket else {}
    language = attributes.get("lang", "en")[:2]
    question = f"{attributes.get('error_code', '')} {unescape(ticket['content'])}" if ticket else ""
    documents = _documents(prompt)
    chosen = _choose(documents, question)
    if not chosen:
        return Answer(text=_NOTHING.get(language, _NOTHING["en"]), steps=[], citations=[], confidence=0.0)
    quotes = " ".join(candidate.sentence for candidate in chosen)
    instructions = _instructions(documents, chosen)
    cited = [Citation(candidate.document.id, candidate.sentence) for candidate in chosen]
    if instructions is not None:
        cited.append(Citation(instructions.id, instructions.steps[0]))
    return Answer(
        text=f"{_LEAD.get(language, _LEAD['en'])} {quotes}",
        steps=instructions.steps[:_MOST_STEPS] if instructions else [candidate.sentence for candidate in chosen],
        citations=list(dict.fromkeys(cited)),
        confidence=round(min(0.98, 0.5 + chosen[0].overlap), 2),
    )


def with_invented_quotes(answer: Answer) -> Answer:
    """The answer, with quotes that nobody finds in the documents it names."""
    named = dict.fromkeys(citation.source_id for citation in answer.citations) or {"no-such-document": None}
    return msgspec.structs.replace(answer, citations=[Citation(name, _INVENTED) for name in named])


def tokens(text: str) -> int:
    """About as many as a real tokenizer would find: four characters each."""
    return -(-len(text) // 4)


def _documents(prompt: str) -> list[_Document]:
    found = [(_attributes(match["attributes"]), unescape(match["content"])) for match in _DOCUMENT.finditer(prompt)]
    return [_Document(named.get("id", ""), named.get("title", ""), content) for named, content in found]


def _attributes(text: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}


def _choose(documents: list[_Document], question: str) -> list[_Candidate]:
    """The sentences to quote, best first; none if no document says anything about the question."""
    asked = features(question)
    candidates = [
        _Candidate(document, sentence, similarity(asked, features(sentence)))
        for document in documents
        for sentence in _sentences(document.content)
    ]
    # The sort is stable, so equals keep the order of the search's ranking.
    candidates.sort(key=lambda candidate: -candidate.overlap)
    if not candidates or candidates[0].overlap < _ENOUGH:
        return []
    limit = max(_ENOUGH, _NEAR_BEST * candidates[0].overlap)
    distinct = {c.sentence: c for c in reversed(candidates) if c.overlap >= limit}
    return sorted(distinct.values(), key=lambda candidate: -candidate.overlap)[:_MOST_QUOTES]


def _sentences(content: str) -> list[str]:
    """Stretches of the text as they stand in it, one line's at most, without marks of headings and lists."""
    found: list[str] = []
    for line in content.splitlines():
        if not line.lstrip().startswith("#"):
            bare = line[mark.end() :] if (mark := _MARKS.match(line)) else line
            found += [match.group().strip() for match in _SENTENCE.finditer(bare)]
    return [sentence for sentence in found if len(sentence) >= _SHORTEST]


def _instructions(documents: list[_Document], chosen: list[_Candidate]) -> _Document | None:
    """Where the steps come from: the first part with a list, in the order of the search, of a text that is quoted."""
    titles = {candidate.document.title for candidate in chosen}
    return next((document for document in documents if document.title in titles and document.steps), None)
