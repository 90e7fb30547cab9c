"""What a stack's picture shows: boxes in rooms, and lines between them, read from the resource graph."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.access import Access, listed
from harness.diagram import details
from harness.diagram.catalogue import (
    ALWAYS_LEFT_OUT,
    ARROWS,
    BOXES,
    BUCKET,
    FUNCTION,
    LEFT_OUT,
    MODULE_ROOMS,
    NETWORK,
    QUEUE,
    RULE,
    TITLES,
    VPC,
    Drawn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.diagram.catalogue import Kind, Room
    from harness.graph import Graph, Resource

Side = Literal["front", "answering", "shared", "working"]
"""The picture's columns, from left to right."""
LinkKind = Literal["calls", "starts"]

_COLUMNS: Final[Mapping[Room, Side]] = {
    "callers": "front",
    "edge": "front",
    "api": "front",
    "api functions": "answering",
    "workers": "working",
    "operations": "working",
}
_API: Final = "aws:apigateway/restApi:RestApi"
_MACHINE: Final = "aws:sfn/stateMachine:StateMachine"
_ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
_TRAIL: Final = "aws:cloudtrail/trail:Trail"
_SERVICES: Final[Mapping[str, tuple[str, Kind, Room]]] = {"bedrock": ("Models", "model", "models")}
"""Services that are called and of which the stack makes nothing: the ARN's service -> title, kind, room."""
_FUNCTION_IN_URI: Final = re.compile(r"functions/(arn:[^/]+:function:[^/:]+)")
_READING: Final = re.compile(r"[a-z0-9-]+:(Get|BatchGet|Query|Scan|Describe|List|Receive|ESHttpGet|ESHttpHead)")
_CONSUMING: Final = frozenset(
    {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
)
"""What the role of a function may do with its event source, which the line from there says already."""
_UNSAID: Final = ("logs:", "xray:", "ec2:", "cloudwatch:")
"""Services that every function calls in the same way."""
_EVERYBODY: Final = 5
"""A thing that all functions use gets no lines, if there are at least so many of them."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One thing that the picture shows."""

    key: str
    kind: Kind
    room: Room
    column: Side
    title: str
    lines: tuple[str, ...]
    """Below the title."""
    shows: tuple[str, ...]
    """URNs of the resources that it stands for."""
    hint: str = ""
    """What a pointer that rests on it is told."""
    under: str = ""
    """Key of the box that it stands below, as its failure queue."""


@dataclass(frozen=True, kw_only=True, order=True)
class Link:
    """One line, from who calls or starts to what is called or started; keys of boxes."""

    source: str
    target: str
    kind: LinkKind
    reads: bool = False
    """Whether nothing is changed there."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    stack: str
    region: str
    resources: int
    boxes: Mapping[str, Box]
    links: tuple[Link, ...]
    frame: str
    """What the network around the room ``vpc`` is; empty where there is none."""
    accounted: Mapping[str, str]
    """URN of every resource -> key of its box, or ``frame``, ``line`` or ``left out``."""
    left_out: Mapping[str, str]
    """Type of what nothing shows -> why."""


def of(graph: Graph) -> Picture:
    """The picture of a stack."""
    return _Reader(graph).picture()


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._access = Access(graph)
        self._prefix = f"support-{graph.settings.environment}-"
        self._custom = [resource for resource in graph if resource.custom]
        self._boxes: dict[str, Box] = {}
        self._accounted: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        """ARN of a role -> key of the box that works in its name."""

    def picture(self) -> Picture:
        self._place()
        self._place_templates()
        self._place_services()
        left_out = self._account_for_the_rest()
        links = {*self._started(), *self._called_by_api()}
        links |= self._called(links)
        links = self._without_everybody(links)
        return Picture(
            stack=self._graph.stack,
            region=self._graph.settings.region,
            resources=len(self._custom),
            boxes=self._boxes,
            links=tuple(sorted(links)),
            frame=self._frame(),
            accounted=self._accounted,
            left_out=left_out,
        )

    # --- boxes

    def _place(self) -> None:
        shared: dict[tuple[str, Room], list[Resource]] = defaultdict(list)
        for resource in self._custom:
            drawn = self._drawn(resource)
            if drawn is None:
                continue
            room = self._room(resource, drawn)
            if drawn.together:
                shared[resource.type, room].append(resource)
            else:
                self._add(self._own(resource, drawn, room))
        for (kind, room), resources in shared.items():
            self._add(self._shared(resources, BOXES[kind], room))
        self._put_failures_under_their_queues()

    def _drawn(self, resource: Resource) -> Drawn | None:
        drawn = BOXES.get(resource.type)
        if resource.type == RULE and not resource.inputs.get("scheduleExpression"):
            return None
        if resource.type == QUEUE and "redrivePolicy" not in resource.inputs:
            return Drawn(kind="failures", room="messages")
        return drawn

    def _room(self, resource: Resource, drawn: Drawn) -> Room:
        if resource.type == FUNCTION:
            if resource.inputs.get("vpcConfig"):
                return "vpc"
            return "api functions" if self._arn(resource) in self._routes else "workers"
        if resource.type == BUCKET:
            return next((MODULE_ROOMS[name] for name in self._modules(resource) if name in MODULE_ROOMS), drawn.room)
        return drawn.room

    def _modules(self, resource: Resource) -> Iterator[str]:
        """Of the components around it, from the innermost: ``edge`` of ``support:edge:Edge``."""
        parent = self._graph.resources.get(resource.parent)
        while parent is not None:
            yield parent.type.split(":")[1]
            parent = self._graph.resources.get(parent.parent)

    def _own(self, resource: Resource, drawn: Drawn, room: Room) -> Box:
        title = self._title(resource)
        lines = self._function_lines(resource) if resource.type == FUNCTION else (details.of(resource),)
        return Box(
            key=resource.urn,
            kind=drawn.kind,
            room=room,
            column=self._column(resource, room),
            title=title,
            lines=tuple(line for line in lines if line),
            shows=(resource.urn,),
            hint=str(resource.inputs.get("description", "")),
        )

    def _column(self, resource: Resource, room: Room) -> Side:
        if room == "vpc" and resource.type == FUNCTION:
            return "answering" if self._arn(resource) in self._routes else "working"
        return _COLUMNS.get(room, "shared")

    def _shared(self, resources: list[Resource], drawn: Drawn, room: Room) -> Box:
        count = f"{len(resources)} " if len(resources) > 1 and drawn.kind != "person" else ""
        return Box(
            key=resources[0].urn,
            kind=drawn.kind,
            room=room,
            column=_COLUMNS.get(room, "shared"),
            title=_capital(f"{count}{drawn.together}"),
            lines=details.wrapped(details.of_all(resources)),
            shows=tuple(resource.urn for resource in resources),
        )

    def _title(self, resource: Resource) -> str:
        if resource.type in TITLES:
            return TITLES[resource.type]
        if resource.type == "aws:cognito/userGroup:UserGroup":
            return _capital(f"{resource.inputs['name']}s")
        if resource.type == BUCKET:
            name = str(resource.inputs.get("bucket", resource.name))
            return name.removeprefix(self._prefix).removesuffix(f"-{self._graph.settings.account_id}")
        return str(resource.inputs.get("name", resource.name)).removeprefix(self._prefix)

    def _function_lines(self, resource: Resource) -> tuple[str, ...]:
        routes = self._routes.get(self._arn(resource), ())
        users = [route for route in routes if "/itsm/" not in route]
        partners = len(routes) - len(users)
        said = [*users[:1], *([f"+ {len(users) - 1}"] if len(users) > 1 else []), *(["+ itsm"] if partners else [])]
        kept = resource.inputs.get("reservedConcurrentExecutions", -1)
        size = [f"{resource.inputs['memorySize']:g} MB", details.seconds(resource.inputs["timeout"])]
        kept_for_it = [*([f"reserved {kept:g}"] if kept is not None and kept > 0 else []), *self._kept_warm(resource)]
        return (" ".join(said), *details.wrapped(" · ".join((*size, *kept_for_it))))

    def _kept_warm(self, resource: Resource) -> Iterator[str]:
        for target in self._graph.of_type("aws:appautoscaling/target:Target"):
            if resource.inputs["name"] in str(target.inputs["resourceId"]).split(":"):
                yield f"warm {target.inputs['minCapacity']:g}-{target.inputs['maxCapacity']:g}"

    def _put_failures_under_their_queues(self) -> None:
        for queue in self._graph.of_type(QUEUE):
            redrive = queue.inputs.get("redrivePolicy")
            target = redrive and self._box_of_arn(json.loads(redrive)["deadLetterTargetArn"])
            if target:
                self._boxes[target] = replace(self._boxes[target], under=queue.urn)

    def _place_templates(self) -> None:
        """Routes that no function answers: the gateway itself calls, in the name of a role made for that."""
        for role_arn, routes in self._templates.items():
            role = self._access.by_arn(role_arn)
            shown = [role.urn, *(policy.urn for policy in self._access.policies_of(role))]
            users = [route for route in routes if "/itsm/" not in route] or list(routes)
            box = Box(
                key=role.urn,
                kind="template",
                room="api functions",
                column="answering",
                title=role.name.removeprefix("api-"),
                lines=(users[0], "templates, no function"),
                shows=tuple(shown),
            )
            self._add(box)

    def _place_services(self) -> None:
        """AWS's own things, that policies name and nobody makes."""
        for service, (title, kind, room) in _SERVICES.items():
            named = any(_service(arn) == service for role in self._working_roles() for arn in self._named_by(role))
            if named and not any(box.room == room for box in self._boxes.values()):
                key = f"service:{service}"
                self._add(Box(key=key, kind=kind, room=room, column="shared", title=title, lines=(), shows=()))

    def _account_for_the_rest(self) -> Mapping[str, str]:
        """Everything that is no box itself: part of one, of the frame, a line, or left out for a reason."""
        by_parent: dict[str, str] = {}
        # A box of its own says more about a component than one that is shared with others.
        for resource in sorted(self._custom, key=lambda each: self._accounted.get(each.urn) != each.urn):
            if resource.urn in self._accounted:
                by_parent.setdefault(resource.parent, self._accounted[resource.urn])
        left_out: dict[str, str] = {}
        for resource in self._custom:
            if resource.urn in self._accounted:
                continue
            home = self._home(resource, by_parent)
            if resource.type in ARROWS:
                self._accounted[resource.urn] = "line"
            elif home and resource.type not in ALWAYS_LEFT_OUT:
                self._accounted[resource.urn] = home
            elif resource.type.startswith(NETWORK):
                self._accounted[resource.urn] = "frame"
            elif resource.type in LEFT_OUT:
                self._accounted[resource.urn] = "left out"
                left_out[resource.type] = LEFT_OUT[resource.type]
            else:
                self._add(self._unknown(resource))
        return left_out

    def _home(self, resource: Resource, by_parent: Mapping[str, str]) -> str:
        """The box of the innermost component around it that has one; empty if none has."""
        parent = resource.parent
        while parent:
            if parent in by_parent and not resource.type.startswith(NETWORK):
                return by_parent[parent]
            component = self._graph.resources.get(parent)
            parent = component.parent if component is not None else ""
        return ""

    def _unknown(self, resource: Resource) -> Box:
        return Box(
            key=resource.urn,
            kind="other",
            room="other",
            column="working",
            title=resource.name,
            lines=(resource.type.rpartition(":")[2],),
            shows=(resource.urn,),
        )

    def _add(self, box: Box) -> None:
        self._boxes[box.key] = box
        for urn in box.shows:
            self._accounted[urn] = box.key

    def _frame(self) -> str:
        vpcs = self._graph.of_type(VPC)
        if not vpcs:
            return ""
        zones = len(self._graph.settings.network.zone_ids)
        return f"VPC {vpcs[0].inputs.get('cidrBlock', '')} · private subnets in {zones} zones"

    # --- lines

    @functools.cached_property
    def _body(self) -> Mapping[str, Any]:
        apis = self._graph.of_type(_API)
        body: Mapping[str, Any] = apis[0].json("body") if apis else {}
        return body

    def _integrations(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Route and integration, preflights apart."""
        for path, methods in (self._body.get("paths") or {}).items():
            for method, operation in methods.items():
                if isinstance(operation, dict) and method != "options":
                    yield f"{method.upper()} {path}", operation.get("x-amazon-apigateway-integration") or {}

    @functools.cached_property
    def _routes(self) -> Mapping[str, tuple[str, ...]]:
        """ARN of a function that the API calls -> its routes; none for an authorizer."""
        found: dict[str, tuple[str, ...]] = {}
        for route, integration in self._integrations():
            if called := _FUNCTION_IN_URI.search(str(integration.get("uri", ""))):
                found[called[1]] = (*found.get(called[1], ()), route)
        schemes = (self._body.get("components") or {}).get("securitySchemes") or {}
        for scheme in schemes.values():
            uri = str((scheme.get("x-amazon-apigateway-authorizer") or {}).get("authorizerUri", ""))
            if called := _FUNCTION_IN_URI.search(uri):
                found.setdefault(called[1], ())
        return found

    @functools.cached_property
    def _templates(self) -> Mapping[str, tuple[str, ...]]:
        """ARN of the role in whose name the gateway calls -> routes."""
        found: dict[str, tuple[str, ...]] = {}
        for route, integration in self._integrations():
            role = str(integration.get("credentials", ""))
            if role:
                found[role] = (*found.get(role, ()), route)
        return found

    def _called_by_api(self) -> Iterator[Link]:
        for api in self._graph.of_type(_API):
            for box in self._boxes.values():
                answers = box.kind == "template" or any(
                    self._arn(self._graph.resources[urn]) in self._routes for urn in box.shows if box.kind == "function"
                )
                if answers:
                    yield Link(source=api.urn, target=box.key, kind="calls")

    def _started(self) -> Iterator[Link]:
        """What hands over events or messages by itself."""
        pairs = [*self._event_sources(), *self._rule_targets(), *self._notifications(), *self._told()]
        for source, target in pairs:
            if source and target and source != target:
                yield Link(source=source, target=target, kind="starts")

    def _event_sources(self) -> Iterator[tuple[str, str]]:
        for mapping in self._graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping"):
            yield (
                self._box_of_arn(str(mapping.inputs["eventSourceArn"])),
                self._box_of_arn(str(mapping.inputs["functionName"])),
            )

    def _rule_targets(self) -> Iterator[tuple[str, str]]:
        rules = {str(rule.outputs.get("name")): rule for rule in self._graph.of_type(RULE)}
        for target in self._graph.of_type("aws:cloudwatch/eventTarget:EventTarget"):
            rule = rules.get(str(target.inputs["rule"]))
            box = self._accounted.get(rule.urn, "") if rule is not None else ""
            yield (box if box in self._boxes else ""), self._box_of_arn(str(target.inputs["arn"]))

    def _notifications(self) -> Iterator[tuple[str, str]]:
        buckets = {bucket.inputs.get("bucket"): bucket.urn for bucket in self._graph.of_type(BUCKET)}
        for notification in self._graph.of_type("aws:s3/bucketNotification:BucketNotification"):
            for queue in notification.inputs.get("queues") or ():
                yield buckets.get(notification.inputs["bucket"], ""), self._box_of_arn(str(queue["queueArn"]))

    def _told(self) -> Iterator[tuple[str, str]]:
        for alarm in self._graph.of_type(_ALARM):
            for action in alarm.inputs.get("alarmActions") or ():
                yield self._accounted.get(alarm.urn, ""), self._box_of_arn(str(action))
        buckets = {bucket.inputs.get("bucket"): bucket.urn for bucket in self._graph.of_type(BUCKET)}
        for trail in self._graph.of_type(_TRAIL):
            yield trail.urn, buckets.get(trail.inputs.get("s3BucketName"), "")

    def _called(self, known: set[Link]) -> set[Link]:
        """What the policies of roles say."""
        started = {(link.source, link.target) for link in known if link.kind == "starts"}
        found: dict[tuple[str, str], bool] = {}
        for role in self._working_roles():
            caller = self._roles[str(role.arn)]
            for statement in self._access.statements_of(role):
                actions = {action for action in listed(statement["Action"]) if not action.startswith(_UNSAID)}
                if not actions or _through_another_service(statement):
                    continue
                for arn in listed(statement["Resource"]):
                    target = self._box_of_arn(arn)
                    if not target or target == caller or ((target, caller) in started and actions <= _CONSUMING):
                        continue
                    reads = all(_READING.match(action) for action in actions) or arn.endswith("/_search")
                    found[caller, target] = found.get((caller, target), True) and reads
        return {
            Link(source=source, target=target, kind="calls", reads=reads) for (source, target), reads in found.items()
        }

    def _working_roles(self) -> tuple[Resource, ...]:
        if not self._roles:
            for resource in (*self._graph.of_type(FUNCTION), *self._graph.of_type(_MACHINE)):
                self._roles[str(resource.inputs.get("role") or resource.inputs.get("roleArn"))] = resource.urn
            self._roles |= {arn: self._access.by_arn(arn).urn for arn in self._templates}
        return tuple(self._access.by_arn(arn) for arn in self._roles)

    def _named_by(self, role: Resource) -> Iterator[str]:
        for statement in self._access.statements_of(role):
            yield from listed(statement["Resource"])

    def _without_everybody(self, links: set[Link]) -> set[Link]:
        """Without lines to what all functions use in the same way; its box says so."""
        functions = {box.key for box in self._boxes.values() if box.kind == "function"}
        callers: dict[str, set[str]] = defaultdict(set)
        for link in links:
            if link.kind == "calls":
                callers[link.target].add(link.source)
        everybody = {target for target, those in callers.items() if functions <= those and len(functions) >= _EVERYBODY}
        for key in everybody:
            box = self._boxes[key]
            self._boxes[key] = replace(box, lines=(*box.lines[:1], "from every function"))
        return {link for link in links if link.target not in everybody or link.source not in functions}

    def _arn(self, resource: Resource) -> str:
        return str(resource.outputs.get("arn", ""))

    @functools.cached_property
    def _arns(self) -> Mapping[str, str]:
        """ARN -> URN, of resources that may have a box."""
        return {self._arn(resource): resource.urn for resource in self._custom if self._arn(resource)}

    def _box_of_arn(self, pattern: str) -> str:
        """Key of the box that an ARN, or a policy's pattern for one, is about; empty if none is."""
        if not pattern.startswith("arn:"):
            return ""
        about = [
            (len(arn), urn)
            for arn, urn in self._arns.items()
            if self._accounted.get(urn) in self._boxes and _covers(arn, pattern)
        ]
        if about:
            return self._accounted[max(about)[1]]
        room = _SERVICES.get(_service(pattern), ("", "", ""))[2]
        return next((box.key for box in self._boxes.values() if box.room == room), "") if room else ""


def _covers(arn: str, pattern: str) -> bool:
    """Whether the pattern is the ARN, names a part of the thing (an index, an object), or leaves its end open."""
    stem = pattern.rstrip("*?-")
    part = pattern.startswith(arn) and pattern[len(arn) :][:1] in {"", "/", ":", "*"}
    return part or (stem != pattern and stem[-1:] not in ":/" and arn.startswith(stem))


def _through_another_service(statement: Mapping[str, Any]) -> bool:
    """Whether it is about a key that only the service which holds the data uses."""
    return "kms:ViaService" in json.dumps(statement.get("Condition") or {})


def _service(arn: str) -> str:
    return arn.split(":")[2] if arn.count(":") > 2 else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
