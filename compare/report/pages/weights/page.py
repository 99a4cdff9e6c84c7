"""The page on weights: where the gates lie, how they are carried over, and what each omitted step costs."""

from __future__ import annotations

from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.weights.figure import draw_gate_blocks
from compare.report.results import Value, leaves

_FILE = "gate-blocks.png"

_BY_GATEWISE = """\
from frameworks import convert, copy_weights

rnn = convert(layer, to="pytorch")     # builds nn.LSTM, nn.GRU or nn.RNN and copies the weights into it
layer = convert(rnn, to="keras")       # and back
copy_weights(layer, my_rnn)            # into a layer of your own; all is checked before the first write
"""


def _found(results: Tree) -> Tree:
    tree: Tree = results["weights"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    omitted = _found(results)["omitted"]
    controls = [value for _, value in leaves(omitted) if value.kind == "control"]
    smallest = min(controls, key=lambda value: value.value)
    right = worst(steps["nothing"] for steps in omitted.values())
    return (
        "Transpose every kernel; exchange a GRU's first two gates, an LSTM's none; split an LSTM's one bias into two whose sum it is, "
        f"and keep a GRU's two apart. Done so, the outputs differ by {right}; each omitted step costs between {number(smallest)} and "
        f"{worst(controls)}, and where the shapes agree, none raises an error."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    parts = [
        "## Where the gates lie",
        _gates(found["layouts"]),
        f"![The gate blocks of an LSTM and a GRU kernel in Keras and in PyTorch]({_FILE})",
        "Each block of the kernel is one gate's. Keras has the inputs as rows and the gates side by side, PyTorch the gates one below "
        "the other and the inputs as columns. That this is the order is shown by the outputs: see what it costs to leave it out, below.",
        "## The arrays",
        _arrays(found["layouts"]),
        "`(gate hidden)` is one axis of gates times units, `from` the unit that a recurrent kernel reads, `pair` the two biases of a "
        "GRU. With `bidirectional`, PyTorch has each array once more with `_reverse`; higher layers count up `_l1`, `_l2`.",
        "## The code",
        code("python", _BY_GATEWISE),
        "By hand, from Keras to PyTorch and back:",
        *_by_hand(found["by hand"]),
        "## What each omitted step costs",
        _omitted(found["omitted"]),
        "One bidirectional layer with random weights and biases, its output and final hidden state against Keras's. An empty cell: the "
        "step does not apply.",
    ]
    return "\n\n".join(parts)


def _gates(layouts: Tree) -> str:
    rows = [
        (title, ", ".join(layout["keras gates"].value), ", ".join(layout["pytorch gates as copied"].value))
        for title, layout in layouts.items()
    ]
    return table(("layer", "gates in Keras", "gates in PyTorch"), rows)


def _arrays(layouts: Tree) -> str:
    rows = [
        (title, framework, f"`{name}`", f"`{axes}`", tuple(shape))
        for title, layout in layouts.items()
        for framework, key in (("Keras", "keras arrays"), ("PyTorch", "pytorch arrays"))
        for name, axes, shape in layout[key].value
    ]
    return table(("layer", "framework", "array", "axes", "shape for 3 inputs, 4 units"), rows)


def _by_hand(by_hand: Tree) -> list[str]:
    parts = []
    for cell, title in (("lstm", "LSTM"), ("gru", "GRU")):
        one = by_hand[cell]
        errors = f"{number(one['to pytorch error'])} and {number(one['to keras error'])}"
        parts += [
            f"{title}, off by {errors} when run:",
            code("python", one["to pytorch"].value),
            code("python", one["to keras"].value),
        ]
    return parts


def _omitted(omitted: Tree) -> str:
    steps = dict.fromkeys(step for column in omitted.values() for step in column)
    nothing: Value | str = ""
    rows = [(step, *(column.get(step, nothing) for column in omitted.values())) for step in steps]
    return table(("left out", *omitted), rows)


def _draw(results: Tree, path: Path) -> None:
    draw_gate_blocks(_found(results)["layouts"], path)


PAGE = Page(
    name="weights",
    title="Weights",
    question="In which order do the gates lie, what is transposed, and how many biases are there?",
    experiments=(("tensorflow", "weights"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
