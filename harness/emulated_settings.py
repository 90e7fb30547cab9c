"""A deployed stack's settings on this machine: all of them, but for those that the emulator cannot take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from components.settings import HOST
from harness import stack_file

if TYPE_CHECKING:
    from pathlib import Path

LOCAL: Final = "local"


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A setting that is another one here."""

    key: str
    """``functions.runtime``."""
    theirs: object
    """What the stack file says, or its default."""
    here: object
    why: str


def replaced(root: Path, stack: str) -> tuple[Replaced, ...]:
    """The settings of ``stack`` that are not taken over; none for the stack that is made for this machine.

    Raises:
        HarnessError: there is no such stack, or its settings are wrong.
    """
    if stack == LOCAL:
        return ()
    theirs, ours = stack_file.read(root, stack), stack_file.read(root, LOCAL)
    found = (
        Replaced(key="account_id", theirs=theirs.account_id, here=ours.account_id, why="the emulator has one account"),
        Replaced(
            key="functions.runtime",
            theirs=theirs.functions.runtime,
            here=HOST,
            why="functions run on this machine's Python",
        ),
        Replaced(
            key="functions.architecture",
            theirs=theirs.functions.architecture,
            here=HOST,
            why="functions run on this machine's processor",
        ),
        Replaced(
            key="identity.password_sign_in",
            theirs=theirs.identity.password_sign_in,
            here=True,
            why="the harness signs its users in by password",
        ),
        Replaced(
            key="models.min_passage_score",
            theirs=theirs.models.min_passage_score,
            here=ours.models.min_passage_score,
            why="the stand-in's embeddings lie further apart than the model's",
        ),
        Replaced(
            key="alarms.subscriptions",
            theirs=dict(theirs.alarms.subscriptions),
            here={},
            why="nothing is sent from here to anybody",
        ),
    )
    return tuple(one for one in found if one.theirs != one.here)
