"""CloudFront: distributions and policies for the headers of answers."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Request
from harness.provider.tags import from_pairs, pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_ZONE: Final = "Z2FDTNDATAQYW2"
"""Route 53 zone of all distributions (Route 53 API reference, AliasTarget)."""
_CREATE: Final = "CreateDistributionWithTags"
_CONFIG: Final = ("DistributionConfigWithTags", "DistributionConfig")


class Distribution(ResourceType):
    """`aws.cloudfront.Distribution`."""

    pulumi_type = "aws:cloudfront/distribution:Distribution"
    service = "cloudfront"
    regional = False
    gone = frozenset({"NoSuchDistribution"})
    level = RECORDED
    sentence = "Kept, at a name that nobody resolves: the local stack's API is called at its own address."
    renames = MappingProxyType(
        {
            "originId": "Id",
            "name": "HeaderName",
            "value": "HeaderValue",
            "cloudfrontDefaultCertificate": "CloudFrontDefaultCertificate",
        }
    )
    properties = MappingProxyType(
        {
            "comment": Prop(default=""),
            "enabled": Prop(),
            "aliases": Prop(kind=Kind.SET),
            "httpVersion": Prop(default="http2"),
            "isIpv6Enabled": Prop(default=False),
            "priceClass": Prop(default="PriceClass_All"),
            "webAclId": Prop(),
            "origins": Prop(kind=Kind.SET),
            "defaultCacheBehavior": Prop(),
            "customErrorResponses": Prop(kind=Kind.SET),
            "restrictions": Prop(),
            "viewerCertificate": Prop(),
            "waitForDeployment": Prop(default=True, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = self.names(_CREATE, *_CONFIG) | dict.fromkeys(_CONFIG, "")
        return [Request(_CREATE, self._params(inputs, "new"), names)]

    def body(self, inputs: Properties, operation: str, *path: str) -> dict[str, Any]:
        # A comment is the one part that AWS wants and Pulumi does not.
        return super().body({"comment": "", **_nested_as_in_the_api(inputs)}, operation, *path)

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(aws(_CREATE, **self._params(inputs, uuid.uuid4().hex))["Distribution"]["Id"])

    def _params(self, inputs: Properties, reference: str) -> dict[str, Any]:
        config = {**self.body(inputs, _CREATE, *_CONFIG), "CallerReference": reference}
        tags = {"Items": pairs(inputs.get("tags") or {})}
        return {_CONFIG[0]: {_CONFIG[1]: config, "Tags": tags}}

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetDistribution", Id=state.id)["Distribution"]
        config = self.properties_of(
            found["DistributionConfig"], "GetDistribution", "Distribution", "DistributionConfig"
        )
        # What was left to AWS has defaults there.
        given = {name: _part(now, state.inputs.get(name)) for name, now in _nested_as_in_pulumi(config).items()}
        given["tags"] = from_pairs(aws("ListTagsForResource", Resource=found["ARN"])["Tags"].get("Items"))
        computed = {"arn": found["ARN"], "domainName": found["DomainName"], "hostedZoneId": _ZONE}
        return Live(given, {**computed, "status": found["Status"]})

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags", "waitForDeployment"}:
            self._change(
                aws, update.id, self.body(update.new, _CREATE, *_CONFIG), dropped=update.old.keys() - update.new.keys()
            )
        old, new = update.old.get("tags") or {}, update.new.get("tags") or {}
        arn = update.outputs["arn"]
        if removed := sorted(old.keys() - new.keys()):
            aws("UntagResource", Resource=arn, TagKeys={"Items": removed})
        if added := {name: text for name, text in new.items() if old.get(name) != text}:
            aws("TagResource", Resource=arn, Tags={"Items": pairs(added)})

    def delete(self, aws: Aws, state: State) -> None:
        self._change(aws, state.id, {"Enabled": False})
        aws("DeleteDistribution", Id=state.id, IfMatch=aws("GetDistribution", Id=state.id)["ETag"])

    def _change(self, aws: Aws, resource_id: str, changes: Properties, dropped: Collection[str] = ()) -> None:
        """Change the configuration, of which AWS wants the whole."""
        found = aws("GetDistributionConfig", Id=resource_id)
        gone = {member for member, name in self.names(_CREATE, *_CONFIG).items() if name in dropped}
        config = {member: value for member, value in found["DistributionConfig"].items() if member not in gone}
        aws("UpdateDistribution", Id=resource_id, IfMatch=found["ETag"], DistributionConfig={**config, **changes})


class ResponseHeadersPolicy(ResourceType):
    """`aws.cloudfront.ResponseHeadersPolicy`."""

    pulumi_type = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
    service = "cloudfront"
    regional = False
    name = "name"
    gone = frozenset({"NoSuchResponseHeadersPolicy"})
    exists = frozenset({"ResponseHeadersPolicyAlreadyExists"})
    level = RECORDED
    sentence = "Kept; the local stack's API answers without these headers."
    properties = MappingProxyType({"name": Prop(), "comment": Prop(default=""), "securityHeadersConfig": Prop()})

    _OPERATION: Final = "CreateResponseHeadersPolicy"
    _PATH: Final = "ResponseHeadersPolicyConfig"

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = self.names(self._OPERATION, self._PATH) | {self._PATH: ""}
        return [Request(self._OPERATION, {self._PATH: self.body(inputs, self._OPERATION, self._PATH)}, names)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        config = self.body(inputs, self._OPERATION, self._PATH)
        return str(aws(self._OPERATION, ResponseHeadersPolicyConfig=config)["ResponseHeadersPolicy"]["Id"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        found = aws("ListResponseHeadersPolicies", Type="custom")["ResponseHeadersPolicyList"].get("Items") or ()
        policies = [item["ResponseHeadersPolicy"] for item in found]
        named = (p["Id"] for p in policies if p["ResponseHeadersPolicyConfig"]["Name"] == inputs["name"])
        return next(named, None)

    def read(self, aws: Aws, state: State) -> Live:
        config = aws("GetResponseHeadersPolicy", Id=state.id)["ResponseHeadersPolicy"][self._PATH]
        live = self.properties_of(config, "GetResponseHeadersPolicy", "ResponseHeadersPolicy", self._PATH)
        given = {name: _part(now, state.inputs.get(name)) for name, now in live.items()}
        return Live(given, {"arn": aws.arn(f"response-headers-policy/{state.id}", region=False)})

    def update(self, aws: Aws, update: Update) -> None:
        config = self.body(update.new, self._OPERATION, self._PATH)
        etag = aws("GetResponseHeadersPolicy", Id=update.id)["ETag"]
        aws("UpdateResponseHeadersPolicy", Id=update.id, IfMatch=etag, ResponseHeadersPolicyConfig=config)

    def delete(self, aws: Aws, state: State) -> None:
        etag = aws("GetResponseHeadersPolicy", Id=state.id)["ETag"]
        aws("DeleteResponseHeadersPolicy", Id=state.id, IfMatch=etag)


def _nested_as_in_the_api(inputs: Properties) -> Properties:
    """CloudFront has the cached methods inside the allowed ones, and counts countries by the way."""
    shaped = dict(inputs)
    behaviour = inputs.get("defaultCacheBehavior")
    if isinstance(behaviour, dict) and isinstance(behaviour.get("allowedMethods"), list):
        rest = {name: value for name, value in behaviour.items() if name != "cachedMethods"}
        allowed = behaviour["allowedMethods"]
        methods = {"quantity": len(allowed), "items": allowed, "cachedMethods": behaviour.get("cachedMethods")}
        shaped["defaultCacheBehavior"] = {**rest, "allowedMethods": methods}
    restrictions = inputs.get("restrictions")
    if isinstance(restrictions, dict) and isinstance(restrictions.get("geoRestriction"), dict):
        geo = restrictions["geoRestriction"]
        places = geo.get("locations") or []
        counted = {"restrictionType": geo.get("restrictionType"), "quantity": len(places), "items": places or None}
        shaped["restrictions"] = {"geoRestriction": counted}
    return shaped


def _nested_as_in_pulumi(config: Properties) -> Properties:
    """The reverse of `_nested_as_in_the_api`."""
    shaped = dict(config)
    behaviour = config.get("defaultCacheBehavior")
    if behaviour:
        methods = behaviour.get("allowedMethods") or {}
        lists = {"allowedMethods": methods.get("items"), "cachedMethods": methods.get("cachedMethods")}
        shaped["defaultCacheBehavior"] = {**behaviour, **lists}
    if config.get("restrictions"):
        geo = config["restrictions"]["geoRestriction"]
        places = {"locations": geo["items"]} if geo.get("items") else {}
        shaped["restrictions"] = {"geoRestriction": {"restrictionType": geo["restrictionType"], **places}}
    return shaped


def _part(now: Any, given: Any) -> Any:
    """Of what is there, what was given."""
    if isinstance(now, dict) and isinstance(given, dict):
        return {name: _part(now.get(name), value) for name, value in given.items()}
    if isinstance(now, list) and isinstance(given, list) and len(now) == len(given):
        return [_part(*both) for both in zip(now, given, strict=True)]
    return now


TYPES = (Distribution(), ResponseHeadersPolicy())
