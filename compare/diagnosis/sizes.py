"""The finding that a port has other sizes than the right layer, without which nothing else can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from compare.diagnosis.case import Case
from compare.diagnosis.contents import Held
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Diagnosis, Finding
from frameworks.spec import RecurrentSpec

_SIZES = ("input_size", "hidden_size", "num_layers", "bidirectional")


def other_sizes(case: Case) -> Diagnosis | None:
    """Return the diagnosis of a port of other sizes or of another cell; None if it has the right ones, or if it cannot be told."""
    if case.port.contents.misshapen:
        found = "; ".join(case.port.contents.misshapen)
        must_be = "arrays of the shapes that its sizes ask for: torch may read past the end of others"
        parts = {"recurrent kernel" if "_hh" in text else "kernel" for text in case.port.contents.misshapen if "weight" in text}
        where: dict[str, int | str] = {"part": parts.pop()} if len(parts) == 1 else {}
        return _named(Finding("sizes", where, found, must_be, "Assign them with load_state_dict, which checks the shapes."))
    spec, held = case.right.adapter.spec, case.port.held
    cells = {each.adapter.spec.cell for each in held}
    if held and spec.cell not in cells:
        others = ", ".join(sorted(cells))
        note = f"the port holds a recurrent layer of another kind: {others} in the place of {spec.cell}"
        return Diagnosis("not named", notes=(note,))
    found, must_be = (", ".join(each) for each in zip(*_differing(held, spec), strict=True)) if [*_differing(held, spec)] else ("", "")
    return _named(Finding("sizes", {}, found, must_be, fix_of("sizes"))) if found else None


def _named(finding: Finding) -> Diagnosis:
    return Diagnosis("named", (finding,))


def _differing(held: list[Held], spec: RecurrentSpec) -> Iterator[tuple[str, str]]:
    """Yield each size that differs, in the port and in the right layer."""
    if len(held) == 1:
        for name in _SIZES:
            own, right = getattr(held[0].adapter.spec, name), getattr(spec, name)
            if own != right:
                yield f"{name} {own}", f"{name} {right}"
        return
    if sum(each.adapter.spec.num_layers * each.adapter.spec.num_directions for each in held) != spec.num_layers * spec.num_directions:
        return
    for each in held:
        if each.adapter.spec.hidden_size != spec.hidden_size:
            yield f"hidden_size {each.adapter.spec.hidden_size} of {each.name}", f"hidden_size {spec.hidden_size}"
    if held and held[0].adapter.spec.input_size != spec.input_size:
        yield f"input_size {held[0].adapter.spec.input_size} of {held[0].name}", f"input_size {spec.input_size}"
