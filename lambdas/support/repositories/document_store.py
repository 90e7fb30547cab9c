"""The knowledge base's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from support.errors import aws_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client


class StoredObject(NamedTuple):
    body: bytes
    metadata: Mapping[str, str]
    version: str
    """Changes with the content or the metadata."""


class DocumentStore:
    """Reads documents. The role needs ``s3:ListBucket`` too, or S3 answers 403 for an object that is gone."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def get(self, key: str) -> StoredObject | None:
        """``None`` when there is no such object."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        return StoredObject(answer["Body"].read(), answer["Metadata"], answer["ETag"] + str(answer["LastModified"]))

    def version(self, key: str) -> str | None:
        """The object's present version, ``None`` when there is no such object."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.ClientError as error:
            if aws_code(error) == "404":
                return None
            raise
        return answer["ETag"] + str(answer["LastModified"])
