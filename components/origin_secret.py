"""What CloudFront shows to the API, so that the API can tell who comes through it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_random as random

LENGTH = 48
"""Letters and digits: about 285 bits."""


@dataclass(frozen=True, kw_only=True)
class OriginSecretArgs:
    number: int
    """Which secret is shown. Counted up, it makes a new one, and the one before is still taken."""


class OriginSecret(pulumi.ComponentResource):
    """Two random texts, kept in the stack's encrypted state and nowhere else.

    Rotation: count ``number`` up and deploy. The API takes the new secret before CloudFront shows it, and the old one
    until the next rotation, so that no request is refused while CloudFront's edges change over.

    Default settings:
        - length: 48 letters and digits
        - secret: in every output, preview and state
    """

    def __init__(self, resource_name: str, args: OriginSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:origin_secret:OriginSecret", resource_name, None, opts)
        # By their numbers: a rotation makes one, drops one, and leaves the other as it is.
        before, current = (self._text(resource_name, number) for number in (args.number - 1, args.number))
        self.current = current
        self.accepted = (current, before)
        self.register_outputs({})

    def _text(self, resource_name: str, number: int) -> pulumi.Output[str]:
        text = random.RandomPassword(
            f"{resource_name}-{number}", length=LENGTH, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        return pulumi.Output.secret(text.result)
