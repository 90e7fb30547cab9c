"""Errors in the form that Lambda takes them: a type, and a JSON document like that of the managed Python runtime."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = str(Path(__file__).parent)
_LONGEST_MESSAGE: Final = 4_096
"""Characters. The document travels in a trailer, and headers have limits."""
_MOST_FRAMES: Final = 30


class RuntimeFault(Exception):  # noqa: N818 - the base of errors that have names of their own
    """What this runtime refuses itself; Lambda is told the type ``Runtime.<name of the class>``."""


@dataclass(frozen=True)
class Failure:
    """An error on its way to Lambda."""

    type: str
    """``category.reason``, as the Runtime API recommends: ``Runtime.…``, or ``Function.…`` for what the handler raised.
    Printable ASCII, for it is sent as a header."""
    document: bytes
    """JSON: ``errorMessage``, ``errorType``, ``requestId``, ``stackTrace``."""


def failure(error: BaseException, request_id: str = "") -> Failure:
    """What Lambda is told of ``error``: its message cut at 4,096 characters, its trace at the 30 innermost frames."""
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    # The handler's own frames: how this runtime came to call it helps nobody.
    own = [frame for frame in frames if not frame.filename.startswith((_HERE, "<frozen "))]
    document = {
        "errorMessage": str(error)[:_LONGEST_MESSAGE],
        "errorType": name,
        "requestId": request_id,
        "stackTrace": traceback.StackSummary.from_list(own[-_MOST_FRAMES:]).format(),
    }
    ours = type(error).__module__.partition(".")[0] == __package__
    category = "Runtime" if ours else "Function"
    printable = "".join(letter if " " < letter <= "~" else "?" for letter in name)
    return Failure(f"{category}.{printable}", json.dumps(document).encode())
