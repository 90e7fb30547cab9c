"""A second judge of the mapping templates: Apache Velocity itself, where Maven and a JDK are on this machine.

Version 1.7: like API Gateway, and unlike 2.x, it takes names with hyphens (``$context.responseOverride.header.…``).
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import vtl
from harness.paths import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
TEMPLATES = HERE.parents[1] / "components" / "templates"
VELOCITY = "org.apache.velocity:velocity:1.7"
NAMES = ("status_request", "status_response", "feedback_request", "feedback_response")
TICKET = {"ticket_id": "tkt_0123456789ab", "status": "READY", "sla_deadline": "2026-01-31T12:00:00Z"}
HOSTILE = (
    "", "tkt_0123456789ab", "tkt_0123456789ab\n", "tkt_0123456789abX", "'\"\\/", '"}},"TableName":"x', "#end#stop",
    "#set($a = 1)$a", "$util.urlEncode('x')", "$!{context.requestId}", "##", "#*", "&Action=DeleteQueue", "%26=+ ~*",
    "a\r\nb\tc", "\0", "é\u2028🔌", "a" * 10_000,
)  # fmt: skip
GROUPS = (
    None, "", "customer", "[customer]", "[a customer]", "[a, customer]", "a,customer", "customers", "xcustomer",
    "operator", "[customer operator]", "operator2", "co-operator", "#set($operator = true)", "$operator",
    "' operator '",
)  # fmt: skip
CUSTOMERS = (None, "", "C1", "C2", "C1'", "$owner")


@dataclass(frozen=True)
class Rendering:
    template: str
    path: str = "tkt_0123456789ab"
    body: str = "{}"
    owner: str = ""
    claims: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def judge() -> Callable[[Sequence[Rendering]], list[tuple[str, str, str]]]:
    """Renders with Velocity: text, status and content type."""
    maven, java = shutil.which("mvn"), shutil.which("java")
    if maven is None or java is None or shutil.which("javac") is None:
        pytest.skip("Maven and a JDK are needed")
    jars = user_cache() / "velocity" / VELOCITY.rpartition(":")[2]
    for artifact in (VELOCITY, "commons-collections:commons-collections:3.2.1", "commons-lang:commons-lang:2.4"):
        _, name, version = artifact.split(":")
        if not (jars / f"{name}-{version}.jar").exists():
            command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={jars}"]
            if subprocess.run(command, check=False, capture_output=True, timeout=100).returncode:
                pytest.skip(f"Maven cannot get {artifact}")

    def render(renderings: Sequence[Rendering]) -> list[tuple[str, str, str]]:
        lines = []
        for each in renderings:
            fields = [
                text(each.template),
                "r-1",
                each.path,
                each.body,
                each.owner,
                *itertools.chain(*each.claims.items()),
            ]
            lines.append("\t".join(base64.b64encode(value.encode()).decode() for value in fields))
        done = subprocess.run(
            [java, "-cp", f"{jars}/*", HERE / "Velocity.java"],
            input="\n".join(lines) + "\n", capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers = []
        for line in done.stdout.splitlines():
            words, status, content_type = (base64.b64decode(value).decode() for value in line.split("\t"))
            answers.append((words, status, content_type))
        return answers

    return render


def text(name: str) -> str:
    """As the program deploys it, but for the values of placeholders."""
    return (TEMPLATES / f"{name}.vtl").read_text().strip()


def ours(each: Rendering) -> tuple[str, str, str]:
    attributes = TICKET | {"customer_id": each.owner}
    item = {"Item": {name: {"S": value} for name, value in attributes.items()}} if each.owner else {}
    rendered = vtl.render(
        text(each.template),
        body=json.dumps(item) if each.template == "status_response" else each.body,
        parameters=vtl.Parameters(path={"id": each.path}),
        context={"requestId": "r-1", "authorizer": {"claims": each.claims}},
    )
    status = "null" if rendered.status is None else str(rendered.status)
    return rendered.text, status, rendered.headers.get("Content-Type", "null")


def without_blank_lines(answer: tuple[str, str, str]) -> tuple[str, str, str]:
    # The two differ in the line ends after directives, which JSON does not mind and a form would.
    return answer if answer[0].startswith("Action=") else (answer[0].strip(), *answer[1:])


def renderings() -> list[Rendering]:
    found = [
        Rendering(template, path=path, body=body)
        for template in NAMES
        for path, body in itertools.chain(
            ((each, "{}") for each in HOSTILE), (("tkt_0123456789ab", b) for b in HOSTILE)
        )
    ]
    for template, groups, customer, owner in itertools.product(NAMES[1:3], GROUPS, CUSTOMERS, ("", "C1", "C2")):
        claims = {"sub": "s", "cognito:groups": groups, "custom:customer_id": customer}
        present = {name: value for name, value in claims.items() if value is not None}
        found.append(Rendering(template, owner=owner, claims=present))
    return found


def test_apache_velocity_renders_what_our_engine_renders(
    judge: Callable[[Sequence[Rendering]], list[tuple[str, str, str]]],
) -> None:
    cases = renderings()
    theirs = judge(cases)
    assert len(theirs) == len(cases) > 600
    for case, answer in zip(cases, theirs, strict=True):
        assert without_blank_lines(answer) == without_blank_lines(ours(case)), case
