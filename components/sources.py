"""What starts functions: queues and a table's stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from components.functions import Function
    from components.queues import FailureQueue
    from components.tables import Table

STREAM_RECORD_AGE: Final = 6 * 3600
"""Seconds for which a change is tried again before its batch goes to the failure queue; the stream keeps a day."""
STREAM_BATCH: Final = 100


class HasQueue(Protocol):
    """A work queue, or the failure queue of one."""

    queue: aws.sqs.Queue


@dataclass(frozen=True, kw_only=True)
class QueueSourceArgs:
    queue: HasQueue
    function: Function
    batch_size: int
    """Messages of one invocation."""
    window: int = 0
    """Seconds to wait for a batch to fill."""
    maximum_concurrency: int
    """Batches worked on at the same time; at most the function's reserved concurrency (facts/aws.md row 39)."""


class QueueSource(pulumi.ComponentResource):
    """Messages of a queue, in batches, to a function's alias.

    Default settings:
        - failures: only the messages that the function names return to the queue (ReportBatchItemFailures)
    """

    def __init__(self, resource_name: str, args: QueueSourceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:sources:QueueSource", resource_name, None, opts)
        aws.lambda_.EventSourceMapping(
            resource_name,
            # Outputs, not composed ARNs: Lambda tries the role's rights on the queue at once, and the alias stands for
            # the function and all its policies (facts/aws.md rows 1 and 2).
            event_source_arn=args.queue.queue.arn,
            function_name=args.function.alias.arn,
            batch_size=args.batch_size,
            maximum_batching_window_in_seconds=args.window,
            scaling_config={"maximum_concurrency": args.maximum_concurrency},
            function_response_types=["ReportBatchItemFailures"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class StreamSourceArgs:
    table: Table
    function: Function
    failures: FailureQueue
    """Where the place of a batch in the stream is kept that could not be handled; the function's role sends."""


class StreamSource(pulumi.ComponentResource):
    """Changes of a table, in order, to a function's alias.

    Default settings:
        - start: the oldest change that the stream still holds, so that none is missed while the source is made
        - failures: a batch is halved until the change at fault stands alone; it is tried for six hours, then its place
          in the stream goes to the failure queue
    """

    def __init__(self, resource_name: str, args: StreamSourceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:sources:StreamSource", resource_name, None, opts)
        aws.lambda_.EventSourceMapping(
            resource_name,
            event_source_arn=args.table.stream_arn,
            function_name=args.function.alias.arn,
            starting_position="TRIM_HORIZON",
            batch_size=STREAM_BATCH,
            bisect_batch_on_function_error=True,
            maximum_record_age_in_seconds=STREAM_RECORD_AGE,
            maximum_retry_attempts=-1,
            function_response_types=["ReportBatchItemFailures"],
            destination_config={"on_failure": {"destination_arn": args.failures.arn}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.failures.queue]),
        )
        self.register_outputs({})
