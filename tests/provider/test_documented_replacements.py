"""What the SDK's documentation says of replacements, the tables say as well: a review must not call one an update."""

from __future__ import annotations

from typing import Any

import pytest

from harness.provider.registry import all_types
from harness.provider.resource import ResourceType
from harness.review.replacements import documented


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.pulumi_type)
def test_what_is_documented_to_replace_a_resource_does(kind: Any) -> None:
    own_rules = type(kind).replaces is not ResourceType.replaces
    for name, sentence in documented(kind.pulumi_type).items():
        if name in kind.properties:
            assert kind.properties[name].replace or own_rules, sentence
