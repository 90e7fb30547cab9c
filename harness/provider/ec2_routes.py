"""EC2: route tables, their routes, and which subnets use them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.ec2 import Ec2
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_TABLE_SOURCE: Final = "terraform-provider-aws ec2/vpc_route_table.go: ForceNew"
_ROUTE_SOURCE: Final = "terraform-provider-aws ec2/vpc_route.go: ForceNew"
_ASSOCIATION_SOURCE: Final = "terraform-provider-aws ec2/vpc_route_table_association.go: ForceNew"
_NO_TABLE: Final = "InvalidRouteTableID.NotFound"


class RouteTable(Ec2):
    """`aws.ec2.RouteTable`, whose routes are resources of their own."""

    pulumi_type = "aws:ec2/routeTable:RouteTable"
    gone = frozenset({_NO_TABLE})
    creation = "CreateRouteTable"
    listing = ("DescribeRouteTables", "RouteTableIds", "RouteTables")
    arn_type = "route-table"
    sentence = "Kept; nothing is routed by it."
    properties = MappingProxyType({"vpcId": Prop(replace=_TABLE_SOURCE), "tags": Prop()})

    def make(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateRouteTable", inputs)["RouteTable"]["RouteTableId"])

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"ownerId": found["OwnerId"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteRouteTable", RouteTableId=state.id)


class Route(ResourceType):
    """`aws.ec2.Route`, of IPv4 addresses to a gateway."""

    pulumi_type = "aws:ec2/route:Route"
    service = "ec2"
    identity = ("routeTableId", "destinationCidrBlock")
    find_first = True
    gone = frozenset({_NO_TABLE, "InvalidRoute.NotFound"})
    level = RECORDED
    sentence = "Kept; nothing is routed by it."
    properties = MappingProxyType(
        {
            "routeTableId": Prop(replace=_ROUTE_SOURCE),
            "destinationCidrBlock": Prop(replace=_ROUTE_SOURCE),
            "gatewayId": Prop(),
            "natGatewayId": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateRoute", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """EC2 API reference, CreateRoute."""
        if inputs.get("destinationCidrBlock") is None:
            yield Problem("destinationCidrBlock", "required, and not given")
        if (inputs.get("gatewayId") is None) == (inputs.get("natGatewayId") is None):
            yield Problem("gatewayId", "either gatewayId or natGatewayId is needed, and not both")

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateRoute", inputs)
        return _route_id(inputs)

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return _route_id(inputs) if self._found(aws, inputs) else None

    def read(self, aws: Aws, state: State) -> Live | None:
        found = self._found(aws, state.inputs)
        if found is None:
            return None
        live = self.properties_of(found, "DescribeRouteTables", "RouteTables", "Routes")
        computed = {"origin": found.get("Origin"), "state": found.get("State")}
        return Live({**live, "routeTableId": state.inputs["routeTableId"]}, computed)

    def update(self, aws: Aws, update: Update) -> None:
        self.call(aws, "ReplaceRoute", update.new)

    def delete(self, aws: Aws, state: State) -> None:
        where = {name: state.inputs[name] for name in self.identity}
        self.call(aws, "DeleteRoute", where)

    def _found(self, aws: Aws, inputs: Properties) -> dict[str, Any] | None:
        tables = aws("DescribeRouteTables", RouteTableIds=[inputs["routeTableId"]])["RouteTables"]
        routes: list[dict[str, Any]] = [route for table in tables for route in table.get("Routes") or ()]
        block = inputs["destinationCidrBlock"]
        return next((route for route in routes if route.get("DestinationCidrBlock") == block), None)


def _route_id(inputs: Properties) -> str:
    return f"r-{inputs['routeTableId']}_{inputs['destinationCidrBlock']}"


class RouteTableAssociation(ResourceType):
    """`aws.ec2.RouteTableAssociation`, of a subnet."""

    pulumi_type = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    service = "ec2"
    identity = ("subnetId",)
    find_first = True
    gone = frozenset({_NO_TABLE, "InvalidAssociationID.NotFound"})
    level = RECORDED
    sentence = "Kept; nothing is routed by it."
    properties = MappingProxyType({"subnetId": Prop(replace=_ASSOCIATION_SOURCE), "routeTableId": Prop()})

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("AssociateRouteTable", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("subnetId") is None:
            yield Problem("subnetId", "required, and not given")

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "AssociateRouteTable", inputs)["AssociationId"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        found = self._found(aws, inputs)
        return str(found["RouteTableAssociationId"]) if found else None

    def read(self, aws: Aws, state: State) -> Live | None:
        found = self._found(aws, state.inputs)
        return Live({"subnetId": found["SubnetId"], "routeTableId": found["RouteTableId"]}) if found else None

    def update(self, aws: Aws, update: Update) -> None:
        found = self._found(aws, update.new)
        if found is None:
            self.create(aws, update.new)
            return
        association = found["RouteTableAssociationId"]
        aws("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=update.new["routeTableId"])

    def delete(self, aws: Aws, state: State) -> None:
        if found := self._found(aws, state.inputs):
            aws("DisassociateRouteTable", AssociationId=found["RouteTableAssociationId"])

    def _found(self, aws: Aws, inputs: Properties) -> dict[str, Any] | None:
        """By its subnet, which has one: each change gives it another id."""
        by_subnet = {"Name": "association.subnet-id", "Values": [inputs["subnetId"]]}
        tables = aws("DescribeRouteTables", Filters=[by_subnet])["RouteTables"]
        all_of_them: list[dict[str, Any]] = [one for table in tables for one in table.get("Associations") or ()]
        return next((one for one in all_of_them if one.get("SubnetId") == inputs["subnetId"]), None)


TYPES = (RouteTable(), Route(), RouteTableAssociation())
