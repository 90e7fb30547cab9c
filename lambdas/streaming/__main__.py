"""``python -m streaming``: what the wrapper script starts in the place of the managed runtime."""

from __future__ import annotations

import logging
import os
import sys

from streaming import loading, logs
from streaming.failures import failure
from streaming.interrupts import Interrupts
from streaming.loop import Loop
from streaming.runtime_api import RuntimeApi, RuntimeApiError


def main() -> int:
    """Load the function and serve it.

    Returns:
        the process's exit status: 0 when Lambda shuts it down, 1 when the function cannot be loaded or the Runtime API
        is gone.
    """
    request_id = logs.configure()
    interrupts = Interrupts()
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    loading.extend_path()
    try:
        try:
            handler = loading.load(os.environ["_HANDLER"])
        except BaseException as error:
            logging.getLogger(__package__).exception("the function cannot be loaded")
            api.fail_init(failure(error))
            return 1
        Loop(api, handler, interrupts, request_id).run()
    except RuntimeApiError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
