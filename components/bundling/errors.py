"""The one error of bundling."""

from __future__ import annotations


class BundleError(Exception):
    """An archive cannot be made or would be refused by Lambda.

    Args:
        message: What is wrong, naming the archive or the file and line.
        mend: What to do about it, as an instruction.
    """

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message, mend)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n{self.mend}"
