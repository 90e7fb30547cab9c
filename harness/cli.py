"""The command line: one door to the local stack, to previews and to measurements."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback

import typer
from typer.exceptions import TyperException

from harness import console
from harness.errors import HarnessError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

app = typer.Typer(
    name="harness",
    help="Run the whole support backend on this machine, preview any stack, and use the service.",
    epilog="--debug with any command shows the traceback of a fault.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run one command. Exit code 0 only if it did what was asked; 1 for a fault, 2 for wrong use, 130 for Ctrl-C."""
    # Importing the AWS SDK costs four times as much when its byte code may not be kept.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without our signs shows others in their place.
            stream.reconfigure(errors="replace")
    # Whoever ends us otherwise than by Ctrl-C (a CI job's time limit, a closed terminal) wants it as tidy.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    code = run(arguments, debug=debug)
    # All that is left is to wait for threads: whoever does not want to ends that without another word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def run(arguments: list[str], *, debug: bool) -> int:
    """Run the command of ``arguments``; its exit code. Whatever goes wrong is told in one message."""
    try:
        code = _call(arguments)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except TyperException as error:
        # Without a command the help was shown, and there is nothing to add.
        if told := error.format_message():
            console.fault(told, "Add --help to the command to see what it takes.")
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the last resort: users get one message, developers --debug
        if debug:
            traceback.print_exc()
        fault = _fault(error)
        console.fault(fault.message, fault.mend)
        return 1
    if code == INTERRUPTED:
        console.fault("Interrupted.", "Run the command again: what was done is kept, the rest is done then.")
    return code


def _call(arguments: list[str]) -> int:
    from harness import commands  # noqa: PLC0415  # takes a second, which Ctrl-C may fall into

    if not app.registered_commands:
        commands.register(app)
    # Typer makes Ctrl-C the exit code 130.
    result = app(args=arguments, standalone_mode=False)
    return result if isinstance(result, int) else 0


def _fault(error: Exception) -> HarnessError:
    """What to tell of an error."""
    match error:
        case HarnessError():
            return error
        case typer.Abort():
            return HarnessError("Nothing was done: the question was not answered with yes.", "Answer y, or give --yes.")
        case OSError():
            return HarnessError(f"The system refused: {error}", "Mend that and run the command again.")
        case _:
            return HarnessError(
                f"This is a defect of the harness: {type(error).__name__}: {error}",
                "Run the command again with --debug and report what it prints.",
            )
