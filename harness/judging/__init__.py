"""Judges stacks by the policies without an engine: for the gate, for the tests of rules, and for their proof."""
