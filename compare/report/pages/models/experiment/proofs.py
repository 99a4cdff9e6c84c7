"""What the page says of a proof."""

from __future__ import annotations

from typing import Any

import numpy as np

from compare.models.proving.proof import Proof
from compare.report.results import Results, exact, measured


def call_of(proof: Proof, number: int) -> Results:
    """Return the inputs and the error of a call."""
    call = proof.calls[number]
    return {
        "inputs": exact(str(call)),
        "error": measured(np.inf if call.comparison.error is None else call.comparison.error, call.comparison.allowed),
    }


def layer_of(layer: Any) -> Results:
    """Return what became of a layer."""
    return {"kind": exact(layer.kind), "here": exact(layer.here), "how": exact(layer.how), "verdict": exact(layer.verdict)}


def found_by(proof: Proof) -> list[str]:
    """Return the verdict of a wrong port, the place, and what is said of it, without numbers that rounding changes."""
    first = str(proof.failed.comparison.first) if proof.failed else ""
    return [proof.verdict, *(line for line in first.splitlines() if not line.startswith(("  off by", "#")))]


def error_of(proof: Proof) -> float:
    """Return the largest error of all calls."""
    return max(call.comparison.error or 0.0 for call in proof.calls)
