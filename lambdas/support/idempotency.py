"""Work that is done once per key (Powertools), without the traps of facts/idempotency.md.

The work is a service call that raises what it cannot do: an answer that is returned is remembered for the whole period,
a failure frees the key. A call without a key goes past all this. The Lambda context is registered, so that a run which
timed out lets a retry in after its deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import uuid4

import msgspec
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyValidationError,
)

from support import typed
from support.problems import InProgressError, KeyReusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from types_boto3_dynamodb import DynamoDBClient

T = TypeVar("T", bound=msgspec.Struct)
RETRY_AFTER: Final = 2
"""Seconds to wait while the first call with the key is still at work."""


class _Claims:
    """The client, for which a claim of its own is no other's.

    When DynamoDB's answer to a claim is lost, the SDK asks again and meets the claim that it has made: without this,
    the first caller would be told that a call with this key is in progress.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def put_item(self, *, Item: Mapping[str, Any], **rest: Any) -> None:  # noqa: N803 - boto3's name
        claim = {"S": uuid4().hex}
        try:
            self._client.put_item(Item={**Item, "claim": claim}, **rest)
        except self._client.exceptions.ConditionalCheckFailedException as error:
            if cast("Mapping[str, object]", error.response.get("Item", {})).get("claim") != claim:
                raise


class Once:
    """Runs work once per caller and key."""

    def __init__(self, client: DynamoDBClient, table: str, *, seconds: int) -> None:
        """Answers are remembered for ``seconds``."""
        self._config = IdempotencyConfig(
            event_key_jmespath="[caller, key]",
            payload_validation_jmespath="body",
            raise_on_no_idempotency_key=True,
            expires_after_seconds=seconds,
        )
        self._store = DynamoDBPersistenceLayer(
            table_name=table,
            key_attr="idempotency_key",
            expiry_attr="ttl",
            status_attr="status",
            data_attr="response",
            validation_key_attr="validation",
            boto3_client=cast("DynamoDBClient", _Claims(client)),
        )

    def run(
        self,
        work: Callable[[], T],
        answer: type[T],
        *,
        caller: str,
        key: str,
        body: msgspec.Struct,
        context: LambdaContext,
    ) -> T:
        """Do ``work``, or give the answer it gave before.

        Raises :class:`KeyReusedError` for another body, :class:`InProgressError` while the first call is at work, and
        what ``work`` raises.
        """
        self._config.register_lambda_context(context)

        def attempt(*, claim: dict[str, Any]) -> Any:  # noqa: ARG001 - Powertools reads the claim by its name
            return msgspec.to_builtins(work())

        once = idempotent_function(
            attempt,
            data_keyword_argument="claim",
            config=self._config,
            persistence_store=self._store,
        )
        try:
            remembered = once(claim={"caller": caller, "key": key, "body": msgspec.to_builtins(body)})
        except IdempotencyValidationError as error:
            raise KeyReusedError("This Idempotency-Key was used with another body.") from error
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError) as error:
            raise InProgressError(
                "A call with this Idempotency-Key is still in progress.", retry_after=RETRY_AFTER
            ) from error
        return typed.convert(remembered, answer)
