"""Example documents to answer tickets from, and labelled questions to measure search with.

Everything in them is invented: manufacturer, models, codes and part numbers. The questions were split by a rule that
knows only their ids (`corpus.split_of`), before anyone tuned anything; tune on ``tuning``, report on ``held_out``.
"""

from harness.knowledge_base.corpus import (
    Document,
    Kind,
    Question,
    Split,
    admits,
    document_name,
    documents,
    held_out_digest,
    questions,
    split_of,
)

__all__ = [
    "Document",
    "Kind",
    "Question",
    "Split",
    "admits",
    "document_name",
    "documents",
    "held_out_digest",
    "questions",
    "split_of",
]
