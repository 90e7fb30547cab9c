"""What the client raises, as users of the command line are told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_support_client import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ThrottledError,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from energy_support_client import EnergySupportError

_LOG: Final = "The emulator's log says why: `harness status` tells where it is."
_MENDS: Final = (
    (InvalidRequestError, "Correct what was sent."),
    (ForbiddenError, "Call as somebody who may: --as and --customer say who calls."),
    (NotFoundError, "Check the id, `harness ticket create` prints it, and whose ticket it is: --as and --customer."),
    (ConflictError, "`harness ticket show` tells how the ticket stands."),
    (ThrottledError, "Wait a moment; Pulumi.local.yaml says how much is let through."),
)
"""Kind of a refusal -> what the caller can do about it."""


def told(error: EnergySupportError) -> HarnessError:
    """The error, with what to do about it."""
    if not isinstance(error, ApiError):
        return HarnessError(
            f"The local stack does not answer as it should: {error}",
            "See `harness status`; `harness up` mends what is not as the program says.",
        )
    faults = error.errors if isinstance(error, InvalidRequestError) else ()
    message = "\n".join([f"The API answered {error}", *(f"  {fault.path}: {fault.message}" for fault in faults)])
    return HarnessError(message, next((mend for kind, mend in _MENDS if isinstance(error, kind)), _LOG))
