"""The versions and the machine that results were computed with, read without importing a framework."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("keras", "tensorflow", "torch", "numpy", "jax", "tf_keras")


def read_environment() -> dict[str, str]:
    """Return the versions of Python and of the relevant packages, the processor and the number of cores."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions | {"processor": platform.machine(), "cores": str(os.cpu_count())}
