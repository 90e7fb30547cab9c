"""The ticket's way in one process: the real functions on a virtual clock, against models of the services they call.

Nothing here waits, and nothing runs beside anything else, so a run is a function of its script and its faults. What is
real: the functions' handlers with all below them, Powertools' idempotency, DynamoDB's conditions (moto's engine), and
the workflow's own template. What is modelled: SQS, Step Functions, the stream, the event bus, and the fakes in place of
the model and the knowledge base. :mod:`harness.proof` drives it.
"""
