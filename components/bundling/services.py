"""Which AWS services own code calls: the models of these are bundled, no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from components.bundling.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.bundling.archive import Entry

_CLIENT: Final = re.compile(rb"""\bclient\(\s*(?:["']([a-z0-9-]+)["']|([A-Za-z_][\w.\[]*))""")
"""``boto3.client("sqs", …)``, ``session.client("sqs")``, ``client("sqs")``; a computed name is the second group."""


def services(sources: Iterable[Entry]) -> tuple[str, ...]:
    """Names of the services for which own code makes clients, sorted; read from the calls themselves.

    Raises:
        BundleError: a client's service is not written out, so its model could not be bundled.
    """
    found: set[str] = set()
    for entry in sources:
        if not entry.name.endswith(".py"):
            continue
        for match in _CLIENT.finditer(entry.content):
            if match[1] is None:
                line = entry.content.count(b"\n", 0, match.start()) + 1
                if _is_definition(entry.content, match.start()):
                    continue
                raise BundleError(
                    f"{entry.name}:{line}: the service of this client is not a literal, "
                    "so bundling cannot tell which model to pack",
                    'Write the service\'s name in the call: client("dynamodb").',
                )
            found.add(match[1].decode())
    return tuple(sorted(found))


def _is_definition(content: bytes, start: int) -> bool:
    return content[:start].rstrip().endswith(b"def")
