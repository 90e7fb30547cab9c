"""What an `up` would change, reviewed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from harness import console
from harness.console import Json
from harness.engine import RefusedError, Run
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from harness.review import plan_file
from harness.review.changes import Finding, Preview, Review, review
from harness.review.markdown import markdown
from harness.review.planned import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.progress import Progress
    from harness.review.changes import Change

NOTHING = "nothing: no state of this stack can be had here, so everything is new"
DEPLOYED = "what is deployed on this machine"


def register(app: typer.Typer) -> None:
    app.command("preview")(preview)


def preview(
    *,
    stack: Annotated[
        str | None, typer.Option("--stack", help="local, dev, staging or prod; local if not given.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Compare with that commit, branch or tag, as if it were deployed."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Review what `pulumi preview --json` wrote; - for standard input."),
    ] = None,
    allow_replace: Annotated[
        list[str] | None,
        typer.Option(metavar="URN", help="A table, domain … that may be replaced or deleted: its URN or name."),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the review as Markdown, for a pull request, and nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """What `up` would change, by the real engine with the policies on: changes, what forces them, what they risk.

    No stack but local needs anything running. Exit code 1 if something that holds data would be replaced or deleted
    and --allow-replace does not name it, or if a policy refuses the stack.
    """
    if against is not None and plan is not None:
        raise HarnessError("A plan says itself what it compares.", "Give --against or --plan.")
    if as_markdown and json:
        raise HarnessError("One document is printed.", "Give --markdown or --json.")
    refused: RefusedError | None = None
    run: Run | None = None
    if plan is not None:
        made = _of_plan(plan, stack)
    else:
        with console.progress(json=json or as_markdown) as progress:
            run, made, refused = _of_run(stack, against, progress)
    reviewed = review(made, tuple(allow_replace or ()))
    if as_markdown:
        sys.stdout.write(markdown(reviewed))
        sys.stdout.flush()
    elif json:
        console.print_json(_document(reviewed, run))
    else:
        _show(reviewed)
    if refused is not None:
        raise refused
    if not reviewed.passes:
        raise typer.Exit(1)


def _of_plan(file: str, stack: str | None) -> Preview:
    plan = plan_file.read(file)
    if stack is not None and stack.rpartition("/")[2] != plan.stack:
        raise HarnessError(
            f"{file} is a plan of stack {plan.stack}, not of {stack}.", "Give --stack as the plan has it."
        )
    return Preview(
        stack=plan.stack,
        against="what is deployed, by the plan",
        judge="official",
        steps=plan.steps,
        unchanged=plan.unchanged,
        errors=plan.errors,
    )


def _of_run(stack: str | None, against: str | None, progress: Progress) -> tuple[Run, Preview, RefusedError | None]:
    local = LocalStack()
    stack = stack or local.stack
    refused: RefusedError | None = None
    protected: frozenset[str] = frozenset()
    if against is None:
        told = DEPLOYED if stack == local.stack else NOTHING
        try:
            run = local.preview(stack, progress)
        except RefusedError as error:
            run, refused = error.run, error
    else:
        compared = local.compare(stack, against, progress)
        run, refused, protected = compared.run, compared.refused, compared.version.protected
        told = f"{against} ({compared.version.commit[:12]}), as if it were deployed"
    made = Preview(
        stack=stack, against=told, judge="local", steps=run.plan, findings=_findings(run), protected=protected
    )
    return run, made, refused


def _findings(run: Run) -> Sequence[Finding]:
    return [
        Finding(
            policy=found.policy,
            level=found.level,
            message=found.message,
            name=found.urn.rpartition("::")[2] if found.urn else "",
        )
        for found in run.findings
    ]


def _document(reviewed: Review, run: Run | None) -> dict[str, object]:
    """Of a preview of our own, the engine's account of it too."""
    own: dict[str, object] = {}
    if run is not None:
        own = {
            "changes": len(run.changes),
            "summary": run.summary(),
            "steps": run.changes,
            "findings": run.findings,
            "seconds": run.seconds,
        }
    return {"stack": reviewed.stack, **own, "review": reviewed}


def _show(reviewed: Review) -> None:
    if reviewed.findings:
        console.table(
            "Findings", ("level", "rule", "what"), [(f.level, f.policy, escape(f.message)) for f in reviewed.findings]
        )
    if not reviewed.changes:
        console.out.print(
            f"No changes: the {reviewed.summary['unchanged']} resources of {reviewed.stack} are as the program says."
        )
    else:
        rows = [(_action(found), found.kind, escape(found.name), escape(_because(found))) for found in reviewed.changes]
        console.table(
            f"{len(rows)} changes against {escape(reviewed.against)}", ("", "type", "name", "because of"), rows
        )
    if reviewed.risks:
        told = [(risk.kind, kind_of(risk.type), escape(risk.name), escape(risk.sentence)) for risk in reviewed.risks]
        console.table(f"\n{len(told)} risks", ("", "type", "name", "what"), told)
    for error in reviewed.errors:
        console.err.print(f"[bold red]✗[/] {escape(error)}")
    for stop in reviewed.blocked:
        console.err.print(
            f"\n[bold red]✗[/] {escape(stop.name)} {escape(stop.sentence)}.\n"
            f"  [bold]If that is meant:[/] --allow-replace '{escape(stop.urn)}'"
        )


def _action(change: Change) -> str:
    colour = {"replace": "red", "delete": "red", "unknown": "yellow"}.get(change.action)
    return f"[{colour}]{change.action}[/]" if colour else change.action


def _because(change: Change) -> str:
    if change.rename_of is not None:
        return f"looks like {change.rename_of.rpartition('::')[2]} renamed: `aliases` would keep it"
    told = change.forced_by or change.properties
    return ", ".join(found.path + (f" ({found.source})" if found.source else "") for found in told)
