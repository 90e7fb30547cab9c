"""Memory against time and money: what is called, what is put back, and what is recommended."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from harness import tuning, tuning_events, tuning_picture
from harness.errors import HarnessError
from harness.progress import Silent
from harness.tuning import Call, Plan, Report, Size

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION = "support-dev-get_solution"
PLAN = Plan(function=FUNCTION, sizes=(256, 512, 1024), calls=4, event={"a": 1})


@dataclass
class FakeLambda:
    """A function whose speed grows with its memory, up to a GB."""

    memory: int = 768
    versions: dict[str, tuple[int, str]] = field(default_factory=lambda: {"7": (768, "live")})
    invoked: list[tuple[str, Any]] = field(default_factory=list)
    fails_at: int | None = None
    answer: Mapping[str, Any] = field(default_factory=lambda: {"statusCode": 200})
    reports: bool = True

    def get_function_configuration(self, **_: object) -> Mapping[str, Any]:
        return {"MemorySize": self.memory, "Architectures": ["arm64"], "Timeout": 28}

    def update_function_configuration(self, **arguments: Any) -> object:
        self.memory = arguments["MemorySize"]
        return None

    def publish_version(self, **arguments: Any) -> Mapping[str, Any]:
        number = str(max(map(int, self.versions)) + 1)
        self.versions[number] = (self.memory, arguments["Description"])
        return {"Version": number}

    def delete_function(self, **arguments: Any) -> object:
        del self.versions[arguments["Qualifier"]]
        return None

    def list_versions_by_function(self, **arguments: str) -> Mapping[str, Any]:
        """A page of one version each."""
        numbers = ["$LATEST", *self.versions]
        at = int(arguments.get("Marker", 0))
        described = self.versions.get(numbers[at], (0, ""))[1]
        page: dict[str, Any] = {"Versions": [{"Version": numbers[at], "Description": described}]}
        return {**page, "NextMarker": str(at + 1)} if at + 1 < len(numbers) else page

    def get_waiter(self, name: str) -> Any:
        assert name == "function_updated_v2"
        return self

    def wait(self, **_: object) -> None:
        return None

    def invoke(self, **arguments: Any) -> Mapping[str, Any]:
        version = arguments["Qualifier"]
        memory, _ = self.versions[version]
        self.invoked.append((version, json.loads(arguments["Payload"])))
        if memory == self.fails_at:
            raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "Invoke")
        duration = 64_000 / min(memory, 1024)
        log = f"REPORT RequestId: 1\tDuration: {duration:.2f} ms\tBilled Duration: {duration:.0f} ms\t"
        log += f"Memory Size: {memory} MB\tMax Memory Used: 90 MB"
        said = base64.b64encode(log.encode()).decode() if self.reports else ""
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), "LogResult": said}


def run(client: FakeLambda, plan: Plan = PLAN, *, memory_matters: bool = True) -> Report:
    return tuning.tune(client, plan, Silent(), memory_matters=memory_matters)


def test_each_size_is_called_through_a_version_of_its_own() -> None:
    client = FakeLambda()
    report = run(client)
    assert [size.memory for size in report.sizes] == [256, 512, 1024]
    assert [size.calls for size in report.sizes] == [5, 5, 5]
    assert len(client.invoked) == PLAN.invocations
    assert len({version for version, _ in client.invoked}) == 3
    assert all(event == {"a": 1} for _, event in client.invoked)


def test_the_function_is_as_it_was_afterwards() -> None:
    client = FakeLambda()
    run(client)
    assert client.memory == 768
    assert client.versions == {"7": (768, "live")}


def test_the_function_is_as_it_was_when_a_call_is_refused() -> None:
    client = FakeLambda(fails_at=512)
    with pytest.raises(HarnessError, match="TooManyRequests"):
        run(client)
    assert client.memory == 768
    assert client.versions == {"7": (768, "live")}


def test_what_a_killed_run_has_left_is_removed() -> None:
    client = FakeLambda()
    client.versions["8"] = (128, f"{tuning.MARK}: 128 MB")
    run(client)
    assert client.versions == {"7": (768, "live")}


def test_the_recommendation_weighs_time_and_money() -> None:
    report = run(FakeLambda(), Plan(function=FUNCTION, sizes=(256, 1024, 2048), calls=2, event={}))
    # Four times the memory for a quarter of the time costs the same; twice as much for nothing costs double.
    fastest, balanced, cheapest = (report.best(name) for name in ("fastest", "balanced", "cheapest"))
    assert fastest is not None
    assert balanced is not None
    assert cheapest is not None
    assert (fastest.memory, balanced.memory) == (1024, 1024)
    assert cheapest.memory in {256, 1024}
    assert "1024 MB balances" in report.said


def test_where_memory_changes_nothing_nothing_is_recommended() -> None:
    report = run(FakeLambda(), memory_matters=False)
    assert report.best("balanced") is None
    assert "on this machine memory buys no processor time" in report.said


def test_a_size_whose_calls_fail_is_not_recommended() -> None:
    report = run(FakeLambda(answer={"statusCode": 404}))
    assert all(size.errors == 5 for size in report.sizes)
    assert report.best("fastest") is None
    assert "calls that failed" in report.said


def test_a_call_without_a_report_is_timed_from_outside() -> None:
    report = run(FakeLambda(reports=False))
    assert all(size.p50 > 0 and size.used_mb is None for size in report.sizes)


def test_reports_are_read_as_text_and_as_json() -> None:
    text = (
        "START\nREPORT RequestId: 1\tDuration: 12.50 ms\tBilled Duration: 300 ms\tMemory Size: 512 MB\t"
        "Max Memory Used: 80 MB\tInit Duration: 280.10 ms\t\n"
    )
    metrics = {
        "durationMs": 12.5,
        "billedDurationMs": 300,
        "memorySizeMB": 512,
        "maxMemoryUsedMB": 80,
        "initDurationMs": 280.1,
    }
    line = json.dumps({"type": "platform.report", "record": {"metrics": metrics}}, separators=(",", ":"))
    expected = Call(duration=12.5, billed=300, started=280.1, used_mb=80)
    assert tuning.read_call(text, 99.0) == expected
    assert tuning.read_call(f"{{}}\n{line}\n", 99.0) == expected


def test_money_is_time_times_memory_and_the_request() -> None:
    size = tuning.summarised(512, "arm64", [Call(duration=500, billed=500, started=None, used_mb=None)] * 3)
    assert size.usd_per_million == pytest.approx(0.20 + 1e6 * 0.5 * 0.5 * 0.0000133334)


@pytest.mark.parametrize("sizes", [(), (64,), (128, 20_000)])
def test_sizes_that_lambda_does_not_have_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(HarnessError, match="Lambda has no"):
        Plan(function=FUNCTION, sizes=sizes, calls=1, event={})


def test_what_a_run_may_cost_at_most_is_known_before() -> None:
    assert PLAN.most(28, "arm64") == pytest.approx(5 * sum(0.2e-6 + 28 * s / 1024 * 0.0000133334 for s in PLAN.sizes))


def test_only_what_changes_nothing_has_an_event_of_its_own() -> None:
    assert tuning_events.of("get_ticket", ticket_id="tkt_1")["pathParameters"] == {"id": "tkt_1"}
    assert json.loads(tuning_events.of("kb_search", ticket_id=None)["body"])["query"]
    with pytest.raises(HarnessError, match="done again and again"):
        tuning_events.of("create_ticket", ticket_id=None)
    with pytest.raises(HarnessError, match="needs a ticket"):
        tuning_events.of("get_solution", ticket_id=None)


def test_the_picture_shows_every_size() -> None:
    report = run(FakeLambda())
    root = ET.fromstring(tuning_picture.svg(report))  # noqa: S314 - our own text
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"256 MB", "512 MB", "1024 MB", "best balance: 1024 MB"} <= texts


def test_figures_of_one_call_are_those_of_the_first() -> None:
    only = tuning.summarised(128, "x86_64", [Call(duration=10, billed=10, started=100, used_mb=50)])
    assert only == Size(
        memory=128,
        calls=1,
        errors=0,
        p50=10,
        p95=10,
        billed=10,
        cold=110,
        used_mb=50,
        usd_per_million=only.usd_per_million,
    )
