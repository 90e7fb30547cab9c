"""The OpenSearch domain, and making it ready for use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.functions import execution_role
from components.logs import LogPolicy, ServiceWriter, ServiceWriters, log_group
from components.names import checked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.functions import Function
    from components.keys import Key
    from components.names import Names
    from components.network import Network
    from components.settings import Search

INDEX: Final = "knowledge-base"
PIPELINE: Final = "hybrid-search"
EMBEDDING_DIMENSIONS: Final = 512
"""Length of a passage's vector; the embedding model is asked for as many (``support.embedding``)."""
READER: Final = "knowledge_reader"
WRITER: Final = "knowledge_writer"
"""OpenSearch's own roles, made by search_bootstrap (``support.services.search_setup``)."""
ADMINISTRATOR: Final = "search_bootstrap"
"""The function that makes the domain ready, and whose role is the domain's master user."""
_LOGS: Final[Mapping[str, str]] = {
    "AUDIT_LOGS": "audit",
    "INDEX_SLOW_LOGS": "index-slow",
    "SEARCH_SLOW_LOGS": "search-slow",
    "ES_APPLICATION_LOGS": "application",
}
"""OpenSearch's log type -> last part of the log group's name."""


@dataclass(frozen=True, kw_only=True)
class SearchDomainArgs:
    names: Names
    key: Key
    logs: LogPolicy
    settings: Search
    log_access: ServiceWriters
    """The resource policy that lets the domain write its logs; refused without (facts/aws.md row 55)."""
    network: Network
    owns_service_role: bool
    """Whether this stack makes the account's service-linked role of OpenSearch, without which no domain may join a VPC
    (row 51). One stack of an account only (row 6)."""
    protect: bool


class SearchDomain(pulumi.ComponentResource):
    """The domain.

    Default settings:
        - access: IAM roles only, each mapped to a role of OpenSearch's own (fine-grained access); no policy on the
          domain, which would allow a role more than its own grants do
        - master user: the role of search_bootstrap
        - encryption: at rest with a customer-managed key, between nodes, and HTTPS with TLS 1.2 or newer
        - logs: audit, slow queries, slow indexing, errors; encrypted, with the stack's retention
        - network: in as many private subnets as it has zones (row 50), reached by the functions in the VPC only
        - storage: gp3; Auto-Tune, except on T3 nodes, which do not have it (row 53)
        - updates of the service's software: by themselves, in the off-peak window
        - zones, nodes, masters: by setting
    """

    def __init__(self, resource_name: str, args: SearchDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:search:SearchDomain", resource_name, None, opts)
        names, child = args.names, pulumi.ResourceOptions(parent=self)
        self.arn = names.search_domain_arn
        self.administrator = execution_role(ADMINISTRATOR, names, child)
        groups = {
            kind: log_group(f"{resource_name}-{part}", log_group_name(names, part), args.logs, child)
            for kind, part in _LOGS.items()
        }
        service_role = [_service_role(resource_name, child)] if args.owns_service_role else []
        self.domain = aws.opensearch.Domain(
            resource_name,
            domain_name=names.search_domain,
            engine_version=args.settings.engine_version,
            cluster_config=_cluster(args.settings),
            ebs_options={"ebs_enabled": True, "volume_type": "gp3", "volume_size": args.settings.volume_gib},
            auto_tune_options={"desired_state": "DISABLED" if args.settings.burstable else "ENABLED"},
            software_update_options={"auto_software_update_enabled": True},
            encrypt_at_rest={"enabled": True, "kms_key_id": args.key.arn},
            node_to_node_encryption={"enabled": True},
            vpc_options={
                "subnet_ids": args.network.subnet_ids[: args.settings.zones],
                "security_group_ids": [args.network.search.id],
            },
            domain_endpoint_options={
                "enforce_https": True,
                "tls_security_policy": "Policy-Min-TLS-1-2-PFS-2023-10",
            },
            advanced_security_options={
                "enabled": True,
                "anonymous_auth_enabled": False,
                "internal_user_database_enabled": False,
                "master_user_options": {"master_user_arn": self.administrator.arn},
            },
            log_publishing_options=[
                {
                    "log_type": kind,
                    "cloudwatch_log_group_arn": names.log_group_arn(log_group_name(names, part)),
                    "enabled": True,
                }
                for kind, part in _LOGS.items()
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=[*groups.values(), args.log_access.policy, *service_role],
            ),
        )
        self.endpoint = self.domain.endpoint
        self.register_outputs({"endpoint": self.endpoint})

    def read(self) -> iam.Grant:
        """Search the index."""
        return self._grant("SearchPassages", ("Post",), f"{INDEX}/_search")

    def write(self) -> iam.Grant:
        """Put passages into the index and take them out."""
        return self._grant("IndexPassages", ("Post",), "_bulk", f"{INDEX}/_refresh", f"{INDEX}/_delete_by_query")

    def administer(self) -> iam.Grant:
        """Make index and pipeline, and map roles."""
        index = self._grant("MakeIndex", ("Head", "Put"), INDEX, f"{INDEX}/_mapping")
        pipeline = self._grant("MakePipeline", ("Put",), f"_search/pipeline/{PIPELINE}")
        security = self._grant("MapRoles", ("Get", "Put"), "_plugins/_security/api/*")
        return iam.Grant((*index.statements, *pipeline.statements, *security.statements), (self.domain,))

    def _grant(self, sid: str, methods: Sequence[str], *paths: str) -> iam.Grant:
        statement = iam.Statement(
            sid=sid,
            actions=tuple(f"es:ESHttp{method}" for method in methods),
            resources=tuple(f"{self.arn}/{path}" for path in paths),
        )
        return iam.Grant((statement,), (self.domain,))


def _service_role(resource_name: str, opts: pulumi.ResourceOptions) -> aws.iam.ServiceLinkedRole:
    return aws.iam.ServiceLinkedRole(
        resource_name,
        aws_service_name="opensearchservice.amazonaws.com",
        description="Lets OpenSearch Service put its nodes into VPCs of this account",
        opts=opts,
    )


def _cluster(settings: Search) -> aws.opensearch.DomainClusterConfigArgsDict:
    cluster: aws.opensearch.DomainClusterConfigArgsDict = {
        "instance_type": settings.instance_type,
        "instance_count": settings.instance_count,
        "zone_awareness_enabled": settings.zones > 1,
        "dedicated_master_enabled": settings.masters > 0,
    }
    if settings.zones > 1:
        cluster["zone_awareness_config"] = {"availability_zone_count": settings.zones}
    if settings.masters:
        cluster["dedicated_master_count"] = settings.masters
        cluster["dedicated_master_type"] = settings.master_type
    return cluster


def log_group_name(names: Names, part: str) -> str:
    return checked("log group", f"/aws/opensearch/{names.search_domain}/{part}")


def writer(names: Names) -> ServiceWriter:
    """What the log groups' resource policy must allow."""
    return ServiceWriter(
        sid="SearchDomain",
        services=("es.amazonaws.com",),
        group_arns=tuple(names.log_group_arn(log_group_name(names, part)) for part in _LOGS.values()),
        source_arn=names.search_domain_arn,
    )


@dataclass(frozen=True, kw_only=True)
class SearchSetupArgs:
    bootstrap: Function
    """search_bootstrap."""
    environment: Mapping[str, pulumi.Input[str]]
    """The function's variables: what it makes."""
    code: str
    """Digest of the function's code: how it makes it."""
    roles: Sequence[Function]
    """Functions whose roles it maps; they must exist."""


class SearchSetup(pulumi.ComponentResource):
    """Index, search pipeline and role mapping, made by a function inside the deployment (facts/aws.md row 54).

    Default settings:
        - run again when the function's code or anything that it was told has changed; doing it again is harmless
    """

    def __init__(self, resource_name: str, args: SearchSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:search:SearchSetup", resource_name, None, opts)
        self.invocation = aws.lambda_.Invocation(
            resource_name,
            function_name=args.bootstrap.function.name,
            qualifier=args.bootstrap.alias.name,
            input="{}",
            triggers={
                "code": args.code,
                "environment": pulumi.Output.from_input(dict(args.environment)).apply(iam.to_json),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[function.role for function in args.roles]),
        )
        self.register_outputs({})
