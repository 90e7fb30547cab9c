"""In place of the language model, the knowledge base, the event bus and the topic: what they say is set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from support.contract import PassageMetadata
from support.generation import Draft, Quote
from support.knowledge import Passage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.tickets import Ticket

Mood = Literal["grounded", "invented"]
QUOTE: Final = "Switch the charger off and on again."
_PASSAGE: Final = Passage(
    id="doc-0000",
    title="WB-22 manual",
    content=f"E102 means that the residual current monitor has tripped. {QUOTE}",
    snippet="",
    score=0.9,
    similarity=0.8,
    metadata=PassageMetadata(
        product_model=["WB-22"], error_code=["E102"], doc_type="manual", lang="en-US", source_key="kb/en/wb-22.md"
    ),
)


class Writer:
    """A language model: it answers from the passages, or, when it is in the mood, from nowhere."""

    model_id = "model"

    def __init__(self) -> None:
        self.mood: Mood = "grounded"
        self.written = 0

    def write(self, ticket: Ticket, passages: Sequence[Passage], /) -> Draft:
        self.written += 1
        quote = QUOTE if self.mood == "grounded" else "The main board must be replaced."
        return Draft(
            # Never the same twice: a solution that is written again is seen.
            text=f"Answer {self.written} to {ticket.ticket_id}.",
            steps=["Switch it off.", "Switch it on."],
            citations=[Quote(source_id=passages[0].id, quote=quote)],
            confidence=0.8,
        )


class Passages:
    """A search that finds the same passage always."""

    def search(self, *_: object, **__: object) -> list[Passage]:
        return [_PASSAGE]


class Embedder:
    def embed(self, _: str) -> list[float]:
        return [1.0]


class Bus:
    """The part of an EventBridge client that the services use: it keeps what is published."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.refusals = 0
        """Entries that it will refuse, from the next one on."""

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        answers = [self._take(entry) for entry in Entries]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _take(self, entry: dict[str, Any]) -> dict[str, str]:
        if self.refusals:
            self.refusals -= 1
            return {"ErrorCode": "ThrottlingException", "ErrorMessage": "a fault"}
        self.entries.append(entry)
        return {"EventId": str(len(self.entries))}


class Topic:
    """The part of an SNS client that the services use: it keeps what is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def publish(self, **notice: Any) -> dict[str, Any]:
        self.told.append(notice)
        return {"MessageId": str(len(self.told))}
