"""Making a search domain ready, again and again."""

from __future__ import annotations

from typing import Any

import opensearchpy
import pytest

from support.services.search_setup import READER, WRITER, SearchSetup

MAPPINGS = "/_plugins/_security/api/rolesmapping"


class Node:
    """A search node that remembers; ``security`` is ``None`` for one without the plugin."""

    def __init__(self, security: dict[str, Any] | None) -> None:
        self.security = security
        self.missing: type[Exception] = opensearchpy.NotFoundError
        self.index: dict[str, Any] | None = None
        self.puts: list[str] = []
        self.indices = self.transport = self

    def exists(self, **_: Any) -> bool:
        return self.index is not None

    def create(self, *, body: dict[str, Any], **_: Any) -> None:
        assert self.index is None
        self.index = body

    def put_mapping(self, *, body: dict[str, Any], **_: Any) -> None:
        assert self.index is not None
        self.index["mappings"] = body

    def perform_request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if path.startswith("/_plugins/_security"):
            if self.security is None:
                raise self.missing(404, "no handler found", {})
            if method == "GET":
                return self.security
            if path.startswith(f"{MAPPINGS}/"):
                assert body is not None
                self.security[path.rpartition("/")[2]] = body
        self.puts.append(path)
        return {}


def run(node: Node, **role_mappings: list[str]) -> dict[str, Any]:
    setup = SearchSetup(node, index="knowledge-base", pipeline="hybrid-search", dimensions=512)  # type: ignore[arg-type]  # a stub
    return setup.run(role_mappings)


@pytest.mark.parametrize("missing", [opensearchpy.NotFoundError, opensearchpy.RequestError])
def test_a_node_without_the_security_plugin_is_told_so(missing: type[Exception]) -> None:
    node = Node(None)
    node.missing = missing
    assert run(node, knowledge_reader=["arn:a"]) == {
        "index": "created",
        "pipeline": "put",
        "security": "not available",
    }


def test_doing_it_again_changes_nothing() -> None:
    node = Node({})
    first = run(node, knowledge_reader=["arn:a"])
    made = (node.index, dict(node.security or {}))
    again = run(node, knowledge_reader=["arn:a"])
    assert (first["index"], first["security"]) == ("created", {"knowledge_reader": "mapped"})
    assert (again["index"], again["security"]) == ("existed", {"knowledge_reader": "existed"})
    assert (node.index, node.security) == made


def test_what_others_have_mapped_stays() -> None:
    node = Node({"all_access": {"backend_roles": ["arn:admin"], "users": ["root"], "reserved": False, "hidden": False}})
    run(node, all_access=["arn:ours"])
    assert node.security == {"all_access": {"backend_roles": ["arn:admin", "arn:ours"], "users": ["root"]}}


def test_the_roles_of_the_service_are_made_before_they_are_mapped() -> None:
    node = Node({})
    run(node, knowledge_reader=["arn:a"], knowledge_writer=["arn:b"])
    security = [path for path in node.puts if "_security" in path]
    assert security == [
        f"/_plugins/_security/api/roles/{READER}",
        f"/_plugins/_security/api/roles/{WRITER}",
        f"{MAPPINGS}/{READER}",
        f"{MAPPINGS}/{WRITER}",
    ]


def test_a_security_plugin_that_is_down_is_not_taken_for_none() -> None:
    class Down(Node):
        def perform_request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            if method == "GET":
                raise opensearchpy.TransportError(503, "security not initialised", {})
            return super().perform_request(method, path, body)

    with pytest.raises(opensearchpy.TransportError):
        run(Down({}))
