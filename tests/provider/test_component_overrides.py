"""What the engine does with a user's transform on a component: it meets every child, and can change each."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, cast

import pulumi
import pulumi_aws as aws
from pulumi import automation as auto

from components.buckets import RecordBucket, RecordBucketArgs
from components.names import Names
from harness.paths import REPOSITORY, Paths
from harness.progress import Silent
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMES = Names(environment="test", partition="aws", region="eu-west-1", account_id="111122223333")
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def program() -> None:
    """Two buckets for records; the first one keeps old versions for a year."""

    def longer(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration":
            return None
        [rule] = cast("Any", args.props["rules"])
        kept = {**rule, "noncurrentVersionExpiration": {"noncurrentDays": 365}}
        return pulumi.ResourceTransformResult({**args.props, "rules": [kept]}, args.opts)

    provider = aws.Provider("aws", region="eu-west-1")
    changes: dict[str, list[pulumi.ResourceTransform]] = {"first": [longer], "second": []}
    for thing, transforms in changes.items():
        args = RecordBucketArgs(names=NAMES, thing=thing, key_arn=KEY, days=30, protect=False, writers=[])
        RecordBucket(thing, args, pulumi.ResourceOptions(provider=provider, transforms=transforms))


def test_a_transform_on_a_component_changes_the_child_that_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "bin" / "pulumi-resource-aws"
    plugin.parent.mkdir()
    plugin.write_text(f"#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m harness.provider\n")
    plugin.chmod(0o755)
    cli = ensure_pulumi(Paths.find(), Silent())
    monkeypatch.setenv("PATH", f"{plugin.parent}:{cli.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("HARNESS_AWS_ENDPOINT", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: overrides\nruntime: python\n")
    environment = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONDONTWRITEBYTECODE": "",
    }
    stack = auto.create_or_select_stack(
        stack_name="test",
        project_name="overrides",
        program=program,
        opts=auto.LocalWorkspaceOptions(
            work_dir=str(tmp_path), pulumi_home=str(tmp_path / "home"), env_vars=environment
        ),
    )
    planned: dict[str, dict[str, Any]] = {}

    def note(event: auto.EngineEvent) -> None:
        step = event.resource_pre_event and event.resource_pre_event.metadata
        if step and step.new and step.new.inputs:
            planned[step.urn.partition("::overrides::")[2]] = dict(step.new.inputs)

    stack.preview(on_event=note)
    component = "support:buckets:RecordBucket$aws:s3/"
    kept = {
        urn.rpartition("::")[2]: inputs["rules"][0]["noncurrentVersionExpiration"]["noncurrentDays"]
        for urn, inputs in planned.items()
        if urn.startswith(f"{component}bucketLifecycleConfiguration:")
    }
    assert kept == {"first": 365, "second": 7}
    others: dict[str, dict[str, str]] = {"first": {}, "second": {}}
    for urn, inputs in planned.items():
        kind, _, name = urn.rpartition("::")
        if name in others and "bucketLifecycleConfiguration" not in kind:
            others[name][kind] = str(inputs).replace(name, "")
    assert others["first"] == others["second"] != {}
