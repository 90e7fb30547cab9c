"""Starts the policy pack: the engine runs this file. Constructing a ``PolicyPack`` serves until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The official language host runs this folder with nothing but its own path; the package lies one above.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.pack import NAME, Pack

PolicyPack(NAME, Pack().policies(), enforcement_level=EnforcementLevel.MANDATORY)
