"""The function's handler: found as the managed runtime finds it."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from streaming.failures import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from streaming.answer import Answer
    from streaming.context import LambdaContext

    Handler: TypeAlias = Callable[[Any, LambdaContext], Answer]


class HandlerNotFoundError(RuntimeFault):
    """The setting ``Handler`` names nothing that can be called."""


def extend_path() -> None:
    """Put on ``sys.path`` what the managed runtime does: the function before the layers, AWS's own code last.

    The layers' ``python`` folder is there already, put by the wrapper script.
    """
    layers = Path(__file__).parents[1]
    versioned = layers / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], str(versioned)]
    if runtime := os.environ.get("LAMBDA_RUNTIME_DIR"):
        sys.path.append(runtime)


def load(name: str) -> Handler:
    """Import the handler.

    Args:
        name: ``package.module.function``; slashes may stand for the dots of packages.

    Raises:
        HandlerNotFoundError: the name has no dot, or the module no such function.
        BaseException: whatever importing the module raises.
    """
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise HandlerNotFoundError(f"the handler {name!r} has no dot: write it like module.function")
    handler = getattr(importlib.import_module(module_name.replace("/", ".")), function_name, None)
    if not callable(handler):
        raise HandlerNotFoundError(f"the module {module_name!r} has no function {function_name!r}")
    found: Handler = handler
    return found
