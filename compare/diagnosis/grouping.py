"""From claims about weights to findings: one for each mistake, with the place that it is confined to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compare.diagnosis.claims import Claim
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Finding
from frameworks.spec import RecurrentSpec

_PARTS = {"kernel": "kernel", "recurrent_kernel": "recurrent kernel", "bias": "bias"}


def weight_findings(claims: Iterable[Claim], spec: RecurrentSpec) -> list[Finding]:
    """Return one finding for each mistake among claims about weights."""
    grouped: dict[str, list[Claim]] = {}
    for claim in claims:
        grouped.setdefault(claim.mistake, []).append(claim)
    return [_weight_finding(mistake, each, spec) for mistake, each in grouped.items()]


def _weight_finding(mistake: str, claims: Sequence[Claim], spec: RecurrentSpec) -> Finding:
    where: dict[str, int | str] = {}
    for axis, count in (("layer", spec.num_layers), ("direction", spec.num_directions)):
        values = {getattr(claim.unit, axis) for claim in claims}
        if count > 1 and len(values) == 1:
            where[axis] = values.pop()
    parts = {claim.unit.part for claim in claims}
    if len(parts) == 1:
        where["part"] = _PARTS[parts.pop()]
    gates = {claim.gates for claim in claims}
    if len(gates) == 1 and len(next(iter(gates))) == 1:
        where["gate"] = next(iter(gates))[0]
    first = next((claim for claim in claims if claim.found), claims[0])
    twins = tuple(sorted({twin for claim in claims for twin in claim.twins} - {mistake}))
    return Finding(mistake, where, first.found, first.must_be, fix_of(mistake, n=str(claims[0].unit.layer)), twins=twins)
