"""The places where two models part: wrong layers, and wrong uses of a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from compare.groundwork.progress import track
from compare.models.allowance import Allowance
from compare.models.between import Explanation, explain
from compare.models.changed_layers import changed_before
from compare.models.comparison import Divergence
from compare.models.forms import Source
from compare.models.judged import Judged
from compare.models.layers.other_layers import explain_other
from compare.models.pair_results import mask_of, results_of
from compare.models.pairing.axes import difference
from compare.models.recording.recorded import Recorded, Recording
from compare.models.recurrent_layers import (
    diagnose_as_called,
    diagnose_call,
    diagnose_pair,
    fix_of_mask,
    forgotten_states,
    place_of,
    reads_the_batch_as_time,
    unlike_in_a_stack,
    with_names,
)

Array = npt.NDArray[Any]
Sources = list[tuple[Source, Source]]
_SOURCES = 10
"""How many of the latest results an expression may be made of."""


@dataclass(frozen=True, eq=False)
class Sides:
    """Both recordings, with the pairs of their layers.

    Args:
        expected: the recording of the expected model.
        actual: that of the actual model.
        inputs: the inputs of both models, by name; the expected model's are laid out as the actual one's.
        judged: the pairs, in the order of the expected model's calls.
        allowance: how far arrays may be apart.
    """

    expected: Recording
    actual: Recording
    inputs: Sequence[tuple[str, Array, Array]]
    judged: Sequence[Judged]
    allowance: Allowance


def divergences(sides: Sides, *, results_differ: bool) -> Iterator[Divergence]:
    """Yield the places where the models part on their own, in the order of the expected model's calls."""
    after: str | None = None
    any_found = False
    wrong: set[tuple[str | None, ...]] = set()
    for at, judged in enumerate(track(sides.judged, "layers that differ")):
        names = judged.pair.names
        if judged.passes_on:
            continue
        if judged.verdict == "agrees":
            after = names[0]
        elif judged.verdict != "no partner":
            for found in _at(sides, at, after, alone=not any_found):
                if (found.kind, *names) not in wrong:
                    wrong.add((found.kind, *names))
                    any_found = True
                    yield found
    if results_differ:
        last = _at_the_end(sides, after, alone=not any_found)
        if last is not None:
            yield last


def _at(sides: Sides, at: int, after: str | None, *, alone: bool) -> Iterator[Divergence]:
    """Yield what is wrong before a layer, and in it."""
    judged = sides.judged[at]
    input_off = judged.input_error is None or judged.differing(sides.allowance)
    if input_off and reads_the_batch_as_time(judged):
        fix = f"`batch_first=True` is missing in {judged.pair.names[1]}, which reads the batch axis as time"
        yield _divergence("in", judged, after, fix)
    elif input_off:
        explained = _explain(sides, at)
        if not alone and fix_of_mask(judged):
            if judged.verdict != "wrong here":
                yield _divergence("in", judged, after, fix_of_mask(judged))
        elif alone or _is_a_fault(explained):
            fix = (
                _random(sides, explained)
                or _changed(sides, at, explained)
                or explained.words(str(judged.pair.names[1]))
                or _other(judged)
            )
            yield _divergence("between", judged, after, fix, diagnosis=diagnose_call(judged))
    if judged.verdict == "wrong here":
        yield _inside(judged, after)


def _is_a_fault(explained: Explanation) -> bool:
    """Return whether the port does something else with results that are wrong already."""
    return bool(explained.known and explained.must_be and explained.found and explained.must_be != explained.found)


def _random(sides: Sides, explained: Explanation) -> str:
    """Return what is to be said of a model that draws random numbers, if what it passes is no known expression."""
    if not (sides.actual.draws or sides.expected.draws) or (explained.must_be and explained.found):
        return ""
    which = "the port" if sides.actual.draws else "the expected model"
    return f"{which} draws random numbers, as dropout does that is active: `F.dropout(x, p, training=self.training)`"


def _changed(sides: Sides, at: int, explained: Explanation) -> str:
    """Return what is to be said of a layer before a pair that the port writes without a module, and otherwise."""
    judged = sides.judged[at]
    first = judged.pair.expected[0]
    differing = judged.differing(sides.allowance) or ["input"]
    which = int(differing[0].removeprefix("input").strip() or 0) if differing[0].startswith("input") else len(first.inputs)
    if which >= len(first.inputs):
        return ""
    return changed_before(sides.judged[:at], first.inputs[which], judged.pair.actual[0], explained)


def _other(judged: Judged) -> str:
    sizes = [calls[0].inputs[0].shape for calls in (judged.pair.expected, judged.pair.actual) if calls[0].inputs]
    if judged.input_error is None and len(sizes) == 2:
        return f"{judged.pair.names[1]} must get shape {sizes[0]} (as the expected model has it), but gets {sizes[1]}"
    return ""


def _inside(judged: Judged, after: str | None) -> Divergence:
    if judged.whole is None:
        diagnosis = diagnose_as_called(judged)
        named = (
            [each.fix for each in diagnosis.findings]
            if diagnosis is not None
            else forgotten_states(judged) or unlike_in_a_stack(judged) or explain_other(judged)
        )
        fix = "; ".join(named) if diagnosis is None else with_names("\n".join(named), judged)
        return _divergence("in", judged, after, fix, diagnosis=diagnosis)
    diagnosis, fix = diagnose_pair(judged)
    fix = with_names(fix, judged)
    where = place_of(judged, diagnosis)
    return _divergence("in", judged, after, fix, diagnosis=diagnosis, **where)


def _divergence(kind: Any, judged: Judged, after: str | None, fix: str, **rest: Any) -> Divergence:
    call, names = judged.pair.actual[0], judged.pair.names
    return Divergence(kind, *names, after, fix=fix, line=call.line, call=call.number, **rest)


def _at_the_end(sides: Sides, after: str | None, *, alone: bool) -> Divergence | None:
    wanted, found = sides.expected.outputs, sides.actual.outputs
    if set(wanted) != set(found) and len(wanted) != len(found):
        count = f"{len(wanted)} array{'' if len(wanted) == 1 else 's'}"
        words = f"return {count}, as the expected model does: the port returns {len(found)}"
        return Divergence("between", None, None, after, fix=words)
    for number, ((key, one), two) in enumerate(zip(wanted.items(), ordered(wanted, found), strict=True)):
        off = difference(one, two)
        if off is not None and off <= sides.allowance.of_result(number, one):
            continue
        before = len(sides.judged)
        explained = explain(_sources(sides, before), _only_expected(sides, before), one, two)
        if alone or _is_a_fault(explained):
            fix = (
                _random(sides, explained)
                or changed_before(sides.judged, one, None, explained)
                or explained.words("", "the result" if len(wanted) == 1 else f"result {key!r}")
            )
            if not fix and one.shape != two.shape:
                fix = f"return shape {one.shape}: the port returns {two.shape}"
            if set(wanted) != set(found) and isinstance(key, str):
                own = ", ".join(map(str, found))
                fix = f"return the keys {', '.join(map(str, wanted))}: the port returns {own}, which are compared by position"
            return Divergence("between", None, None, after, fix=fix)
    return None


def ordered(wanted: dict[Any, Array], found: dict[Any, Array]) -> list[Array]:
    """Return the port's results in the expected model's order: by key if both have the same keys."""
    return [found[key] for key in wanted] if set(wanted) == set(found) else list(found.values())


def _explain(sides: Sides, at: int) -> Explanation:
    judged = sides.judged[at]
    sources, only = _sources(sides, at), _only_expected(sides, at)
    best = Explanation()
    for wanted, found in _differing(sides, judged):
        explained = explain(sources, only, wanted, found)
        if explained.must_be and explained.must_be == explained.found:
            best = explained if not (best.must_be or best.relation) else best
            continue
        if explained.must_be or explained.found or explained.relation:
            return explained
    return best


def _differing(sides: Sides, judged: Judged) -> Iterator[tuple[Array, Array]]:
    """Yield the inputs that differ: what must be passed, as the port lays it out, and what is passed."""
    for name in judged.differing(sides.allowance):
        wanted, found = judged.inputs[name]
        if name.endswith("_0") and len(wanted) == 1:
            yield wanted[0], found[0]
        elif judged.whole is not None and name == "input" and judged.whole.turned:
            yield wanted[:, ::-1], found[:, ::-1]
        else:
            yield wanted, found
    if not judged.inputs and judged.pair.expected[0].inputs and judged.pair.actual[0].inputs:
        yield judged.pair.expected[0].inputs[0], judged.pair.actual[0].inputs[0]


def _sources(sides: Sides, before: int) -> Sources:
    """Return the results before a pair, the latest first, of both models and in the port's layout, and the inputs."""
    masks = [call.mask for call in sides.expected.calls if call.mask is not None]
    masks += [one != 0 for _, one, _ in sides.inputs if one.dtype.kind in "iu"]
    found: Sources = []
    earlier = list(sides.judged[:before])
    if before < len(sides.judged):  # the port may call its layers in another order
        actual = sides.judged[before].pair.actual
        earlier += [each for each in sides.judged[before + 1 :] if _is_earlier(each, actual)]
    for judged in reversed(earlier):
        if len(found) >= _SOURCES:
            break
        if judged.verdict != "no partner" and not judged.passes_on:
            found += results_of(judged, masks)
    for name, one, two in sides.inputs:
        mask = mask_of(one, masks)
        found.append((Source(name, one, mask=mask), Source(name, two, mask=mask)))
    return found


def _is_earlier(judged: Judged, than: Sequence[Recorded]) -> bool:
    return bool(judged.pair.actual and judged.pair.expected and than) and judged.pair.actual[-1].index < than[0].index


def _only_expected(sides: Sides, before: int) -> list[Source]:
    """Return what only the expected model has before a pair: the results of layers without a partner, and inputs of others."""
    earlier = [judged.pair for judged in reversed(sides.judged[:before]) if judged.pair.expected]
    alone = [each.expected[-1] for each in earlier if not each.actual]
    found = [Source(call.name, call.outputs[0]) for call in alone if call.outputs]
    first = [each.expected[0] for each in earlier if each.actual]
    return [*found, *(Source(f"input of {call.name}", call.inputs[0]) for call in first if call.inputs)]
