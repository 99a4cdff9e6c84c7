"""The page on masks: the output at a masked time step, the final state, and how to get the same in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.masking.figure import draw_masking
from compare.report.results import Value, leaves

_FILE = "masking.png"
_LAYERS = {"one": "LSTM", "both": "Bidirectional(LSTM)"}
_KINDS = {"right": "right padding", "left": "left padding", "holes": "holes", "empty": "no valid step"}
_PARTS = ("valid", "masked", "state")
_WAYS = {"unpacked": "unpacked", "packed": "packed by length", "any mask": "packed for any mask", "emulate": "`emulate`"}
_SOURCES = {"argument": "`mask`, passed as an argument", "masking": "`Masking`", "embedding": "`Embedding(mask_zero=True)`"}
_NAN = {
    "keras": "Keras `LSTM`",
    "unpacked": "`nn.LSTM`, unpacked",
    "any mask": "`nn.LSTM`, packed for any mask",
    "emulate": "`emulate`, fused",
    "emulate loop": "`emulate`, a loop over the steps",
}
_AT_MASKED_STEPS = (
    ("a one-directional Keras layer", "repeats its last valid output; zeros before the first one"),
    ("the same with `zero_output_for_mask=True`", "outputs zeros"),
    ("Keras's `Bidirectional`", "outputs zeros"),
    ("a packed torch module", "outputs zeros"),
    ("an unpacked torch module", "computes on the padding"),
)


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["masking"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    own = _own(results)
    right = worst(value for _, value in leaves(own["differences"]) if value.kind == "measured")
    return (
        "At a masked step a one-directional Keras layer repeats its last valid output; `Bidirectional` and `zero_output_for_mask=True` output "
        "zeros. In torch a packed module outputs zeros, and an unpacked one computes on the padding. In Keras and under packing the final "
        "state is the state after the last valid step. Packing alone is correct only for padding on the right. The recipe for any mask and "
        f"`emulate` are correct for every mask; the largest error is {right}."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    parts = [
        table(("", "at a masked step"), _AT_MASKED_STEPS),
        f"![Outputs at masked steps: Keras and torch, by mask]({_FILE})",
        "Each picture has one row per unit and one column per time step. The dark squares above it mark the masked steps; outputs of "
        "exactly zero are hatched. *Packed by length* passes torch only the number of valid steps. Torch reads that many from the start "
        "of the row, which is correct only if the padding is on the right.",
        "## How far torch is from Keras",
        table(
            ("Keras layer", "in torch", "mask", "outputs at valid steps", "at masked steps", "final states"),
            _rows(own["differences"]),
        ),
        "`pack_padded_sequence` refuses a row without any valid step; Keras outputs zeros for it.",
        "## The code",
        "Setup and the Keras layers:",
        code("python", own["setup"].value),
        'In PyTorch, after `rnn = convert(layer, to="pytorch")` (or `convert(both, to="pytorch")`), with `x` and `mask` as tensors. For '
        "padding on the right (at masked steps this outputs zeros where a one-directional Keras layer repeats; the difference there is "
        f"{_size(own, 'one', 'packed', 'right', 'masked')}):",
        code("python", own["packed"].value),
        f"For any mask (largest error {_largest(own, 'any mask')}):",
        code("python", own["any mask"].value),
        f"For any mask and any options of the layer (largest error {_largest(own, 'emulate')}):",
        code("python", own["emulated"].value),
        "## The final state",
        *_final_state(own),
        "## Two quirks of `zero_output_for_mask`, and a defect of `unroll`",
        *_quirks(own["quirks"]),
        "## Where masks come from, and where they stop",
        *_flow(own["flow"]),
        "## NaN at a masked step",
        _nan(own["nan"]),
        "NaN in the padding does not reach Keras's output, but on TensorFlow it reaches the gradients of the weights. Packing never reads "
        "the padding.",
    ]
    return "\n\n".join(parts)


def _rows(differences: Tree) -> Iterator[Sequence[object]]:
    for directions, ways in differences.items():
        for way, kinds in ways.items():
            for kind, sizes in kinds.items():
                start = (f"`{_LAYERS[directions]}`", _WAYS[way], _KINDS[kind])
                if isinstance(sizes, Value):
                    yield (*start, sizes.value, sizes.value, sizes.value)
                else:
                    yield (*start, *(sizes.get(part, "") for part in _PARTS))


def _size(own: Tree, *place: str) -> str:
    here = own["differences"]
    for name in place:
        here = here[name]
    return number(here)


def _largest(own: Tree, way: str) -> str:
    return worst(value for ways in own["differences"].values() for _, value in leaves(ways[way]))


def _final_state(own: Tree) -> Iterator[str]:
    final = own["final state"]
    yield (
        "The final state is the state after the last valid step. In one direction, where the outputs repeat, it equals `output[:, -1]` "
        f"(difference {number(final['output[:, -1] - h'])}). A row without any valid step is an exception: it keeps its initial state "
        f"(difference {number(final['state of an empty row - initial state'])}), while its outputs are zeros (largest: {number(final['output of an empty row'])}). "
        "Keras's backward direction starts at the last valid step, as in a packed torch module. In an unpacked module it starts in the padding."
    )


def _quirks(quirks: Tree) -> Iterator[str]:
    yield (
        "Without `return_sequences` a layer returns the output at the last step. With `zero_output_for_mask=True` this output is zero for a row "
        f"that is padded on the right (largest value: {number(quirks['last, of the padded row'])}; it differs from the last state by "
        f"{number(quirks['last - h, of the padded row'])}). `emulate` does the same, with an error of {number(quirks['last, emulated'])}."
    )
    yield code("python", quirks["last code"].value)
    yield "`Bidirectional` overwrites this setting of its layers:"
    yield code("python", quirks["forced code"].value)
    yield code("text", quirks["forced printed"].value)
    yield (
        "With `unroll=True` Keras 3 on TensorFlow applies an unreversed mask to the outputs of a masked backward direction (a defect). They "
        f"differ by {number(quirks['unrolled'])} from those of the same layer without `unroll`. `emulate` follows the layer without `unroll`."
    )


def _flow(flow: Tree) -> Iterator[str]:
    yield code("python", flow["code"].value)
    rows = [
        (_SOURCES[source], f"`{one['code'].value}`", one["keras"], one["emulated"]) for source, one in flow["sources"].items()
    ]
    yield table(("source of the mask", "Keras", "difference from passing `mask`", "error of the emulated layers"), rows)
    yield (
        "`emulate([embedding, reader])` and `emulate([keras.layers.Masking(), reader])` pass the mask on. Nothing else in torch passes a mask "
        "on, so pass it yourself. Does the mask survive a layer between the Embedding and the recurrent layer (`reader`)?"
    )
    between = [(f"`{text}`", one["mask"].value, one["error"], one.get("cost", "")) for text, one in flow["between"].items()]
    yield table(
        ("between the two", "mask", "difference from the expected result", "difference from the masked result"), between
    )


def _nan(nan: Tree) -> str:
    return table(
        ("layer", "output", "gradients of the weights"),
        [(_NAN[way], one["output"].value, one["weight gradients"].value) for way, one in nan.items()],
    )


def _draw(results: Tree, path: Path) -> None:
    draw_masking(_own(results)["picture"], path)


PAGE = Page(
    name="masking",
    title="Masking",
    question="What does a recurrent layer output at a masked time step, and how do I get the same in PyTorch?",
    experiments=(("tensorflow", "masking"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
