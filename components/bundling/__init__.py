"""Bundling by the program: lock file and sources in, reproducible Lambda archives out, without Docker.

Starts fast and imports no Pulumi, so that the command line and the tests may use it as the program does.
The choices made here and their reasons: docs/decisions/0001-bundling.md.
"""

from components.bundling.archive import Archive
from components.bundling.build import Bundles, Progress, bundle
from components.bundling.errors import BundleError
from components.bundling.target import Architecture, BundleTarget

__all__ = ["Architecture", "Archive", "BundleError", "BundleTarget", "Bundles", "Progress", "bundle"]
