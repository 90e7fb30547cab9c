"""Who calls: what the gateway's authorizers say about them, and nothing that the caller could have written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from support.problems import ForbiddenError, UnauthenticatedError
from support.times import now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.times import Clock

CUSTOMER: Final = "customer"
OPERATOR: Final = "operator"
PARTNER: Final = "partner"
"""Not a group of the pool: who came through the authorizer for ITSM partners."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated caller."""

    principal: str
    """Who exactly: a Cognito user's ``sub``, or a partner's API key."""
    groups: frozenset[str]
    customer_id: str | None
    """The customer they act for; operators may have none."""

    @property
    def is_operator(self) -> bool:
        return OPERATOR in self.groups

    def own_customer(self) -> str:
        """The customer the caller acts for, as one or its partner; raises :class:`ForbiddenError` for anyone else."""
        if not self.groups & {CUSTOMER, PARTNER} or self.customer_id is None:
            raise ForbiddenError("Only a customer may do this.")
        return self.customer_id

    def may_see(self, customer_id: str) -> bool:
        """Whether tickets of ``customer_id`` may be shown: operators see all, others their own."""
        own = self.groups & {CUSTOMER, PARTNER} and self.customer_id == customer_id
        return self.is_operator or bool(own)

    def require_group(self) -> None:
        """Raise :class:`ForbiddenError` for a user who is neither customer nor operator."""
        if not self.groups & {CUSTOMER, OPERATOR, PARTNER}:
            raise ForbiddenError("Only customers and operators may do this.")


def from_authorizer(authorizer: Mapping[str, object], *, clock: Clock = now) -> Caller:
    """Read ``requestContext.authorizer`` of a REST API: a Cognito authorizer's claims, or our authorizer's context.

    Raises :class:`UnauthenticatedError` when it names nobody, or a partner whose signature is too old by now: the
    gateway remembers the authorizer's answer longer than the signature is good for.
    """
    claims = authorizer.get("claims")
    if isinstance(claims, dict) and claims.get("sub"):
        return Caller(
            principal=str(claims["sub"]),
            groups=_groups(claims.get("cognito:groups")) & {CUSTOMER, OPERATOR},
            customer_id=str(claims["custom:customer_id"]) if claims.get("custom:customer_id") else None,
        )
    if claims is None and authorizer.get("api_key") and authorizer.get("customer_id"):
        # RFC 3339 in UTC, to the second: texts of one shape compare as their times do.
        if rfc3339(clock()) > str(authorizer.get("not_after", "")):
            raise UnauthenticatedError("The signature is too old.")
        return Caller(
            principal=str(authorizer["api_key"]),
            groups=frozenset({PARTNER}),
            customer_id=str(authorizer["customer_id"]),
        )
    raise UnauthenticatedError("The request carries no identity.")


def _groups(claim: object) -> frozenset[str]:
    """The gateway hands lists on as text, ``a,b`` or ``[a, b]``; others as lists."""
    if isinstance(claim, list):
        return frozenset(str(group) for group in claim)
    return frozenset(re.findall(r"[^\s,\[\]\"']+", str(claim or "")))
