"""The page on weights: the order of the gates, how to port them, and the error of each mistake."""

from __future__ import annotations

from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.weights.figure import draw_gate_blocks
from compare.report.results import Value, leaves

_FILE = "gate-blocks.png"

_BY_GATEWISE = """\
from gatewise import convert, copy_weights

rnn = convert(layer, to="pytorch")     # builds nn.LSTM, nn.GRU or nn.RNN and copies the weights into it
layer = convert(rnn, to="keras")       # and back
copy_weights(layer, my_rnn)            # into a layer of your own; everything is checked before the first write
"""
_LAYERS = {"rnn": "SimpleRNN and nn.RNN", "lstm": "LSTM and nn.LSTM", "gru": "GRU and nn.GRU"}
_STEPS = {
    "nothing": "none",
    "kernel-transposed": "kernel reshaped, not transposed",
    "recurrent-kernel-transposed": "blocks of the recurrent kernel not transposed",
    "bias-copied": "biases left at zero",
    "directions-kept-apart": "directions exchanged",
    "gates-reordered": "gates left in Keras's order",
    "biases-not-exchanged": "the two biases exchanged",
    "biases-not-summed": "the two biases summed into one",
}


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["weights"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    omitted = _own(results)["omitted"]
    controls = [value for _, value in leaves(omitted) if value.kind == "control"]
    smallest = min(controls, key=lambda value: value.value)
    right = worst(steps["nothing"] for steps in omitted.values())
    return (
        "Transpose every kernel. Swap the first two gates of a GRU; an LSTM's gates keep their order. Split the one bias of an LSTM or a "
        "SimpleRNN into two that add up to it; keep the two biases of a GRU apart. (A GRU with `reset_after=False` has only one bias, and "
        f"`nn.GRU` does not compute it: use `emulate`.) With these steps the outputs agree to {right}. Leave one out and they differ "
        f"by {number(smallest)} to {worst(controls)}, without an error message whenever the shapes happen to fit."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    parts = [
        "## The order of the gates",
        _gates(own["layouts"]),
        f"![The gate blocks of an LSTM and a GRU kernel in Keras and in PyTorch]({_FILE})",
        "Each block of the kernel belongs to one gate. Keras stores the inputs as rows and the gates side by side; PyTorch stores the "
        "gates one below the other and the inputs as columns. The table at the end shows what a wrong order does to the outputs.",
        "## The arrays",
        _arrays(own["layouts"]),
        "`(gate hidden)` is one axis: all units of the first gate, then all units of the next. `from` is the previous hidden unit, and "
        "`pair` the two biases of a GRU. PyTorch adds the layer to each name, `_l0`, `_l1` and so on, and `_reverse` for the backward "
        "direction.",
        "## The code",
        code("python", _BY_GATEWISE),
        *_by_hand(own["by hand"]),
        "## What each mistake costs",
        _omitted(own["omitted"]),
        "Each number is the largest difference from Keras in the output and the final hidden state of a bidirectional layer with random "
        "weights and biases. A cell is empty where the mistake does not apply.",
    ]
    return "\n\n".join(parts)


def _gates(layouts: Tree) -> str:
    rows = [
        (_LAYERS[cell], ", ".join(layout["keras gates"].value), ", ".join(layout["pytorch gates as copied"].value))
        for cell, layout in layouts.items()
    ]
    return table(("layer", "gates in Keras", "gates in PyTorch"), rows)


def _arrays(layouts: Tree) -> str:
    rows = [
        (_LAYERS[cell], framework, f"`{name}`", f"`{axes}`", tuple(shape))
        for cell, layout in layouts.items()
        for framework, key in (("Keras", "keras arrays"), ("PyTorch", "pytorch arrays"))
        for name, axes, shape in layout[key].value
    ]
    return table(("layer", "framework", "array", "axes", "shape for 3 inputs, 4 units"), rows)


def _by_hand(by_hand: Tree) -> list[str]:
    parts = []
    for cell, title in (("lstm", "LSTM"), ("gru", "GRU")):
        one = by_hand[cell]
        parts += [
            f"### {title} by hand",
            f"From Keras to PyTorch (largest error {number(one['to pytorch error'])}):",
            code("python", one["to pytorch"].value),
            f"From PyTorch to Keras (largest error {number(one['to keras error'])}):",
            code("python", one["to keras"].value),
        ]
    return parts


def _omitted(omitted: Tree) -> str:
    steps = dict.fromkeys(step for column in omitted.values() for step in column)
    nothing: Value | str = ""
    rows = [(_STEPS[step], *(column.get(step, nothing) for column in omitted.values())) for step in steps]
    return table(("mistake", *(_LAYERS[cell] for cell in omitted)), rows)


def _draw(results: Tree, path: Path) -> None:
    draw_gate_blocks(_own(results)["layouts"], path)


PAGE = Page(
    name="weights",
    title="Weights",
    question="In which order are the gates stored, what is transposed, and how many biases are there?",
    experiments=(("tensorflow", "weights"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
