"""What the SDKs say of a resource type: its class, its inputs, nested blocks too, and its outputs.

Read from the SDK's sources: importing pulumi_aws takes seconds. A test holds what is read here to the SDK itself
(tests/policies/test_pages.py).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROVIDER: Final = "pulumi:providers:"
_PROVIDER_CLASS: Final = "Provider"
_FOLDERS: Final = {"index": "", "lambda": "lambda_"}
"""Module of a type token -> folder of the SDK, where they differ."""
_GETTER: Final = re.compile(
    r'@pulumi\.getter(?:\(name="(?P<name>\w+)"\))?\n'
    r'(?:    @_utilities\.deprecated\("""(?P<deprecated>(?s:.*?))"""\)\n)?'
    r"    def (?P<python>\w+)\(self\) -> (?P<annotation>.*):\n"
)
_CLASS: Final = re.compile(r"^class (\w+)(?:\([\w.]*\))?:$", re.MULTILINE)
_BLOCK: Final = re.compile(r"'(\w+Args)'")


class SdkError(LookupError):
    """There is no such type in the installed SDK."""


class Kind(Enum):
    """What a property holds."""

    VALUE = "value"
    """A scalar, or a list of them; also JSON text."""
    MAP = "map"
    """Keys that the program chooses."""
    BLOCK = "block"
    BLOCKS = "blocks"
    """A list of blocks."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """An input of a resource, or of a block in one."""

    name: str
    """As the provider spells it: ``kmsMasterKeyId``."""
    python: str
    """As the SDK spells it: ``kms_master_key_id``."""
    kind: Kind
    block: str
    """Name of the block's class; empty if it is none."""
    required: bool
    deprecated: str
    """What to use instead, in the SDK's words; empty if it is not deprecated."""


Properties = dict[str, Property]
"""By the provider's name."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A property that is no block, or a block that has nothing in it and says something by being there."""

    path: str
    """As in `policies.values.look_all`: ``origins[].domainName``."""
    deprecated: str
    """Of it, or of a block that it lies in."""


@dataclass(frozen=True, kw_only=True)
class ResourceClass:
    """The SDK's class of a resource type."""

    package: str
    """``aws``."""
    module: str
    """Folder in the package: ``lambda_``; empty for a class of the package itself."""
    name: str
    inputs: Properties
    outputs: Mapping[str, str]
    """The provider's name -> the SDK's."""

    @property
    def path(self) -> str:
        """How a program calls it: ``aws.lambda_.Function``."""
        return ".".join(part for part in (self.package, self.module, self.name) if part)

    @property
    def is_provider(self) -> bool:
        """Whether it is no resource but the provider itself."""
        return self.name == _PROVIDER_CLASS and not self.module

    def block(self, name: str) -> Properties:
        """The properties of a block's class."""
        return _block(self.package, self.module, name)

    def leaves(self) -> Iterator[Leaf]:
        """Every property, those of nested blocks too."""
        yield from self._leaves(self.inputs, "", "", ())

    def _leaves(self, properties: Properties, at: str, deprecated: str, inside: tuple[str, ...]) -> Iterator[Leaf]:
        for each in properties.values():
            path = f"{at}{each.name}"
            said = deprecated or each.deprecated
            block = self.block(each.block) if each.block else {}
            if not block:
                yield Leaf(path=path, deprecated=said)
            # A block may hold itself; once around shows all that it has.
            elif each.block not in inside:
                below = f"{path}[]." if each.kind is Kind.BLOCKS else f"{path}."
                yield from self._leaves(block, below, said, (*inside, each.block))


@functools.cache
def resource_class(type_: str) -> ResourceClass:
    """The SDK's class of a resource type, such as ``aws:sqs/queue:Queue`` or ``pulumi:providers:aws``.

    Raises:
        SdkError: the SDK is not installed, or has no such type.
    """
    if type_.startswith(_PROVIDER):
        package, module, file, name = type_.removeprefix(_PROVIDER), "", "provider", _PROVIDER_CLASS
    else:
        try:
            package, path, name = type_.split(":")
            module, file = path.split("/")
        except ValueError as error:
            raise SdkError(f"{type_} is no type token") from error
        module, file = _FOLDERS.get(module, module), re.sub(r"(?<!^)(?=[A-Z])", "_", file).lower()
    classes = _classes(package, module, f"{file}.py")
    # `InitArgs`, where a block of another resource has taken the name.
    arguments = classes.get(f"{name}Args") or classes.get(f"{name}InitArgs")
    if name not in classes or arguments is None:
        raise SdkError(f"pulumi_{package} has no {type_}")
    return ResourceClass(
        package=package,
        module=module,
        name=name,
        inputs=_properties(arguments),
        outputs={"id": "id", **{each.name: each.python for each in _properties(classes[name]).values()}},
    )


def is_installed(type_: str) -> bool:
    """Whether the SDK of a type's package is at hand."""
    package = type_.removeprefix(_PROVIDER) if type_.startswith(_PROVIDER) else type_.partition(":")[0]
    return find_spec(f"pulumi_{package}") is not None


@functools.cache
def _block(package: str, module: str, name: str) -> Properties:
    return _properties(_classes(package, module, "_inputs.py")[name])


@functools.cache
def _classes(package: str, module: str, file: str) -> Mapping[str, str]:
    """The source of each class in a file of the SDK; nothing if there is no such file."""
    spec = find_spec(f"pulumi_{package}")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).parent / module / file
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    starts = list(_CLASS.finditer(text))
    ends = [*(match.start() for match in starts[1:]), len(text)]
    return {match[1]: text[match.end() : end] for match, end in zip(starts, ends, strict=True)}


def _properties(source: str) -> Properties:
    return {each.name: each for each in map(_property, _GETTER.finditer(source))}


def _property(match: re.Match[str]) -> Property:
    annotation = match["annotation"]
    block = _BLOCK.search(annotation)
    kind = Kind.VALUE
    # Beside text, a class only says how the text may be written.
    if block is not None and "_builtins.str" not in annotation:
        kind = Kind.BLOCKS if "Sequence[" in annotation[: block.start()] else Kind.BLOCK
    elif "Mapping[" in annotation:
        kind = Kind.MAP
    return Property(
        name=match["name"] or match["python"],
        python=match["python"],
        kind=kind,
        block=block[1] if block is not None and kind in {Kind.BLOCK, Kind.BLOCKS} else "",
        required="Optional[" not in annotation,
        deprecated=" ".join((match["deprecated"] or "").split()),
    )
