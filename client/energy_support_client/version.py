"""The client's version: its package's, and what it calls itself in requests."""

__version__ = "0.1.0"
