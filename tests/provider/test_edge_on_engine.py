"""The edge under the real engine: its secret in an encrypted state only, and rotated without a gap."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import boto3
import pulumi
import pulumi_aws as aws
import pytest
from pulumi import automation as auto

from components.edge import Edge, EdgeArgs, writers
from components.logs import LogPolicy, ServiceWriters, ServiceWritersArgs
from components.names import Names
from components.settings import Edge as EdgeSettings
from harness.engine_process import write_plugins
from harness.paths import Paths
from harness.progress import Silent
from harness.toolchain import ensure_pulumi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REGION = "eu-west-1"
NAMES = Names(environment="edge", partition="aws", region=REGION, account_id="000000000000")
MOCK = {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
BODY = {
    "openapi": "3.0.1",
    "info": {"title": "api", "version": "1"},
    "paths": {"/": {"get": {"responses": {}, "x-amazon-apigateway-integration": MOCK}}},
}


class Program:
    """An API and its edge; ``number`` is the secret that CloudFront shows."""

    number = 1

    def __call__(self) -> None:
        provider = aws.Provider("aws", region=REGION, default_tags={"tags": {"stack": "test"}})
        opts = pulumi.ResourceOptions(provider=provider)
        settings = EdgeSettings(
            domain_name="api.example.com",
            certificate_arn="arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-3333-4444-555555555555",
            hosted_zone_id="Z0123456789ABC",
            origin_secret_number=self.number,
        )
        api = aws.apigateway.RestApi("api", name="edge", body=json.dumps(BODY), opts=opts)
        deployment = aws.apigateway.Deployment("api", rest_api=api.id, opts=opts)
        stage = aws.apigateway.Stage("api", rest_api=api.id, deployment=deployment.id, stage_name="v1", opts=opts)
        key = aws.kms.Key("logs", opts=opts)
        access = ServiceWriters("access", ServiceWritersArgs(names=NAMES, writers=writers(NAMES, settings)), opts)
        edge = Edge(
            "edge",
            EdgeArgs(
                names=NAMES,
                settings=settings,
                stage=stage,
                logs=LogPolicy(retention_days=30, key_arn=key.arn),
                log_access=access,
                protect=False,
                partner_rate=100,
            ),
            opts,
        )
        pulumi.export("url", edge.url)


@pytest.fixture
def stack(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[auto.Stack, Program]]:
    plugins = tmp_path / "bin"
    write_plugins(plugins)
    cli = ensure_pulumi(Paths.find(), Silent())
    monkeypatch.setenv("PATH", f"{plugins}:{cli.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HARNESS_AWS_ACCESS_KEY_ID", "test")
    (tmp_path / "Pulumi.yaml").write_text("name: edge-test\nruntime: python\n")
    program = Program()
    environment = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONDONTWRITEBYTECODE": "",
        "HARNESS_AWS_ENDPOINT": emulator,
    }
    options = auto.LocalWorkspaceOptions(
        work_dir=str(tmp_path), pulumi_home=str(tmp_path / "home"), env_vars=environment
    )
    made = auto.create_or_select_stack(stack_name="test", project_name="edge-test", program=program, opts=options)
    yield made, program
    made.destroy()


def changed(summary: Mapping[Any, int] | None) -> dict[str, int]:
    return {str(getattr(kind, "value", kind)): count for kind, count in (summary or {}).items() if kind != "same"}


class Deployed:
    """What the emulator holds of the edge."""

    def __init__(self, emulator: str) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self._waf = boto3.client("wafv2", endpoint_url=emulator, region_name=REGION, **keys)  # type: ignore[call-overload]
        self._cloudfront = boto3.client("cloudfront", endpoint_url=emulator, region_name=REGION, **keys)  # type: ignore[call-overload]

    def taken(self) -> set[str]:
        """The secrets that the API takes."""
        found = self._waf.list_web_acls(Scope="REGIONAL")["WebACLs"]
        acl = next(each for each in found if each["Name"] == "support-edge-api")
        rules = self._waf.get_web_acl(Id=acl["Id"], Name=acl["Name"], Scope="REGIONAL")["WebACL"]["Rules"]
        either = rules[0]["Statement"]["NotStatement"]["Statement"]["OrStatement"]["Statements"]
        return {each["ByteMatchStatement"]["SearchString"].decode() for each in either}

    def shown(self) -> str:
        """The secret that CloudFront shows."""
        found = self._cloudfront.list_distributions()["DistributionList"]["Items"]
        distribution = next(each for each in found if each["Comment"] == "support-edge-api")
        config = self._cloudfront.get_distribution_config(Id=distribution["Id"])["DistributionConfig"]
        (header,) = config["Origins"]["Items"][0]["CustomHeaders"]["Items"]
        return str(header["HeaderValue"])


@pytest.mark.timeout(300)
def test_the_edge_is_deployed_rotated_and_destroyed_and_its_secret_is_nowhere_in_plain(
    stack: tuple[auto.Stack, Program], emulator: str, tmp_path: Path
) -> None:
    made, program = stack
    first = made.up()
    assert first.outputs["url"].value == "https://api.example.com/v1"
    deployed = Deployed(emulator)
    taken, shown = deployed.taken(), deployed.shown()
    assert len(taken) == 2
    assert shown in taken
    assert changed(made.preview().change_summary) == {}
    assert changed(made.preview(refresh=True).change_summary) == {}

    program.number = 2
    rotated = made.up()
    assert changed(rotated.summary.resource_changes) == {"create": 1, "update": 2, "delete": 1}
    assert deployed.shown() not in taken
    assert deployed.taken() == {shown, deployed.shown()}
    assert changed(made.preview().change_summary) == {}

    written = (first.stdout, rotated.stdout, next((tmp_path / ".pulumi" / "stacks").rglob("test.json")).read_text())
    for secret in taken | deployed.taken():
        assert not any(secret in text for text in written)
