"""Which module serves which resource type. Modules are loaded when the first resource of theirs is met."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Final

from harness.provider.calls import ProviderError

if TYPE_CHECKING:
    from harness.provider.resource import Parity, ResourceType

MODULES: Final = {
    "apigateway": ("apigateway", "custom_domains"),
    "appautoscaling": ("appautoscaling",),
    "bedrock": ("bedrock",),
    "cloudtrail": ("cloudtrail",),
    "cloudwatch": ("cloudwatch", "events", "log_delivery", "logs"),
    "cloudfront": ("cloudfront",),
    "codedeploy": ("codedeploy",),
    "cognito": ("cognito",),
    "dynamodb": ("dynamodb",),
    "ec2": ("ec2", "ec2_endpoints", "ec2_routes", "ec2_security"),
    "iam": ("iam",),
    "kms": ("kms",),
    "lambda": ("lambda_",),
    "opensearch": ("opensearch",),
    "random": ("random_",),
    "route53": ("route53",),
    "s3": ("s3",),
    "secretsmanager": ("secretsmanager",),
    "sfn": ("stepfunctions",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "vpc": ("vpc",),
    "wafv2": ("wafv2",),
}
"""The module part of Pulumi's type token, or another package than aws → our modules, each with its `TYPES`."""

_lock = threading.Lock()
_loaded: dict[str, dict[str, ResourceType]] = {}


def resource_type(token: str) -> ResourceType:
    """The type behind a token.

    Raises:
        ProviderError: there is no such type here; says where to add it.
    """
    found = _module(_module_part(token)).get(token)
    if found is None:
        files = [f"harness/provider/{name}.py" for name in MODULES.get(_module_part(token), ())]
        where = " or ".join(files) or "a new module under harness/provider/, named in registry.MODULES"
        raise ProviderError(f"the local aws provider has no resource type {token}; add it in {where} (see resource.py)")
    return found


def all_types() -> list[ResourceType]:
    """Every type, sorted by token. Loads all modules."""
    types = [kind for part in MODULES for kind in _module(part).values()]
    return sorted(types, key=lambda kind: kind.pulumi_type)


def parity() -> list[Parity]:
    """The parity table: for each type, how far the local stack is like AWS."""
    return [kind.parity() for kind in all_types()]


def _module_part(token: str) -> str:
    """`aws:sqs/queue:Queue` → `sqs`."""
    package, _, rest = token.partition(":")
    return rest.split("/")[0] if package == "aws" and rest.count(":") == 1 else package


def _module(part: str) -> dict[str, ResourceType]:
    with _lock:
        if part not in _loaded:
            types: dict[str, ResourceType] = {}
            for name in MODULES.get(part, ()):
                module = importlib.import_module(f"harness.provider.{name}")
                types.update({kind.pulumi_type: kind for kind in module.TYPES})
            _loaded[part] = types
        return _loaded[part]
