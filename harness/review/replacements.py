"""Whether a change of a property replaces its resource, and who says so: never a guess, else it is unknown."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.provider.calls import ProviderError
from harness.provider.registry import resource_type
from harness.provider.resource import REGION_SOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.provider.resource import ResourceType
    from harness.review.planned import Planned

UNKNOWN: Final = "unknown"
"""For a replacement whose source is not known, and for a change of which nobody says whether it replaces."""
Judge = Literal["local", "official"]
"""Who made the preview: our provider, whose tables are all it knows, or the official one, which knows its schema."""

_FORCES: Final = re.compile(
    r"forces? (?:a )?(?:new resource|replacement|recreation)|(?:forces?|requires?|causes?|triggers?) the \S+ to be "
    r"(?:re-?created|replaced)|chang\w+ (?:this|it)\b[^.]*\b(?:re-?creat\w+|replac\w+|destroy\w*)|"
    r"cannot be (?:changed|modified|updated) after",
    re.IGNORECASE,
)

_PARAMETER: Final = re.compile(r"^\s*:param .*?(?<= )(\w+): (.*?)(?=^\s*:param |^\s*\"\"\")", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of one changed property."""

    replaces: bool | None
    """None: unknown."""
    source: str
    """Who says so; empty for a change in place by a table or a plan, :data:`UNKNOWN` where nobody does."""


def verdict(planned: Planned, path: str, judge: Judge) -> Verdict:
    """What is known of the change at ``path``."""
    name = top(path)
    told = planned.detailed.get(path)
    if _replaces(planned, path, told):
        return Verdict(replaces=True, source=source(planned, name) or UNKNOWN)
    known = _known(planned.type)
    in_table = known is not None and (name in known.properties or name == "region")
    if in_table or (judge == "official" and told is not None):
        return Verdict(replaces=False, source="")
    return Verdict(replaces=None, source=UNKNOWN)


def source(planned: Planned, name: str) -> str:
    """What says that a change of ``name`` replaces this resource: a table's source, else the SDK's own words."""
    if name == "region":
        return REGION_SOURCE
    if name == "provider":
        return "Pulumi: the resource's provider is replaced"
    known = _known(planned.type)
    if known is not None and planned.old is not None and planned.new is not None:
        old, new = planned.old.inputs, planned.new.inputs
        if said := known.replaces(name, old.get(name), new.get(name), new):
            return said
    return documented(planned.type).get(name, "")


@functools.cache
def documented(type_: str) -> Mapping[str, str]:
    """Property -> what the SDK's documentation says of its replacing the resource, with where it says so."""
    file = _sdk_file(type_)
    if file is None:
        return {}
    version = metadata.version("pulumi_aws")
    package, _, class_name = type_.rpartition(":")
    where = f"pulumi_aws {version}, {package.split(':')[1].split('/')[0]}.{class_name}"
    # The constructor's documentation comes first; the state's says the same again.
    found: dict[str, str] = {}
    for name, text in _PARAMETER.findall(file):
        sentence = next(
            (part for part in re.split(r"(?<=[.;])\s+", " ".join(text.split())) if _FORCES.search(part)), ""
        )
        if sentence:
            found.setdefault(_camel(name), f'{where}.{name}: "{sentence}"')
    return found


def top(path: str) -> str:
    """The property that a path lies in."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _replaces(planned: Planned, path: str, told: str | None) -> bool:
    if told is not None:
        return told.endswith("-replace")
    return planned.operation == "replace" and top(path) in {top(forcing) for forcing in planned.forcing}


@functools.cache
def _known(type_: str) -> ResourceType | None:
    try:
        return resource_type(type_)
    except ProviderError:
        return None


def _sdk_file(type_: str) -> str | None:
    """The SDK's module of a type. Read, not imported: importing pulumi_aws takes seconds."""
    spec = find_spec("pulumi_aws")
    parts = type_.split(":")
    if spec is None or spec.origin is None or len(parts) != 3 or parts[0] != "aws" or "/" not in parts[1]:
        return None
    module, name = parts[1].split("/")
    folder = {"lambda": "lambda_"}.get(module, module)
    file = Path(spec.origin).parent / folder / f"{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}.py"
    return file.read_text() if file.exists() else None


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def properties(planned: Planned) -> dict[str, str]:
    """Path -> add, update or delete, of all that differs; by its name alone where the plan tells no more."""
    if planned.detailed:
        return {path: kind.removesuffix("-replace") for path, kind in sorted(planned.detailed.items())}
    names = dict.fromkeys((*planned.changed, *planned.forcing))
    return {name: _change(planned, name) for name in sorted(names)}


def _change(planned: Planned, name: str) -> str:
    old: Any = planned.old.inputs.get(name) if planned.old else None
    new: Any = planned.new.inputs.get(name) if planned.new else None
    return "add" if old is None else "delete" if new is None else "update"
