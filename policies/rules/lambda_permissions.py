"""AWS Lambda: what a permission lets others do. Whom it lets in: `policies.rules.iam_trust`."""

from __future__ import annotations

from typing import Final

from policies.rule import Given, Guard, Rule, Severity
from policies.wants import Like

PERMISSION: Final = "aws:lambda/permission:Permission"

_ACTION: Final = Like(r"lambda:[A-Za-z0-9]+", "one action of Lambda", refused=("*", "lambda:*", "", "sqs:SendMessage"))


def _permission(action: str) -> Given:
    return Given(
        PERMISSION,
        "bus",
        {
            "action": action,
            "function": "orders",
            "principal": "events.amazonaws.com",
            "sourceArn": "arn:aws:events:eu-west-1:123456789012:rule/orders",
        },
    )


ACTION: Final = Rule(
    id="lambda-permission-action",
    demand="A function's permission is for one action that it names",
    why="Who is to call a function needs no right to change its code, its settings, or who else may call it.",
    severity=Severity.HIGH,
    controls=("Well-Architected SEC03-BP02",),
    mend="Set action to what the caller needs, such as lambda:InvokeFunction.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html",
    guards=(Guard(type=PERMISSION, path="action", want=_ACTION),),
    violating=(_permission("lambda:*"),),
    compliant=(_permission("lambda:InvokeFunction"),),
)

RULES: Final = (ACTION,)
