"""The api-keys table and the envelope of the secrets in it: the only place that knows the shape of either.

The secrets of a partner are one KMS ciphertext, under a key of their own, bound to the partner by its encryption
context ``{"api_key": <api_key>}``: the ciphertext of one partner is of no use in the item of another.

What a role needs, and no more. ``K`` is the key for partners; the table's own key is asked for through DynamoDB.

- itsm_authorizer: ``dynamodb:GetItem`` on the table; ``kms:Decrypt`` on the table's key where ``kms:ViaService`` is
  DynamoDB; ``kms:Decrypt`` on ``K`` under ``{"Null": {"kms:EncryptionContext:api_key": "false"}}`` (there must be such
  a context); ``kms:Encrypt`` on ``K`` under ``{"StringEquals": {"kms:EncryptionContext:api_key": "decoy"}}``, so that
  the function cannot make secrets for a real key.
- whoever administers partners: ``dynamodb:GetItem``, ``PutItem``, ``UpdateItem``, ``DeleteItem`` and ``Scan`` on the
  table; ``kms:Encrypt`` and ``kms:Decrypt`` on ``K`` with any such context; ``apigateway:POST`` on ``/apikeys`` and
  ``/usageplans/*/keys``, ``apigateway:GET`` on ``/apikeys``, ``apigateway:DELETE`` on ``/apikeys/*``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from support import typed
from support.items import from_item, to_attribute, to_item
from support.partners import Partner, Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef
    from types_boto3_kms import KMSClient

SECRETS: Final = "secrets"
"""The one binary attribute."""


class ApiKeyTable:
    """Reads are consistent; writes are conditional and say whether the condition held."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, api_key: str) -> Partner | None:
        answer = self._client.get_item(TableName=self._table, Key={"api_key": {"S": api_key}}, ConsistentRead=True)
        return _partner(answer["Item"]) if "Item" in answer else None

    def all(self) -> Iterator[Partner]:
        """Every partner, in no order: for administration, of a table with as many items as there are partners."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            yield from map(_partner, page["Items"])

    def add(self, partner: Partner) -> bool:
        """False when there is a partner with that key already."""
        item = to_item({name: value for name, value in msgspec.structs.asdict(partner).items() if name != SECRETS})
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**item, SECRETS: {"B": partner.secrets}},
                ConditionExpression="attribute_not_exists(api_key)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def remove(self, api_key: str, usage_key: str) -> None:
        """Delete the partner that has both; whatever else is under the key stays."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key={"api_key": {"S": api_key}},
                ConditionExpression="usage_key = :usage_key",
                ExpressionAttributeValues={":usage_key": {"S": usage_key}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def replace_secrets(self, partner: Partner, sealed: bytes, *, updated_at: str) -> bool:
        """False when the partner is gone, or its secrets are no longer those of ``partner``."""
        return self._update(
            partner.api_key,
            "SET secrets = :sealed, updated_at = :now",
            "secrets = :before",
            {":sealed": {"B": sealed}, ":before": {"B": partner.secrets}, ":now": to_attribute(updated_at)},
        )

    def set_disabled(self, api_key: str, *, disabled: bool, updated_at: str) -> bool:
        """False when there is no such partner."""
        return self._update(
            api_key,
            "SET disabled = :disabled, updated_at = :now",
            "attribute_exists(api_key)",
            {":disabled": to_attribute(disabled), ":now": to_attribute(updated_at)},
        )

    def _update(self, api_key: str, update: str, condition: str, values: Mapping[str, AttributeValueTypeDef]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"api_key": {"S": api_key}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


class SecretVault:
    """Seals and opens secrets with the key for partners."""

    def __init__(self, client: KMSClient, key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def seal(self, api_key: str, secrets: Secrets) -> bytes:
        """For this partner only."""
        answer = self._client.encrypt(
            KeyId=self._key_arn, Plaintext=msgspec.json.encode(secrets), EncryptionContext={"api_key": api_key}
        )
        return answer["CiphertextBlob"]

    def open(self, api_key: str, sealed: bytes) -> Secrets:
        """Raises KMS's ``InvalidCiphertextException`` for what was sealed for another partner, or not at all."""
        answer = self._client.decrypt(
            KeyId=self._key_arn, CiphertextBlob=sealed, EncryptionContext={"api_key": api_key}
        )
        return typed.decode(answer["Plaintext"], Secrets)


def _partner(item: Mapping[str, Any]) -> Partner:
    others = from_item({name: attribute for name, attribute in item.items() if name != SECRETS})
    return typed.convert({**others, SECRETS: bytes(item[SECRETS]["B"])}, Partner)
