"""Response streaming for Lambda functions in Python: handlers are generators, chunks leave as they are yielded.

.. code:: python

    from streaming import Prelude

    def handler(event, context):
        yield Prelude(200, {"Content-Type": "text/event-stream"})
        for word in words():
            yield f"data: {word}\n\n"

How a function is set up for it, and what a handler may rely on: README.md in this folder.
"""

from streaming.answer import Answer, Chunk, InvalidAnswerError
from streaming.context import LambdaContext
from streaming.interrupts import Interruption, Shutdown, StreamDeadline
from streaming.prelude import Prelude, PreludeError

__all__ = [
    "Answer",
    "Chunk",
    "Interruption",
    "InvalidAnswerError",
    "LambdaContext",
    "Prelude",
    "PreludeError",
    "Shutdown",
    "StreamDeadline",
]
