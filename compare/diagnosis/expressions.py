"""What a port may return: expressions over `output`, `h_n` and `c_n`, right and wrong, with the features in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from frameworks.output import RecurrentOutput
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Expression:
    """One expression with its value.

    Args:
        text: the expression, in torch's words.
        value: its value.
        what: "output", "h", "c", or "pooled".
        layer: the layer of a state; None for the output.
        half: "both", "forward" or "backward".
        time: "all", "flipped", "turned" (only the backward half is flipped), "end" (where each direction ends), "last",
            "first", or "" for a state.
        merge: "concat", "swapped", "interleaved", "sum", "mul", "ave", or "" for one half.
        layout: "" or "time first", or another order of the axes.
    """

    text: str
    value: Array
    what: str
    layer: int | None = None
    half: str = "both"
    time: str = ""
    merge: str = ""
    layout: str = ""


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


def expressions(results: RecurrentOutput, spec: RecurrentSpec) -> list[Expression]:
    """Return every expression with its value, the likeliest first.

    Args:
        results: output (batch, time, direction * hidden), h_n and c_n (layer * direction, batch, hidden).
        spec: the spec of the layer.
    """
    return [*_sequences(results, spec), *_states(results, spec), *_steps(results, spec), *_pooled(results)]


def _sequences(results: RecurrentOutput, spec: RecurrentSpec) -> Iterator[Expression]:
    output = results.output
    one = not spec.bidirectional
    yield Expression("output", output, "output", time="all", merge="" if one else "concat")
    yield Expression("output.flip(1)", output[:, ::-1], "output", time="flipped", merge="" if one else "concat")
    if not one:
        halves = [output[..., : spec.hidden_size], output[..., spec.hidden_size :]]
        names = [f"output[..., :{spec.hidden_size}]", f"output[..., {spec.hidden_size}:]"]
        for half, text, value in zip(_HALVES, names, halves, strict=True):
            yield Expression(text, value, "output", half=half, time="all")
            yield Expression(f"{text}.flip(1)", value[:, ::-1], "output", half=half, time="flipped")
        turned = [halves[0], halves[1][:, ::-1]]
        for merge, (form, make) in _MERGES.items():
            if merge != "concat":
                both = make(*halves)
                yield Expression(form.format(*names), both, "output", time="all", merge=merge)
                yield Expression(f"({form.format(*names)}).flip(1)", both[:, ::-1], "output", time="flipped", merge=merge)
            yield Expression(form.format(names[0], f"{names[1]}.flip(1)"), make(*turned), "output", time="turned", merge=merge)
    first = output.transpose(1, 0, 2)
    yield Expression("output.transpose(0, 1)", first, "output", time="all", merge="" if one else "concat", layout="time first")


def _states(results: RecurrentOutput, spec: RecurrentSpec) -> Iterator[Expression]:
    for what, states in (("h", results.h_n), ("c", results.c_n)):
        if states is None:
            continue
        name = f"{what}_n"
        for layer in reversed(range(spec.num_layers)):
            rows = [layer * spec.num_directions + side for side in range(spec.num_directions)]
            for half, row in zip(_HALVES, rows, strict=False):
                shown = half if spec.bidirectional else "both"
                yield Expression(f"{name}[{row}]", states[row], what, layer, half=shown)
            if spec.bidirectional:
                for merge, (form, make) in _MERGES.items():
                    text = form.format(*(f"{name}[{row}]" for row in rows))
                    yield Expression(text, make(*(states[row] for row in rows)), what, layer, merge=merge)
        yield Expression(name, states, what, half="both", layout="stacked")
        if len(states) > 1:
            by_row = states.transpose(1, 0, 2)
            yield Expression(f"{name}.transpose(0, 1)", by_row, what, layout="batch first")
            yield Expression(f"{name}.transpose(0, 1).flatten(1)", by_row.reshape(len(by_row), -1), what, layout="concatenated")
            yield Expression(f"{name}.reshape(batch, -1)", states.reshape(states.shape[1], -1), what, layout="reshaped")
            yield Expression(f"{name}.sum(0)", states.sum(0), what, layout="summed")
            yield Expression(f"{name}.mean(0)", states.mean(0), what, layout="averaged")


def _steps(results: RecurrentOutput, spec: RecurrentSpec) -> Iterator[Expression]:
    output, size = results.output, spec.hidden_size
    merge = "concat" if spec.bidirectional else ""
    for time, step in (("last", -1), ("first", 0)):
        yield Expression(f"output[:, {step}]", output[:, step], "output", time=time, merge=merge)
    if output.shape[1] > 2:
        yield Expression("output[:, -2]", output[:, -2], "output", time="last but one", merge=merge)
    if not spec.bidirectional:
        return
    cut = (f":{size}", f"{size}:")
    values = [output[..., :size], output[..., size:]]
    for half, columns, value in zip(_HALVES, cut, values, strict=True):
        for time, step in (("last", -1), ("first", 0)):
            yield Expression(f"output[:, {step}, {columns}]", value[:, step], "output", half=half, time=time)
    for time, steps in (("end", (-1, 0)), ("last", (-1, -1)), ("first", (0, 0)), ("start", (0, -1))):
        texts = [f"output[:, {step}, {columns}]" for step, columns in zip(steps, cut, strict=True)]
        taken = [value[:, step] for step, value in zip(steps, values, strict=True)]
        for name, (form, make) in _MERGES.items():
            yield Expression(form.format(*texts), make(*taken), "output", time=time, merge=name)


def _pooled(results: RecurrentOutput) -> Iterator[Expression]:
    yield Expression("output.mean(1)", results.output.mean(1), "pooled", time="mean")
    yield Expression("output.amax(1)", results.output.max(1), "pooled", time="max")
    yield Expression("output.sum(1)", results.output.sum(1), "pooled", time="sum")


def mistake_of(found: Expression, right: Expression) -> str:
    """Return the identifier of the mistake that takes one expression for another."""
    names = ("what", "layer", "half", "time", "merge", "layout")
    differ = [name for name in names if getattr(found, name) != getattr(right, name)]
    if differ == ["merge"]:
        return {"swapped": "halves-swapped", "interleaved": "halves-interleaved"}.get(found.merge, "merge-mode")
    if differ == ["time"] and {found.time, right.time} == {"all", "flipped"}:
        return "output-not-flipped"
    if "time" in differ and "turned" in (found.time, right.time):
        return "backward-not-flipped"
    if differ == ["what"] and {found.what, right.what} == {"h", "c"}:
        return "states-swapped"
    if differ == ["layout"] and "time first" in (found.layout, right.layout):
        return "batch-first"
    return "wrong-result"
