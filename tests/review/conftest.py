"""Fixtures of the change review's tests: a small system, and previews of its changes by the real engine."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness import engine as engine_module
from harness import toolchain
from harness.engine import Engine
from harness.engine_process import EngineCommand
from harness.paths import REPOSITORY, Paths, user_cache
from harness.progress import Silent
from harness.review import plan_file, versions
from harness.review.changes import Preview, Review, review

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pulumi import automation as auto

    from harness.review.versions import Version

STACK = "local"
SYSTEM = """
import json

import pulumi
import pulumi_aws as aws

provider = aws.Provider("aws", region="eu-central-1", default_tags={"tags": {"service": "test"}})
opts = pulumi.ResourceOptions(provider=provider)
kept = pulumi.ResourceOptions(provider=provider, protect=True)


class Room(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("support:test:Room", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        queue = aws.sqs.Queue(f"{name}-queue", name="letters", opts=child)
        aws.cloudwatch.EventBus(f"{name}-bus", name="events", opts=child)
        pulumi.export("letters", queue.url)


Room("room")
aws.dynamodb.Table(
    "tickets",
    name="tickets",
    billing_mode="PAY_PER_REQUEST",
    hash_key="ticket_id",
    attributes=[{"name": "ticket_id", "type": "S"}, {"name": "customer_id", "type": "S"}],
    global_secondary_indexes=[
        {
            "name": "by-customer",
            "key_schemas": [{"attribute_name": "customer_id", "key_type": "HASH"}],
            "projection_type": "ALL",
        },
    ],
    opts=kept,
)
aws.sqs.Queue("work", name="work", opts=opts)
trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
role = aws.iam.Role(
    "worker", name="worker", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}), opts=opts
)
rights = {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": "arn:aws:dynamodb:*:*:table/tickets"}
aws.iam.RolePolicy(
    "rights", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [rights]}), opts=opts
)
function = aws.lambda_.Function(
    "worker-function",
    name="worker",
    role=role.arn,
    handler="h.h",
    runtime="python3.12",
    memory_size=512,
    code=pulumi.AssetArchive({"h.py": pulumi.StringAsset("def h(event, context): ...")}),
    environment={"variables": {"TOKEN": pulumi.Output.secret("hunter2hunter2")}},
    publish=True,
    opts=opts,
)
aws.lambda_.Alias("live", name="live", function_name=function.name, function_version=function.version, opts=opts)
aws.opensearch.Domain(
    "search",
    domain_name="search",
    engine_version="OpenSearch_2.17",
    cluster_config={"instance_type": "m7g.large.search", "instance_count": 2},
    opts=kept,
)
aws.cloudwatch.LogGroup("calls", name="/test/calls", retention_in_days=365, opts=opts)
aws.cloudwatch.MetricAlarm(
    "too-many",
    name="too-many",
    namespace="AWS/SQS",
    metric_name="ApproximateNumberOfMessagesVisible",
    dimensions={"QueueName": "work"},
    statistic="Maximum",
    period=60,
    evaluation_periods=1,
    threshold=1,
    comparison_operator="GreaterThanThreshold",
    opts=opts,
)
"""


@dataclass(frozen=True, kw_only=True)
class System:
    """The small system, as it was committed and assumed to be deployed."""

    root: Path
    version: Version
    cli: Path

    def changed(self, folder: Path, edits: Mapping[str, str]) -> Engine:
        """An engine over the system with other lines in its program, in ``folder``."""
        root, state = folder / "a changed program", folder / "state"
        shutil.copytree(self.root, root)
        shutil.copytree(self.version.state, state)
        text = SYSTEM
        for old, new in edits.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (root / "__main__.py").write_text(text)
        return Engine(root=root, state=state, stack=STACK, cli=self.cli, judged=False)

    def review(self, engine: Engine) -> Review:
        """The review of what an engine would change."""
        run = engine.preview()
        return review(
            Preview(stack=STACK, against="HEAD", judge="local", steps=run.plan, protected=self.version.protected)
        )

    def official(self, engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch) -> Review:
        """The same, from what the CLI prints with ``--json``."""

        class Printing(EngineCommand):
            def run(self, args: list[str], *others: object, **named: object) -> auto.CommandResult:
                result = super().run([*args, "--json"] if args[0] == "preview" else args, *others, **named)  # type: ignore[arg-type]  # as given
                if args[0] == "preview":
                    file.write_text(result.stdout)
                return result

        monkeypatch.setattr(engine_module, "EngineCommand", Printing)
        engine.preview()
        plan = plan_file.read(str(file))
        return review(
            Preview(
                stack=plan.stack,
                against="HEAD",
                judge="official",
                steps=plan.steps,
                protected=self.version.protected,
                unchanged=plan.unchanged,
                errors=plan.errors,
            )
        )


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> System:
    folder = tmp_path_factory.mktemp("system")
    root = folder / "a program"
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    (root / f"Pulumi.{STACK}.yaml").write_text("config: {}\n")
    (root / "__main__.py").write_text(SYSTEM)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    cli = toolchain.ensure_pulumi(Paths.find(), Silent())
    paths = Paths(root=root, cache=user_cache(), local=folder / "local")
    return System(root=root, version=versions.assume(paths, cli, STACK, "HEAD", Silent()), cli=cli)
