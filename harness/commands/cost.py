"""What a stack costs in a month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape

from harness import console, stack_file
from harness.console import Json
from harness.cost import comparisons, estimate, prices, profiles
from harness.cost.bill import Estimate
from harness.cost.comparisons import Comparison
from harness.errors import HarnessError
from harness.paths import REPOSITORY
from harness.progress import Progress

if TYPE_CHECKING:
    from harness.graph import Graph

_CENT = 0.005
"""US dollars; a component that costs less is left out of the table."""


def register(app: typer.Typer) -> None:
    app.command("cost")(cost)


def cost(
    *,
    stack: Annotated[str, typer.Option("--stack", help="local, dev, staging or prod.")] = "prod",
    profile: Annotated[
        str, typer.Option("--profile", help="Traffic of a month: small, medium, large, or a .toml file of that form.")
    ] = "medium",
    lines: Annotated[bool, typer.Option("--lines", help="Show each line of the bill.")] = False,
    json: Json = False,
) -> None:
    """Estimate a month's bill of a stack from its own resources, and what other choices would cost.

    Nothing needs to run. Prices come from harness/cost/prices.toml, whose date and origin stand with the estimate.
    What has no price there is named, and is not in the total.
    """
    traffic, table = profiles.load(profile), prices.load()
    # Before anything that takes time.
    stack_file.read(REPOSITORY, stack)
    with console.progress(json=json) as progress:
        graph = _graph(stack, progress)
    found = estimate(graph, traffic, table, name=profile)
    choices = comparisons.compare(graph, traffic, table)
    if json:
        console.print_json(
            {
                "estimate": found,
                "traffic": msgspec.structs.asdict(traffic),
                "comparisons": [{**vars(choice), "cheapest": choice.cheapest} for choice in choices],
            }
        )
        return
    _show(found, traffic.description, lines=lines)
    _show_choices(choices)
    _show_gaps(found)


def _graph(stack: str, progress: Progress) -> Graph:
    import pulumi  # noqa: PLC0415  # the SDK takes seconds to import

    from harness import graph as graphs  # noqa: PLC0415  # as above

    step = f"Resources of {stack}"
    progress.start(step)
    try:
        graph = graphs.build(stack)
    except (graphs.GraphError, pulumi.RunError) as error:
        raise HarnessError(f"Stack {stack} cannot be read: {error}", "Mend the program, then try again.") from error
    progress.finish(step, f"{sum(resource.custom for resource in graph)} of them")
    return graph


def _show(found: Estimate, description: str, *, lines: bool) -> None:
    console.table(
        f"Stack {found.stack} under {escape(description or found.profile)}: {found.total:,.2f} USD a month",
        ("component", "USD a month", "dearest part"),
        [
            (name, f"{usd:,.2f}", escape(_dearest(found, name)))
            for name, usd in found.components.items()
            if usd >= _CENT
        ],
        right=("USD a month",),
    )
    if lines:
        console.table(
            "\nEach line",
            ("component", "what", "quantity", "unit", "USD a month"),
            [
                (line.component, escape(line.what), _quantity(line.quantity), escape(line.unit), f"{line.usd:,.2f}")
                for line in sorted(found.lines, key=lambda line: -line.usd)
            ],
            right=("quantity", "USD a month"),
        )


def _dearest(found: Estimate, component: str) -> str:
    line = max((line for line in found.lines if line.component == component), key=lambda line: line.usd)
    return f"{line.what}: {_quantity(line.quantity)} {line.unit}"


def _quantity(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _show_choices(choices: tuple[Comparison, ...]) -> None:
    for choice in choices:
        console.table(
            f"\n{escape(choice.choice)}",
            ("", "USD a month", ""),
            [
                (escape(name), f"{usd:,.2f}", "this stack" if name == choice.chosen else "")
                for name, usd in choice.options.items()
            ],
            right=("USD a month",),
        )
        console.out.print(f"[dim]{escape(choice.note)}[/]")


def _show_gaps(found: Estimate) -> None:
    if found.unpriced:
        console.table(
            "\n[red]Without a price here, and not in the total[/]",
            ("type or price", "names"),
            [(escape(kind), escape(", ".join(names))) for kind, names in found.unpriced.items()],
        )
    if found.assumed_idle:
        console.out.print(f"\nIn with no traffic, for none is known: {escape(', '.join(found.assumed_idle))}.")
    console.out.print(
        f"\nPrices: {found.region}, {found.as_of}; {escape(found.provenance)}. "
        f"{len(found.free)} types cost nothing by themselves (--json names them)."
    )
