"""Texts into vectors: Amazon Titan Text Embeddings V2 on Bedrock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from support import typed

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient

DIMENSIONS: Final = 512
"""Titan V2 knows 256, 512 and 1024; 512 keeps 99 % of the accuracy at half the memory (AWS's announcement of V2)."""


class _Answer(msgspec.Struct):
    embedding: list[float]


class Embedder:
    """Embeds texts, normalised to length 1, so that a dot product is the cosine."""

    def __init__(self, client: BedrockRuntimeClient, model_id: str) -> None:
        self._client = client
        self._model_id = model_id

    def embed(self, text: str) -> list[float]:
        """The text's ``DIMENSIONS`` numbers."""
        answer = self._client.invoke_model(
            modelId=self._model_id,
            contentType="application/json",
            accept="application/json",
            body=msgspec.json.encode({"inputText": text, "dimensions": DIMENSIONS, "normalize": True}),
        )
        return typed.decode(answer["body"].read(), _Answer).embedding
