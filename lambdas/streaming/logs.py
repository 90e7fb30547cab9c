"""What the managed runtime does for ``logging`` and ``print``, so that a function's log lines look the same here.

Lambda developer guide, "Working with logs in Python": text or JSON by ``AWS_LAMBDA_LOG_FORMAT``, from the level of
``AWS_LAMBDA_LOG_LEVEL``.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # CloudWatch Logs makes an event of each line; a trace stays one if its lines end otherwise.
        return super().format(record).replace("\n", "\r")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": f"{self.formatTime(record, _TIME)}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", ""),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["stackTrace"] = self.formatException(record.exc_info).splitlines()
        return json.dumps(line, ensure_ascii=False)


class RequestId(logging.Filter):
    """Puts the id of the invocation that runs in each record, as ``aws_request_id``."""

    def __init__(self) -> None:
        super().__init__()
        self.current = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.current
        return True


def configure() -> RequestId:
    """Set up the root logger, and let every line that is printed leave at once: a frozen process writes nothing.

    Returns:
        where to say which invocation runs.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    handler = logging.StreamHandler(sys.stdout)
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    formatter = _Json() if as_json else _Text(_TEXT, _TIME)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    request_id = RequestId()
    handler.addFilter(request_id)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG").replace("FATAL", "CRITICAL")
    if level:
        root.setLevel(level)
    return request_id
