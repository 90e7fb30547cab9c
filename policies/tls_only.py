"""What SQS and SNS have in common: a policy, inline or a resource of its own, that denies what is not sent over TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.documents import denies_plain_http
from policies.links import unexplained
from policies.rule import Verdict, cannot_judge
from policies.values import Unknown, look_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource


@dataclass(frozen=True, kw_only=True)
class TlsOnly:
    """The check of one service's resources."""

    type: str
    """Type token of what has a policy."""
    policy: str
    """Type token of a policy that is a resource of its own."""
    link: str
    """The property by which that says whose it is."""
    problem: str
    """What is wrong where nothing denies it."""
    actions: tuple[str, ...] = ()
    """What must be denied; by default everything that the service does."""

    def check(self, stack: Stack, _settings: Settings) -> Iterator[Verdict]:
        """Each resource, by the policies that are about it."""
        unlinked = False
        for policy in stack.of_type(self.policy):
            unknown = unexplained(policy, self.link)
            if unknown is not None:
                unlinked = True
                yield cannot_judge(unknown, urn=policy.urn)
        for resource in stack.of_type(self.type):
            found = [look_up(each, "policy") for each in self.policies(stack, resource) or [resource]]
            answers = [
                denies_plain_http(each.value, each.path, actions=self.actions)
                for each in found
                if each.value is not None
            ]
            if any(answer is True for answer in answers):
                continue
            unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
            if unknown is not None or unlinked:
                yield cannot_judge(unknown or Unknown("policy"), urn=resource.urn)
            else:
                yield Verdict("policy", self.problem, urn=resource.urn)

    def policies(self, stack: Stack, resource: Resource) -> list[Resource]:
        """The policies of its own that a resource has; one of them takes the place of what the resource itself says."""
        return stack.about(resource, self.policy, self.link)

    def speaks_for_itself(self, stack: Stack, resource: Resource) -> bool:
        """Whether no policy takes the place of the resource's own."""
        return not self.policies(stack, resource)
