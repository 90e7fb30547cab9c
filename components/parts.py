"""What the stack's functions are built from, in one hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import search

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.alarms import AlarmTopic
    from components.events import Events
    from components.functions import Platform
    from components.keys import Keys
    from components.knowledge_base import KnowledgeBase
    from components.models import LanguageModels
    from components.names import Names
    from components.network import Network
    from components.search import SearchDomain
    from components.service_queues import ServiceQueues
    from components.settings import Settings
    from components.tables import Tables
    from components.workflow import TicketWorkflow
    from support.timings import Timings


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that functions use; and the environment variables that several of them share."""

    config: Settings
    names: Names
    platform: Platform
    network: Network
    keys: Keys
    tables: Tables
    domain: SearchDomain
    language: LanguageModels
    documents: KnowledgeBase
    queues: ServiceQueues
    workflow: TicketWorkflow
    bus: Events
    alarms: AlarmTopic

    @property
    def timings(self) -> Timings:
        return self.config.functions.timings

    @property
    def for_pages(self) -> Mapping[str, str]:
        """For whatever pages of other origins may read."""
        return {"CORS_ALLOWED_ORIGINS": ",".join(self.config.api.cors_allowed_origins)}

    @property
    def for_generation(self) -> Mapping[str, pulumi.Input[str]]:
        """For whatever has the model write."""
        return {
            "GENERATION_MODEL_ID": self.language.generation_model_id,
            "GUARDRAIL_ID": self.language.guardrail_id,
            "GUARDRAIL_VERSION": self.language.guardrail_version,
        }

    @property
    def for_search(self) -> Mapping[str, pulumi.Input[str]]:
        """For whatever reaches the search domain."""
        return {"OPENSEARCH_ENDPOINT": self.domain.endpoint, "SEARCH_INDEX": search.INDEX}

    @property
    def for_work(self) -> Mapping[str, str]:
        """For the consumer of tickets: somebody waits for them."""
        return self._retries(self.timings.backoff_base, self.timings.backoff_cap)

    @property
    def for_unhurried_work(self) -> Mapping[str, str]:
        """For consumers of what nobody waits for."""
        return self._retries(self.timings.unhurried_backoff_base, self.timings.unhurried_backoff_cap)

    def _retries(self, base: int, cap: int) -> Mapping[str, str]:
        return {
            "MAX_RECEIVES": str(self.timings.max_receives),
            "BACKOFF_BASE_SECONDS": str(base),
            "BACKOFF_CAP_SECONDS": str(cap),
        }
