"""The gate before a merge: every rule on a stack's fully resolved graph, where nothing may be left unjudged.

A preview of the engine cannot know everything, so what its policies could not judge is advice there. Here every value
is known (`harness.graph`), and what a rule cannot judge all the same stops like a violation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import stack_file
from harness.errors import HarnessError
from harness.judging.graph_resources import resources
from harness.paths import REPOSITORY
from policies import judge, settings
from policies.limits import LIMITS
from policies.report.entries import Report, of_judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.graph import Graph
    from harness.progress import Progress
    from policies.settings import Settings


def own_settings() -> Settings:
    """What ``policies/settings.toml`` says.

    Raises:
        HarnessError: something in it is wrong; all of it is told.
    """
    try:
        return settings.read(settings.own(), judge.BY_ID, LIMITS)
    except ValueError as error:
        raise HarnessError(f"policies/settings.toml: {error}", "Correct it and run the command again.") from error


def judged(stacks: Sequence[str], chosen: Settings, progress: Progress) -> list[Report]:
    """What the rules say of each stack; of all that have a file if none is named.

    Raises:
        HarnessError: there is no such stack, or the program cannot describe it.
    """
    known = stack_file.in_order(REPOSITORY)
    asked = tuple(dict.fromkeys(stacks)) or known
    for stack in asked:
        # Before anything that takes time.
        stack_file.read(REPOSITORY, stack)
    title = "Stacks judged"
    progress.start(title, total=len(asked))
    reports: list[Report] = []
    for stack in asked:
        reports.append(report_of(_graph(stack), chosen))
        progress.advance(title)
    progress.finish(title, f"{sum(report.resources or 0 for report in reports)} resources")
    return reports


def report_of(graph: Graph, chosen: Settings) -> Report:
    """What the rules say of a graph."""
    found = resources(graph)
    places = {each.urn: each.place for each in graph}
    entries = of_judgement(judge.judge(found, chosen), unknown_stops=True, places=places)
    return Report(stack=graph.stack, entries=tuple(entries), resources=len(found), today=chosen.today)


def _graph(stack: str) -> Graph:
    import pulumi  # noqa: PLC0415  # the SDK takes seconds to import

    from harness import graph  # noqa: PLC0415  # as above

    try:
        return graph.build(stack)
    except (graph.GraphError, pulumi.RunError) as error:
        raise HarnessError(f"Stack {stack} cannot be read: {error}", "Mend the program, then try again.") from error
