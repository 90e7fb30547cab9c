"""Who calls: what the gateway's authorizers say about them, and nothing that the caller could have written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from support.problems import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOMER: Final = "customer"
OPERATOR: Final = "operator"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated caller."""

    principal: str
    """Who exactly: a Cognito user's ``sub``."""
    groups: frozenset[str]
    customer_id: str | None
    """The customer they act for; operators may have none."""

    @property
    def is_operator(self) -> bool:
        return OPERATOR in self.groups

    def own_customer(self) -> str:
        """The customer the caller acts for, as a customer; raises :class:`ForbiddenError` for anyone else."""
        if CUSTOMER not in self.groups or self.customer_id is None:
            raise ForbiddenError("Only a customer may do this.")
        return self.customer_id

    def may_see(self, customer_id: str) -> bool:
        """Whether tickets of ``customer_id`` may be shown: operators see all, customers their own."""
        return self.is_operator or (CUSTOMER in self.groups and self.customer_id == customer_id)

    def require_group(self) -> None:
        """Raise :class:`ForbiddenError` for a user who is neither customer nor operator."""
        if not self.groups & {CUSTOMER, OPERATOR}:
            raise ForbiddenError("Only customers and operators may do this.")


def from_authorizer(authorizer: Mapping[str, object]) -> Caller:
    """Read ``requestContext.authorizer`` of a REST API with a Cognito authorizer.

    Raises :class:`UnauthenticatedError` when it names nobody.
    """
    claims = authorizer.get("claims")
    if not isinstance(claims, dict) or not claims.get("sub"):
        raise UnauthenticatedError("The request carries no identity.")
    return Caller(
        principal=str(claims["sub"]),
        groups=_groups(claims.get("cognito:groups")),
        customer_id=str(claims["custom:customer_id"]) if claims.get("custom:customer_id") else None,
    )


def _groups(claim: object) -> frozenset[str]:
    """The gateway hands lists on as text, ``a,b`` or ``[a, b]``; others as lists."""
    if isinstance(claim, list):
        return frozenset(str(group) for group in claim)
    return frozenset(re.findall(r"[^\s,\[\]\"']+", str(claim or "")))
