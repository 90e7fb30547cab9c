"""The rules, by what they protect. Importing them needs neither Pulumi nor an SDK."""

from policies.rules import encryption, iam, timeouts

GROUPS = (iam.GROUP, encryption.GROUP, encryption.ADVISED, timeouts.GROUP)
"""Every group of rules, in the order in which they run."""
