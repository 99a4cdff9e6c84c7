"""Naming the mistakes of a layer that is not recurrent, each confirmed by undoing it in a copy of the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.forms import Source, relations, same, unary_forms
from compare.models.judged import Judged
from compare.models.layers.array_mistakes import arrays_by_meaning, describe, torch_name
from compare.models.layers.layer_options import differing, options_of
from compare.models.layers.normalising import normalised_axes, normalises_the_batch
from compare.models.layers.undoing import copied, padded, set_array, set_option
from compare.models.pairing.absorbing import activation_in, name_of
from compare.models.pairing.axes import difference, laid_out
from compare.models.pairing.margins import Margin
from compare.models.recording.recorded import RECURRENT, Recorded, in_code, innermost, weights_of
from compare.models.recording.recording import run_alone
from frameworks.kinds import FAMILIES
from frameworks.registry import owner_name

Array = npt.NDArray[Any]
_KNOWN = {*FAMILIES.values(), RECURRENT}
_TORCH_OPTION = {
    "epsilon": "eps",
    "number of groups": "num_groups",
    "slope": "negative_slope",
    "axis": "dim",
    "window": "kernel_size",
}
_KERAS_OPTION = {
    "epsilon": "epsilon",
    "stride": "strides",
    "dilation": "dilation_rate",
    "window": "pool_size",
    "number of groups": "groups",
    "slope": "negative_slope",
}


@dataclass(frozen=True, eq=False)
class Fault:
    """One difference between two layers of a kind.

    Args:
        words: what is wrong, and the line that mends it.
        undo: puts it right in a copy of the actual layer, and returns the copy or a function in its place; None if it cannot.
    """

    words: str
    undo: Callable[[Any], Any] | None = None


def explain_other(judged: Judged) -> tuple[str, ...]:
    """Return what mends a layer that returns something else on the same input, the arrays first; () if that is not known."""
    one, two = judged.pair.expected[0], judged.pair.actual[0]
    if _differs_in_the_call(judged):
        return (_of_the_call(judged),)
    alike = one.family == two.family
    faults = (
        [*_array_faults(one, two), *_option_faults(one, two, judged.margins)]
        if alike or one.family.group == two.family.group
        else []
    )
    words = _confirmed(faults, judged, two) or _by_activations(judged) or _by_results(judged)
    if one.family not in _KNOWN or two.family not in _KNOWN:
        return tuple(words or _by_weights(one, two))
    if not alike and one.family.group != "activation":
        words = [f"{two.name} must be {_a(one.family.name)} ({one.kind}), but is {_a(two.family.name)} ({two.kind})", *words]
    return tuple(words)


def _a(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _by_weights(one: Recorded, two: Recorded) -> list[str]:
    """Name the arrays of a layer of the user's own that hold other numbers than those of their size in the expected layer."""
    wanted = [np.sort(each.ravel()) for each in weights_of(one.native).values()]
    words = []
    for name, array in weights_of(two.native).items():
        sizes = [each for each in wanted if each.size == array.size]
        if sizes and not any(np.allclose(each, np.sort(array.ravel()), rtol=1e-5, atol=1e-7) for each in sizes):
            words.append(f"{name} of {two.name} {'is zero' if not array.any() else 'holds other numbers than in ' + one.name}")
    return words


def _differs_in_the_call(judged: Judged) -> bool:
    """Return whether the layer is right alone, and returns something else in the model's call."""
    if judged.wanted is None or judged.alone_error is None:
        return False
    return judged.alone_error <= 1e-5 * max(1.0, float(np.abs(judged.wanted).max(initial=0)))


def _of_the_call(judged: Judged) -> str:
    two = judged.pair.actual[0]
    if hasattr(innermost(two.native), "running_mean"):
        words = "normalises with the statistics of the batch"
    elif "dropout" in two.family.name:
        words = "is active"
    else:
        return f"{two.name} returns something else when the model calls it than alone on the same input"
    return f"{two.name} {words}: it is in training mode when the model calls it; call `{in_code(two.name)}.eval()`"


def _by_activations(judged: Judged) -> list[str]:
    """Name the activations of both sides, inside a layer or after it, if they differ."""
    names = [_activation_of(calls) for calls in (judged.pair.expected, judged.pair.actual)]
    if names[0] and names[1] and names[0] != names[1]:
        return [f"the activation of {judged.pair.actual[-1].name} must be {names[0]}, but is {names[1]}"]
    return []


def _activation_of(calls: Sequence[Recorded]) -> str:
    inside = activation_in(calls[-1])
    return name_of(inside) if inside is not None else calls[-1].family.activation


def _array_faults(one: Recorded, two: Recorded) -> list[Fault]:
    wanted, found = arrays_by_meaning(one.native), arrays_by_meaning(two.native)
    faults = []
    for name in dict.fromkeys((*wanted, *found)):
        problem = describe(name, wanted, found)
        if problem:
            own = torch_name(two.native, name)
            faults.append(
                Fault(f"{own} of {two.name} {problem}. {_copying(one, two, name, own)}", set_array(own, wanted.get(name)))
            )
    return faults


def _copying(one: Recorded, two: Recorded, name: str, own: str) -> str:
    source = torch_name(one.native, name)
    turned = ""
    if name == "kernel" and owner_name(innermost(one.native)) != owner_name(innermost(two.native)):
        rank = np.ndim(getattr(innermost(one.native), source))
        keras_first = owner_name(innermost(one.native)) == "keras"
        orders = {2: ".T", 3: ".transpose(2, 1, 0)", 4: ".transpose(3, 2, 0, 1)" if keras_first else ".transpose(2, 3, 1, 0)"}
        turned = orders.get(rank, "")
    value = f"{in_code(one.name)}.{source}"
    if owner_name(innermost(two.native)) == "pytorch":
        array = f"torch.from_numpy(np.array({value}){turned})" if owner_name(innermost(one.native)) == "keras" else value
        return f"`{in_code(two.name)}.{own}.data.copy_({array})`"
    array = f"{value}.detach().numpy(){turned}" if owner_name(innermost(one.native)) == "pytorch" else value
    return f"`{in_code(two.name)}.{own}.assign({array})`"


def _option_faults(one: Recorded, two: Recorded, around: tuple[Margin, Margin]) -> list[Fault]:
    wanted, found = (options_of(call).within(margin.spatial) for call, margin in zip((one, two), around, strict=True))
    torch = owner_name(innermost(two.native)) == "pytorch"
    faults = []
    for name, must_be, is_ in differing(wanted, found):
        if name == "padding":
            faults.append(_padding_fault(two, must_be, is_, wanted.padding_name, around[1].spatial, torch=torch))
            continue
        option = (_TORCH_OPTION if torch else _KERAS_OPTION).get(name, name)
        value = must_be[0] if isinstance(must_be, tuple) and len(set(must_be)) == 1 else must_be
        shown = is_[0] if isinstance(is_, tuple) and len(set(is_)) == 1 else is_
        faults.append(
            Fault(
                f"{option} of {two.name} must be {_shown(value)}, but is {_shown(shown)}: `{option}={_shown(value)}`",
                set_option(option, value),
            )
        )
    return faults


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _padding_fault(two: Recorded, must_be: Any, is_: Any, word: str, outside: Any, *, torch: bool) -> Fault:
    rank = len(must_be)
    if not torch:
        word = word or ("" if any(map(any, must_be)) else "valid")
        fix = (
            f'`padding="{word}"`' if word else f"pad the axes by {must_be} with `keras.ops.pad` before, and set padding='valid'"
        )
        return Fault(f"padding of {two.name} must be {must_be}, but is {is_}: {fix}", set_option("padding", word or "valid"))
    if not outside and all(before == after for before, after in must_be):
        each = tuple(before for before, _ in must_be)
        value = each[0] if len(set(each)) == 1 else each
        return Fault(f"padding of {two.name} must be {must_be}, but is {is_}: `padding={value}`", set_option("padding", each))
    pads = tuple(number for pair in reversed(must_be) for number in pair)
    fill = ', value=float("-inf")' if two.family.name.startswith("max") else ""
    call = f"{in_code(two.name)}(F.pad(x, {pads}{fill}))"
    return Fault(
        f"padding of {two.name} must be {must_be} (before, after){f', as in {word!r}' if word else ''}, but is {is_}: "
        f"`{call}`, with `padding=0`",
        padded(_less(pads, outside), rank, minus_infinity=bool(fill)),
    )


def _less(pads: tuple[int, ...], outside: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    there = [number for pair in reversed(outside) for number in pair] or [0] * len(pads)
    return tuple(must_be - is_ for must_be, is_ in zip(pads, there, strict=True))


def _confirmed(faults: Sequence[Fault], judged: Judged, two: Recorded) -> list[str]:
    """Return the words of the faults that matter: without any of them undone the results stay wrong."""
    before = judged.alone_error
    if not faults:
        return []
    after = _error(faults, judged, two)
    if after is None:  # sizes differ, or the layer cannot be copied: all differences are named
        return [fault.words for fault in faults]
    if before is not None and after > before / 10:
        return []
    needed = []
    for fault in faults:
        without = _error([each for each in faults if each is not fault], judged, two)
        if without is None or without > 3 * max(after, 1e-7):
            needed.append(fault.words)
    return needed


def _error(faults: Sequence[Fault], judged: Judged, two: Recorded) -> float | None:
    """Return how far the layer is off with some faults undone; None if that cannot be computed."""
    if judged.alone_input is None or judged.wanted is None:
        return None
    try:
        layer: Any = copied(two.native)
        for fault in faults:
            layer = fault.undo(layer) if fault.undo is not None else layer
        returned = run_alone(layer, [judged.alone_input])
        for call in judged.pair.actual[1:]:
            returned = run_alone(call.native, returned[:1])
    except Exception:  # noqa: BLE001  whatever a layer raises with options that it was not made for
        return None
    found = judged.finish(returned[0])
    return difference(judged.wanted, found)


def _by_results(judged: Judged) -> list[str]:
    """Name the functions that both layers compute of their input, or what makes the one result of the other."""
    one, two = judged.pair.expected, judged.pair.actual
    if judged.wanted is None or judged.alone is None:
        return []
    given = judged.alone_input if len(two) == 1 else judged.before_last
    if len(one) > 1 and len(two) == 1:  # what the activation gets that is inside the actual layer
        given = laid_out(one[-1].inputs[0], judged.alone, one[-1], two[-1])
    texts = []
    if given is not None and given.dtype.kind == "f":
        forms = list(unary_forms(Source("x", given)))
        texts = [next((form.text for form in forms if same(form.value, each)), "") for each in (judged.wanted, judged.alone)]
        if all(texts) and texts[0] != texts[1]:
            return [f"{two[-1].name} must compute `{texts[0]}`, but computes `{texts[1]}`"]
    if axes := normalised_axes(judged):
        return [f"{two[0].name} must normalise over the last axis, but does so over axes {axes}"]
    if normalises_the_batch(judged):
        return [f"{two[0].name} normalises with the batch: keep running statistics, and call `{in_code(two[0].name)}.eval()`"]
    relation = relations(judged.wanted, judged.alone)
    found = f", but computes `{texts[1]}`" if texts and texts[1] else ""
    if texts and texts[0]:
        return [f"{two[-1].name} must compute `{texts[0]}`{found}"]
    return [f"what {two[-1].name} returns: {relation}"] if relation else []
