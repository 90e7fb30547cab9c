"""A run for people: figures as tables for the terminal, and a page of its own with the picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from harness.load import charts
from harness.load.account import SPREAD, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.load.account import Account, Latency
    from harness.load.run import Result, Run

Rows = list[tuple[str, ...]]
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_SPARKS: Final = 60
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Load: {title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em auto; max-width: 920px; color: #222; background: #fff; }}
table {{ border-collapse: collapse; margin: 1em 0 2em; }}
caption {{ text-align: left; font-weight: bold; padding: .3em 0; }}
td, th {{ padding: .2em 1em .2em 0; text-align: left; border-bottom: 1px solid #e5e5e5; vertical-align: top; }}
svg {{ max-width: 100%; height: auto; }}
</style></head><body>
<h1>Load: {title}</h1>
<p>{verdict}</p>
{svg}
{tables}
</body></html>
"""


def title(result: Result) -> str:
    plan = result.plan
    warm_up = f" after {plan.warm_up:g} s of warm-up" if plan.warm_up else ""
    return f"{plan.rate:g} tickets a second for {plan.duration:g} s{warm_up}"


def verdict(result: Result) -> str:
    """In one sentence whether the promise was kept."""
    account = result.account
    if account.kept:
        settled = account.ready + account.needs_review + sum(account.failed.values())
        return f"Kept: all of {account.accepted} accepted tickets settled ({settled}), none lost, doubled or stuck."
    parts = (("lost", account.lost), ("doubled", account.doubled), ("stuck", account.processing))
    return "Not kept: " + ", ".join(f"{len(found)} {what} ({_some(found)})" for what, found in parts if found) + "."


def document(result: Result) -> dict[str, object]:
    """For scripts: the verdicts, then every figure."""
    return {
        "kept": result.account.kept,
        "refused_as_promised": result.account.refused_as_promised,
        "post_p99_over_p50": round(result.post_accepted.spread, 2) if result.post_accepted else None,
        **msgspec.to_builtins(result),
    }


def answers(account: Account) -> Rows:
    """What became of every request."""
    return [
        ("sent", str(account.sent)),
        ("202 accepted", str(account.accepted)),
        ("429 too many", str(account.throttled)),
        ("503 unavailable", str(account.unavailable)),
        ("other", _counts(account.other)),
        ("no answer", _counts(account.no_answer)),
        ("not in the contract's shape", _counts(account.misshapen)),
    ]


def tickets(account: Account) -> Rows:
    """What became of every accepted ticket."""
    return [
        ("READY", str(account.ready)),
        ("NEEDS_REVIEW", str(account.needs_review)),
        ("FAILED", _counts(account.failed)),
        ("stuck", f"{len(account.processing)} {_some(account.processing)}".strip()),
        ("lost", f"{len(account.lost)} {_some(account.lost)}".strip()),
        ("doubled", f"{len(account.doubled)} {_some(account.doubled)}".strip()),
        ("settled without a 202", _counts(account.without_202)),
        ("left to reconcile without a 202", str(len(account.unsettled_without_202))),
    ]


def times(result: Result) -> Rows:
    """Milliseconds, a row a measure."""
    measures = (
        ("POST, every answer", result.post),
        ("POST, 202", result.post_accepted),
        ("POST, in the warm-up", result.post_warm_up),
        ("until settled", result.settled),
        ("this program late", result.sender_late),
    )
    return [(name, *_milliseconds(found)) for name, found in measures if found is not None]


TIMES: Final = ("from when it was due", "count", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")


def flow(result: Result) -> Rows:
    rows: Rows = [
        ("accepted a second", f"{result.accepted_per_second:g}"),
        ("settled a second, until the last", f"{result.settled_per_second:g}"),
        ("until the last had settled, after the last request", f"{result.drained_seconds:g} s"),
    ]
    if result.post_accepted is not None:
        spread = result.post_accepted.spread
        told = "kept" if spread < SPREAD else "not kept"
        rows.append((f"p99 of POST under {SPREAD} times its median", f"{spread:.1f} times: {told}"))
    return rows


MEMORY: Final = ("memory after warm-up", "processes", "median MB", "growth MB", "MB an hour", "")


def memory(result: Result) -> Rows:
    return [
        (
            trend.group,
            str(trend.processes),
            f"{trend.median_mb:g}",
            f"{trend.growth_mb:+g}",
            f"{trend.mb_per_hour:+g}",
            "flat" if trend.flat else "grows",
        )
        for trend in result.trends
    ]


def sparks(run: Run) -> Rows:
    """Lines for a terminal: the 99th percentile of POST, and the memory of each group, over time."""
    width = max(charts.width_of_bucket(run.result.plan.whole), run.result.plan.whole / _SPARKS)
    buckets: dict[int, list[float]] = {}
    for answer in run.answers:
        if answer.status is not None:
            buckets.setdefault(int(answer.due // width), []).append(answer.latency)
    posts = [percentile(sorted(values), 99) for _, values in sorted(buckets.items())]
    rows: Rows = [("POST p99", spark(posts), f"{1000 * max(posts, default=0):.0f} ms at most")]
    for group in run.memory.groups():
        levels = [sample.megabytes(group) for sample in run.memory.samples]
        rows.append((group, spark(_thinned(levels)), f"{max(levels):.0f} MB at most"))
    return rows


def spark(values: Sequence[float]) -> str:
    """One block a value, from zero to the highest."""
    top = max(values, default=0.0)
    return "".join(_BLOCKS[round((len(_BLOCKS) - 1) * value / top)] if top > 0 else _BLOCKS[0] for value in values)


def write(run: Run, file: Path) -> None:
    """The picture alone if ``file`` ends in .svg, else a page with picture and tables."""
    picture = charts.svg(run)
    if file.suffix == ".svg":
        file.write_text(picture, "utf-8")
        return
    result = run.result
    tables = (
        _table("Answers", ("", ""), answers(result.account)),
        _table("Accepted tickets", ("", ""), tickets(result.account)),
        _table("Times", TIMES, times(result)),
        _table("Flow", ("", ""), flow(result)),
        _table("Memory", MEMORY, memory(result)),
    )
    page = _PAGE.format(
        title=escape(title(result)), verdict=escape(verdict(result)), svg=picture, tables="\n".join(tables)
    )
    file.write_text(page, "utf-8")


def _table(caption: str, head: Sequence[str], rows: Rows) -> str:
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    heads = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>" if any(head) else ""
    return f"<table><caption>{escape(caption)}</caption>{heads}{cells}</table>"


def _milliseconds(found: Latency) -> tuple[str, ...]:
    values = (found.p50, found.p90, found.p99, found.p999, found.max)
    return (str(found.count), *(f"{1000 * value:.0f}" for value in values))


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "0"


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:3])
    return f"{shown}, …" if len(ids) > 3 else shown


def _thinned(values: Sequence[float]) -> list[float]:
    step = max(1, -(-len(values) // _SPARKS))
    return list(values[::step])
