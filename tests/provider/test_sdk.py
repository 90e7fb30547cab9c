"""The tables agree with the installed SDK: no property that it does not have, and its own words on replacement."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.provider.registry import all_types
from harness.provider.shapes import service_model


def source(pulumi_type: str) -> str:
    """The SDK's module of a type. Read, not imported: importing pulumi_aws takes seconds."""
    spec = find_spec("pulumi")
    assert spec is not None
    assert spec.origin is not None
    package, path, _ = pulumi_type.split(":")
    module, name = path.split("/")
    folder = {"lambda": "lambda_", "index": ""}.get(module, module)
    file = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return (Path(spec.origin).parent.parent / f"pulumi_{package}" / folder / f"{file}.py").read_text()


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.pulumi_type)
def test_every_property_is_one_of_the_sdk(kind: Any) -> None:
    text = source(kind.pulumi_type)
    known = set(re.findall(r'@pulumi\.getter\(name="(\w+)"\)', text))
    known |= set(re.findall(r"@pulumi\.getter\n    def (\w+)\(self", text))
    assert set(kind.properties) <= known
    assert f"'{kind.pulumi_type}'" in text


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.pulumi_type)
def test_a_name_that_aws_knows_otherwise_is_spelt_as_in_the_model(kind: Any) -> None:
    members = {member for shape in _structures(kind.service) for member in shape.members} if kind.service else set()
    for name, prop in kind.properties.items():
        assert not prop.api or prop.api in members, name


def _structures(service: str) -> list[Any]:
    model = service_model(service)
    return [shape for name in model.shape_names if (shape := model.shape_for(name)).type_name == "structure"]
