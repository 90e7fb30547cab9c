"""A web ACL: what AWS WAF refuses before it reaches the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import pulumi
import pulumi_aws as aws

from components.logs import LogPolicy, ServiceWriter, ServiceWriters, log_group
from components.names import STAGE, checked
from support.routes import ITSM

if TYPE_CHECKING:
    from components.names import Names

    _Scope: TypeAlias = aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementArgsDict

Secrets: TypeAlias = tuple[pulumi.Input[str], pulumi.Input[str]]

ORIGIN_HEADER: Final = "x-origin-verify"
"""Request header by which CloudFront shows that a request comes through it."""
LOGGED: Final = ("BLOCK", "COUNT", "EXCLUDED_AS_COUNT")
"""What WAF did, for a request to be logged: what is let through is in the access logs."""
PARTNERS: Final = f"/{STAGE}{ITSM}/"
"""Beginning of the paths of partners' routes, which usage plans limit by key (spec section 1)."""
RATE_SECONDS: Final = 300
"""Time over which requests of one address are counted."""


@dataclass(frozen=True, kw_only=True)
class ManagedGroup:
    """One of AWS's rule groups (WAF developer guide, AWS Managed Rules rule groups list)."""

    name: str
    capacity: int
    """Web ACL capacity units; a web ACL has 1,500 before AWS charges for more."""
    of_addresses: bool = False
    """It judges the address that the request comes from: nothing is learned from it behind CloudFront."""
    counted: tuple[str, ...] = ()
    """Rules that only count."""


MANAGED_GROUPS: Final = (
    ManagedGroup(name="AWSManagedRulesAmazonIpReputationList", capacity=25, of_addresses=True),
    ManagedGroup(
        name="AWSManagedRulesAnonymousIpList",
        capacity=50,
        of_addresses=True,
        # Partners' ITSM systems run at hosting providers.
        counted=("HostingProviderIPList",),
    ),
    ManagedGroup(
        name="AWSManagedRulesCommonRuleSet",
        capacity=700,
        # A symptom may take more than its 8 KB; the API has limits of its own.
        counted=("SizeRestrictions_BODY",),
    ),
    ManagedGroup(name="AWSManagedRulesKnownBadInputsRuleSet", capacity=200),
    ManagedGroup(name="AWSManagedRulesSQLiRuleSet", capacity=200),
)


@dataclass(frozen=True, kw_only=True)
class WebAclArgs:
    names: Names
    """Of the region that the ACL is in: us-east-1 for CloudFront (facts/aws.md row 64)."""
    thing: str
    """What it guards, as part of its name."""
    scope: Literal["REGIONAL", "CLOUDFRONT"]
    rate_limit: int
    """Requests of one address in five minutes."""
    partner_limit: int | None = None
    """The same for partners' routes, by themselves; None to count them with all others."""
    logs: LogPolicy
    """Its key is in the ACL's region as well."""
    log_access: ServiceWriters
    """Lets WAF write to the log group; see :func:`writer`."""
    secrets: Secrets | None = None
    """Where CloudFront stands before what is guarded: what a request must show to be let through. Two values, so that
    one can be replaced by another while requests are under way."""


class WebAcl(pulumi.ComponentResource):
    """A web ACL and its log.

    Default settings:
        - all requests: allowed, unless a rule blocks them
        - AWS managed groups: addresses of bad reputation and of anonymisers, common attacks, known bad inputs, SQL
          injection; long bodies and addresses of hosting providers are counted only
        - rate: by the client's address over five minutes, answered with 429; behind CloudFront the address is the one
          that it forwards, since the API sees CloudFront's (facts/aws.md row 66); partners' routes by themselves, if
          they have a limit of their own
        - behind CloudFront: who does not show the secret is refused, and addresses are judged there
        - log: what was blocked or counted, in an encrypted group; no bodies, tokens or secrets, in samples neither
    """

    def __init__(self, resource_name: str, args: WebAclArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:web_acl:WebAcl", resource_name, None, opts)
        name = args.names.physical("web ACL", args.thing)
        self.acl = aws.wafv2.WebAcl(
            resource_name,
            name=name,
            description=f"Guards the {args.thing}",
            scope=args.scope,
            default_action={"allow": {}},
            rules=_rules(name, args),
            visibility_config=_visibility(name),
            # Tickets hold personal data, and the headers are as good as passwords.
            data_protection_config={
                "data_protections": [
                    {"action": "SUBSTITUTION", "field": {"field_type": "BODY"}},
                    {
                        "action": "SUBSTITUTION",
                        "field": {"field_type": "SINGLE_HEADER", "field_keys": ["authorization", ORIGIN_HEADER]},
                    },
                ]
            },
            region=args.names.region,
            opts=pulumi.ResourceOptions(parent=self),
        )
        group = log_group(
            resource_name, _log_group(args.names, args.thing), args.logs, pulumi.ResourceOptions(parent=self)
        )
        aws.wafv2.WebAclLoggingConfiguration(
            resource_name,
            resource_arn=self.acl.arn,
            log_destination_configs=[group.arn],
            logging_filter={
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"action_condition": {"action": action}} for action in LOGGED],
                    }
                ],
            },
            region=args.names.region,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.log_access]),
        )
        self.arn = self.acl.arn
        self.register_outputs({"arn": self.arn})


def writer(names: Names, thing: str) -> ServiceWriter:
    """What the region's policy for logs must allow: the one that WAF writes by itself outgrows its limit (row 65)."""
    return ServiceWriter(
        sid=f"WebAcl{thing.capitalize()}",
        services=("delivery.logs.amazonaws.com",),
        group_arns=(names.log_group_arn(_log_group(names, thing)),),
        source_arn=names.arn("logs", "*"),
    )


def _log_group(names: Names, thing: str) -> str:
    """WAF takes no other beginning of the name (facts/aws.md row 65)."""
    return checked("log group", f"aws-waf-logs-{names.prefix}-{thing}")


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A rule, but for its place."""

    name: str
    statement: aws.wafv2.WebAclRuleStatementArgsDict
    action: aws.wafv2.WebAclRuleActionArgsDict | None = None
    """What it does; a group's rules know that themselves."""

    def at(self, priority: int, acl: str) -> aws.wafv2.WebAclRuleArgsDict:
        rule: aws.wafv2.WebAclRuleArgsDict = {
            "name": self.name,
            "priority": priority,
            "statement": self.statement,
            "visibility_config": _visibility(f"{acl}-{self.name}"),
        }
        if self.action is None:
            rule["override_action"] = {"none": {}}
        else:
            rule["action"] = self.action
        return rule


def _rules(acl: str, args: WebAclArgs) -> list[aws.wafv2.WebAclRuleArgsDict]:
    rules = _rates(args)
    if args.secrets is not None:
        rules.insert(0, _only_with(args.secrets))
    rules += [_managed(group) for group in MANAGED_GROUPS if args.secrets is None or not group.of_addresses]
    return [rule.at(priority, acl) for priority, rule in enumerate(rules)]


def _only_with(secrets: Secrets) -> _Rule:
    shows: list[aws.wafv2.WebAclRuleStatementArgsDict] = [
        {
            "byte_match_statement": {
                "field_to_match": {"single_header": {"name": ORIGIN_HEADER}},
                "positional_constraint": "EXACTLY",
                "search_string": secret,
                "text_transformations": [{"priority": 0, "type": "NONE"}],
            }
        }
        for secret in secrets
    ]
    return _Rule(
        name="only-through-cloudfront",
        action={"block": {}},
        statement={"not_statement": {"statement": {"or_statement": {"statements": shows}}}},
    )


def _rates(args: WebAclArgs) -> list[_Rule]:
    if args.partner_limit is None:
        return [_rate("rate-of-client", args.rate_limit, args)]
    of_partners: _Scope = {
        "byte_match_statement": {
            "field_to_match": {"uri_path": {}},
            "positional_constraint": "STARTS_WITH",
            "search_string": PARTNERS,
            "text_transformations": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
        }
    }
    return [
        _rate("rate-of-client", args.rate_limit, args, {"not_statement": {"statement": of_partners}}),
        _rate("rate-of-partner", args.partner_limit, args, of_partners),
    ]


def _rate(name: str, limit: int, args: WebAclArgs, scope: _Scope | None = None) -> _Rule:
    statement: aws.wafv2.WebAclRuleStatementRateBasedStatementArgsDict = {
        "limit": limit,
        "evaluation_window_sec": RATE_SECONDS,
        "aggregate_key_type": "IP",
    }
    if scope is not None:
        statement["scope_down_statement"] = scope
    if args.secrets is not None:
        statement["aggregate_key_type"] = "FORWARDED_IP"
        # A client can put other addresses before its own: CloudFront's web ACL counts by the real one.
        statement["forwarded_ip_config"] = {"header_name": "X-Forwarded-For", "fallback_behavior": "NO_MATCH"}
    answer: aws.wafv2.WebAclRuleActionBlockCustomResponseArgsDict = {
        "response_code": 429,
        "response_headers": [{"name": "retry-after", "value": str(RATE_SECONDS)}],
    }
    return _Rule(
        name=name,
        action={"block": {"custom_response": answer}},
        statement={"rate_based_statement": statement},
    )


def _managed(group: ManagedGroup) -> _Rule:
    statement: aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgsDict = {
        "vendor_name": "AWS",
        "name": group.name,
    }
    if group.counted:
        statement["rule_action_overrides"] = [{"name": rule, "action_to_use": {"count": {}}} for rule in group.counted]
    return _Rule(name=group.name, statement={"managed_rule_group_statement": statement})


def _visibility(metric: str) -> aws.wafv2.WebAclVisibilityConfigArgsDict:
    return {"metric_name": metric, "cloudwatch_metrics_enabled": True, "sampled_requests_enabled": True}
