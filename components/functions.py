"""Lambda functions: one component for all of them, and the layers that they share (spec section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import pulumi
import pulumi_aws as aws

from components import bundling, iam
from components.bundling.sources import WRAPPER
from components.logs import LogPolicy, log_group
from components.names import ALIAS
from components.provisioned import ProvisionedConcurrency, ProvisionedConcurrencyArgs
from support import environment as contract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.keys import Key
    from components.names import Names
    from components.network import Network
    from components.queues import FailureQueue
    from components.settings import Provisioned, Release

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

ASYNC_RETRIES: Final = 2
ASYNC_MAX_AGE: Final = 3600
"""Seconds that an event waits for its retries."""
STREAMING: Final = {"AWS_LAMBDA_EXEC_WRAPPER": f"/opt/{WRAPPER}"}
"""Has the runtime loop of the ``support`` layer take over from the managed one, which does not stream (row 41)."""
MOVED_BY_RELEASE: Final = ("functionVersion", "routingConfig")
"""The alias's properties that CodeDeploy owns where it moves calls: Pulumi would jump to the new version, or back."""
_SYSTEM_LEVELS: Final[Mapping[LogLevel, str]] = {"WARNING": "WARN"}
"""Lambda's own names of levels, where they differ."""

_TRACE = iam.Grant(
    (iam.Statement(sid="WriteTraces", actions=("xray:PutTraceSegments", "xray:PutTelemetryRecords"), resources=("*",)),)
)


class EnvironmentMismatchError(Exception):
    """A function is not given exactly the variables that it reads: a mistake in the program."""


def bundle(target: bundling.BundleTarget) -> bundling.Bundles:
    """The archives of all functions and layers.

    Raises:
        pulumi.RunError: they cannot be made, or Lambda would refuse them; Pulumi prints it without a traceback.
    """
    try:
        return bundling.bundle(target)
    except bundling.BundleError as error:
        raise pulumi.RunError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class LayersArgs:
    names: Names
    target: bundling.BundleTarget
    bundles: bundling.Bundles
    keep_versions: bool = False
    """Whether a version stays when the next one takes its place, so that what was built on it can be deployed again."""


class Layers(pulumi.ComponentResource):
    """What all functions share.

    Default settings:
        - dependencies: third-party packages, from the lock file, for the functions' platform
        - support: own code
        - versions: the last one only, by argument all of them (facts/aws.md row 42)
    """

    def __init__(self, resource_name: str, args: LayersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:functions:Layers", resource_name, None, opts)
        layers = [
            aws.lambda_.LayerVersion(
                f"{name}-layer",
                layer_name=args.names.physical("layer", name),
                code=pulumi.FileArchive(str(archive.path)),
                compatible_runtimes=[args.target.runtime],
                compatible_architectures=[args.target.architecture],
                skip_destroy=args.keep_versions,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for name, archive in (("dependencies", args.bundles.dependencies), ("support", args.bundles.support))
        ]
        self.arns = [layer.arn for layer in layers]
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What every function of the stack is made with."""

    names: Names
    target: bundling.BundleTarget
    bundles: bundling.Bundles
    layers: Layers
    environment_key: Key
    logs: LogPolicy
    log_level: LogLevel
    failures: FailureQueue
    """Where asynchronous invocations go that failed for good."""
    reserved_concurrency: Mapping[str, int]
    """Function key -> concurrent executions kept for it."""
    provisioned_concurrency: Mapping[str, Provisioned] = field(default_factory=dict)
    """Function key -> execution environments kept warm for it."""
    release: Release = "all-at-once"
    """How a new version takes over: at once with the deployment, or by CodeDeploy (``components.release``)."""


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    platform: Platform
    description: str
    memory: int
    """MB; the processor's share grows with it."""
    timeout: int
    """Seconds."""
    environment: Mapping[str, pulumi.Input[str]]
    """Exactly the variables that the function's struct in ``support.environment`` names."""
    grants: Sequence[iam.Grant] = ()
    streams: bool = False
    """Whether it answers piece by piece; such a function can be called by streaming only."""
    follows_deployment: bool = False
    """Whether a new version takes over at once, whatever the platform says: for what the deployment itself calls."""
    network: Network | None = None
    """The VPC that it sits in, where it must reach what is there; otherwise in none."""
    role: aws.iam.Role | None = None
    """A role made before, where something must know it earlier; by default the function's own."""


class Function(pulumi.ComponentResource):
    """A function, published, behind its alias ``live``; the resource's name is the function's key.

    Default settings:
        - role: its own, with the grants given, its log group, traces and the failure queue; no right to make log
          groups, or one that nobody manages would come back after a destroy (facts/aws.md row 15)
        - log group: made first, with retention and key; JSON
        - versions: published with every change, called by the alias ``live``, which the deployment moves, or
          CodeDeploy alone where the platform's release is a canary (facts/aws.md row 45)
        - environment: encrypted with a customer-managed key
        - network: none; in a VPC, all private subnets, and no security group is held up by it when it is gone (row 43)
        - tracing: active
        - asynchronous invocations: 2 retries, an hour at most, then the failure queue
        - reserved and provisioned concurrency: by setting, otherwise none
    """

    def __init__(self, resource_name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:functions:Function", resource_name, None, opts)
        platform, names = args.platform, args.platform.names
        self.key = resource_name
        self.gradual = platform.release == "canary" and not args.follows_deployment
        """Whether ``harness release`` moves the alias, and not the deployment."""
        check_environment(resource_name, args.environment)
        child = pulumi.ResourceOptions(parent=self)
        group_name = names.function_log_group(resource_name)
        group = log_group(resource_name, group_name, platform.logs, child)
        self.role = args.role or execution_role(resource_name, names, child)
        self.role_arn = names.role_arn(resource_name)
        joining = () if args.network is None else (args.network.join(),)
        grants = (*args.grants, *joining, _write_logs(names, group_name, group), _TRACE, platform.failures.send())
        self.statements = iam.merged(grants)
        """What its role may do."""
        self.policies = iam.attach(resource_name, self.role, grants, child)
        self.function = aws.lambda_.Function(
            resource_name,
            name=names.function(resource_name),
            description=args.description,
            role=self.role.arn,
            runtime=platform.target.runtime,
            architectures=[platform.target.architecture],
            handler=f"{resource_name}.handler.handler",
            code=pulumi.FileArchive(str(platform.bundles.functions[resource_name].path)),
            layers=platform.layers.arns,
            memory_size=args.memory,
            timeout=args.timeout,
            environment={
                "variables": {
                    **args.environment,
                    **_powertools(resource_name, names, platform.log_level),
                    **(STREAMING if args.streams else {}),
                }
            },
            kms_key_arn=platform.environment_key.arn,
            logging_config={
                "log_group": group.name,
                "log_format": "JSON",
                "application_log_level": _SYSTEM_LEVELS.get(platform.log_level, platform.log_level),
                "system_log_level": "INFO",
            },
            tracing_config={"mode": "Active"},
            reserved_concurrent_executions=platform.reserved_concurrency.get(resource_name, -1),
            publish=True,
            vpc_config=None if args.network is None else args.network.placement,
            replace_security_groups_on_destroy=None if args.network is None else True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.policies, *iam.dependencies(grants)]),
        )
        self.alias = aws.lambda_.Alias(
            resource_name,
            name=ALIAS,
            function_name=self.function.name,
            function_version=self.function.version,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=list(MOVED_BY_RELEASE) if self.gradual else None),
        )
        provisioned = platform.provisioned_concurrency.get(resource_name)
        if provisioned is not None:
            ProvisionedConcurrency(
                resource_name,
                ProvisionedConcurrencyArgs(names=names, key=resource_name, alias=self.alias, provisioned=provisioned),
                child,
            )
        aws.lambda_.FunctionEventInvokeConfig(
            resource_name,
            function_name=self.function.name,
            # Without the alias it would not hold for calls through it (facts/aws.md row 44).
            qualifier=self.alias.name,
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_MAX_AGE,
            destination_config={"on_failure": {"destination": platform.failures.arn}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[platform.failures.queue, *self.policies]),
        )
        self.name = names.function(resource_name)
        self.register_outputs({"alias_arn": self.alias.arn})

    def permit(
        self, resource_name: str, *, principal: str, source_arn: pulumi.Input[str], parent: pulumi.Resource
    ) -> aws.lambda_.Permission:
        """Let an AWS service call the alias on behalf of one source (facts/aws.md row 26)."""
        return aws.lambda_.Permission(
            resource_name,
            action="lambda:InvokeFunction",
            function=self.function.name,
            qualifier=self.alias.name,
            principal=principal,
            source_arn=source_arn,
            opts=pulumi.ResourceOptions(parent=parent),
        )


def execution_role(key: str, names: Names, opts: pulumi.ResourceOptions) -> aws.iam.Role:
    """The role of one function, which may do nothing yet."""
    return aws.iam.Role(key, name=names.role(key), assume_role_policy=iam.trust("lambda.amazonaws.com"), opts=opts)


def _write_logs(names: Names, group_name: str, group: aws.cloudwatch.LogGroup) -> iam.Grant:
    statement = iam.Statement(
        sid="WriteLogs",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(f"{names.log_group_arn(group_name)}:*",),
    )
    return iam.Grant((statement,), (group,))


def _powertools(key: str, names: Names, log_level: LogLevel) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": key,
        "POWERTOOLS_METRICS_NAMESPACE": names.metrics_namespace,
        "POWERTOOLS_LOG_LEVEL": log_level,
    }


def check_environment(key: str, given: Mapping[str, pulumi.Input[str]]) -> None:
    """Refuse an environment that is not exactly what the function reads.

    Raises:
        EnvironmentMismatchError: a variable is missing, or nobody reads it.
    """
    asked = contract.variables(contract.FUNCTIONS[key])
    if given.keys() != asked:
        raise EnvironmentMismatchError(
            f"{key}: not given: {sorted(asked - given.keys())}; given for nothing: {sorted(given.keys() - asked)}"
        )
