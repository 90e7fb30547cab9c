"""The search node: a real OpenSearch that answers word, vector and hybrid queries, also when root runs it."""

from __future__ import annotations

import http.server
import json
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from harness import ports, search_node, toolchain
from harness.bedrock.embedding import embed
from harness.errors import HarnessError
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Child, Processes, Running
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIMENSIONS = 256
TEXTS = {
    "cable": "The charging cable is locked in the socket: press the release button for three seconds.",
    "fan": "A clogged fan makes the inverter overheat and reduces its power.",
    "soc": "The battery shows a wrong state of charge after a firmware update.",
    "rcd": "The residual current device trips when moisture gets into the charging station.",
}
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Node:
    processes: Processes
    child: Child
    http: httpx.Client

    def call(self, method: str, path: str, body: object = None) -> Any:
        response = self.http.request(method, path, json=body)
        assert response.is_success, response.text
        return response.json()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("search")
    paths = Paths(root=REPOSITORY, cache=user_cache(), local=folder)
    port = ports.assign(folder / "ports.json", {search_node.NAME: 9200}).ports[search_node.NAME]
    child = search_node.child(
        java=toolchain.ensure_java(paths, Silent()),
        distribution=toolchain.ensure_opensearch(paths, Silent()),
        folder=folder / "data",
        port=port,
    )
    processes = Processes(records=folder / "processes", logs=folder / "logs")
    processes.start(child)
    try:
        with httpx.Client(base_url=search_node.url(port), timeout=60, trust_env=False) as client:
            found = Node(processes, child, client)
            fill(found)
            yield found
    finally:
        processes.stop(search_node.NAME)


def fill(node: Node) -> None:
    properties = {
        "content": {"type": "text", "analyzer": "english"},
        "product": {"type": "keyword"},
        "embedding": {
            "type": "knn_vector",
            "dimension": DIMENSIONS,
            "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
        },
    }
    node.call("PUT", "/kb", {"settings": {"index.knn": True}, "mappings": {"properties": properties}})
    for name, text in TEXTS.items():
        document = {"content": text, "product": name[0], "embedding": embed(text, DIMENSIONS)}
        node.call("PUT", f"/kb/_doc/{name}?refresh=true", document)
    weights = {"technique": "arithmetic_mean", "parameters": {"weights": [0.4, 0.6]}}
    processor = {"normalization-processor": {"normalization": {"technique": "min_max"}, "combination": weights}}
    node.call("PUT", "/_search/pipeline/hybrid", {"phase_results_processors": [processor]})


def hits(answer: Any) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def knn(text: str, **more: object) -> dict[str, object]:
    return {"knn": {"embedding": {"vector": embed(text, DIMENSIONS), "k": 4, **more}}}


def test_words_find_their_document_with_highlights(node: Node) -> None:
    query = {"query": {"match": {"content": "cables lock"}}, "highlight": {"fields": {"content": {}}}}
    answer = node.call("POST", "/kb/_search", query)
    assert hits(answer)[0] == "cable"
    assert "<em>cable</em>" in answer["hits"]["hits"][0]["highlight"]["content"][0]


def test_nearest_neighbours_are_those_of_brute_force(node: Node) -> None:
    asked = "Wechselrichter überhitzt, Lüfter verstopft"
    vector = embed(asked, DIMENSIONS)
    nearness = {n: sum(a * b for a, b in zip(vector, embed(t, DIMENSIONS), strict=True)) for n, t in TEXTS.items()}
    answer = node.call("POST", "/kb/_search", {"query": knn(asked)})
    assert hits(answer) == sorted(nearness, key=lambda name: -nearness[name])
    assert hits(answer)[0] == "fan"
    # The engine's score of a cosine.
    for hit in answer["hits"]["hits"]:
        assert math.isclose(hit["_score"], (1 + nearness[hit["_id"]]) / 2, abs_tol=1e-3)


def test_a_filter_holds_inside_the_vector_search(node: Node) -> None:
    only = {"filter": {"term": {"product": "s"}}}
    assert hits(node.call("POST", "/kb/_search", {"query": knn("cable locked", **only)})) == ["soc"]


def test_a_hybrid_query_joins_both_with_normalised_scores(node: Node) -> None:
    queries = [{"match": {"content": "residual current"}}, knn("Fehlerstromschutz löst aus, Feuchtigkeit")]
    answer = node.call("POST", "/kb/_search?search_pipeline=hybrid", {"query": {"hybrid": {"queries": queries}}})
    assert hits(answer)[0] == "rcd"
    scores = [hit["_score"] for hit in answer["hits"]["hits"]]
    assert math.isclose(scores[0], 1.0, abs_tol=1e-6)
    assert all(0 <= score <= 1 for score in scores)


def test_documents_survive_a_restart(node: Node) -> None:
    node.processes.stop(search_node.NAME)
    node.processes.start(node.child)
    node.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")
    assert node.call("GET", "/kb/_count")["count"] == len(TEXTS)
    assert hits(node.call("POST", "/kb/_search", {"query": knn("cable locked")}))[0] == "cable"


def test_it_listens_on_loopback_only(node: Node) -> None:
    state = node.processes.state(search_node.NAME)
    assert isinstance(state, Running)
    listening = [c for c in psutil.Process(state.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening
    assert all(c.laddr.ip in {"127.0.0.1", "::ffff:127.0.0.1", "::1"} for c in listening)


def test_it_has_the_plugins_that_a_node_of_the_users_must_have(node: Node) -> None:
    search_node.check_chosen(str(node.http.base_url).rstrip("/"))


# --- a node of the user's own


def test_a_chosen_node_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", "http://127.0.0.1:9/")
    address = search_node.chosen_url()
    assert address == "http://127.0.0.1:9"
    with pytest.raises(HarnessError, match=r"no OpenSearch answers there.*Connection refused") as caught:
        search_node.check_chosen(address)
    assert "OPENSEARCH_URL" in caught.value.mend


def test_a_chosen_node_without_the_plugins_is_refused(tmp_path: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps([{"component": "opensearch-knn"}]).encode())

    with http.server.HTTPServer((ports.LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(HarnessError, match="lacks plugins: opensearch-neural-search"):
            search_node.check_chosen(f"http://{ports.LOOPBACK}:{server.server_port}")
        server.shutdown()
