"""The example knowledge base as it is in the repository, read once, and a document to make bad copies of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import knowledge_base

if TYPE_CHECKING:
    from harness.knowledge_base import Document, Question


@pytest.fixture(scope="session")
def documents() -> tuple[Document, ...]:
    return knowledge_base.documents()


@pytest.fixture(scope="session")
def by_name(documents: tuple[Document, ...]) -> dict[str, Document]:
    return {document.name: document for document in documents}


@pytest.fixture(scope="session")
def questions() -> tuple[Question, ...]:
    return knowledge_base.questions()


@pytest.fixture
def text() -> str:
    """A small document that is as it should be, for ``it/prova``."""
    return """---
title: Voltera AC22: prova
lang: it-IT
product_type: EV_CHARGER
product_model: Voltera AC22, Voltera AC22 Duo
error_code: E042, E043
doc_type: manual
---
# Prova

Un testo.
"""
