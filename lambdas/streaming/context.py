"""The context object of an invocation, with the attributes that the managed Python runtime gives it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class CognitoIdentity:
    """Who the AWS Mobile SDK invokes the function for."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass(frozen=True)
class Client:
    """The app that invokes the function through the AWS Mobile SDK."""

    installation_id: str | None = None
    app_title: str | None = None
    app_version_name: str | None = None
    app_version_code: str | None = None
    app_package_name: str | None = None


@dataclass(frozen=True)
class ClientContext:
    """What a client of the AWS Mobile SDK says of itself."""

    client: Client | None
    custom: Mapping[str, Any] | None
    env: Mapping[str, Any] | None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ClientContext:
        client = document.get("client")
        names = Client.__dataclass_fields__
        return cls(
            client=None if client is None else Client(**{name: client.get(name) for name in names}),
            custom=document.get("custom"),
            env=document.get("env"),
        )


@dataclass(frozen=True)
class LambdaContext:
    """An invocation and the function that it runs in (Lambda developer guide, "Using the Lambda context object to
    retrieve Python function information")."""

    aws_request_id: str
    invoked_function_arn: str
    function_name: str
    function_version: str
    memory_limit_in_mb: str
    """A string, as in the managed runtime."""
    log_group_name: str
    log_stream_name: str
    deadline: float
    """When Lambda ends the invocation, in seconds of the epoch."""
    identity: CognitoIdentity
    client_context: ClientContext | None

    @classmethod
    def read(
        cls,
        *,
        request_id: str,
        arn: str,
        deadline: float,
        client_context: Mapping[str, Any] | None,
        identity: Mapping[str, Any] | None,
    ) -> LambdaContext:
        """The context from what the Runtime API sends and from the environment variables that Lambda sets."""
        identity = identity or {}
        return cls(
            aws_request_id=request_id,
            invoked_function_arn=arn,
            function_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            function_version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
            memory_limit_in_mb=os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
            log_group_name=os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
            log_stream_name=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
            deadline=deadline,
            identity=CognitoIdentity(identity.get("cognitoIdentityId"), identity.get("cognitoIdentityPoolId")),
            client_context=None if client_context is None else ClientContext.read(client_context),
        )

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation; never negative."""
        return max(0, int((self.deadline - time.time()) * 1000))
