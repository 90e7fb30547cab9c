"""How a solution's stream reaches its reader: when its first chunk comes, and how long it falls silent.

The stand-in for the model writes at a known pace, so what is more than its own is what our runtime loop and front add.
It says nothing of AWS's own path, nor of a real model's first word.
"""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

from harness import demonstration, tickets
from harness.errors import HarnessError
from support import typed

if TYPE_CHECKING:
    from harness.local_stack import LocalStack
    from harness.progress import Progress

CHUNKS: Final = 50
SECONDS: Final = 2.0
"""What the stand-in takes to write them."""
STREAMS: Final = 7


class StreamTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the streams, and the worst of them; milliseconds."""

    streams: int
    chunks: int
    """Of each stream."""
    in_order: bool
    """Whether every stream's chunks made the solution as it was written, from first to last."""
    first_chunk: float
    first_chunk_worst: float
    largest_gap: float
    largest_gap_worst: float


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    chunks: int
    text: str
    grounded: bool
    first: float
    gap: float


def measure(stack: LocalStack, progress: Progress) -> StreamTiming:
    """Read the stream of one solution several times, each time paced by the stand-in; one stream first to warm up."""
    word = f"zq{secrets.token_hex(8)}"
    body = dict(demonstration.REQUEST)
    body["symptom_text"] = f"{body['symptom_text']} ({word})"
    with (
        stack.as_customer() as client,
        httpx.Client(base_url=f"{stack.services.endpoints().bedrock}/_harness/", trust_env=False) as door,
        httpx.Client(
            headers={"Authorization": f"Bearer {stack.id_token('customer', demonstration.CUSTOMER_ID)}"},
            timeout=30,
            trust_env=False,
        ) as http,
    ):
        ticket_id = tickets.answer(client, body).ticket_id
        url = f"{stack.outputs().api_url.rstrip('/')}/tickets/{ticket_id}/solution/stream"
        pace = {
            "operation": "ConverseStream",
            "contains": word,
            "chunks": CHUNKS,
            "seconds": SECONDS,
            "count": STREAMS + 1,
        }
        door.post("behaviours", json=pace).raise_for_status()
        progress.start("Streams", total=STREAMS)
        seen = []
        try:
            _read(http, url)
            for _ in range(STREAMS):
                seen.append(_read(http, url))
                progress.advance("Streams")
        finally:
            door.delete("behaviours", params={"contains": word})
        progress.finish("Streams")
    firsts, gaps = [each.first for each in seen], [each.gap for each in seen]
    return StreamTiming(
        streams=STREAMS,
        chunks=min(each.chunks for each in seen),
        in_order=len({each.text for each in seen}) == 1 and all(each.grounded for each in seen),
        first_chunk=_ms(statistics.median(firsts)),
        first_chunk_worst=_ms(max(firsts)),
        largest_gap=_ms(statistics.median(gaps)),
        largest_gap_worst=_ms(max(gaps)),
    )


def _read(http: httpx.Client, url: str) -> _Seen:
    """One stream. Times are taken where bytes arrive, before anything is decoded."""
    started = time.perf_counter()
    arrived: list[tuple[float, bytes]] = []
    with http.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise HarnessError(f"The stream answered {response.status_code}.", "See `harness status`.")
        arrived.extend((time.perf_counter() - started, piece) for piece in response.iter_raw())
    chunks, texts, grounded = [], [], False
    for moment, piece in arrived:
        for block in piece.decode().split("\n\n"):
            name, _, data = block.partition("\ndata: ")
            if name == "event: chunk":
                chunks.append(moment)
                texts.append(typed.decode(data, dict[str, Any])["content"])
            elif name == "event: complete":
                grounded = typed.decode(data, dict[str, Any])["grounded"]
    if not chunks:
        raise HarnessError("The stream held no chunk.", "See the log of get_solution_stream.")
    return _Seen(
        chunks=len(chunks),
        text="".join(texts),
        grounded=grounded,
        first=chunks[0],
        gap=max((after - before for before, after in itertools.pairwise(chunks)), default=0.0),
    )


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
