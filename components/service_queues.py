"""The queues of the service: work to do, and what failed for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import events, knowledge_base
from components.queues import FailureQueue, FailureQueueArgs, WorkQueue, WorkQueueArgs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from components.alarms import AlarmTopic
    from components.keys import Key
    from components.names import Names
    from components.queues import Producer
    from support.timings import Timings


@dataclass(frozen=True, kw_only=True)
class ServiceQueues:
    """Each work queue has a failure queue of its own, as ``.failures``."""

    tickets: WorkQueue
    ingest: WorkQueue
    feedback: WorkQueue
    failed_events: FailureQueue
    """Events that could not be told to the bus, or by it to a target."""
    failed_calls: FailureQueue
    """Asynchronous invocations that failed for good."""

    @property
    def work(self) -> Mapping[str, WorkQueue]:
        """What the messages are about -> queue."""
        return {"tickets": self.tickets, "documents": self.ingest, "feedback": self.feedback}

    @property
    def alarms(self) -> Sequence[str]:
        """Short names of the alarms on what failed."""
        failed = (*(queue.failures for queue in self.work.values()), self.failed_events, self.failed_calls)
        return [alarm for queue in failed for alarm in queue.alarms]

    @property
    def urls(self) -> Mapping[str, pulumi.Output[str]]:
        """Thing -> URL, of all queues."""
        work = (self.tickets, self.ingest, self.feedback)
        failed = (*(queue.failures for queue in work), self.failed_events, self.failed_calls)
        all_: tuple[WorkQueue | FailureQueue, ...] = (*work, *failed)
        return {queue.thing: queue.url for queue in all_}


@dataclass(frozen=True, kw_only=True)
class ServiceQueuesArgs:
    names: Names
    key: Key
    timings: Timings
    alarms: AlarmTopic


def build(args: ServiceQueuesArgs, opts: pulumi.ResourceOptions) -> ServiceQueues:
    """All of them."""
    names, timings = args.names, args.timings

    def work(name: str, thing: str, visibility: int, *, producers: Sequence[Producer] = ()) -> WorkQueue:
        return WorkQueue(
            name,
            WorkQueueArgs(
                names=names,
                key=args.key,
                thing=thing,
                visibility_timeout=visibility,
                max_receives=timings.max_receives,
                alarm_topic_arn=args.alarms.arn,
                failures_timeout=timings.dlq_timeout,
                producers=producers,
            ),
            opts,
        )

    def failed(name: str, *, producers: Sequence[Producer] = ()) -> FailureQueue:
        return FailureQueue(
            name,
            FailureQueueArgs(
                names=names, key=args.key, thing=name, alarm_topic_arn=args.alarms.arn, producers=producers
            ),
            opts,
        )

    return ServiceQueues(
        tickets=work("ticket-queue", "tickets", timings.visibility),
        ingest=work(
            "ingest-queue",
            "kb-ingest",
            timings.visibility_of(timings.kb_ingest_timeout),
            producers=(knowledge_base.producer(names),),
        ),
        feedback=work("feedback-queue", "feedback", timings.visibility_of(timings.feedback_timeout)),
        failed_events=failed("events-dlq", producers=(events.producer(names),)),
        failed_calls=failed("async-failures"),
    )
