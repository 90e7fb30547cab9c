"""A stack as rules about several resources see it: by type, and who refers to whom."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from policies.values import Unknown, look_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policies.values import Resource, Value

IDENTITIES: Final = ("arn", "id", "name", "url", "bucket", "qualifiedArn", "invokeArn", "functionName", "key")
"""Properties by which others call a resource."""

_QUEUE_URL: Final = re.compile(r"https://sqs\.[\w.-]+/\d{12}/(?P<name>[\w.-]+)")
"""What a program may write in a queue's place, and no preview knows of the queue."""


class Stack:
    """All resources of a stack, judged together: by outputs where they are known."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources: tuple[Resource, ...] = tuple(resources)
        self._by_urn = {each.urn: each for each in self.resources}
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        self._by_identity: dict[str, list[Resource]] = defaultdict(list)
        self._about: dict[tuple[str, str, str], dict[str, list[Resource]]] = {}
        for resource in self.resources:
            self._by_type[resource.type].append(resource)
            for value in {resource.properties.get(name) for name in IDENTITIES if _is_text(resource, name)}:
                self._by_identity[str(value)].append(resource)

    def of_type(self, *types: str) -> Iterator[Resource]:
        """All resources of these types."""
        for type_ in types:
            yield from self._by_type.get(type_, ())

    def referred(self, resource: Resource, path: str, *types: str) -> list[Resource]:
        """The resources of these types that the value at ``path`` is about.

        By Pulumi's own record of what a property is made from; and by what the value says, if it is known: the ARN,
        id, name or URL of another resource, or an ARN or path that ends with its name. A list is about all that its
        members are about.
        """
        made_from = [self._by_urn.get(each.urn, each) for each in _origins(resource, path)]
        named: list[Resource] = []
        for found in look_all(resource, path):
            for text in _texts(found.value):
                named += self.named(text, *types)
        return list({each.urn: each for each in (*made_from, *named) if each.type in types}.values())

    def named(self, text: str, *types: str) -> list[Resource]:
        """The resources of these types that a text names: an ARN, id, name or URL."""
        found = self._by_identity.get(text, ()) or self._by_identity.get(_last_name(text), ())
        return [each for each in found if each.type in types]

    def about(self, target: Resource, type_: str, path: str) -> list[Resource]:
        """The resources of ``type_`` whose value at ``path`` is about ``target``: its policies, alarms, settings."""
        key = (type_, path, target.type)
        if key not in self._about:
            # Once for all targets: rules ask this of each resource of a type.
            found: dict[str, list[Resource]] = defaultdict(list)
            for each in self.of_type(type_):
                for other in self.referred(each, path, target.type):
                    found[other.urn].append(each)
            self._about[key] = found
        return list(self._about[key].get(target.urn, ()))

    def is_open(self, resource: Resource, path: str) -> bool:
        """Whether what is at ``path`` is not known, and not recorded as made from another resource either."""
        unknown = any(isinstance(found.value, Unknown) for found in look_all(resource, path))
        return unknown and not _origins(resource, path)


def attached(type_: str, path: str) -> Callable[[Stack, Resource], list[Resource]]:
    """What finds the resources of ``type_`` whose value at ``path`` is about a resource."""
    return lambda stack, target: stack.about(target, type_, path)


def _origins(resource: Resource, path: str) -> Sequence[Resource]:
    return resource.depends_on.get(path.partition(".")[0].removesuffix("[]"), ())


def _is_text(resource: Resource, name: str) -> bool:
    return isinstance(resource.properties.get(name), str)


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)


def _last_name(text: str) -> str:
    """The name at the end of an ARN: ``function:name``, ``table/name``, ``log-group:name:*``; or of a queue's URL."""
    if not text.startswith("arn:"):
        queue = _QUEUE_URL.fullmatch(text)
        return queue["name"] if queue is not None else text
    resource = text.split(":", 5)[-1].removesuffix(":*")
    return resource.partition(":")[2] or resource.partition("/")[2] or resource
