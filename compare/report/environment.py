"""What a result was computed with: versions, backend and machine, read without importing a framework."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("keras", "tensorflow", "torch", "numpy", "jax", "tf_keras")


def read_environment() -> dict[str, str]:
    """Give the versions of Python and of the installed packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found | {"processor": platform.machine(), "cores": str(os.cpu_count())}
