"""What an operator does with a stack, the same wherever it runs: on this machine or on AWS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from components.names import CANARY, Names
from harness import connectivity, knowledge_rebuild, replay
from harness.canary_key import CanaryKey
from harness.partners import PartnerAdministration
from support.repositories.api_key_table import ApiKeyTable, SecretVault

if TYPE_CHECKING:
    from components.settings import Settings
    from harness.knowledge_rebuild import KnowledgeRebuild
    from harness.replay import Replay
    from support.services.connectivity import Report

T = TypeVar("T", bound=msgspec.Struct)


class _Partners(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs that partners' administration needs."""

    tables: dict[str, str]
    """Thing -> physical name."""
    usage_plan_ids: dict[str, str]
    """Tier -> its usage plan."""
    partner_key_arn: str
    """KMS key under which partners' secrets are stored."""


class _Functions(msgspec.Struct, frozen=True, kw_only=True):
    """The output that names the functions."""

    functions: dict[str, str] = msgspec.field(default_factory=dict)
    """Function key -> physical name."""


class OperatedStack(ABC):
    """A stack that stands; subclasses know how its settings, outputs and services are reached."""

    @property
    @abstractmethod
    def settings(self) -> Settings:
        """What it was deployed with.

        Raises:
            HarnessError: settings are wrong; names all of them.
        """

    @abstractmethod
    def outputs_as(self, type_: type[T]) -> T:
        """The outputs that ``type_`` names.

        Raises:
            HarnessError: nothing is deployed, or by another program.
        """

    @abstractmethod
    def client(self, service: str) -> Any:
        """A boto3 client of a service there; its type is boto3's to know."""

    def function_names(self) -> dict[str, str]:
        """Function key -> physical name."""
        return self.outputs_as(_Functions).functions

    def partners(self) -> PartnerAdministration:
        """The stack's ITSM partners."""
        outputs = self.outputs_as(_Partners)
        return PartnerAdministration(
            ApiKeyTable(self.client("dynamodb"), outputs.tables["api-keys"]),
            SecretVault(self.client("kms"), outputs.partner_key_arn),
            self.client("apigateway"),
            outputs.usage_plan_ids,
        )

    def canary_key(self) -> CanaryKey:
        """What gives the stack's canary its partner's key."""
        secret = Names.of(self.settings).secret(CANARY)
        return CanaryKey(self.partners(), self.client("secretsmanager"), secret)

    def replay(self) -> Replay:
        """What starts failed work again."""
        return replay.of_stack(self.outputs_as(replay.Outputs), self.settings.functions.timings, self.client)

    def rebuild(self) -> KnowledgeRebuild:
        """What fills the search index again."""
        return knowledge_rebuild.of_stack(self.outputs_as(knowledge_rebuild.Outputs), self.client)

    def connectivity(self) -> Report:
        """What functions reach from inside the VPC."""
        needed = self.outputs_as(connectivity.Outputs)
        return connectivity.check(self.client("lambda"), needed)
