"""Whether a condition makes a set of callers, sources or resources a known one: for the rules on IAM."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from policies.actions import covers, grants, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from policies.documents import Statement

WILD: Final = re.compile(r"[*?]")
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_ONE_OF_MANY: Final = "foranyvalue:"
_EQUAL: Final = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"})
"""The ``…IfExists`` and ``ForAllValues:`` forms hold when the key is absent, so they bound nothing."""
_OTHER: Final = frozenset(
    {"stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike", "notipaddress"}
)
_ARN_KEYS: Final = frozenset({"aws:sourcearn", "aws:principalarn"})
_ADDRESS: Final = "aws:sourceip"
_WIDEST: Final = {4: 8, 6: 19}
"""Bits of the largest blocks of addresses that IANA gives away: what is wider is nobody's own."""

CALLERS: Final = frozenset(
    {
        *("aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid"),
        *(_ADDRESS, "aws:sourcevpc", "aws:sourcevpce", "kms:calleraccount"),
    }
)
"""Keys that tell who calls (S3 user guide, "The meaning of public"; KMS developer guide for its own)."""
SOURCES: Final = frozenset(
    {"aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths"}
)
"""Keys that tell on whose behalf an AWS service calls."""


def bounded(statement: Statement, is_bound: Callable[[str], bool], *, other: bool = False) -> bool:
    """Whether a condition of a statement says that a key has a value of a known set.

    Args:
        statement: whose conditions all must hold, so that one that bounds is enough.
        is_bound: whether a key, in lower case, is one that bounds.
        other: whether it says that the key has a value that is not of the set, as a denial does.
    """
    operators = _OTHER if other else _EQUAL
    return any(
        operator.lower().removeprefix(_ONE_OF_MANY) in operators
        and is_bound(key.lower())
        and bool(values)
        and all(names(key.lower(), value) for value in values)
        for operator, key, values in statement.conditions()
    )


def names(key: str, value: str) -> bool:
    """Whether a condition's value for ``key`` is of a known set, and not of anybody."""
    if key == _ADDRESS:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return False
        return network.prefixlen >= _WIDEST[network.version]
    if key in _ARN_KEYS or value.startswith("arn:"):
        return names_arn(value)
    return _named(value)


def names_arn(arn: str) -> bool:
    """Whether an ARN, wildcards or not, is of somebody: of an account, or, where it has none, of a name."""
    parts = split(arn)
    if parts is None:
        return False
    account, name = parts[4:]
    return _named(account) if account else _named(name)


def _named(value: str) -> bool:
    """Whether anything is left of a text without its wildcards and the marks between them."""
    return bool(re.sub(r"[*?:/\s]", "", _VARIABLE.sub("x", value)))


def denied_to_others(statement: Statement, statements: Iterable[Statement]) -> bool:
    """Whether, of what ``statement`` allows to anybody, another one denies all to whom it does not know.

    As in API Gateway's developer guide, "API Gateway resource policy examples": everybody is allowed, and whoever does
    not come from the VPC is denied.
    """
    return any(
        not each.allows
        and any(kind == "AWS" and name == "*" for kind, name in each.principals())
        and _covers(each.texts("Action"), statement.texts("Action"), grants)
        and _covers(each.texts("Resource"), statement.texts("Resource"), covers)
        # A denial with two conditions holds only where both do.
        and len(list(each.conditions())) == 1
        and bounded(each, lambda key: key in CALLERS | SOURCES, other=True)
        for each in statements
    )


def _covers(theirs: Iterable[str], ours: Iterable[str], covering: Callable[[str, str], bool]) -> bool:
    ours, theirs = tuple(ours), tuple(theirs)
    return bool(ours) and all(any(covering(pattern, each) for pattern in theirs) for each in ours)
