"""From claims about weights to findings: one for each mistake, with the place that it is confined to."""

from __future__ import annotations

from collections.abc import Sequence

from compare.diagnosis.result import Finding
from compare.diagnosis.weights.copying_lines import copying_lines
from compare.diagnosis.weights.observed import BOTH_BIASES, Claim, Observed, Unit
from frameworks.layouts import KERAS
from frameworks.spec import RecurrentSpec

_PARTS = {
    "kernel": "kernel",
    "recurrent_kernel": "recurrent kernel",
    "bias": "bias",
    "recurrent_bias": "recurrent bias",
    BOTH_BIASES: "bias",
}


def weight_findings(observed: Observed) -> list[Finding]:
    """Return one finding for each mistake among the claims about weights; roundings first, because they are undone first."""
    grouped: dict[str, list[Claim]] = {}
    for claim in sorted(observed.claims, key=lambda claim: claim.mistake != "rounded"):
        grouped.setdefault(claim.mistake, []).append(claim)
    return [_weight_finding(mistake, each, observed) for mistake, each in grouped.items()]


def _weight_finding(mistake: str, claims: Sequence[Claim], observed: Observed) -> Finding:
    where = where_of(mistake, [claim.unit for claim in claims], observed.right.spec)
    gates = {claim.gates for claim in claims}
    if len(gates) == 1 and len(next(iter(gates))) == 1:
        where["gate"] = next(iter(gates))[0]
    found, must_be = (" / ".join(dict.fromkeys(each)) for each in zip(*((c.found, c.must_be) for c in claims), strict=True))
    twins = tuple(sorted({twin for claim in claims for twin in claim.twins} - {mistake}))
    fix = copying_lines([claim.unit for claim in claims], observed.right)
    if mistake == "bias-dropped" and observed.port.layers[0][0].bias is None:
        option = "use_bias=True" if observed.right.target is KERAS else "bias=True"
        found, fix = "no bias", f"Build the port with {option}, then copy the bias."
    return Finding(mistake, where, found, must_be, fix, twins=twins)


def where_of(mistake: str, units: Sequence[Unit], spec: RecurrentSpec) -> dict[str, int | str]:
    """Return what a mistake in some arrays is confined to: a layer, a direction, a part."""
    where: dict[str, int | str] = {}
    for axis, count in (("layer", spec.num_layers), ("direction", spec.num_directions)):
        values = {getattr(unit, axis) for unit in units}
        if count > 1 and len(values) == 1:
            where[axis] = values.pop()
    parts = {"recurrent bias"} if mistake == "recurrent-bias-dropped" else {_PARTS[unit.part] for unit in units}
    if len(parts) == 1:
        where["part"] = parts.pop()
    return where
