"""A rule's example as a Pulumi program in Python that people can paste."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from harness.judging.sdk import Kind, resource_class
from policies.rule import Ref

if TYPE_CHECKING:
    from harness.judging.sdk import Properties, Property, ResourceClass
    from policies.rule import Example, Given

_WIDTH: Final = 100
_INDENT: Final = 4
_TAKEN: Final = frozenset({"json", "pulumi", "aws", "random"})


class ExampleError(ValueError):
    """An example cannot be written as a program: it uses what the SDK has not."""


@dataclass(frozen=True)
class _Words:
    """Code that fits on a line."""

    text: str


@dataclass(frozen=True)
class _Group:
    """Code between brackets: on one line where it fits, else one item a line."""

    start: str
    items: tuple[tuple[str, _Code], ...]
    """What stands before each item, such as ``"name": ``, and the item."""
    end: str


_Code = _Words | _Group


def program(example: Example) -> str:
    """The code of an example, imports and all.

    Raises:
        ExampleError: it has a property that the SDK has not, or resources that refer to one another in a circle.
    """
    given = {each.name: each for each in example}
    variables = {name: _variable(name) for name in given}
    if len(set(variables.values())) < len(given):
        raise ExampleError(f"two resources have the same variable: {', '.join(variables.values())}")
    referred = {name for each in example for name in _referred(each.inputs)}
    parts = [_lines(_resource(given[name], variables, given, named=name in referred), 0) for name in _in_order(given)]
    code = "\n\n".join("\n".join(part) for part in parts)
    return f"{_imports(example, code)}\n\n{code}\n"


def _imports(example: Example, code: str) -> str:
    packages = sorted({resource_class(each.type).package for each in example})
    standard = ["import json\n"] if re.search(r"(?<![\w.])json\.", code) else []
    own = ["import pulumi"] if re.search(r"(?<![\w.])pulumi\.", code) else []
    return "\n".join([*standard, *own, *(f"import pulumi_{package} as {package}" for package in packages)])


def _in_order(given: Mapping[str, Given]) -> list[str]:
    """The resources' names, what is referred to first, else as they are given."""
    sorter = TopologicalSorter({name: sorted(_referred(each.inputs)) for name, each in given.items()})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        raise ExampleError(f"resources refer to one another: {error.args[1]}") from error
    unknown = [name for name in order if name not in given]
    if unknown:
        raise ExampleError(f"an example refers to {', '.join(unknown)}, which it has not")
    return order


def _referred(value: object) -> set[str]:
    if isinstance(value, Ref):
        return {value.resource}
    if isinstance(value, Mapping):
        return {name for each in value.values() for name in _referred(each)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {name for each in value for name in _referred(each)}
    return set()


def _variable(name: str) -> str:
    variable = re.sub(r"\W", "_", name).lower()
    return f"{variable}_" if keyword.iskeyword(variable) or variable in _TAKEN else variable


def _resource(given: Given, variables: Mapping[str, str], all_: Mapping[str, Given], *, named: bool) -> _Code:
    class_ = resource_class(given.type)
    writer = _Writer(class_, variables, all_)
    arguments = [("", _text(given.name))]
    for name, value in given.inputs.items():
        if value is not None:
            known = _known(class_.inputs, name, given.type)
            arguments.append((f"{known.python}=", writer.value(known, value, given.type)))
    if given.protect:
        arguments.append(("opts=", _Words("pulumi.ResourceOptions(protect=True)")))
    variable = f"{variables[given.name]} = " if named else ""
    return _Group(f"{variable}{class_.path}(", tuple(arguments), ")")


def _known(properties: Properties, name: str, where: str) -> Property:
    if name not in properties:
        raise ExampleError(f"{where} has no property {name}")
    return properties[name]


@dataclass(frozen=True)
class _Writer:
    class_: ResourceClass
    variables: Mapping[str, str]
    given: Mapping[str, Given]

    def value(self, known: Property, value: object, where: str) -> _Code:
        """A property's value as the SDK takes it."""
        where = f"{where} {known.name}"
        if isinstance(value, Ref):
            return self._output(value)
        if known.kind in {Kind.BLOCK, Kind.BLOCKS}:
            return self._blocks(known, value, where)
        if known.kind is Kind.MAP:
            return self.plain(value)
        document = _document(value)
        if document is None:
            return self.plain(value)
        # An output in it is not known until there is one.
        dumps = "pulumi.Output.json_dumps" if _referred(document) else "json.dumps"
        return _Group(f"{dumps}(", (("", self.plain(document)),), ")")

    def _blocks(self, known: Property, value: object, where: str) -> _Code:
        # A provider's own settings arrive as text.
        blocks = json.loads(value) if isinstance(value, str) else value
        many = list(blocks) if isinstance(blocks, Sequence) else [blocks]
        if known.kind is Kind.BLOCKS:
            return _Group("[", tuple(("", self._block(known, each, where)) for each in many), "]")
        if len(many) != 1:
            raise ExampleError(f"{where} is one block, not {len(many)}")
        return self._block(known, many[0], where)

    def _block(self, known: Property, value: object, where: str) -> _Code:
        if not isinstance(value, Mapping):
            raise ExampleError(f"{where} is a block, not {value}")
        properties = self.class_.block(known.block)
        items = ((_known(properties, name, where), each, where) for name, each in value.items() if each is not None)
        if self.class_.is_provider:
            # The SDK keeps a dictionary's keys as they are there.
            start = f"{self.class_.package}.{known.block}("
            return _Group(start, tuple((f"{each[0].python}=", self.value(*each)) for each in items), ")")
        return _Group("{", tuple((f'"{each[0].python}": ', self.value(*each)) for each in items), "}")

    def plain(self, value: object) -> _Code:
        """A value with keys as they are."""
        if isinstance(value, Ref):
            return self._output(value)
        if isinstance(value, Mapping):
            items = tuple((f"{_quoted(str(key))}: ", self.plain(each)) for key, each in value.items())
            return _Group("{", items, "}")
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, Sequence):
            return _Group("[", tuple(("", self.plain(each)) for each in value), "]")
        return _Words(repr(value))

    def _output(self, ref: Ref) -> _Code:
        outputs = resource_class(self.given[ref.resource].type).outputs
        if ref.output not in outputs:
            raise ExampleError(f"{self.given[ref.resource].type} has no output {ref.output}")
        return _Words(f"{self.variables[ref.resource]}.{outputs[ref.output]}")


def _document(value: object) -> Mapping[str, object] | None:
    """The object that JSON text holds, or that is given in place of the text; None if it is neither."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(value)
    except ValueError:
        return None
    return document if isinstance(document, dict) and document else None


def _text(value: str) -> _Code:
    return _Words(_quoted(value))


def _quoted(value: str) -> str:
    # JSON's escapes are Python's too.
    return json.dumps(value, ensure_ascii=False)


def _lines(code: _Code, indent: int, before: str = "", after: str = "") -> list[str]:
    """Code laid out as the formatters do, ``before`` and ``after`` on its first and last line."""
    line = f"{' ' * indent}{before}{_flat(code)}{after}"
    if isinstance(code, _Words) or not code.items or len(line) <= _WIDTH:
        return [line]
    # Brackets of a call stay with those of its only argument.
    if len(code.items) == 1 and not code.items[0][0] and isinstance(code.items[0][1], _Group):
        return _lines(code.items[0][1], indent, f"{before}{code.start}", f"{code.end}{after}")
    return [
        f"{' ' * indent}{before}{code.start}",
        *(line for prefix, item in code.items for line in _lines(item, indent + _INDENT, prefix, ",")),
        f"{' ' * indent}{code.end}{after}",
    ]


def _flat(code: _Code) -> str:
    if isinstance(code, _Words):
        return code.text
    return f"{code.start}{', '.join(f'{prefix}{_flat(item)}' for prefix, item in code.items)}{code.end}"
