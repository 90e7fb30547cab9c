"""The canary: a ticket by the clock, through the whole service, as a partner opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.functions import Function, FunctionArgs
from components.names import CANARY
from components.schedules import Schedule, ScheduleArgs

if TYPE_CHECKING:
    from components.functions import Platform
    from components.keys import Key
    from components.names import Names
    from support.timings import Timings

FUNCTION: Final = "canary_ticket"
RECOVERY_DAYS: Final = 30
"""For which a deleted secret can be brought back where things are protected; meanwhile its name is taken (facts/aws.md
row 62), so elsewhere it goes at once."""


@dataclass(frozen=True, kw_only=True)
class CanaryArgs:
    platform: Platform
    key: Key
    """Encrypts the secret."""
    api_url: pulumi.Input[str]
    """Of the stage, as customers reach it."""
    minutes: int
    """From one ticket to the next."""
    timings: Timings
    protect: bool


class Canary(pulumi.ComponentResource):
    """A function, its schedule, and the secret that holds its partner's key.

    Default settings:
        - secret: made empty; `harness partner canary` makes a partner and puts its key there, and nothing of it is in
          the stack's state; encrypted with a customer-managed key; by setting, protected from deletion
        - a ticket fails that takes longer than customers are told
        - failures: counted, not raised; the alarm on successes is ``canary-silent`` (``components.observability``)
    """

    def __init__(self, resource_name: str, args: CanaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:canary:Canary", resource_name, None, opts)
        names, child = args.platform.names, pulumi.ResourceOptions(parent=self)
        self.secret = aws.secretsmanager.Secret(
            resource_name,
            name=names.secret(CANARY),
            description="Key of the partner as which canary tickets are opened: api_key, secret, customer_id",
            kms_key_id=args.key.arn,
            recovery_window_in_days=RECOVERY_DAYS if args.protect else 0,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.function = Function(
            FUNCTION,
            FunctionArgs(
                platform=args.platform,
                description="Sends a canary ticket through the service",
                memory=256,
                timeout=args.timings.canary_timeout,
                environment={
                    "API_URL": args.api_url,
                    "CANARY_SECRET": names.secret(CANARY),
                    "DEADLINE_SECONDS": str(args.timings.estimated_completion),
                },
                grants=(self._read(names, args.key),),
                # Nobody's call waits for it: there is nothing to release gradually.
                follows_deployment=True,
            ),
            child,
        )
        Schedule(
            "canary-tickets",
            ScheduleArgs(
                names=names,
                function=self.function,
                description="Opens a canary ticket",
                minutes=args.minutes,
            ),
            child,
        )
        self.register_outputs({"secret": self.secret.name})

    def _read(self, names: Names, key: Key) -> iam.Grant:
        statement = iam.Statement(
            sid="ReadCanaryKey",
            actions=("secretsmanager:GetSecretValue",),
            resources=(names.secret_pattern(CANARY),),
        )
        return iam.Grant((statement, key.through("secretsmanager", "Decrypt")), (self.secret,))
