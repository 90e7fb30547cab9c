"""The sign of each kind of box: our own strokes, 24 by 24, drawn in white on the kind's colour."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.diagram.catalogue import Kind


def _path(*commands: str) -> str:
    return f'<path d="{"".join(commands)}"/>'


SIGNS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "alarm": _path("M7 15v-4a5 5 0 0 1 10 0v4l1.5 2h-13z", "M10.5 19.5h3"),
        "api": _path("M8 7l-4 5 4 5", "M16 7l4 5-4 5", "M13.5 6l-3 12"),
        "bucket": _path("M5 7l2 12h10l2-12", "M5 7a7 2.4 0 0 0 14 0a7 2.4 0 0 0-14 0"),
        "bus": _path("M3.5 12h17", "M7 12V6", "M12 12v6", "M17 12V6", "M5.5 7.5L7 6l1.5 1.5", "M15.5 7.5L17 6l1.5 1.5"),
        "cdn": _path(
            "M4.5 12a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0", "M4.5 12h15", "M12 4.5q-5 7.5 0 15", "M12 4.5q5 7.5 0 15"
        ),
        "chart": _path("M5 5v14h14", "M8.5 16v-4", "M12.5 16V8", "M16.5 16v-6"),
        "clock": _path("M4.5 12a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0", "M12 7.5V12l3 2"),
        "deploy": _path("M12 18V6", "M8 10l4-4 4 4", "M5.5 18.5h13"),
        "dns": _path("M5 6h9l4 3-4 3H5z", "M5 5v14"),
        "endpoint": _path("M4 12h7", "M11 8.5a3.5 3.5 0 0 1 0 7z", "M14.5 10.5h3.5", "M14.5 13.5h3.5"),
        "failures": _path("M5 6h14v12H5z", "M9.5 9.5l5 5", "M14.5 9.5l-5 5"),
        "function": _path("M7.5 5h3l6 14h2", "M10.8 11.5L6.5 19"),
        "gateway": _path("M12 4.5v15", "M8.5 8L12 4.5 15.5 8", "M4.5 13v6.5h15V13"),
        "key": _path("M4.5 12a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", "M11.5 12h8", "M16.5 12v3", "M19.5 12v2.5"),
        "logs": _path("M6 4.5h9l3 3v12H6z", "M9 10h6", "M9 13h6", "M9 16h4"),
        "model": _path("M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8z", "M18.5 16v4", "M16.5 18h4"),
        "other": _path("M5 5h14v14H5z"),
        "person": _path("M8.5 8a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", "M5 19.5a7 6.5 0 0 1 14 0"),
        "query": _path(
            "M5 6h10", "M5 10h6", "M5 14h4", "M11.5 14.5a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", "M17.5 17l3 3"
        ),
        "queue": _path("M4 7.5h16v9H4z", "M8 7.5v9", "M12 7.5v9", "M16 7.5v9"),
        "search": _path("M5 10.5a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0", "M14.5 14.5l5 5"),
        "secret": _path("M6 11h12v8.5H6z", "M8.5 11V8.5a3.5 3.5 0 0 1 7 0V11", "M12 14.5v2"),
        "shield": _path("M12 4l7 2.5v5q0 5.5-7 8.5q-7-3-7-8.5v-5z"),
        "table": _path(
            "M5 6.5a7 2.5 0 0 0 14 0a7 2.5 0 0 0-14 0",
            "M5 6.5v11a7 2.5 0 0 0 14 0v-11",
            "M5 12a7 2.5 0 0 0 14 0",
        ),
        "template": _path(
            "M8 5q-2.5 0-2.5 2.5v2q0 2.5-2 2.5q2 0 2 2.5v2Q5.5 19 8 19",
            "M16 5q2.5 0 2.5 2.5v2q0 2.5 2 2.5q-2 0-2 2.5v2q0 2.5-2.5 2.5",
        ),
        "topic": _path("M5 10v4h3l6 4V6L8 10z", "M17 9.5q1.8 2.5 0 5"),
        "trail": _path("M4 12q8-10 16 0q-8 10-16 0z", "M9.7 12a2.3 2.3 0 1 0 4.6 0a2.3 2.3 0 1 0-4.6 0"),
        "users": _path(
            "M6 8.5a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
            "M3.5 18.5a5.5 5.5 0 0 1 11 0",
            "M14.5 6a3 3 0 0 1 0 5.6",
            "M16 14a5.5 5.5 0 0 1 4.5 4.5",
        ),
        "workflow": _path("M9 4.5h6v4H9z", "M4 15.5h6v4H4z", "M14 15.5h6v4h-6z", "M12 8.5v3.5", "M7 15.5V12h10v3.5"),
    }
)
