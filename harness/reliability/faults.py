"""What can become of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.reliability.calls import DENIED, FAILING, THROTTLED, UNKNOWN, Killed

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.reliability.calls import Passing

HOUR: Final = 3600.0
SLOW: Final = 25.0
"""Seconds: nearly all that a function behind the API has."""


class Fault(NamedTuple):
    name: str
    meaning: str
    bend: Callable[[Passing], Any]
    lasts: float = 0.0
    """Seconds from the first call that meets it; 0 for that call alone."""
    of_ours: bool = False
    """Whether it befalls a function of ours, and so no call that AWS makes for itself."""


def _answer(code: str) -> Callable[[Passing], Any]:
    def bend(call: Passing) -> Any:
        raise call.fail(code)

    return bend


def _time_out_before(call: Passing) -> Any:
    raise call.time_out()


def _time_out_after(call: Passing) -> Any:
    call.effect()
    raise call.time_out()


def _slow(call: Passing) -> Any:
    call.clock.advance(SLOW)
    return call.effect()


def _twice(call: Passing) -> Any:
    try:
        call.effect()
    except Exception:  # noqa: BLE001 - its answer is what was lost
        call.clock.advance(1)
    return call.effect()


def _crash_before(_: Passing) -> Any:
    raise Killed


def _crash_after(call: Passing) -> Any:
    call.effect()
    raise Killed


def _twin_before(call: Passing) -> Any:
    call.twin()
    return call.effect()


def _twin_after(call: Passing) -> Any:
    answer = call.effect()
    call.twin()
    return answer


CRASH_BEFORE: Final = Fault("crash before", "the function dies before the call has its effect", _crash_before)
CRASH_AFTER: Final = Fault("crash after", "the function dies when the call has had its effect", _crash_after)
FAULTS: Final = (
    Fault("denied", "one answer: permanent error", _answer(DENIED)),
    Fault("denied 1 h", "an hour of permanent errors", _answer(DENIED), lasts=HOUR),
    Fault("failing", "one answer: error worth a retry", _answer(FAILING)),
    Fault("down 1 h", "an hour of errors worth a retry", _answer(FAILING), lasts=HOUR),
    Fault("throttled 5 min", "five minutes of throttling", _answer(THROTTLED), lasts=300),
    Fault("unknown", "one answer: an error that no table knows", _answer(UNKNOWN)),
    Fault("slow", f"its effect and its answer after {SLOW:.0f} s", _slow),
    Fault("time-out before", "no answer and no effect", _time_out_before),
    Fault("time-out after", "no answer, but the effect", _time_out_after),
    Fault("sent twice", "the effect twice, for the first answer was lost on its way to the SDK", _twice),
    CRASH_BEFORE,
    CRASH_AFTER,
    Fault("twin before", "another run of the same event begins and ends before the call", _twin_before, of_ours=True),
    Fault("twin after", "another run of the same event begins and ends after the call", _twin_after, of_ours=True),
)
BY_NAME: Final = {fault.name: fault for fault in FAULTS}
