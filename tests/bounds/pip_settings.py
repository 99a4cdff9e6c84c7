"""What pip is configured with, handed on to uv, which reads no configuration of pip's."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping

_OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "constraint": "--constraints",
    "trusted-host": "--allow-insecure-host",
}
"""uv's option for each of pip's settings that name a place."""


def uv_settings() -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment variables with which uv installs from where this Python's pip does."""
    run = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    return translated(parsed(run.stdout if run.returncode == 0 else ""))


def parsed(listed: str) -> dict[str, str]:
    """Return the settings that `pip config list` lists; the environment goes before `install`, and that before `global`."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def translated(settings: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return uv's arguments and environment variables for pip's settings."""
    arguments = ["--index-strategy", "unsafe-best-match"]  # as pip: the best version of all indexes
    for name, option in _OPTIONS.items():
        for value in settings.get(name, "").split():
            arguments += [option, value]
    if settings.get("no-index", "").lower() in ("1", "on", "true", "yes"):
        arguments.append("--no-index")
    environment = {"SSL_CERT_FILE": settings["cert"]} if "cert" in settings else {}
    environment |= {name: settings["proxy"] for name in ("HTTP_PROXY", "HTTPS_PROXY") if "proxy" in settings}
    return arguments, environment
