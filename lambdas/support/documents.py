"""Documents as they lie in the bucket: what they say about themselves, and their text.

Markdown carries its facts in front matter (``key: value`` lines between ``---``); text and PDF in the object's user
metadata, where names are written with hyphens.
"""

from __future__ import annotations

import io
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from support import typed
from support.knowledge import DocumentFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "kb/"
SUFFIXES: Final = frozenset({".md", ".txt", ".pdf"})
_LANGUAGE_FOLDERS: Final = {"it": "it-IT", "en": "en-US", "de": "de-DE"}
_LISTS: Final = frozenset({"product_type", "product_model", "error_code"})
_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\r?\n(?P<head>.*?)^---[ \t]*\r?\n?", re.DOTALL | re.MULTILINE)


class InvalidDocumentError(Exception):
    """The document cannot be read, or says something about itself that is not allowed."""


class Document(NamedTuple):
    facts: DocumentFacts
    text: str


def is_document(key: str) -> bool:
    """Whether an object of that key belongs to the knowledge base."""
    return key.startswith(PREFIX) and PurePosixPath(key).suffix.lower() in SUFFIXES


def read(key: str, body: bytes, metadata: Mapping[str, str]) -> Document:
    """Raises :class:`InvalidDocumentError` that says what is wrong."""
    suffix = PurePosixPath(key).suffix.lower()
    text = _pdf_text(key, body) if suffix == ".pdf" else _utf8(key, body)
    given = {name.lower().replace("-", "_"): value for name, value in metadata.items()}
    if suffix == ".md":
        head, text = _front_matter(text)
        given |= head
    return Document(_facts(key, given), text)


def _facts(key: str, given: Mapping[str, str]) -> DocumentFacts:
    path = PurePosixPath(key)
    folder = path.parts[1] if len(path.parts) > 2 else ""  # kb/<lang>/<name>
    known: dict[str, object] = {"title": path.stem}
    if folder in _LANGUAGE_FOLDERS:
        known["lang"] = _LANGUAGE_FOLDERS[folder]
    for name in DocumentFacts.__struct_fields__:
        value = given.get(name, "").strip()
        if value:
            known[name] = [part.strip() for part in value.split(",") if part.strip()] if name in _LISTS else value
    try:
        return typed.convert(known, DocumentFacts)
    except msgspec.ValidationError as error:
        raise InvalidDocumentError(f"{key}: {error}") from error


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    pairs = (line.partition(":") for line in found["head"].splitlines() if ":" in line)
    return {name.strip().lower(): value.strip().strip("\"'") for name, _, value in pairs}, text[found.end() :]


def _utf8(key: str, body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocumentError(f"{key}: is not UTF-8") from error


def _pdf_text(key: str, body: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415 - large, and few documents are PDF
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(body)).pages]
    except PyPdfError as error:
        raise InvalidDocumentError(f"{key}: is not a readable PDF") from error
    return "\n\n".join(pages)
