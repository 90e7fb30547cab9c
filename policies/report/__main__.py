"""Turns the engine's event log into SARIF and Markdown: ``python -m policies.report EVENTS --markdown``.

    PULUMI_DEBUG_COMMANDS=1 pulumi preview --policy-pack policies --event-log events.json

writes such a log. Exit code 2 if it cannot be read. What was found does not change the code: that is the engine's word.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from policies.report import events
from policies.report.markdown import markdown
from policies.report.sarif import sarif


def main(arguments: list[str] | None = None) -> int:
    """Write what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m policies.report", description="Reports of what policies found.")
    parser.add_argument("events", metavar="EVENTS", help="the engine's event log; - for standard input")
    parser.add_argument("--sarif", metavar="FILE", help="write SARIF 2.1.0 there; - for standard output")
    parser.add_argument("--markdown", action="store_true", help="print Markdown for a pull request")
    given = parser.parse_args(arguments)
    printed = [given.markdown, given.sarif == "-"].count(True)
    if printed > 1 or (not printed and given.sarif is None):
        parser.error("one document is printed: give --markdown, or --sarif, or --sarif FILE and --markdown")
    try:
        text = sys.stdin.read() if given.events == "-" else Path(given.events).read_text(encoding="utf-8")
        report = events.read(text.split("\n"))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{given.events} cannot be read: {error}\n")
        return 2
    if given.sarif is not None:
        log = json.dumps(sarif([report]), indent=2) + "\n"
        if given.sarif == "-":
            sys.stdout.write(log)
        else:
            Path(given.sarif).write_text(log, encoding="utf-8")
    if given.markdown:
        sys.stdout.write(markdown([report]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
