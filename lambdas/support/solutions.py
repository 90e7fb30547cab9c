"""The solution as the service keeps it; what of it is public is ``contract.SolutionView``."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from support.contract import Citation, Language, ReviewReason, SolutionView

Outcome = Literal["READY", "NEEDS_REVIEW"]


class Source(Struct, frozen=True, kw_only=True):
    """A passage that the answer was written from."""

    id: str
    title: str
    content: str
    similarity: float


class Solution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the solutions table."""

    ticket_id: str
    attempt: int
    """The ticket's attempt that wrote it; only a later one may replace it."""
    outcome: Outcome
    text: str
    """Empty when nothing was written for want of passages."""
    steps: list[str]
    citations: list[Citation]
    """Only those whose quote was found in the passage."""
    confidence: float
    lang: Language
    generated_at: str
    passages: list[Source]
    model_id: str
    ttl: int
    """Epoch seconds; a solution goes with its ticket."""
    review_reason: ReviewReason | None = None
    """Why an operator must look at it."""
    reviewed_by: str | None = None
    """The operator who did."""
    reviewed_at: str | None = None

    def view(self) -> SolutionView:
        """What the ticket's customer may see."""
        return SolutionView(
            ticket_id=self.ticket_id,
            text=self.text,
            steps=self.steps,
            citations=self.citations,
            confidence=self.confidence,
            lang=self.lang,
            generated_at=self.generated_at,
        )

    def rendered(self) -> str:
        """Its text and steps as one text, in the form that a streamed answer has."""
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(self.steps, 1))
        return f"{self.text}\n\n{steps}" if steps else self.text
