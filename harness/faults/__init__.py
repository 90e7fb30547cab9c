"""Faults on request on the running local stack: rules, an emulator killed in the middle of work, and random walks."""

from harness.faults.client import Faults, Hit, InForce
from harness.faults.kill import Killed, kill
from harness.faults.walk import Walked, walk

__all__ = ["Faults", "Hit", "InForce", "Killed", "Walked", "kill", "walk"]
