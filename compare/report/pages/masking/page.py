"""The page on masks: what a masked time step outputs, what the final state is, and how torch gives the same."""

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


def _found(results: Tree) -> Tree:
    tree: Tree = results["masking"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    found = _found(results)
    right = worst(value for _, value in leaves(found["differences"]) if value.kind == "measured")
    return (
        "At a masked step a Keras layer repeats its last valid output, a `Bidirectional` gives zeros, a packed torch module zeros, and "
        "one that is not packed computes on the padding. The final state is the one after the last valid step in Keras and under "
        f"packing. Packing alone is right for padding on the right; a recipe for any mask and `emulate` are at most {right} off."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    parts = [
        f"![Outputs at masked steps: Keras and torch, by mask]({_FILE})",
        "Each picture has a row for each unit and a column for each time step; the dark squares above are the masked steps, hatched is "
        "exactly zero. *Packed by length* hands torch the number of valid steps: it takes the first ones, which are the right ones only "
        "where the padding is on the right.",
        "## How far torch is from Keras",
        table(
            ("Keras layer", "in torch", "mask", "outputs at valid steps", "at masked steps", "final states"),
            _rows(found["differences"]),
        ),
        "A row without any valid step is refused by `pack_padded_sequence`; Keras gives zeros for it.",
        "## The code",
        "Keras, and the names of the rest:",
        code("python", found["setup"].value),
        'PyTorch, after `rnn = convert(layer, to="pytorch")` (`both` for two directions), with `x` and `mask` as tensors. For padding on '
        f"the right; zeros where a Keras layer in one direction repeats, {_size(found, 'one', 'packed by length', 'right', 'masked')} off there:",
        code("python", found["packed"].value),
        f"For any mask, {_largest(found, 'any mask')} off:",
        code("python", found["any mask"].value),
        f"Or, whatever the layer's options, {_largest(found, 'emulate')} off:",
        code("python", found["emulated"].value),
        "## The final state",
        *_final_state(found),
        "## Two quirks of `zero_output_for_mask`, and a defect",
        *_quirks(found["quirks"]),
        "## Where masks come from, and where they stop",
        *_flow(found["flow"]),
        "## NaN at a masked step",
        _nan(found["nan"]),
        "NaN in the padding does not reach Keras's output, but on TensorFlow it reaches every gradient of the weights. Packing never reads "
        "the padding.",
    ]
    return "\n\n".join(parts)


def _rows(differences: Tree) -> Iterator[Sequence[object]]:
    for directions, ways in differences.items():
        for way, kinds in ways.items():
            for kind, sizes in kinds.items():
                start = (f"`{_LAYERS[directions]}`", way, _KINDS[kind])
                if isinstance(sizes, Value):
                    yield (*start, sizes.value, sizes.value, sizes.value)
                else:
                    yield (*start, *(sizes.get(part, "") for part in _PARTS))


def _size(found: Tree, *place: str) -> str:
    here = found["differences"]
    for name in place:
        here = here[name]
    return number(here)


def _largest(found: Tree, way: str) -> str:
    return worst(value for ways in found["differences"].values() for _, value in leaves(ways[way]))


def _final_state(found: Tree) -> Iterator[str]:
    final = found["final state"]
    yield (
        "It is the state after the last valid step, and in one direction with repeated outputs it equals `output[:, -1]` "
        f"({number(final['output[:, -1] - h'])} off). A row without any valid step keeps its initial state "
        f"({number(final['state of an empty row - initial state'])} off), while its outputs are zeros ({number(final['output of an empty row'])}): "
        "there the two differ. Keras's backward direction starts at the last valid step, as a packed one does; unpacked, it starts in the padding."
    )


def _quirks(quirks: Tree) -> Iterator[str]:
    yield (
        "Without `return_sequences` a layer returns the output at the last step, so with `zero_output_for_mask=True` a row that is padded on "
        f"the right gets zeros ({number(quirks['last, of the padded row'])}), {number(quirks['last - h, of the padded row'])} from its last state. "
        f"`emulate` follows it, {number(quirks['last, emulated'])} off."
    )
    yield code("python", quirks["last code"].value)
    yield "`Bidirectional` overwrites what its layers say:"
    yield code("python", quirks["forced code"].value)
    yield code("text", quirks["forced printed"].value)
    yield (
        "With `unroll=True` Keras 3 on TensorFlow zeroes the outputs of a masked backward direction by the mask that was not reversed: "
        f"{number(quirks['unrolled'])} off the same layer without `unroll`. `emulate` follows the loop."
    )


def _flow(flow: Tree) -> Iterator[str]:
    yield code("python", flow["code"].value)
    rows = [(source, f"`{one['code'].value}`", one["keras"], one["emulated"]) for source, one in flow["sources"].items()]
    yield table(("source", "Keras", "off the mask as an argument", "`emulate` of the layers"), rows)
    yield "`emulate([embedding, reader])` and `emulate([keras.layers.Masking(), reader])` hand the mask on; nothing else in torch carries one: pass it."
    between = [(f"`{text}`", one["mask"].value, one["error"], one.get("cost", "")) for text, one in flow["between"].items()]
    yield table(("between the Embedding and the reader", "mask", "off that", "off the mask that was meant"), between)


def _nan(nan: Tree) -> str:
    return table(
        ("layer", "output", "gradients of the weights"),
        [(way, one["output"].value, one["weight gradients"].value) for way, one in nan.items()],
    )


def _draw(results: Tree, path: Path) -> None:
    draw_masking(_found(results)["picture"], path)


PAGE = Page(
    name="masking",
    title="Masking",
    question="What does a recurrent layer give at a masked time step, and how is the same written in PyTorch?",
    experiments=(("tensorflow", "masking"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
