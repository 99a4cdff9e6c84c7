"""What a port may return: expressions over `output`, `h_n` and `c_n`, with the features in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.simulation import Simulated
from frameworks.adapter import Mask
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Expression:
    """One expression, whose value is computed when it is asked for.

    Args:
        text: the expression, in torch's words.
        compute: returns its value.
        what: "output", "h", "c", or "pooled".
        layer: the layer of a state; None for the output.
        half: "both", "forward" or "backward".
        time: "all", "flipped", "turned" (only the backward half is flipped), "end" (where each direction ends), "last",
            "first", another step or steps, or "" for a state.
        merge: "concat", "swapped", "interleaved", "sum", "mul", "ave", or "" for one half.
        layout: "" or "time first", or another order of the axes.
        shown: "", or how masked steps are shown otherwise.
        batch_axis: the axis of the rows; None if there is none.
    """

    text: str
    compute: Callable[[], Array]
    what: str
    layer: int | None = None
    half: str = "both"
    time: str = ""
    merge: str = ""
    layout: str = ""
    shown: str = ""
    batch_axis: int | None = 0

    @cached_property
    def value(self) -> Array:
        """Its value."""
        with np.errstate(all="ignore"):
            return self.compute()


_HALVES = ("forward", "backward")
_MERGES: Mapping[str, tuple[str, Callable[[Array, Array], Array]]] = MappingProxyType(
    {
        "concat": ("torch.cat(({0}, {1}), dim=-1)", lambda one, two: np.concatenate((one, two), -1)),
        "swapped": ("torch.cat(({1}, {0}), dim=-1)", lambda one, two: np.concatenate((two, one), -1)),
        "interleaved": (
            "torch.stack(({0}, {1}), dim=-1).flatten(-2)",
            lambda one, two: np.stack((one, two), -1).reshape(*one.shape[:-1], -1),
        ),
        "sum": ("{0} + {1}", lambda one, two: one + two),
        "mul": ("{0} * {1}", lambda one, two: one * two),
        "ave": ("({0} + {1}) / 2", lambda one, two: (one + two) / 2),
    }
)


@dataclass(frozen=True, eq=False)
class _Output:
    """The output of a simulated call, as it shows masked steps.

    Args:
        value: (batch, time, direction * hidden).
        valid: (batch, time) bool.
        size: the number of units of one direction.
        shown: as in `Expression`.
    """

    value: Array
    valid: Mask
    size: int
    shown: str = ""

    @cached_property
    def halves(self) -> list[Array]:
        """The halves of both directions, or the whole of one."""
        return np.split(self.value, range(self.size, self.value.shape[-1], self.size), axis=-1)

    @property
    def is_one(self) -> bool:
        """Whether there is one direction."""
        return int(self.value.shape[-1]) == self.size

    def make(self, text: str, compute: Callable[[], Array], what: str = "output", **features: Any) -> Expression:
        """Return an expression over this output."""
        said = f"{text}, {self.shown}" if self.shown else text
        return Expression(said, compute, what, shown=self.shown, **features)


def expressions(simulated: Simulated, spec: RecurrentSpec, *, zero_masked: bool) -> list[Expression]:
    """Return every expression, the likeliest first.

    Args:
        simulated: output (batch, time, direction * hidden), h_n and c_n (layer * direction, batch, hidden), and the mask.
        spec: the spec of the layer.
        zero_masked: whether masked steps show zeros.
    """
    outputs = [_Output(cast("Array", simulated.results.output), simulated.mask, spec.hidden_size)]
    taken = simulated.mask if simulated.taken is None else simulated.taken
    with np.errstate(all="ignore"):
        if not taken.all():
            other = _shown_otherwise(replace(outputs[0], valid=taken), zero_masked=zero_masked)
            outputs.append(_Output(other, simulated.mask, spec.hidden_size, "masked steps shown otherwise"))
        if not (simulated.mask == taken).all():
            zeroed = outputs[0].value * simulated.mask[..., None]
            outputs.append(_Output(zeroed, simulated.mask, spec.hidden_size, "times the mask"))
    found = [each for output in outputs for each in _sequences(output)]
    found += _states(simulated, spec)
    for output in outputs:
        found += [*_steps(output), *_pooled(output)]
    return found


def _shown_otherwise(output: _Output, *, zero_masked: bool) -> Array:
    """Return the output with zeros at masked steps in place of the last valid output, or the other way round."""
    if not zero_masked:
        return output.value * output.valid[..., None]
    steps = np.where(output.valid, np.arange(output.valid.shape[1]), -1)
    back = np.where(output.valid, np.arange(output.valid.shape[1]), output.valid.shape[1])
    last = [np.maximum.accumulate(steps, axis=1), np.minimum.accumulate(back[:, ::-1], axis=1)[:, ::-1]]
    padded = [np.concatenate((half, np.zeros_like(half[:, :1])), axis=1) for half in output.halves]
    return np.concatenate([np.take_along_axis(half, at[..., None], axis=1) for half, at in zip(padded, last, strict=False)], -1)


def _sequences(output: _Output) -> Iterator[Expression]:
    value, name = output.value, "output"
    merge = "" if output.is_one else "concat"
    yield output.make(name, lambda: value, time="all", merge=merge)
    yield output.make(f"{name}.flip(1)", lambda: value[:, ::-1], time="flipped", merge=merge)
    if not output.is_one:
        yield from _merged_sequences(output)
    features = {"time": "all", "merge": merge, "layout": "time first"}
    first = value.transpose(1, 0, 2)
    yield output.make(f"{name}.transpose(0, 1)", lambda: first, **features, batch_axis=1)
    text = f"{name}.transpose(0, 1).reshape({name}.shape)"
    yield output.make(text, lambda: first.reshape(value.shape), **features, batch_axis=None)
    longest = int(output.valid.sum(1).max())
    if longest < value.shape[1]:
        yield output.make(f"{name}[:, :{longest}]", lambda: value[:, :longest], time="cut", merge=merge)


def _merged_sequences(output: _Output) -> Iterator[Expression]:
    halves, size = output.halves, output.size
    names = [f"output[..., :{size}]", f"output[..., {size}:]"]
    for half, text, value in zip(_HALVES, names, halves, strict=True):
        yield output.make(text, partial(_as_it_is, value), half=half, time="all")
        yield output.make(f"{text}.flip(1)", partial(_as_it_is, value[:, ::-1]), half=half, time="flipped")
    flipped, turned = [half[:, ::-1] for half in halves], [halves[0], halves[1][:, ::-1]]
    for merge, (form, make) in _MERGES.items():
        if merge != "concat":
            yield output.make(form.format(*names), partial(make, *halves), time="all", merge=merge)
            yield output.make(f"({form.format(*names)}).flip(1)", partial(make, *flipped), time="flipped", merge=merge)
        yield output.make(form.format(names[0], f"{names[1]}.flip(1)"), partial(make, *turned), time="turned", merge=merge)


def _as_it_is(value: Array) -> Array:
    return value


def _states(simulated: Simulated, spec: RecurrentSpec) -> Iterator[Expression]:
    results = simulated.results
    for what, states in (("h", results.h_n), ("c", results.c_n)):
        if states is None:
            continue
        name = f"{what}_n"
        for layer in reversed(range(spec.num_layers)):
            rows = [layer * spec.num_directions + side for side in range(spec.num_directions)]
            for half, row in zip(_HALVES, rows, strict=False):
                shown = half if spec.bidirectional else "both"
                yield Expression(f"{name}[{row}]", partial(_as_it_is, states[row]), what, layer, half=shown)
            if spec.bidirectional:
                for merge, (form, make) in _MERGES.items():
                    text = form.format(*(f"{name}[{row}]" for row in rows))
                    yield Expression(text, partial(make, *(states[row] for row in rows)), what, layer, merge=merge)
        yield Expression(name, partial(_as_it_is, states), what, layout="stacked", batch_axis=1)
        if len(states) > 1:
            yield from _joined(name, what, states)
            if spec.bidirectional:
                crossed = states.reshape(-1, 2, *states.shape[1:])[:, ::-1].reshape(states.shape)
                text = f"{name} with its directions exchanged"
                yield Expression(text, partial(_as_it_is, crossed), what, half="crossed", layout="stacked", batch_axis=1)


def _joined(name: str, what: str, states: Array) -> Iterator[Expression]:
    by_row, batch = states.transpose(1, 0, 2), states.shape[1]
    yield Expression(f"{name}.transpose(0, 1)", lambda: by_row, what, layout="batch first")
    yield Expression(f"{name}.transpose(0, 1).flatten(1)", lambda: by_row.reshape(batch, -1), what, layout="concatenated")
    for count in dict.fromkeys((len(states), 2)):
        text = f"{name if count == len(states) else f'{name}[-{count}:]'}.reshape(batch, -1)"
        yield Expression(text, partial(states[-count:].reshape, batch, -1), what, layout="reshaped", batch_axis=None)
    yield Expression(f"{name}.flip(0)", lambda: states[::-1], what, layout="flipped", batch_axis=1)
    yield Expression(f"{name}.sum(0)", lambda: states.sum(0), what, layout="summed")
    yield Expression(f"{name}.mean(0)", lambda: states.mean(0), what, layout="averaged")


def _steps(output: _Output) -> Iterator[Expression]:
    value, size = output.value, output.size
    merge = "" if output.is_one else "concat"
    for time, step in (("last", -1), ("first", 0)):
        yield output.make(f"output[:, {step}]", partial(_as_it_is, value[:, step]), time=time, merge=merge)
    if value.shape[1] > 2:
        yield output.make("output[:, -2]", lambda: value[:, -2], time="last but one", merge=merge)
    for text, row in (("output[-1]", -1), ("output[0]", 0)):
        features = {"time": "all", "merge": merge, "layout": "one row"}
        yield output.make(text, partial(_as_it_is, value[row]), **features, batch_axis=None)
    if not output.valid.all():
        yield from _by_length(output, merge)
    if output.is_one:
        yield output.make("output[:, -1][None]", lambda: value[None, :, -1], time="last", layout="stacked", batch_axis=1)
        return
    cut, halves = (f":{size}", f"{size}:"), output.halves
    text = f"torch.stack((output[:, -1, {cut[0]}], output[:, -1, {cut[1]}]))"
    yield output.make(text, lambda: np.stack([half[:, -1] for half in halves]), time="last", layout="stacked", batch_axis=1)
    for half, columns, each in zip(_HALVES, cut, halves, strict=True):
        for time, step in (("last", -1), ("first", 0)):
            yield output.make(f"output[:, {step}, {columns}]", partial(_as_it_is, each[:, step]), half=half, time=time)
    for time, steps in (("end", (-1, 0)), ("last", (-1, -1)), ("first", (0, 0)), ("start", (0, -1))):
        texts = [f"output[:, {step}, {columns}]" for step, columns in zip(steps, cut, strict=True)]
        taken = [each[:, step] for step, each in zip(steps, halves, strict=True)]
        for name, (form, make) in _MERGES.items():
            yield output.make(form.format(*texts), partial(make, *taken), time=time, merge=name)


def _by_length(output: _Output, merge: str) -> Iterator[Expression]:
    """Yield steps that depend on the number of valid steps of each row."""
    lengths, rows = output.valid.sum(1), np.arange(len(output.valid))
    for off in (-1, -2, 0):
        at = np.clip(lengths + off, -output.valid.shape[1], output.valid.shape[1] - 1)
        text = f"output[rows, lengths{f' - {-off}' if off else ''}]"
        yield output.make(text, partial(output.value.__getitem__, (rows, at)), time=text, merge=merge)


def _pooled(output: _Output) -> Iterator[Expression]:
    value, valid = output.value, output.valid[..., None]
    yield output.make("output.mean(1)", lambda: value.mean(1), what="pooled", time="mean")
    yield output.make("output.amax(1)", lambda: value.max(1), what="pooled", time="max")
    yield output.make("output.sum(1)", lambda: value.sum(1), what="pooled", time="sum")
    if not output.valid.all() and output.valid.any(1).all():
        counts = output.valid.sum(1)[:, None]
        yield output.make("(output * mask).sum(1)", lambda: (value * valid).sum(1), what="pooled", time="masked sum")
        yield output.make(
            "(output * mask).sum(1) / mask.sum(1)", lambda: (value * valid).sum(1) / counts, what="pooled", time="masked mean"
        )
        highest = "output.masked_fill(~mask, -inf).amax(1)"
        yield output.make(highest, lambda: np.where(valid, value, -np.inf).max(1), what="pooled", time="masked max")


_FEATURES = ("what", "layer", "half", "time", "merge", "layout", "shown")
_OF_MERGES = MappingProxyType({"swapped": "halves-swapped", "interleaved": "halves-interleaved"})
_TURNED = frozenset({"all", "turned", "flipped"})


def mistakes_of(found: Expression, right: Expression) -> tuple[str, ...]:
    """Return the identifiers of the mistakes that take one expression for another; () if none is needed."""
    differ = {name for name in _FEATURES if getattr(found, name) != getattr(right, name)}
    if differ == {"what"} and {found.what, right.what} == {"h", "c"}:
        return ("states-swapped",)
    if found.half == "crossed" and differ == {"half"}:
        return ("state-directions-swapped",)
    if differ == {"layout"} and "time first" in (found.layout, right.layout):
        return ("batch-first",)
    if not differ <= {"time", "merge", "shown"} or ("time" in differ and not {found.time, right.time} <= _TURNED):
        return ("wrong-result",)
    named = []
    if "merge" in differ:
        named.append("wrong-result" if "" in (found.merge, right.merge) else _OF_MERGES.get(found.merge, "merge-mode"))
    if "time" in differ:
        named.append("backward-not-flipped" if "turned" in (found.time, right.time) else "output-not-flipped")
    if "shown" in differ:
        named.append("masked-steps-shown-otherwise" if right.time in _TURNED else "wrong-result")
    return tuple(named)


def undone(found: Expression, right: Expression, mistake: str, every: Iterable[Expression]) -> Expression:
    """Return the expression that is left when one mistake of another is undone; the right one if there is none between."""
    left = set(mistakes_of(found, right)) - {mistake}
    between = (each for each in every if left and set(mistakes_of(each, right)) == left)
    return next(between, right)
