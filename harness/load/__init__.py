"""Load on the running stack: tickets that arrive whatever the answers do, and an account of every one of them.

`arrivals` says when requests are due, `sender` sends them, `watch` follows what was accepted to its end, `memory` looks
at the processes meanwhile, `account` adds up, `run` puts them together, `ceiling` looks for the highest rate, and
`report` and `charts` show it.
"""
