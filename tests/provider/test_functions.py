"""Lambda as the program uses it: versions, code, invocations, archives."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from harness.provider.archives import zip_bytes
from harness.provider.values import ARCHIVE, ASSET, SIGNATURE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FUNCTION = "aws:lambda/function:Function"
INVOCATION = "aws:lambda/invocation:Invocation"
ECHO = "def h(event, context):\n    print('called')\n    return {'got': event}\n"
BROKEN = "def h(event, context):\n    print('called')\n    raise ValueError('no such index:\\n knowledge-base')\n"


@pytest.fixture
def inputs(engine: Any, archive: Callable[..., Any], trust: Callable[[str], Any]) -> Callable[[str], dict[str, Any]]:
    role = engine.create(
        "aws:iam/role:Role", {"name": "f", "assumeRolePolicy": json.dumps(trust("lambda.amazonaws.com"))}
    )

    def make(code: str) -> dict[str, Any]:
        return {
            "name": "f",
            "role": role["arn"],
            "handler": "h.h",
            "runtime": "python3.13",
            "code": archive(h=code),
            "publish": True,
        }

    return make


def test_a_new_version_is_published_only_when_code_or_configuration_changed(engine: Any, inputs: Any) -> None:
    first = engine.create(FUNCTION, inputs(ECHO))
    assert (first["version"], first["qualifiedArn"]) == ("1", f"{first['arn']}:1")
    tagged = engine.update(first, {**inputs(ECHO), "tags": {"a": "1"}, "reservedConcurrentExecutions": 3})
    assert tagged["version"] == "1"
    configured = engine.update(tagged, {**inputs(ECHO), "timeout": 9})
    assert configured["version"] == "2"
    assert configured["codeSha256"] == first["codeSha256"]
    coded = engine.update(configured, {**inputs(f"{ECHO}# more\n"), "timeout": 9})
    assert coded["version"] == "3"
    assert coded["codeSha256"] != first["codeSha256"]


def test_a_preview_knows_what_an_update_will_make_new(engine: Any, inputs: Any) -> None:
    made = engine.create(FUNCTION, inputs(ECHO))
    configured = engine.update(made, {**inputs(ECHO), "timeout": 9}, preview=True)
    assert configured["version"] == configured["qualifiedArn"] == UNKNOWN
    assert configured["codeSha256"] == made["codeSha256"]
    assert engine.update(made, inputs(f"{ECHO}# more\n"), preview=True)["codeSha256"] == UNKNOWN
    assert engine.update(made, {**inputs(ECHO), "tags": {"a": "1"}}, preview=True)["version"] == made["version"]


def test_invoke_arns_are_those_of_api_gateway(engine: Any, inputs: Any) -> None:
    made = engine.create(FUNCTION, inputs(ECHO))
    path = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{made['arn']}"
    assert made["invokeArn"] == f"{path}/invocations"
    assert made["qualifiedInvokeArn"] == f"{path}:1/invocations"
    assert made["responseStreamingInvokeArn"].endswith(f"{made['arn']}/response-streaming-invocations")


def test_a_function_is_invoked_when_it_is_deployed_and_its_answer_kept(engine: Any, inputs: Any) -> None:
    engine.create(FUNCTION, inputs(ECHO))
    made = engine.create(INVOCATION, {"functionName": "f", "input": '{"a": 1}'})
    assert json.loads(made["result"]) == {"got": {"a": 1}}
    assert engine.refresh(made)["result"] == made["result"]


def test_a_function_that_fails_fails_the_deployment_with_its_message(engine: Any, inputs: Any) -> None:
    engine.create(FUNCTION, inputs(BROKEN))
    with pytest.raises(Exception, match="no such index: knowledge-base") as caught:
        engine.create(INVOCATION, {"functionName": "f", "input": "{}"})
    assert "lambda Invoke f" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_invocation_with_a_life_of_its_own_is_told_of_each_step(engine: Any, inputs: Any) -> None:
    engine.create(FUNCTION, inputs(ECHO))
    given = {"functionName": "f", "input": '{"a": 1}', "lifecycleScope": "CRUD"}
    made = engine.create(INVOCATION, given)
    assert json.loads(made["result"])["got"] == {"a": 1, "tf": {"action": "create", "prev_input": None}}
    changed = engine.update(made, {**given, "input": '{"a": 2}'})
    assert json.loads(changed["result"])["got"] == {"a": 2, "tf": {"action": "update", "prev_input": {"a": 1}}}


# --- archives


def folder_archive(path: Path) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, "hash": "h", "path": str(path)}


def test_the_same_folder_gives_the_same_bytes_whenever_and_wherever_it_was_written(tmp_path: Path) -> None:
    archives = []
    for name, order in (("one", ("a.py", "b/c.py")), ("two", ("b/c.py", "a.py"))):
        for file in order:
            place = tmp_path / name / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"content of {file}")
        archives.append(zip_bytes(folder_archive(tmp_path / name)))
    assert archives[0] == archives[1]


def test_a_zip_is_passed_on_as_it_is(tmp_path: Path) -> None:
    packed = tmp_path / "f.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("h.py", ECHO)
    assert zip_bytes(folder_archive(packed)) == packed.read_bytes()


def test_a_table_of_assets_and_archives_becomes_one_zip_and_keeps_modes(tmp_path: Path) -> None:
    script = tmp_path / "tools" / "run.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assets = {
        "h.py": {SIGNATURE: ASSET, "hash": "1", "text": ECHO},
        "data.txt": {SIGNATURE: ASSET, "hash": "2", "path": str(script)},
        "tools": folder_archive(tmp_path / "tools"),
    }
    packed = zipfile.ZipFile(io.BytesIO(zip_bytes({SIGNATURE: ARCHIVE, "hash": "3", "assets": assets})))
    modes = {entry.filename: entry.external_attr >> 16 for entry in packed.infolist()}
    assert modes == {"h.py": 0o644, "data.txt": 0o755, "tools/run.sh": 0o755}


@pytest.mark.parametrize("archive", [{"path": "/nowhere/f.zip"}, {"uri": "https://example.com/f.zip"}])
def test_an_archive_that_cannot_be_read_is_named(archive: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(archive.values()))):
        zip_bytes({SIGNATURE: ARCHIVE, "hash": "h", **archive})
