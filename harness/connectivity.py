"""What can be reached from inside the VPC of a stack: its own function asked, which sits there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from components.names import ALIAS
from harness.errors import HarnessError
from support import typed
from support.services.connectivity import Report

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

FUNCTION: Final = "connectivity_check"


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What of the program's outputs is used."""

    functions: dict[str, str]
    """Function key -> physical name."""


def check(client: LambdaClient, outputs: Outputs) -> Report:
    """Have the function call everything that functions in the VPC call.

    Raises:
        HarnessError: there is no such function, it may not be called, or it failed.
    """
    if FUNCTION not in outputs.functions:
        raise HarnessError(f"There is no function {FUNCTION} in the stack.", "Deploy it as it is now.")
    try:
        answer = client.invoke(FunctionName=outputs.functions[FUNCTION], Qualifier=ALIAS)
        said = answer["Payload"].read()
    except (BotoCoreError, ClientError) as error:
        raise HarnessError(
            f"The function {FUNCTION} cannot be called: {error}",
            "See that the stack is up, and that you may call its functions (lambda:InvokeFunction).",
        ) from error
    if "FunctionError" in answer:
        raise HarnessError(
            f"The function {FUNCTION} failed: {said.decode(errors='replace')[:500]}", "See its log group."
        )
    try:
        return typed.decode(said, Report)
    except msgspec.DecodeError as error:
        raise HarnessError(
            f"The function {FUNCTION} answers otherwise than it should: {error}", "Deploy it as it is now."
        ) from error
