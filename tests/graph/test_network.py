"""The VPC: what is in it, who may reach whom, and what AWS needs of it (rows of the facts that an emulator passes)."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from components import network as networks
from harness import graph as graphs
from harness.access import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.access import Access
    from harness.graph import Graph, Resource

ASSOCIATION: Final = "aws:ec2/routeTableAssociation:RouteTableAssociation"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
DOMAIN: Final = "aws:opensearch/domain:Domain"
EGRESS: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW_LOG: Final = "aws:ec2/flowLog:FlowLog"
FUNCTION: Final = "aws:lambda/function:Function"
GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
INGRESS: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
INVOCATION: Final = "aws:lambda/invocation:Invocation"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
NAT: Final = "aws:ec2/natGateway:NatGateway"
ROUTE: Final = "aws:ec2/route:Route"
ROUTE_TABLE: Final = "aws:ec2/routeTable:RouteTable"
SERVICE_ROLE: Final = "aws:iam/serviceLinkedRole:ServiceLinkedRole"
SUBNET: Final = "aws:ec2/subnet:Subnet"
VPC: Final = "aws:ec2/vpc:Vpc"

IN_VPC: Final = {"kb_search", "process_ticket", "kb_ingest", "search_bootstrap", "connectivity_check"}
IAM_PREFIXES: Final = {"bedrock-runtime": "bedrock", "monitoring": "cloudwatch"}
REACHED_OTHERWISE: Final = {"es": "a domain in the VPC", "ec2": "called by Lambda", "logs": "written by Lambda"}
"""Services of the functions' actions that need no endpoint. KMS is one where another service calls it for them."""


def members(graph: Graph) -> Iterator[Resource]:
    """The functions in the VPC."""
    yield from (function for function in graph.of_type(FUNCTION) if "vpcConfig" in function.inputs)


def private(graph: Graph) -> list[Resource]:
    return [subnet for subnet in graph.of_type(SUBNET) if "private" in subnet.name]


def ids(resources: list[Resource]) -> list[str]:
    return [resource.id for resource in resources]


def service(endpoint: Resource) -> str:
    """What IAM calls the endpoint's service."""
    last: str = endpoint.inputs["serviceName"].rpartition(".")[2]
    return IAM_PREFIXES.get(last, last)


def with_network(config: dict[str, str], **network: Any) -> Graph:
    config["energy-support:network"] = json.dumps(network)
    return graphs.build_with("prod", config)


# --- the specification


@pytest.mark.spec("network.vpc")
def test_the_vpc_has_its_addresses(graph: Graph) -> None:
    assert graph.one(VPC).inputs["cidrBlock"] == "10.0.0.0/16"


@pytest.mark.spec("network.private-subnets")
def test_there_is_a_private_subnet_in_each_zone(graph: Graph) -> None:
    subnets = private(graph)
    zones = graph.settings.network.zone_ids
    assert [subnet.inputs["cidrBlock"] for subnet in subnets] == ["10.0.11.0/24", "10.0.12.0/24"][: len(zones)]
    assert [subnet.inputs["availabilityZoneId"] for subnet in subnets] == list(zones)
    assert not any(subnet.inputs["mapPublicIpOnLaunch"] for subnet in graph.of_type(SUBNET))
    table = graph.one(ROUTE_TABLE, "network-private")
    routed = {each.inputs["subnetId"]: each.inputs["routeTableId"] for each in graph.of_type(ASSOCIATION)}
    assert routed == dict.fromkeys(ids(subnets), table.id)


@pytest.mark.spec("network.private-subnets")
def test_a_third_zone_has_a_third_subnet_and_the_domain_can_use_it(config: dict[str, str]) -> None:
    config["energy-support:search"] = json.dumps({"instance_count": 3, "zones": 3})
    built = with_network(config, zone_ids=["euc1-az1", "euc1-az2", "euc1-az3"])
    assert [subnet.inputs["cidrBlock"] for subnet in private(built)][-1] == "10.0.13.0/24"
    assert len(built.one(DOMAIN).inputs["vpcOptions"]["subnetIds"]) == 3
    for endpoint in built.of_type(ENDPOINT):
        assert len(endpoint.inputs.get("subnetIds", [0] * 3)) == 3


@pytest.mark.spec("network.nat")
def test_there_is_no_way_to_the_internet(graph: Graph) -> None:
    assert not graph.settings.network.nat_gateway
    assert not graph.of_type(NAT)
    assert not graph.of_type(ROUTE)
    assert not graph.of_type("aws:ec2/internetGateway:InternetGateway")
    assert {subnet.name for subnet in graph.of_type(SUBNET)} == {subnet.name for subnet in private(graph)}


@pytest.mark.spec("network.nat")
def test_a_nat_gateway_stands_in_a_public_subnet_and_private_ones_lead_to_it(config: dict[str, str]) -> None:
    built = with_network(config, nat_gateway=True)
    public, nat = built.one(SUBNET, "network-public"), built.one(NAT)
    assert public.inputs["cidrBlock"] == "10.0.1.0/24"
    assert nat.inputs["subnetId"] == public.id
    by_table = {route.inputs["routeTableId"]: route for route in built.of_type(ROUTE)}
    to_nat = by_table.pop(built.one(ROUTE_TABLE, "network-private").id)
    (to_internet,) = by_table.values()
    assert to_nat.inputs["natGatewayId"] == nat.id
    assert to_internet.inputs["gatewayId"] == built.one("aws:ec2/internetGateway:InternetGateway").id
    assert built.waits_for(nat, to_internet)
    out = built.one(EGRESS, "network-functions-to-internet").inputs
    assert (out["cidrIpv4"], out["fromPort"], out["toPort"], out["ipProtocol"]) == ("0.0.0.0/0", 443, 443, "tcp")
    check = built.one(FUNCTION, "connectivity_check").inputs["environment"]["variables"]
    assert check["INTERNET_EXPECTED"] == "true"
    assert all(built.waits_for(function, to_nat) for function in members(built))


@pytest.mark.spec("network.gateway-endpoints")
def test_s3_and_dynamodb_are_reached_by_routes(graph: Graph) -> None:
    gateways = [each for each in graph.of_type(ENDPOINT) if each.inputs["vpcEndpointType"] == "Gateway"]
    assert [service(each) for each in gateways] == ["dynamodb", "s3"]
    table = graph.one(ROUTE_TABLE, "network-private").id
    assert all(each.inputs["routeTableIds"] == [table] for each in gateways)


@pytest.mark.spec("network.interface-endpoints")
def test_other_services_are_reached_by_endpoints_of_the_settings_each_with_a_policy(graph: Graph) -> None:
    interfaces = [each for each in graph.of_type(ENDPOINT) if each.inputs["vpcEndpointType"] == "Interface"]
    place = f"com.amazonaws.{graph.settings.region}."
    names = {each.inputs["serviceName"].removeprefix(place) for each in interfaces}
    assert names == set(graph.settings.network.endpoints)
    for endpoint in graph.of_type(ENDPOINT):
        statements = endpoint.json("policy")["Statement"]
        assert statements
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert not any("*" in action for action in statement["Action"])
            # For gateways the only way to name a caller; and "*" without it would be anybody in the VPC.
            assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"].startswith("arn:aws:iam::")


@pytest.mark.spec("network.interface-endpoints")
def test_an_endpoint_that_no_function_may_use_is_refused(config: dict[str, str]) -> None:
    services = ["bedrock-runtime", "secretsmanager", "sqs", "states", "monitoring"]
    with pytest.raises(Exception, match="No function in the VPC may call monitoring"):
        with_network(config, endpoints=services)


@pytest.mark.spec("network.security-groups")
def test_functions_reach_the_domain_endpoints_and_lists_by_https_and_nothing_else(graph: Graph) -> None:
    groups = {group.name.removeprefix("network-"): group.id for group in graph.of_type(GROUP)}
    assert groups.keys() == {"functions", "search", "endpoints"}
    lists = {
        each.outputs["prefixListId"]: service(each)
        for each in graph.of_type(ENDPOINT)
        if each.inputs["vpcEndpointType"] == "Gateway"
    }
    by_id = {id_: name for name, id_ in groups.items()} | lists

    def rules(type_: str) -> set[tuple[str, str]]:
        found = set()
        for rule in graph.of_type(type_):
            assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 443, 443)
            assert not {"cidrIpv4", "cidrIpv6"} & rule.inputs.keys()
            other = rule.inputs.get("referencedSecurityGroupId") or rule.inputs["prefixListId"]
            found.add((by_id[rule.inputs["securityGroupId"]], by_id[other]))
        return found

    assert rules(EGRESS) == {("functions", target) for target in ("search", "endpoints", "s3", "dynamodb")}
    assert rules(INGRESS) == {("search", "functions"), ("endpoints", "functions")}
    assert not any({"ingress", "egress"} & group.inputs.keys() for group in graph.of_type(GROUP))
    assert graph.one(DOMAIN).inputs["vpcOptions"]["securityGroupIds"] == [groups["search"]]
    for function in members(graph):
        assert function.inputs["vpcConfig"]["securityGroupIds"] == [groups["functions"]]
    for endpoint in graph.of_type(ENDPOINT):
        assert endpoint.inputs.get("securityGroupIds", [groups["endpoints"]]) == [groups["endpoints"]]


@pytest.mark.spec("network.flow-logs")
def test_all_traffic_is_logged_by_the_minute_into_an_encrypted_group(graph: Graph) -> None:
    log = graph.one(FLOW_LOG).inputs
    assert (log["trafficType"], log["maxAggregationInterval"]) == ("ALL", 60)
    group = next(group for group in graph.of_type(LOG_GROUP) if group.arn == log["logDestination"])
    assert group.inputs["name"] == f"/aws/vpc/support-{graph.settings.environment}-flow-logs"
    assert group.inputs["kmsKeyId"]
    assert group.inputs["retentionInDays"] == graph.settings.retention.log_days


@pytest.mark.spec("network.functions")
def test_only_functions_that_need_the_domain_sit_in_the_vpc(graph: Graph, access: Access) -> None:
    assert {function.name for function in members(graph)} == IN_VPC
    for function in graph.of_type(FUNCTION):
        uses_domain = any(action.startswith("es:") for action in access.actions_of(access.role_of(function)))
        assert ("vpcConfig" in function.inputs) is uses_domain, function.name
        assert ("OPENSEARCH_ENDPOINT" in function.inputs["environment"]["variables"]) is uses_domain
        if uses_domain:
            assert function.inputs["vpcConfig"]["subnetIds"] == ids(private(graph))


@pytest.mark.spec("search.subnets")
def test_the_domain_sits_in_the_private_subnets(graph: Graph) -> None:
    inside = graph.one(DOMAIN).inputs["vpcOptions"]["subnetIds"]
    assert set(inside) <= set(ids(private(graph)))
    assert graph.outputs["search_endpoint"].startswith("vpc-")


@pytest.mark.spec("functions.connectivity-check")
def test_connectivity_is_checked_by_calls_that_show_nothing(graph: Graph, access: Access) -> None:
    role = access.role_of(graph.one(FUNCTION, "connectivity_check"))
    own = {s["Sid"]: (set(s["Action"]), s["Resource"]) for s in access.statements_of(role)}
    assert own["ReachSecretsManager"] == ({"secretsmanager:GetRandomPassword"}, ["*"])
    assert own["TicketsTable"][0] == {"dynamodb:DescribeTable"}
    assert own["LocateDocuments"][0] == {"s3:GetBucketLocation"}
    assert not {"dynamodb:GetItem", "s3:GetObject", "s3:ListBucket"} & access.actions_of(role)


# --- facts of AWS


def test_row_43_lambda_may_make_interfaces_for_the_functions_in_the_vpc_and_their_code_may_not(
    graph: Graph, access: Access
) -> None:
    anything = f"arn:aws:ec2:{graph.settings.region}:{graph.settings.account_id}:*/*"
    needed = {
        "ec2:CreateNetworkInterface": anything,
        "ec2:DeleteNetworkInterface": anything,
        "ec2:AssignPrivateIpAddresses": anything,
        "ec2:UnassignPrivateIpAddresses": anything,
        "ec2:DescribeNetworkInterfaces": "*",
        "ec2:DescribeSubnets": "*",
    }
    for function in graph.of_type(FUNCTION):
        statements = access.statements_of(access.role_of(function))
        granted = {
            action: (listed(s["Resource"]), s["Condition"])
            for s in statements
            for action in listed(s["Action"])
            if action.startswith("ec2:")
        }
        by_lambda = {"Null": {"lambda:SourceFunctionArn": "true"}}
        expected = {action: ([arn], by_lambda) for action, arn in needed.items()}
        assert granted == (expected if function.name in IN_VPC else {}), function.name


def test_row_43_interfaces_that_outlive_a_function_hold_nothing_up(graph: Graph, access: Access) -> None:
    for function in graph.of_type(FUNCTION):
        joined = function.name in IN_VPC
        assert function.inputs.get("replaceSecurityGroupsOnDestroy", False) is joined
        for policy in access.policies_of(access.role_of(function)):
            assert graph.waits_for(function, policy)
    for resource in (*graph.of_type(GROUP), *graph.of_type(SUBNET)):
        assert resource.delete_timeout == networks.SLOW_DELETION == "60m"


def test_row_43_functions_wait_for_the_ways_that_they_need(graph: Graph) -> None:
    """The deployment calls one of them itself."""
    ways = [*graph.of_type(ASSOCIATION), *graph.of_type(INGRESS)]
    ways += [rule for rule in graph.of_type(EGRESS) if "referencedSecurityGroupId" in rule.inputs]
    for function in members(graph):
        assert all(graph.waits_for(function, way) for way in ways)
    assert graph.waits_for(graph.one(INVOCATION), graph.one(FUNCTION, "search_bootstrap"))


def test_row_46_every_service_that_a_function_in_the_vpc_calls_has_an_endpoint(graph: Graph, access: Access) -> None:
    endpoints = {service(endpoint) for endpoint in graph.of_type(ENDPOINT)}
    for function in members(graph):
        for statement in access.statements_of(access.role_of(function)):
            called_for_it = "kms:ViaService" in statement.get("Condition", {}).get("StringEquals", {})
            for prefix in {action.partition(":")[0] for action in listed(statement["Action"])}:
                assert prefix in endpoints or prefix in REACHED_OTHERWISE or called_for_it, (function.name, prefix)


def test_row_46_without_a_nat_gateway_the_endpoints_that_are_needed_must_be_there(config: dict[str, str]) -> None:
    with pytest.raises(Exception, match="must name sqs: without nat_gateway"):
        with_network(config, endpoints=["bedrock-runtime", "secretsmanager", "states"])


def test_row_47_interface_endpoints_have_one_subnet_in_each_zone_and_the_services_own_names(graph: Graph) -> None:
    vpc = graph.one(VPC).inputs
    assert vpc["enableDnsSupport"] is True
    assert vpc["enableDnsHostnames"] is True
    zones = [subnet.inputs["availabilityZoneId"] for subnet in private(graph)]
    assert len(set(zones)) == len(zones)
    for endpoint in graph.of_type(ENDPOINT):
        if endpoint.inputs["vpcEndpointType"] == "Interface":
            assert endpoint.inputs["subnetIds"] == ids(private(graph))
            assert endpoint.inputs["privateDnsEnabled"] is True


@pytest.mark.spec("network.interface-endpoints")
def test_row_48_endpoints_allow_what_the_roles_behind_them_allow_and_nothing_more(graph: Graph, access: Access) -> None:
    Allowed = tuple[str, str, str, str]  # noqa: N806 - a type

    def flat(statement: dict[str, Any], caller: str, prefix: str, conditions: dict[str, Any]) -> set[Allowed]:
        return {
            (caller, action, resource, json.dumps(conditions, sort_keys=True))
            for action in listed(statement["Action"])
            if action.startswith(f"{prefix}:")
            for resource in listed(statement["Resource"])
        }

    for endpoint in graph.of_type(ENDPOINT):
        prefix = service(endpoint)
        by_roles: set[Allowed] = set()
        for function in members(graph):
            role = access.role_of(function)
            for statement in access.statements_of(role):
                by_roles |= flat(statement, str(role.arn), prefix, statement.get("Condition", {}))
        by_policy: set[Allowed] = set()
        for statement in endpoint.json("policy")["Statement"]:
            conditions = {operator: dict(keys) for operator, keys in statement["Condition"].items()}
            caller = conditions["ArnEquals"].pop("aws:PrincipalArn")
            by_policy |= flat(statement, caller, prefix, {name: keys for name, keys in conditions.items() if keys})
            assert statement["Principal"] == "*"
        assert by_policy == by_roles, endpoint.name
        assert by_policy


def test_row_48_an_endpoint_passes_the_model_in_every_region_of_its_profile(graph: Graph) -> None:
    statements = graph.one(ENDPOINT, "endpoints-bedrock-runtime").json("policy")["Statement"]
    (models,) = [s for s in statements if s["Sid"] == "ProcessTicketGenerateThroughProfile"]
    regions = [arn.split(":")[3] for arn in models["Resource"]]
    assert regions == list(graph.settings.models.generation_regions)


@pytest.mark.spec("network.default-group")
def test_row_49_the_default_group_is_taken_over_and_closed(graph: Graph) -> None:
    group = graph.one(DEFAULT_GROUP).inputs
    assert group["vpcId"] == graph.one(VPC).id
    assert group["ingress"] == group["egress"] == []


@pytest.mark.spec("network.flow-logs")
def test_row_49_flow_logs_are_written_under_a_role_of_their_own_which_is_ready(graph: Graph, access: Access) -> None:
    log = graph.one(FLOW_LOG)
    role = access.by_arn(log.inputs["iamRoleArn"])
    (trust,) = role.json("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": graph.settings.account_id}
    for action in ("CreateLogStream", "PutLogEvents", "DescribeLogStreams"):
        assert access.allows(role, f"logs:{action}", f"{log.inputs['logDestination']}:*")
    assert access.allows(role, "logs:DescribeLogGroups", "*")
    assert all(graph.waits_for(log, policy) for policy in access.policies_of(role))


@pytest.mark.spec("search.subnets")
def test_row_50_the_domain_has_as_many_subnets_as_zones(graph: Graph) -> None:
    domain = graph.one(DOMAIN).inputs
    zones = domain["clusterConfig"].get("zoneAwarenessConfig", {}).get("availabilityZoneCount", 1)
    assert len(domain["vpcOptions"]["subnetIds"]) == zones == graph.settings.search.zones


@pytest.mark.parametrize("owned", [True, False])
def test_row_51_the_domain_waits_for_the_role_by_which_it_joins_the_vpc(config: dict[str, str], *, owned: bool) -> None:
    config["energy-support:manage_account_settings"] = json.dumps(owned)
    built = graphs.build_with("prod", config)
    roles = built.of_type(SERVICE_ROLE)
    assert [role.inputs["awsServiceName"] for role in roles] == ["opensearchservice.amazonaws.com"] * owned
    assert all(built.waits_for(built.one(DOMAIN), role) for role in roles)


def test_row_57_a_subnet_has_the_addresses_that_a_change_of_the_domain_takes(graph: Graph) -> None:
    """A blue/green change takes three addresses for each node of a zone; Lambda and endpoints need some too."""
    cluster = graph.one(DOMAIN).inputs["clusterConfig"]
    nodes = cluster["instanceCount"] + cluster.get("dedicatedMasterCount", 0)
    for subnet in private(graph):
        free = ipaddress.ip_network(subnet.inputs["cidrBlock"]).num_addresses - 5
        assert 3 * nodes / graph.settings.search.zones + 50 < free


def test_groups_can_be_replaced_because_their_names_are_drawn(graph: Graph) -> None:
    for group in graph.of_type(GROUP):
        assert "name" not in group.inputs
        assert group.inputs["namePrefix"].startswith(f"support-{graph.settings.environment}-")


def test_what_has_no_name_is_told_by_its_tag(graph_of: Callable[[str], Graph]) -> None:
    prod = graph_of("prod")
    tagged = [each for each in prod if each.type.startswith(("aws:ec2/", "aws:vpc/")) and "tags" in each.inputs]
    names = [each.inputs["tags"]["Name"] for each in tagged]
    assert all(name.startswith("support-prod-") for name in names)
    assert len(tagged) == len([e for e in prod if e.type.startswith(("aws:ec2/", "aws:vpc/"))]) - len(
        prod.of_type(ASSOCIATION)
    )
