"""The examples of all rules in one stack, so that one preview judges them all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

import pulumi

from policies.rule import Given, Ref
from policies.stack import IDENTITIES

if TYPE_CHECKING:
    from policies.rule import Example

_PROVIDER: Final = "pulumi:providers:"
_BETWEEN: Final = "--"


def apart(label: str, example: Example) -> Example:
    """An example whose resources can stand beside other examples': no name is the same in the program or at AWS.

    Args:
        label: of letters, digits and hyphens; the program's names begin with it, AWS's end with it.
        example: any.
    """
    names = {name for each in example for name in _names(each)}
    pattern = re.compile(
        r"(?<![\w-])(" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")(?![\w-])"
    )

    def renamed(value: object) -> object:
        if isinstance(value, Ref):
            return Ref(inside(label, value.resource), value.output)
        if isinstance(value, Mapping):
            return {key: renamed(each) for key, each in value.items()}
        if isinstance(value, str):
            return pattern.sub(lambda found: _labelled(found[1], label), value) if names else value
        if isinstance(value, Sequence):
            return [renamed(each) for each in value]
        return value

    return tuple(
        replace(
            each,
            name=inside(label, each.name),
            inputs={key: renamed(value) for key, value in each.inputs.items()},
            outputs={key: renamed(value) for key, value in each.outputs.items()},
        )
        for each in example
    )


def _labelled(name: str, label: str) -> str:
    """A name with a label at its end, but before the seven digits that Pulumi puts there."""
    made_up = re.search(r"-[0-9a-f]{7}$", name)
    end = made_up.start() if made_up is not None else len(name)
    return f"{name[:end]}-{label}{name[end:]}"


def inside(label: str, name: str) -> str:
    """What a resource of the example with this label is called in the program."""
    return f"{label}{_BETWEEN}{name}"


def label_of(urn: str) -> str:
    """The label of the example that a resource is of."""
    return urn.rpartition("::")[2].partition(_BETWEEN)[0]


def _names(given: Given) -> set[str]:
    """What AWS calls a resource: the last part of its name, ARN or URL."""
    values = [each.get(name) for each in (given.inputs, given.outputs) for name in IDENTITIES]
    last = {re.split(r"[:/]", value.removesuffix(":*"))[-1] for value in values if isinstance(value, str)}
    # A number or a letter stands for much else too.
    return {name for name in last if re.search("[A-Za-z]{2}", name)}


def register(example: Example, *, known: bool) -> None:
    """Make the resources, in a Pulumi program.

    Args:
        example: of any number of rules.
        known: whether an output that a preview does not know is what the example says it is, or not known.
    """
    given = {each.name: each for each in example}
    made: dict[str, Any] = {}

    def resolved(value: object) -> object:
        if isinstance(value, Ref):
            return _output(made[value.resource], given[value.resource], value.output, known=known)
        if isinstance(value, Mapping):
            return {key: resolved(each) for key, each in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [resolved(each) for each in value]
        return value

    refs = {each.name: _refs(each.inputs) for each in example}
    read = {(ref.resource, ref.output) for of in refs.values() for ref in of}
    for name in TopologicalSorter({name: {ref.resource for ref in of} for name, of in refs.items()}).static_order():
        inputs = given[name].inputs
        # By type token: importing the AWS SDK takes seconds. What the program reads must be named beforehand.
        outputs = {output: None for resource, output in read if resource == name and output not in {"id", *inputs}}
        made[name] = _make(given[name], {**outputs, **{key: resolved(value) for key, value in inputs.items()}})


def _make(given: Given, inputs: dict[str, Any]) -> pulumi.Resource:
    options = pulumi.ResourceOptions(protect=given.protect)
    if given.type.startswith(_PROVIDER):
        # A provider takes text.
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in inputs.items()}
        return pulumi.ProviderResource(given.type.removeprefix(_PROVIDER), given.name, texts, options)
    return pulumi.CustomResource(given.type, given.name, inputs, options)


def _output(made: Any, given: Given, name: str, *, known: bool) -> object:
    if not known or name in given.inputs:
        return getattr(made, name)
    # The URN is known in a preview, and what is made from it is known to come from the resource.
    return made.urn.apply(lambda _: given.outputs[name])


def _refs(value: object) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, Mapping):
        return [ref for each in value.values() for ref in _refs(each)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [ref for each in value for ref in _refs(each)]
    return []
