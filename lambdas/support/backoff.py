"""Pauses between deliveries of a message, by changing its visibility."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.telemetry import logger

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def pause(receive_count: int, *, base: int, cap: int) -> int:
    """Seconds before the next delivery: ``base``, doubled with each delivery so far, at most ``cap``."""
    # An exponent beyond 16 bits' worth of doubling is above any cap that SQS allows.
    return min(cap, base << min(receive_count - 1, 16))


class RetryLater:
    """Hides a queue's messages until they are worth another try."""

    def __init__(self, client: SQSClient, queue_url: str, *, base: int, cap: int) -> None:
        self._client = client
        self._queue_url = queue_url
        self._base = base
        self._cap = cap

    def postpone(self, receipt_handle: str, receive_count: int) -> None:
        """Hide the message for its pause; where that fails, the queue's own visibility is the pause."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._queue_url,
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=pause(receive_count, base=self._base, cap=self._cap),
            )
        except Exception as error:  # noqa: BLE001 - must not stand before the error that the message failed with
            logger.warning("not postponed", error=type(error).__name__)
