"""API Gateway: host names of one's own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.recorded import Recorded, made_up
from harness.provider.resource import Prop

if TYPE_CHECKING:
    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_DOMAIN_SOURCE: Final = "terraform-provider-aws apigateway/domain_name.go: ForceNew"
_MAPPING_SOURCE: Final = "terraform-provider-aws apigateway/base_path_mapping.go: ForceNew"
_SENTENCE: Final = "Kept; the local stack's API is called at its own address, and has no certificates."


class DomainName(Recorded):
    """`aws.apigateway.DomainName`."""

    pulumi_type = "aws:apigateway/domainName:DomainName"
    service = "apigateway"
    operation = "CreateDomainName"
    name = "domainName"
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "domainName": Prop(replace=_DOMAIN_SOURCE),
            "regionalCertificateArn": Prop(),
            "endpointConfiguration": Prop(),
            "securityPolicy": Prop(),
            "tags": Prop(),
        }
    )

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:  # noqa: ARG002 - as in the base
        target = f"d-{made_up(resource_id, length=10)}.execute-api.{aws.region}.amazonaws.com"
        zone = f"Z{made_up(aws.region, length=13).upper()}"
        arn = aws.arn(f"/domainnames/{resource_id}", account=False)
        return {"arn": arn, "regionalDomainName": target, "regionalZoneId": zone}


class BasePathMapping(Recorded):
    """`aws.apigateway.BasePathMapping`."""

    pulumi_type = "aws:apigateway/basePathMapping:BasePathMapping"
    service = "apigateway"
    operation = "CreateBasePathMapping"
    identity = ("domainName", "basePath")
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "domainName": Prop(replace=_MAPPING_SOURCE),
            "restApi": Prop("restApiId"),
            "stageName": Prop("stage"),
            "basePath": Prop(),
        }
    )

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - as in the base
        return f"{inputs['domainName']}/{inputs.get('basePath', '')}"


TYPES = (DomainName(), BasePathMapping())
