"""What the identities of a resource graph may do, read from their policies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from harness.graph import Graph, Resource

INLINE: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


@dataclass(frozen=True)
class Access:
    """Answers about one graph."""

    graph: Graph

    def by_arn(self, arn: str) -> Resource:
        """The resource of that ARN; raises ``LookupError`` for one that is not in the graph."""
        for resource in self.graph:
            if resource.arn == arn:
                return resource
        raise LookupError(f"no resource is {arn}")

    def role_of(self, function: Resource) -> Resource:
        return self.by_arn(function.inputs["role"])

    def policies_of(self, role: Resource) -> tuple[Resource, ...]:
        """Inline policies and attachments."""
        found = (*self.graph.of_type(INLINE), *self.graph.of_type(ATTACHMENT))
        return tuple(policy for policy in found if policy.inputs["role"] == role.inputs["name"])

    def statements_of(self, role: Resource) -> tuple[dict[str, Any], ...]:
        """What the role's inline policies say."""
        inline = [policy for policy in self.policies_of(role) if policy.type == INLINE]
        return tuple(statement for policy in inline for statement in policy.json("policy")["Statement"])

    def actions_of(self, role: Resource) -> frozenset[str]:
        return frozenset(action for statement in self.statements_of(role) for action in listed(statement["Action"]))

    def allows(self, role: Resource, action: str, arn: str) -> bool:
        """Whether some statement allows the action on the resource, conditions aside."""
        return any(
            action in listed(statement["Action"])
            and any(fnmatchcase(arn, pattern) for pattern in listed(statement["Resource"]))
            for statement in self.statements_of(role)
        )

    def services_of_key(self, key_arn: str) -> tuple[dict[str, Any], ...]:
        """The statements of a key's policy that let AWS services use it."""
        statements = json.loads(self.by_arn(key_arn).inputs["policy"])["Statement"]
        return tuple(statement for statement in statements if "Service" in statement["Principal"])


def listed(value: str | list[str]) -> list[str]:
    """A policy's value that may be one text or several, as several."""
    return [value] if isinstance(value, str) else value
