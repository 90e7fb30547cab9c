"""The provider functions that the program calls (`aws.get_caller_identity` …)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.provider.calls import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.provider.lifecycle import Configuration
    from harness.provider.values import Properties

_DNS_SUFFIXES: Final = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


def _caller_identity(configuration: Configuration, _arguments: Properties) -> Properties:
    """Who calls: asked of STS where there is an endpoint; offline, the account of the configuration."""
    if configuration.clients is None:
        account = configuration.account
        return {
            "id": account,
            "accountId": account,
            "arn": f"arn:{configuration.partition}:iam::{account}:root",
            "userId": account,
        }
    caller = configuration.aws("sts")("GetCallerIdentity")
    return {"id": caller["Account"], "accountId": caller["Account"], "arn": caller["Arn"], "userId": caller["UserId"]}


def _region(configuration: Configuration, arguments: Properties) -> Properties:
    region = str(arguments.get("region") or arguments.get("name") or configuration.region)
    suffix = _DNS_SUFFIXES[configuration.partition]
    return {"id": region, "region": region, "name": region, "endpoint": f"ec2.{region}.{suffix}", "description": region}


def _partition(configuration: Configuration, _arguments: Properties) -> Properties:
    partition = configuration.partition
    suffix = _DNS_SUFFIXES[partition]
    return {
        "id": partition,
        "partition": partition,
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


_FUNCTIONS: Final[dict[str, Callable[[Configuration, Properties], Properties]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
}


def invoke(token: str, configuration: Configuration, arguments: Properties) -> Properties:
    """Call a provider function.

    Raises:
        ProviderError: there is no such function here; says where to add it.
    """
    function = _FUNCTIONS.get(token)
    if function is None:
        raise ProviderError(f"the local aws provider has no function {token}; add it in harness/provider/functions.py")
    return function(configuration, arguments)
