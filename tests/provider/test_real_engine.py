"""The provider under the real engine: a small program from the first preview to the last deletion."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pulumi
import pulumi_aws as aws
import pytest
from pulumi import automation as auto

from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REGION = "eu-west-1"
SECRET = "hunter2hunter2"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Program:
    """A program with a bit of everything: names given and made up, archives, secrets, outputs that make inputs."""

    def __init__(self) -> None:
        self.code = "def h(event, context):\n    print('called')\n    return event\n"
        self.path = "/a/"

    def __call__(self) -> None:
        provider = aws.Provider("aws", region=REGION, default_tags={"tags": {"stack": "test"}})
        opts = pulumi.ResourceOptions(provider=provider)
        failures = aws.sqs.Queue("failures", name="engine-failures", opts=opts)
        redrive = failures.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}))
        queue = aws.sqs.Queue("work", visibility_timeout_seconds=60, redrive_policy=redrive, opts=opts)
        aws.dynamodb.Table(
            "tickets",
            name="engine-tickets",
            hash_key="id",
            attributes=[{"name": "id", "type": "S"}],
            billing_mode="PAY_PER_REQUEST",
            ttl={"enabled": True, "attribute_name": "ttl"},
            opts=opts,
        )
        role = aws.iam.Role("role", name="engine-role", path=self.path, assume_role_policy=json.dumps(TRUST), opts=opts)
        function = aws.lambda_.Function(
            "function",
            name="engine-function",
            role=role.arn,
            handler="h.h",
            runtime="python3.13",
            code=pulumi.AssetArchive({"h.py": pulumi.StringAsset(self.code)}),
            environment={"variables": {"QUEUE": queue.url, "TOKEN": pulumi.Output.secret(SECRET)}},
            publish=True,
            opts=opts,
        )
        alias = aws.lambda_.Alias(
            "live", name="live", function_name=function.name, function_version=function.version, opts=opts
        )
        call = aws.lambda_.Invocation(
            "call", function_name=function.name, qualifier=alias.name, input='{"a": 1}', opts=opts
        )
        pulumi.export("queue", queue.url)
        pulumi.export("result", call.result)
        pulumi.export("version", function.version)


@pytest.fixture
def stack(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[auto.Stack, Program]]:
    plugin = tmp_path / "bin" / "pulumi-resource-aws"
    plugin.parent.mkdir()
    plugin.write_text(f"#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m harness.provider\n")
    plugin.chmod(0o755)
    cli = ensure_pulumi(Paths.find(), Silent())
    monkeypatch.setenv("PATH", f"{plugin.parent}:{cli.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HARNESS_AWS_ACCESS_KEY_ID", "test")
    (tmp_path / "Pulumi.yaml").write_text("name: engine-test\nruntime: python\n")
    program = Program()
    environment = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONDONTWRITEBYTECODE": "",
        "HARNESS_AWS_ENDPOINT": emulator,
    }
    made = auto.create_or_select_stack(
        stack_name="test",
        project_name="engine-test",
        program=program,
        opts=auto.LocalWorkspaceOptions(
            work_dir=str(tmp_path), pulumi_home=str(tmp_path / "home"), env_vars=environment
        ),
    )
    yield made, program
    made.destroy()


def changed(summary: Mapping[Any, int] | None) -> dict[str, int]:
    return {str(getattr(kind, "value", kind)): count for kind, count in (summary or {}).items() if kind != "same"}


def client(emulator: str, service: Any) -> Any:
    return boto3.client(
        service, endpoint_url=emulator, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.mark.timeout(300)
def test_a_program_is_deployed_kept_mended_changed_and_destroyed(
    stack: tuple[auto.Stack, Program], emulator: str, tmp_path: Path
) -> None:
    made, program = stack
    assert changed(made.preview().change_summary) == {"create": 9}

    first = made.up()
    assert json.loads(first.outputs["result"].value) == {"a": 1}
    assert SECRET not in next((tmp_path / ".pulumi" / "stacks").rglob("test.json")).read_text()
    assert changed(made.preview().change_summary) == {}
    assert changed(made.preview(refresh=True).change_summary) == {}

    # Behind its back: a queue deleted, a variable changed, expiry switched off.
    client(emulator, "sqs").delete_queue(QueueUrl=first.outputs["queue"].value)
    client(emulator, "lambda").update_function_configuration(
        FunctionName="engine-function", Environment={"Variables": {"QUEUE": "elsewhere"}}
    )
    client(emulator, "dynamodb").update_time_to_live(
        TableName="engine-tickets", TimeToLiveSpecification={"Enabled": False, "AttributeName": "ttl"}
    )
    mended = made.up(refresh=True)
    assert changed(mended.summary.resource_changes) == {"create": 1, "update": 3}
    assert mended.outputs["queue"].value != first.outputs["queue"].value
    assert changed(made.preview(refresh=True).change_summary) == {}

    # One function's code: the function and its alias, nothing else.
    program.code += "# changed\n"
    coded = made.up()
    assert changed(coded.summary.resource_changes) == {"update": 2}
    assert int(coded.outputs["version"].value) == int(mended.outputs["version"].value) + 1

    # A fixed name is freed before it is taken again.
    program.path = "/b/"
    assert changed(made.up().summary.resource_changes)["replace"] >= 1
    assert client(emulator, "iam").get_role(RoleName="engine-role")["Role"]["Path"] == "/b/"

    assert changed(made.destroy().summary.resource_changes) == {"delete": 9}
    assert not client(emulator, "lambda").list_functions()["Functions"]
