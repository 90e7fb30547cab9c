"""The program as a whole: complete, the same on every run, and described by a graph that hides nothing."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pulumi
import pytest

from components.functions import EnvironmentMismatchError, check_environment
from harness import graph as graphs
from harness import stack_file
from harness.errors import HarnessError
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from harness.graph import Graph

GraphOf = Callable[[str], "Graph"]


def program(folder: Path, text: str) -> Path:
    """A root whose program is ``text``."""
    (folder / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{text}")
    return folder


def test_the_same_settings_give_the_same_graph(graph_of: GraphOf) -> None:
    again = graphs.build("prod")
    assert again.resources == graph_of("prod").resources
    assert again.outputs == graph_of("prod").outputs


SWITCHES: dict[str, dict[str, object]] = {
    "alarms": {"subscriptions": {}},
    "api": {"cache_gib": None},
    "audit": {"trail": False},
    "edge": {"waf": False, "cloudfront": False, "domain_name": None, "certificate_arn": None},
    "functions": {"provisioned_minimum": 0, "provisioned_maximum": 0, "release": "all-at-once"},
    "network": {"nat_gateway": False},
    "observability": {"canary": False},
}
"""Settings that add resources, off."""


def test_stacks_hold_the_same_resources_but_for_what_their_settings_switch_on() -> None:
    def names(stack: str) -> set[tuple[str, str]]:
        config = dict(stack_file.config(REPOSITORY, stack))
        for group, switched in SWITCHES.items():
            given = json.loads(config.get(f"energy-support:{group}", "{}"))
            config[f"energy-support:{group}"] = json.dumps({**given, **switched})
        return {(resource.type, resource.name) for resource in graphs.build_with(stack, config)}

    assert names("local") == names("dev") == names("staging") == names("prod")


def test_every_resource_lies_in_a_component(graph: Graph) -> None:
    components = {resource.urn: resource for resource in graph if not resource.custom}
    for resource in graph:
        if resource.custom and not resource.type.startswith("pulumi:providers:"):
            assert resource.parent in components, resource.urn


def test_components_have_tokens_that_say_where_they_stand_and_document_their_defaults(graph: Graph) -> None:
    for resource in (resource for resource in graph if not resource.custom):
        token = re.fullmatch(r"support:([a-z_]+):([A-Z]\w+)", resource.type)
        assert token is not None
        component = getattr(importlib.import_module(f"components.{token[1]}"), token[2])
        assert issubclass(component, pulumi.ComponentResource)
        assert "Default settings:" in component.__doc__, resource.type


def test_physical_names_say_service_and_environment(graph: Graph) -> None:
    prefix = f"support-{graph.settings.environment}"
    for resource in graph:
        name = resource.inputs.get("name", "")
        if (
            resource.custom
            and name
            and resource.type
            not in {
                "aws:cognito/userGroup:UserGroup",
                "aws:iam/rolePolicy:RolePolicy",
                "aws:lambda/alias:Alias",
                "aws:cloudwatch/logGroup:LogGroup",
            }
        ):
            assert name.startswith((prefix, f"alias/{prefix}")), resource.urn


def test_what_others_need_is_exported(graph: Graph) -> None:
    assert graph.outputs.keys() == {
        "api_id",
        "api_url",
        "embedding_model_id",
        "event_bus",
        "functions",
        "kb_bucket",
        "partner_key_arn",
        "queue_urls",
        "region",
        "releases",
        "search_endpoint",
        "search_index",
        "search_pipeline",
        "stage_url",
        "state_machine_arn",
        "tables",
        "usage_plan_ids",
        "user_pool_client_id",
        "user_pool_id",
    }


def test_a_function_without_a_variable_that_it_reads_is_a_mistake_that_stops_the_program() -> None:
    with pytest.raises(
        EnvironmentMismatchError, match=r"not given: \['TICKETS_TABLE'\]; given for nothing: \['TABLE'\]"
    ):
        check_environment("get_ticket", {"CORS_ALLOWED_ORIGINS": "", "TABLE": "t"})


def test_subscribers_of_alarms_are_reached_by_the_way_that_their_address_tells(config: dict[str, str]) -> None:
    config["energy-support:alarms"] = json.dumps(
        {
            "subscriptions": {
                "on-call": "https://events.example.com/alarms",
                "team": "team@example.com",
                "bot": "arn:aws:lambda:eu-central-1:333333333333:function:bot",
            }
        }
    )
    built = graphs.build_with("prod", config)
    found = {
        subscription.name: (subscription.inputs["protocol"], subscription.inputs["endpoint"])
        for subscription in built.of_type("aws:sns/topicSubscription:TopicSubscription")
    }
    assert found == {
        "alarms-on-call": ("https", "https://events.example.com/alarms"),
        "alarms-team": ("email", "team@example.com"),
        "alarms-bot": ("lambda", "arn:aws:lambda:eu-central-1:333333333333:function:bot"),
    }


def test_without_a_guardrail_there_is_none_to_apply(config: dict[str, str]) -> None:
    config["energy-support:models"] = json.dumps({"guardrail": False})
    built = graphs.build_with("prod", config)
    assert not built.of_type("aws:bedrock/guardrail:Guardrail")
    variables = built.one("aws:lambda/function:Function", "process_ticket").inputs["environment"]["variables"]
    assert (variables["GUARDRAIL_ID"], variables["GUARDRAIL_VERSION"]) == ("", "")


# --- the graph itself


def test_an_output_that_is_not_known_is_an_error_when_it_is_used(tmp_path: Path, config: dict[str, str]) -> None:
    root = program(
        tmp_path,
        """
zone = aws.route53.Zone("zone", name="example.com")
aws.sqs.Queue("queue", name=zone.arn)
""",
    )
    with pytest.raises(graphs.GraphError, match=r"Queue queue: name uses an output .* aws:route53/zone:Zone arn"):
        graphs.build_with("prod", config, root=root)


def test_an_unknown_output_among_the_exports_is_an_error(tmp_path: Path, config: dict[str, str]) -> None:
    root = program(tmp_path, 'pulumi.export("arn", aws.route53.Zone("zone", name="example.com").arn)\n')
    with pytest.raises(graphs.GraphError, match="the stack's outputs: arn"):
        graphs.build_with("prod", config, root=root)


def test_a_provider_function_without_an_answer_is_an_error(tmp_path: Path, config: dict[str, str]) -> None:
    root = program(tmp_path, 'pulumi.export("id", aws.get_caller_identity_output().account_id)\n')
    with pytest.raises(graphs.GraphError, match="getCallerIdentity"):
        graphs.build_with("prod", config, root=root)


def test_a_program_that_fails_says_why(tmp_path: Path, config: dict[str, str]) -> None:
    root = program(tmp_path, 'aws.sqs.Queue("queue")\nraise ValueError("why")\n')
    with pytest.raises(ValueError, match="why"):
        graphs.build_with("prod", config, root=root)


def test_a_program_that_does_not_end_is_given_up(
    tmp_path: Path, config: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "TIMEOUT", 0.05)
    root = program(
        tmp_path,
        """
import asyncio
aws.sqs.Queue("queue", name=pulumi.Output.from_input(asyncio.sleep(30)).apply(str))
""",
    )
    with pytest.raises(graphs.GraphError, match="did not describe stack prod within"):
        graphs.build_with("prod", config, root=root)


def test_a_stack_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(HarnessError, match="no stack 'production'"):
        graphs.build("production")


def test_two_resources_of_the_same_name_are_an_error(tmp_path: Path, config: dict[str, str]) -> None:
    root = program(tmp_path, 'aws.sqs.Queue("queue")\naws.sqs.Queue("queue")\n')
    with pytest.raises(graphs.GraphError, match="two resources are called"):
        graphs.build_with("prod", config, root=root)
