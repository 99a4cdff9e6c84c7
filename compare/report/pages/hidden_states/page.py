"""The page on hidden and cell states over time."""

from __future__ import annotations

from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.hidden_states.figure import draw_hidden_states

_STATES = (("lstm", "h", "hidden state"), ("lstm", "c", "cell state"), ("gru", "h", "hidden state"))
_FILE = "hidden-states.png"


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["hidden_states"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    own = _own(results)
    largest = worst(own[cell][state]["difference"] for cell, state, _ in _STATES)
    reach = own["lstm"]["c"]["largest"]
    return (
        f"The two frameworks' states coincide at every time step; the largest difference is {largest}. Only the LSTM's cell state, "
        f"which a GRU does not have, leaves the range from -1 to 1 (here it reaches {number(reach)})."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    rows = [
        (cell.upper(), f"{name} `{state}`", number(own[cell][state]["largest"]), number(own[cell][state]["difference"]))
        for cell, state, name in _STATES
    ]
    parts = [
        f"![Hidden and cell states over time: Keras, PyTorch, and their difference]({_FILE})",
        "Each picture has one row per unit and one column per time step. The upper pictures show Keras, the middle ones PyTorch with "
        "copied weights, and the lower ones their difference, on a separate scale. The inputs are a step, a ramp and an oscillation.",
        table(("cell", "state", "largest value", "largest difference"), rows),
        "Neither framework returns the cell state of every step, only that of the last. To see the others, step through the sequence "
        "and pass the state on yourself. This is how the pictures were made:",
        "In Keras:",
        code("python", own["keras code"].value),
        "In PyTorch:",
        code("python", own["pytorch code"].value),
    ]
    return "\n\n".join(parts)


def _draw(results: Tree, path: Path) -> None:
    draw_hidden_states(_own(results), path)


PAGE = Page(
    name="hidden-states",
    title="Hidden states over time",
    question="Do the states of an LSTM and a GRU develop alike in both frameworks, and what does the cell state add?",
    experiments=(("tensorflow", "hidden_states"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
