"""The one error that a user of the harness is meant to see."""

from __future__ import annotations


class HarnessError(Exception):
    """Something the user can understand and mend; the command line prints it without a traceback.

    Args:
        message: What went wrong and why, in one or a few lines; no full stop needed.
        mend: What to do about it, as an instruction.
    """

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message, mend)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n{self.mend}"
