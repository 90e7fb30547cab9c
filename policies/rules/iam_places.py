"""Where policy documents stand among resources' properties, and of which kind each is: for the rules on IAM."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from policies.documents import VERSION, Problem, Statement, json_object, read
from policies.rule import Guard, Verdict, cannot_judge
from policies.values import Found, Unknown, look_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policies.rule import Check
    from policies.settings import Settings
    from policies.values import Resource, Value

    Judge: TypeAlias = Callable[["Place", Statement], Iterator[Verdict]]


class Kind(Enum):
    """What a document decides."""

    IDENTITY = "identity"
    """What a role, user or group may do, and on what."""
    TRUST = "trust"
    """Who may take a role."""
    RESOURCE = "resource"
    """Who may do what on something that it names."""
    OWN = "own"
    """Who may do what on the one thing that it belongs to: ``*`` is that thing."""
    KEY = "key"
    """Who may use and administer a KMS key: ``*`` is that key (KMS developer guide, "Key policies")."""


OF_RESOURCES: Final = frozenset({Kind.RESOURCE, Kind.OWN, Kind.KEY})
WITH_PRINCIPALS: Final = frozenset({*OF_RESOURCES, Kind.TRUST})
ALL: Final = frozenset(Kind)


@dataclass(frozen=True)
class Place:
    """A property that holds a document."""

    type: str
    path: str
    """As in `look_all`."""
    kind: Kind
    absent: str = ""
    """Why it may be missing; empty if it may not."""


ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
REST_API: Final = "aws:apigateway/restApi:RestApi"
IN_BODY: Final = "x-amazon-apigateway-policy"

_APART: Final = "without a policy, here or in a resource of its own, only the account's own are let in"
_DEFAULT_KEY: Final = "KMS gives a key without a policy one by which IAM administers it"
_API: Final = "an API without a policy leaves it to its authorisers"

PLACES: Final = (
    Place(ROLE, "assumeRolePolicy", Kind.TRUST),
    Place(ROLE, "inlinePolicies[].policy", Kind.IDENTITY, "a block without a policy takes away all there are"),
    Place(ROLE_POLICY, "policy", Kind.IDENTITY),
    Place("aws:iam/policy:Policy", "policy", Kind.IDENTITY),
    Place("aws:iam/userPolicy:UserPolicy", "policy", Kind.IDENTITY),
    Place("aws:iam/groupPolicy:GroupPolicy", "policy", Kind.IDENTITY),
    Place("aws:kms/key:Key", "policy", Kind.KEY, _DEFAULT_KEY),
    Place("aws:kms/replicaKey:ReplicaKey", "policy", Kind.KEY, _DEFAULT_KEY),
    Place("aws:kms/externalKey:ExternalKey", "policy", Kind.KEY, _DEFAULT_KEY),
    Place("aws:kms/keyPolicy:KeyPolicy", "policy", Kind.KEY),
    Place("aws:sqs/queue:Queue", "policy", Kind.OWN, _APART),
    Place("aws:sqs/queuePolicy:QueuePolicy", "policy", Kind.OWN),
    Place("aws:sns/topic:Topic", "policy", Kind.OWN, _APART),
    Place("aws:sns/topicPolicy:TopicPolicy", "policy", Kind.OWN),
    Place("aws:secretsmanager/secret:Secret", "policy", Kind.OWN, _APART),
    Place("aws:secretsmanager/secretPolicy:SecretPolicy", "policy", Kind.OWN),
    Place("aws:ecr/repositoryPolicy:RepositoryPolicy", "policy", Kind.OWN),
    Place("aws:backup/vaultPolicy:VaultPolicy", "policy", Kind.OWN),
    Place("aws:dynamodb/resourcePolicy:ResourcePolicy", "policy", Kind.OWN),
    Place("aws:s3/bucket:Bucket", "policy", Kind.RESOURCE, _APART),
    Place("aws:s3/bucketV2:BucketV2", "policy", Kind.RESOURCE, _APART),
    Place("aws:s3/bucketPolicy:BucketPolicy", "policy", Kind.RESOURCE),
    Place("aws:opensearch/domain:Domain", "accessPolicies", Kind.RESOURCE, _APART),
    Place("aws:opensearch/domainPolicy:DomainPolicy", "accessPolicies", Kind.RESOURCE),
    Place("aws:elasticsearch/domain:Domain", "accessPolicies", Kind.RESOURCE, _APART),
    Place("aws:elasticsearch/domainPolicy:DomainPolicy", "accessPolicies", Kind.RESOURCE),
    Place("aws:cloudwatch/eventBusPolicy:EventBusPolicy", "policy", Kind.RESOURCE),
    Place("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "policyDocument", Kind.RESOURCE),
    Place("aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy", "accessPolicy", Kind.RESOURCE),
    # An endpoint without a policy lets everybody in the VPC do everything with the service.
    Place("aws:ec2/vpcEndpoint:VpcEndpoint", "policy", Kind.RESOURCE),
    Place("aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy", "policy", Kind.RESOURCE),
    Place(REST_API, "policy", Kind.RESOURCE, _API),
    Place(REST_API, "body", Kind.RESOURCE, _API),
    Place("aws:apigateway/restApiPolicy:RestApiPolicy", "policy", Kind.RESOURCE),
)
"""All documents that are judged; of an API's ``body`` what stands under ``x-amazon-apigateway-policy``."""

_OF_TYPE: Final[dict[str, list[Place]]] = defaultdict(list)
for _place in PLACES:
    _OF_TYPE[_place.type].append(_place)


def documents(resource: Resource, kinds: frozenset[Kind] = ALL) -> Iterator[tuple[Place, Found]]:
    """The documents of these kinds of a resource that are there, or not known yet."""
    for place in _OF_TYPE.get(resource.type, ()):
        for found in look_all(resource, place.path) if place.kind in kinds else ():
            inside = _in_body(found) if place.path == "body" else found
            # The provider shows an empty text where there is no policy.
            if inside.value is not None and not (place.absent and inside.value == ""):
                yield place, inside


def _in_body(found: Found) -> Found:
    """The policy in an API's description; a description that cannot be read is the business of the rules on APIs."""
    body = json_object(found.value, found.path) if found.value is not None else None
    if isinstance(body, Unknown):
        return Found(found.path, body)
    inside = body.get(IN_BODY) if isinstance(body, Mapping) and not isinstance(body, Problem) else None
    return Found(f"{found.path}.{IN_BODY}", inside)


def statements(resource: Resource, kinds: frozenset[Kind]) -> Iterator[tuple[Place, Statement | Unknown]]:
    """The statements of a resource's documents of these kinds, and what of them is not known yet as a whole.

    What is no statement is refused by the rule on documents, and by none else.
    """
    for place, found in documents(resource, kinds):
        yield from ((place, each) for each in read(found.value, found.path) if not isinstance(each, Problem))


def allowing(judge: Judge, *needs: str, kinds: frozenset[Kind] = ALL) -> Check:
    """A rule's check of each statement that allows something.

    Args:
        judge: what it has to say about one, of which the known parts are to be judged.
        needs: the elements that it looks at, beside ``Effect``; what of these is not known, it cannot judge.
        kinds: of the documents.
    """

    def check(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
        for place, each in statements(resource, kinds):
            if isinstance(each, Unknown):
                yield cannot_judge(each)
            elif each.allows:
                yield from (cannot_judge(unknown) for unknown in each.unknowns("Effect", *needs))
                yield from judge(place, each)

    return check


NO_DOCUMENT: Final = "what is not there grants nothing"


def guards(weaker: Mapping[Kind, tuple[Mapping[str, object], ...]]) -> tuple[Guard, ...]:
    """All documents of some kinds as guards of a rule.

    Args:
        weaker: kind -> statements, each of which the rule must refuse in a document of that kind.
    """
    return tuple(
        Guard(
            type=place.type,
            path=place.path,
            absent=place.absent or NO_DOCUMENT,
            weaker=tuple(as_value(place, each) for each in weaker[place.kind]),
        )
        for place in PLACES
        if place.kind in weaker
    )


def as_value(place: Place, *statements_: Mapping[str, object]) -> str:
    """A document of these statements as the text that a property holds."""
    written = document(*statements_)
    if place.path == "body":
        return json.dumps({"openapi": "3.0.1", "paths": {}, IN_BODY: written})
    return json.dumps(written)


def document(*statements_: Mapping[str, object]) -> dict[str, Value]:
    """A document of these statements."""
    return {"Version": VERSION, "Statement": list(statements_)}


def allow(action: object, resource: object = None, **more: object) -> dict[str, object]:
    """A statement that allows something."""
    place = {"Resource": resource} if resource is not None else {}
    return {"Effect": "Allow", "Action": action, **place, **more}
