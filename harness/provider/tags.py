"""Tags: each service sets, removes and lists them by calls of its own, in one of a few shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.provider.calls import Aws
    from harness.provider.resource import Update
    from harness.provider.values import Properties


@dataclass(frozen=True)
class Tagging:
    """How one service tags.

    Attributes:
        tag: the operation that sets tags.
        untag: the operation that removes tags by name.
        listing: the operation that lists them.
        member: where tags stand in requests and responses.
        keys: where names of tags stand in the request of `untag`.
        pair: the names of a tag's two parts; None where tags are a map.
    """

    tag: str = "TagResource"
    untag: str = "UntagResource"
    listing: str = "ListTagsForResource"
    member: str = "Tags"
    keys: str = "TagKeys"
    pair: tuple[str, str] | None = ("Key", "Value")

    def given(self, inputs: Properties) -> dict[str, Any]:
        """For the request of a creation: the tags, or nothing."""
        tags = inputs.get("tags")
        return {self.member: self._shaped(tags)} if tags else {}

    def read(self, aws: Aws, **where: str) -> dict[str, str]:
        """The tags that are there."""
        return self.plain(aws(self.listing, **where).get(self.member))

    def plain(self, tags: Any) -> dict[str, str]:
        """Tags of a response as a map."""
        return from_pairs(tags, *self.pair) if self.pair else dict(tags or {})

    def change(self, aws: Aws, update: Update, **where: str) -> None:
        """Make the tags what they are to be, by the fewest calls."""
        old, new = update.old.get("tags") or {}, update.new.get("tags") or {}
        removed = sorted(old.keys() - new.keys())
        added = {name: text for name, text in new.items() if old.get(name) != text}
        if removed:
            aws(self.untag, **where, **{self.keys: removed})
        if added:
            aws(self.tag, **where, **{self.member: self._shaped(added)})

    def _shaped(self, tags: Any) -> Any:
        return pairs(tags, *self.pair) if self.pair and isinstance(tags, Mapping) else tags


def pairs(entries: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """A map as a list of pairs, sorted by name."""
    return [{key: name, value: text} for name, text in sorted(entries.items())]


def from_pairs(entries: Sequence[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """The reverse of `pairs`."""
    return {entry[key]: entry[value] for entry in entries or ()}
