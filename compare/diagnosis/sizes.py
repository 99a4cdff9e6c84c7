"""The finding that a port has other sizes than the right layer, without which nothing else can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Diagnosis, Finding
from compare.diagnosis.sides.contents import Held
from compare.diagnosis.sides.port_side import PortSide
from compare.diagnosis.sides.right_side import RightSide
from frameworks.spec import RecurrentSpec

_SIZES = ("input_size", "hidden_size", "num_layers", "bidirectional")


def other_sizes(right: RightSide, port: PortSide) -> Diagnosis | None:
    """Return the diagnosis of a port of other sizes or of another cell; None if none is known to differ."""
    if port.contents.misshapen:
        found = "; ".join(port.contents.misshapen)
        must_be = "arrays of the shapes that its sizes ask for: torch may read past the end of others"
        parts = {"recurrent kernel" if "_hh" in text else "kernel" for text in port.contents.misshapen if "weight" in text}
        where: dict[str, int | str] = {"part": parts.pop()} if len(parts) == 1 else {}
        return _named(Finding("sizes", where, found, must_be, "Assign them with load_state_dict, which checks the shapes."))
    spec, held = right.adapter.spec, port.held
    cells = {each.adapter.spec.cell for each in held}
    if held and spec.cell not in cells:
        others = ", ".join(sorted(cells))
        note = f"the port holds a recurrent layer of another kind: {others} in the place of {spec.cell}"
        return Diagnosis("not named", notes=(note,))
    differing = list(_differing(held, spec))
    if not differing:
        return None
    found, must_be = (", ".join(each) for each in zip(*differing, strict=True))
    return _named(Finding("sizes", {}, found, must_be, fix_of("sizes")))


def _named(finding: Finding) -> Diagnosis:
    return Diagnosis("named", (finding,))


def _differing(held: list[Held], spec: RecurrentSpec) -> Iterator[tuple[str, str]]:
    """Yield each size that differs, in the port and in the right layer."""
    specs = [each.adapter.spec for each in held]
    if len(held) == 1:
        for name in _SIZES:
            own, right = getattr(specs[0], name), getattr(spec, name)
            if own != right:
                yield f"{name} {own}", f"{name} {right}"
    elif sum(each.num_layers * each.num_directions for each in specs) == spec.num_layers * spec.num_directions:
        for one, own in zip(held, specs, strict=True):
            if own.hidden_size != spec.hidden_size:
                yield f"hidden_size {own.hidden_size} of {one.name}", f"hidden_size {spec.hidden_size}"
        if specs[0].input_size != spec.input_size:
            yield f"input_size {specs[0].input_size} of {held[0].name}", f"input_size {spec.input_size}"
