"""Text that looks like a secret. What it is called says as much as what it holds; the text itself is never told on."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

_SHAPES: Final = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{36,})")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}")),
    ("a signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    ("an address with a password", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@")),
)
"""What it is, and how it looks wherever it stands."""
_AWS_SECRET_KEY: Final = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_RANDOM: Final = 4.3
"""Bits of entropy for each character, above what 40 characters of a name or of hexadecimal digits have."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PASSWORDS: Final = frozenset({"PASSWORD", "PASSWD", "PASSPHRASE", "PWD"})
_SECRETS: Final = frozenset({"SECRET", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY", *_PASSWORDS})
_SECRET_KEYS: Final = frozenset({"API", "ACCESS", "PRIVATE", "SIGNING", "ENCRYPTION", "AUTH"})
"""Before KEY."""
_REFERENCES: Final = frozenset(
    {
        *("ARN", "ID", "NAME", "PATH", "FILE", "URL", "URI", "ENDPOINT", "HOST", "TABLE", "BUCKET", "QUEUE", "TOPIC"),
        *("PARAMETER", "PARAM", "PREFIX", "ALIAS", "VERSION", "HEADER", "TYPE", "ALGORITHM", "AUDIENCE", "ISSUER"),
        *("SECONDS", "MINUTES", "HOURS", "DAYS", "TTL", "EXPIRY", "LENGTH", "COUNT", "LIMIT", "MAX", "ENABLED"),
    }
)
"""Last words of names that tell where a secret is, or how it is, and not what it is."""
_NAME_OF_SECRET: Final = re.compile(r"arn:.*|(?=.*[/-])/?[A-Za-z][a-z]*(?:[-_./][A-Za-z]*[a-z]+|[-_./]\d{1,4})+")
"""An ARN, or words and short numbers with something between: how people call a secret, not how one looks."""
_PATH_OR_ARN: Final = re.compile(r"arn:.*|/[\w./-]+|\{\{resolve:.*\}\}")


def secret_in(name: str, text: str) -> str | None:
    """What a secret in ``text`` is, as a noun; None if there is none.

    Args:
        name: what the text is called, such as an environment variable's name.
        text: its value.
    """
    for noun, shape in _SHAPES:
        if shape.search(text):
            return noun
    if any(_is_random(match[0]) for match in _AWS_SECRET_KEY.finditer(text)):
        return "an AWS secret access key"
    return _by_name([word.upper() for word in _WORD.findall(name)], text.strip())


def _by_name(words: list[str], text: str) -> str | None:
    if not text or not words or words[-1] in _REFERENCES or text.lower() in {"true", "false"}:
        return None
    if _PASSWORDS & set(words):
        return None if _PATH_OR_ARN.fullmatch(text) else "a password"
    key = words[-1] in {"KEY", "KEYS"} and _SECRET_KEYS & set(words)
    if (key or _SECRETS & set(words)) and not _NAME_OF_SECRET.fullmatch(text) and not text.isdecimal():
        return None if _PATH_OR_ARN.fullmatch(text) else "a secret"
    return None


def _is_random(text: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(kind(each) for each in text) for kind in kinds) and _entropy(text) > _RANDOM


def _entropy(text: str) -> float:
    """Bits for each character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
