"""What a handler's work adds to a call: against a function that does nothing, behind the same door, in the same run."""

from __future__ import annotations

import io
import json
import secrets
import statistics
import time
import zipfile
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from harness import demonstration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.local_stack import LocalStack, Outputs
    from harness.progress import Progress

CALLS: Final = 200
WARM_UP_CALLS: Final = 20
LIMITS: Final = MappingProxyType({"get_ticket": 2.0, "create_ticket": 3.0})
"""Operation -> how many times the call of nothing it may take, at most (medians)."""
NOTHING: Final = """\
def handler(event, context):
    print('{"message": "nothing"}')  # without a line of log the emulator waits 50 ms for one (facts/emulator.md)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}"}
"""


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """Medians in milliseconds, of calls taken turn by turn."""

    operation: str
    milliseconds: float
    nothing_milliseconds: float

    @property
    def ratio(self) -> float:
        return round(self.milliseconds / self.nothing_milliseconds, 2)


def measure(stack: LocalStack, token: str, progress: Progress) -> list[Overhead]:
    """GET of a ticket and POST of one, each turn by turn with the same method of the function that does nothing.

    ``token`` is an ID token of the demonstration's customer.
    """
    outputs = stack.outputs()
    with ExitStack() as opened:
        nothing = opened.enter_context(_nothing(stack, outputs))
        door = opened.enter_context(
            httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False)
        )
        url = f"{outputs.api_url.rstrip('/')}/tickets"
        body = msgspec.json.encode(dict(demonstration.REQUEST))
        as_json = {"Content-Type": "application/json"}
        created = door.post(url, content=body, headers=as_json).raise_for_status().json()["ticket_id"]

        def get(to: str) -> None:
            door.get(to).raise_for_status()

        def post(to: str) -> None:
            door.post(to, content=body, headers=as_json).raise_for_status()

        return [
            _compare("get_ticket", lambda: get(f"{url}/{created}"), lambda: get(nothing), progress),
            _compare("create_ticket", lambda: post(url), lambda: post(nothing), progress),
        ]


def _compare(operation: str, call: Callable[[], None], nothing: Callable[[], None], progress: Progress) -> Overhead:
    progress.start(operation, total=CALLS)
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP_CALLS + CALLS):
        for times, one in zip(taken, (call, nothing), strict=True):
            started = time.perf_counter()
            one()
            if number >= WARM_UP_CALLS:
                times.append(time.perf_counter() - started)
        if number >= WARM_UP_CALLS:
            progress.advance(operation)
    progress.finish(operation)
    ours, theirs = (round(1000 * statistics.median(times), 2) for times in taken)
    return Overhead(operation=operation, milliseconds=ours, nothing_milliseconds=theirs)


@contextmanager
def _nothing(stack: LocalStack, outputs: Outputs) -> Iterator[str]:
    """The URL of a function that does nothing, behind an API with the same authorizer; both are gone afterwards."""
    functions, gateway, iam = (stack.client(service) for service in ("lambda", "apigateway", "iam"))
    name = f"nothing-{secrets.token_hex(4)}"
    like = functions.get_function_configuration(FunctionName=outputs.functions["get_ticket"])
    with ExitStack() as undo:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
            ],
        }
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        undo.callback(iam.delete_role, RoleName=name)
        function = functions.create_function(
            FunctionName=name,
            Runtime=like["Runtime"],
            Architectures=like["Architectures"],
            MemorySize=like["MemorySize"],
            Timeout=like["Timeout"],
            Handler="nothing.handler",
            Role=role,
            Code={"ZipFile": _archive()},
        )["FunctionArn"]
        undo.callback(functions.delete_function, FunctionName=name)
        api = gateway.create_rest_api(name=name)["id"]
        undo.callback(gateway.delete_rest_api, restApiId=api)
        pool = stack.client("cognito-idp").describe_user_pool(UserPoolId=outputs.user_pool_id)["UserPool"]["Arn"]
        authorizer = gateway.create_authorizer(
            restApiId=api,
            name="pool",
            type="COGNITO_USER_POOLS",
            providerARNs=[pool],
            identitySource="method.request.header.Authorization",
        )["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="nothing")["id"]
        for method in ("GET", "POST"):
            where = {"restApiId": api, "resourceId": resource, "httpMethod": method}
            gateway.put_method(**where, authorizationType="COGNITO_USER_POOLS", authorizerId=authorizer)
            gateway.put_integration(
                **where,
                type="AWS_PROXY",
                integrationHttpMethod="POST",
                uri=f"arn:aws:apigateway:{stack.region}:lambda:path/2015-03-31/functions/{function}/invocations",
            )
        gateway.create_deployment(restApiId=api, stageName="v1")
        yield f"{outputs.api_url.rstrip('/').replace(outputs.api_id, api)}/nothing"


def _archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("nothing.py", NOTHING)
    return packed.getvalue()
