"""Making a search domain ready: index, search pipeline, and who may do what. Doing it again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from support.errors import classify
from support.repositories import knowledge_index
from support.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opensearchpy import OpenSearch

READER: Final = "knowledge_reader"
"""OpenSearch role for functions that search."""
WRITER: Final = "knowledge_writer"
"""OpenSearch role for the function that indexes."""

_SECURITY: Final = "/_plugins/_security/api"


class SearchSetup:
    def __init__(self, client: OpenSearch, *, index: str, pipeline: str, dimensions: int) -> None:
        self._client = client
        self._index = index
        self._pipeline = pipeline
        self._dimensions = dimensions

    def run(self, role_mappings: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Do what is missing, and tell what was done. ``role_mappings``: OpenSearch role -> IAM role ARNs."""
        return {
            "index": self._make_index(),
            "pipeline": self._put_pipeline(),
            "security": self._map_roles(role_mappings),
        }

    def _make_index(self) -> str:
        if self._client.indices.exists(index=self._index):
            # Adds fields that are new; a field whose type changed is refused, and needs a new index.
            mappings = knowledge_index.mappings(self._dimensions)
            self._client.indices.put_mapping(index=self._index, body=mappings)
            return "existed"
        self._client.indices.create(index=self._index, body=knowledge_index.index_body(self._dimensions))
        return "created"

    def _put_pipeline(self) -> str:
        self._client.transport.perform_request(
            "PUT", f"/_search/pipeline/{self._pipeline}", body=knowledge_index.pipeline_body()
        )
        return "put"

    def _map_roles(self, role_mappings: Mapping[str, Sequence[str]]) -> str | dict[str, str]:
        known = self._known_mappings()
        if known is None:
            return "not available"
        for name, body in roles(self._index).items():
            self._client.transport.perform_request("PUT", f"{_SECURITY}/roles/{name}", body=body)
        return {role: self._map(role, arns, known.get(role, {})) for role, arns in role_mappings.items()}

    def _known_mappings(self) -> dict[str, Any] | None:
        """``None`` when the endpoint has no security plugin, as a local node: the path is unknown there (400, 404)."""
        try:
            return dict(self._client.transport.perform_request("GET", f"{_SECURITY}/rolesmapping"))
        except Exception as error:
            if classify(error).failure_code not in {"INVALID_INPUT", "NOT_FOUND"}:
                raise
            logger.info("no security plugin")
            return None

    def _map(self, role: str, arns: Sequence[str], known: Mapping[str, Any]) -> str:
        """A PUT replaces the mapping, so what others have put there is kept."""
        before = list(known.get("backend_roles", []))
        wanted = sorted({*before, *arns})
        if wanted == sorted(before):
            return "existed"
        body = {name: known[name] for name in ("hosts", "users", "and_backend_roles") if name in known}
        self._client.transport.perform_request(
            "PUT", f"{_SECURITY}/rolesmapping/{role}", body={**body, "backend_roles": wanted}
        )
        return "mapped"


def roles(index: str) -> dict[str, dict[str, Any]]:
    """The OpenSearch roles of the service, each with the actions its functions use on ``index``."""
    return {
        READER: {
            "index_permissions": [{"index_patterns": [index], "allowed_actions": ["indices:data/read/search*"]}],
        },
        WRITER: {
            "cluster_permissions": ["indices:data/write/bulk"],
            "index_permissions": [
                {
                    "index_patterns": [index],
                    "allowed_actions": [
                        "indices:data/read/search*",
                        "indices:data/read/scroll*",
                        "indices:data/write/*",
                        "indices:admin/refresh*",
                    ],
                }
            ],
        },
    }
