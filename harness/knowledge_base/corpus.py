"""Reads and checks the example documents and the labelled questions."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from harness.errors import HarnessError
from support import typed
from support.contract import DocType, ErrorCode, KbFilters, Language, Model, ProductType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE: Final = Path(__file__).parent
DOCUMENTS: Final = HERE / "documents"
QUESTIONS: Final = HERE / "questions.json"
HELD_OUT_DIGEST: Final = HERE / "held_out.sha256"

Split = Literal["tuning", "held_out"]
Kind = Literal["exact", "paraphrase", "cross_language", "mixed"]
"""``exact``: a code, part number or parameter. ``paraphrase``: the document's language, other words.
``cross_language``: no relevant document is in the question's language. ``mixed``: its words, misspelt or inflected."""

_KEY_PREFIX: Final = "kb/"
_SUFFIX: Final = ".md"
_FENCE: Final = "---"
_LISTS: Final = frozenset({"product_model", "error_code"})


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Markdown file and what its front matter says."""

    name: Annotated[str, Meta(pattern=r"^(it|en|de)/[a-z0-9-]+\Z")]
    """Path below ``documents/`` without suffix, such as ``it/colonnina-e042``; what ``Question.relevant`` names."""
    title: Annotated[str, Meta(min_length=1)]
    lang: Language
    product_type: ProductType
    product_model: Annotated[tuple[Model, ...], Meta(min_length=1)]
    error_code: tuple[ErrorCode, ...] = ()
    doc_type: DocType
    text: str
    """The whole file, front matter included, as it is uploaded."""
    body: str
    """The file without its front matter."""

    @property
    def key(self) -> str:
        """Where the document lies in the bucket: ``kb/it/colonnina-e042.md``."""
        return f"{_KEY_PREFIX}{self.name}{_SUFFIX}"


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer or an operator typed, and the documents that answer it."""

    id: Annotated[str, Meta(pattern=r"^[a-z]{2}-[a-z]+-[a-z_]+-[0-9]+\Z")]
    split: Split
    kind: Kind
    lang: Language
    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    filters: KbFilters = KbFilters()
    relevant: Annotated[tuple[str, ...], Meta(min_length=1, max_length=3)]
    """Names of documents."""

    @property
    def group(self) -> str:
        """Questions of one language, product type and kind: the id without its number."""
        return self.id.rpartition("-")[0]


def documents(folder: Path = DOCUMENTS) -> tuple[Document, ...]:
    """All documents, by name.

    Raises:
        HarnessError: Naming every file that is not as it should be, and why.
    """
    found: list[Document] = []
    problems: list[str] = []
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            found.append(parse(name, path.read_text("utf-8")))
        except ValueError as error:
            problems.append(f"{name}{_SUFFIX}: {error}")
    problems += _repeated("title", (document.title for document in found))
    if not found and not problems:
        problems.append("no documents")
    _refuse(folder, problems)
    return tuple(found)


def questions(
    split: Split | None = None, *, file: Path = QUESTIONS, corpus: Sequence[Document] | None = None
) -> tuple[Question, ...]:
    """The labelled questions in the file's order; those of one ``split`` if it is given.

    Args:
        split: ``tuning`` to choose by, ``held_out`` to report with.
        file: A JSON list of questions.
        corpus: The documents they may name; by default the example documents.

    Raises:
        HarnessError: Naming every question that is not as it should be, and why.
    """
    try:
        found = typed.decode(file.read_bytes(), tuple[Question, ...])
    except msgspec.DecodeError as error:
        _refuse(file, [str(error)])
        raise
    by_name = {document.name: document for document in (documents() if corpus is None else corpus)}
    problems = _repeated("id", (question.id for question in found))
    for question in found:
        for name in question.relevant:
            if name not in by_name:
                problems.append(f"{question.id}: no document {name}")
            elif not admits(question.filters, by_name[name]):
                problems.append(f"{question.id}: its filters exclude {name}, which it calls relevant")
    _refuse(file, problems)
    return tuple(question for question in found if split in {None, question.split})


def parse(name: str, text: str) -> Document:
    """A document from its file's text.

    Front matter is ``key: value`` lines between two ``---`` lines, not YAML: a value may hold colons, and the values of
    ``product_model`` and ``error_code`` may be lists separated by commas.

    Raises:
        ValueError: Saying what is missing, unknown or malformed.
    """
    opening, *lines = text.split("\n")
    if opening != _FENCE or _FENCE not in lines:
        raise ValueError(f"front matter must stand between two lines {_FENCE}")
    end = lines.index(_FENCE)
    fields: dict[str, str | list[str]] = {}
    for line in lines[:end]:
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not value:
            raise ValueError(f"front matter line is not `key: value`: {line!r}")
        if key in {"name", "text", "body"} or key in fields:
            raise ValueError(f"front matter must not give {key!r}" + (" twice" if key in fields else ""))
        fields[key] = [part.strip() for part in value.split(",")] if key in _LISTS else value
    body = "\n".join(lines[end + 1 :]).strip()
    document = typed.convert({**fields, "name": name, "text": text, "body": body}, Document)
    if not document.lang.startswith(name.partition("/")[0]):
        raise ValueError(f"is {document.lang}, but lies in the folder of another language")
    return document


def document_name(source_key: str) -> str:
    """The document that an object of the bucket holds: ``kb/it/x.md`` is ``it/x``.

    Raises:
        ValueError: If the key is not one that `Document.key` gives.
    """
    if not (source_key.startswith(_KEY_PREFIX) and source_key.endswith(_SUFFIX)):
        raise ValueError(f"not the key of an example document: {source_key}")
    return source_key.removeprefix(_KEY_PREFIX).removesuffix(_SUFFIX)


def admits(filters: KbFilters, document: Document) -> bool:
    """Whether a search with these filters may find the document."""
    return all(
        allowed is msgspec.UNSET or not present.isdisjoint({allowed} if isinstance(allowed, str) else allowed)
        for allowed, present in (
            (filters.product_model, set(document.product_model)),
            (filters.error_code, set(document.error_code)),
            (filters.doc_type, {document.doc_type}),
        )
    )


def split_of(question: Question, every: Iterable[Question]) -> Split:
    """The split by rule: in each group the id with the lowest SHA-256 is held out.

    It looks at ids alone, so nobody could choose questions that suit them, and each group gives exactly one.
    """
    group = (other.id for other in every if other.group == question.group)
    return "held_out" if question.id == min(group, key=_id_digest) else "tuning"


def held_out_digest(file: Path = QUESTIONS) -> str:
    """SHA-256, in hex, of the held-out questions as the file has them: wording, filters and labels, in order of id.

    Read without our types, so that a change of those cannot change it.
    """
    held_out = [row for row in json.loads(file.read_text("utf-8")) if row["split"] == "held_out"]
    held_out.sort(key=lambda row: str(row["id"]))
    text = json.dumps(held_out, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _id_digest(question_id: str) -> str:
    return hashlib.sha256(question_id.encode()).hexdigest()


def _repeated(what: str, values: Iterable[str]) -> list[str]:
    return [f"{what} given {count} times: {value}" for value, count in Counter(values).items() if count > 1]


def _refuse(place: Path, problems: Sequence[str]) -> None:
    if problems:
        raise HarnessError(
            f"The knowledge base in {place.name} is not as it should be:\n  " + "\n  ".join(problems),
            "Correct these files, or restore them with `git checkout harness/knowledge_base`.",
        )
