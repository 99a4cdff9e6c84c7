"""JSON of strangers: bounded in size and depth, and an object where one is due."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from frameworks.files.untrusted.source import damaged

MAX_BYTES = 32 << 20


def read_json(text: str | bytes, name: str) -> Mapping[str, Any]:
    """Parse a JSON object.

    Args:
        text: the JSON.
        name: what messages call it.

    Raises:
        GatewiseError: for what is no JSON object, or one too large or too deep.
    """
    if len(text) > MAX_BYTES:
        raise damaged(name, f"has {len(text)} bytes, more than {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise damaged(name, f"is a JSON {type(found).__name__}, not an object")
    return found
