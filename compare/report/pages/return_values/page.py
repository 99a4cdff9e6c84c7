"""The page on return values: LSTM and GRU compared, the tutorial's Encoder, the classic mistakes, and the whole map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compare.report.page import Page, Tree, code, number, table
from compare.report.pages.return_values.map_tables import render_map, rows_of, worst_error

_WHY = """\
**Why the GRU returns one array less.** Both return `output` because `return_sequences=True` asks for it, and then their final
states, because `return_state=True` asks for them. A GRU carries one state from step to step, the hidden state `h`. An LSTM carries
two: `h`, and the cell state `c`, its memory, which is not part of `output`. So the LSTM returns three arrays and the GRU two.
`output` holds the hidden states of all time steps; `h` is the last of them, returned separately so that a decoder can start from
it. The last array of the GRU is `h`, not `c`.

PyTorch returns the same numbers, packaged differently. `h_n` and `c_n` have one more axis in front, for layers and directions, and
the LSTM's two states come as a pair: `output, (h_n, c_n)`. There are no flags; everything is always returned."""


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["return_values"]["tensorflow"]
    return tree


def _grids(results: Tree) -> list[Tree]:
    """Return the map on each backend, the one with every call first."""
    return [results["return_values.grid"][backend] for backend in ("torch", "tensorflow")]


def _verdict(results: Tree) -> str:
    minimal = _own(results)["minimal"]
    rows = list(rows_of(_grids(results)))
    return (
        f"With both flags on, an LSTM returns {minimal['lstm']['arrays'].value} arrays (`output, h, c`) and a GRU "
        f"{minimal['gru']['arrays'].value} (`output, h`): the GRU has no cell state. `output[:, -1]` and `h` are the same numbers (in one direction, without a mask). "
        f"We ran {sum(row['calls'].value for row in rows)} Keras calls and rebuilt each result from PyTorch's `(output, h_n, c_n)`. Where a "
        f"call returns enough, we also rebuilt PyTorch's results from Keras's. The largest error is {worst_error(rows)}."
    )


def _body(results: Tree) -> str:
    own, grids = _own(results), _grids(results)
    parts = [
        "## How many arrays, and their shapes",
        _shapes(grids[-1]),
        _count_states(grids[-1]),
        "## LSTM and GRU side by side",
        *_minimal(own["minimal"]),
        _WHY,
        "## Which arrays are the same numbers",
        _same_numbers(own["minimal"]),
        "## The Encoder of the translation tutorial",
        *_encoder(own["encoder"]),
        "## The classic mistakes",
        _mistakes(own["mistakes"]),
        "None of these raises an error, since the shapes agree. They were made with a bidirectional LSTM and a bidirectional GRU with "
        "random weights. `last` is what Keras returns with `return_sequences=False`.",
        "## The whole map",
        *_map(grids),
    ]
    return "\n\n".join(parts)


def _minimal(minimal: Tree) -> Iterator[str]:
    yield "One unit, three time steps with the inputs 0.1, 0.2, 0.3, both flags on, and the same weights in both frameworks:"
    yield code("python", minimal["setup"].value)
    for cell, name in (("lstm", "LSTM"), ("gru", "GRU")):
        for framework, title in (("keras", "Keras"), ("pytorch", "PyTorch")):
            yield f"### {name} in {title}"
            yield code("python", minimal[cell][f"{framework} code"].value)
            yield "This prints:"
            yield code("text", minimal[cell][f"{framework} printed"].value)


def _same_numbers(minimal: Tree) -> str:
    rows = [
        (name, statement, number(minimal[cell][key]))
        for cell, name in (("lstm", "LSTM"), ("gru", "GRU"))
        for statement, key in (
            ("`output[:, -1]` and `h`, in Keras", "output[:, -1] - h"),
            ("Keras's arrays and PyTorch's", "difference"),
        )
    ]
    return table(("layer", "the same numbers", "difference"), rows)


def _shapes(grid: Tree) -> str:
    rows: list[tuple[object, ...]] = []
    for name in ("SimpleRNN", "GRU", "LSTM"):
        for row in grid[name]["one layer"]["rows"].values():
            setting, items = row["setting"].value, row["items"].value
            flags = [f", {flag}=True" for flag in ("return_sequences", "return_state") if setting[flag]]
            rows.append((f"`{name}(4{''.join(flags)})`", len(items), ", ".join(f"`{shape}`" for _, shape, _ in items)))
    return table(("call", "arrays", "their shapes"), rows)


def _count_states(grid: Tree) -> str:
    """Count the arrays beyond the output where both flags are on."""
    counts = {
        name: max(len(row["items"].value) - 1 for row in kinds["one layer"]["rows"].values())
        for name, kinds in sorted(grid.items(), key=lambda item: item[0], reverse=True)
    }
    return f"Number of states: {', '.join(f'{name} {count}' for name, count in counts.items())}. A bidirectional layer has twice as many."


def _encoder(encoder: Tree) -> Iterator[str]:
    yield (
        "Most readers meet `output` and `state` in the tutorial's `GRU(return_sequences=True, return_state=True)`. `output` goes to the "
        "attention, which looks at every time step, and the decoder starts from `state`."
    )
    yield code("python", encoder["keras code"].value)
    yield "The same in PyTorch:"
    yield code("python", encoder["pytorch code"].value)
    yield "With copied weights both return the same:"
    yield code("python", encoder["copy code"].value)
    shapes = {name: tuple(encoder[f"{name} shape"].value) for name in ("output", "state")}
    rows = [
        ("`output`", shapes["output"], number(encoder["output"])),
        ("`state`", shapes["state"], number(encoder["state"])),
        ("`output[:, -1] - state`, in Keras", shapes["state"], number(encoder["output[:, -1] - state"])),
    ]
    yield table(("array", "shape", "difference"), rows)
    yield (
        "With an LSTM instead, the call becomes `output, h, c = self.lstm(x, initial_state=[h, c])` in Keras and "
        "`output, (h_n, c_n) = self.lstm(x, (h[None], c[None]))` in PyTorch, and the decoder gets both states."
    )


def _mistakes(mistakes: Tree) -> str:
    right, wrong = mistakes["right"], mistakes["wrong"]
    rows = [
        (
            "`last` of a bidirectional layer",
            "`torch.cat((h_n[0], h_n[1]), dim=-1)`",
            number(right["last output"]),
            "`output[:, -1]`: the backward direction's first step, not its last",
            number(wrong["output[:, -1]"]),
        ),
        (
            "the same",
            "",
            "",
            "`h_n.reshape(batch, -1)`: mixes rows of the batch",
            number(wrong["h_n.reshape(batch, -1)"]),
        ),
        (
            "the states of an LSTM",
            "`h_n[0], c_n[0]`",
            number(right["states"]),
            "`c_n[0], h_n[0]`: h and c exchanged",
            number(wrong["h and c exchanged"]),
        ),
        (
            "the states of a bidirectional LSTM",
            "`h_n[0], c_n[0], h_n[1], c_n[1]`",
            number(right["states"]),
            "`h_n[0], h_n[1], c_n[0], c_n[1]`: Keras goes direction by direction",
            number(wrong["h_n, c_n read as [h_f, h_b, c_f, c_b]"]),
        ),
        (
            "the states of a bidirectional GRU",
            "`h_n[0], h_n[1]`",
            number(right["c of a GRU"]),
            "`output, h, c = layer(x)`: there is no `c`; the third array is the backward `h`",
            number(wrong["the backward h taken for c"]),
        ),
    ]
    return table(("wanted", "correct", "error", "mistake", "error of the mistake"), rows)


def _map(grids: Sequence[Tree]) -> Iterator[str]:
    full, *others = (sum(row["calls"].value for row in rows_of([grid])) for grid in grids)
    yield (
        "`result` is what the Keras call returns. `output`, `h_n` and `c_n` are what the PyTorch layer with `batch_first=True` returns, "
        "called as the lines above each table show. FLAGS stands for `return_sequences` and `return_state`, MODE for the merge mode; "
        "each row gives their values. `gatewise.returns_map(layer).to_markdown()` prints the same map for your layer, and its "
        "`to_keras` and `to_torch` evaluate exactly these expressions."
    )
    yield (
        f"Every row was executed for each layer listed above its table: {full} calls with Keras on torch. Calls take longer on "
        f"TensorFlow, so only the {sum(others)} plain ones were made there (the default merge mode, nothing that goes backwards). Each "
        "layer was built once, and its flags were set before each call, when Keras reads them. The errors are the largest over "
        "all calls of a row."
    )
    yield from render_map(grids)
    yield (
        "The tables of what PyTorch returns show an error if the flags of the call determine any of the arrays. An expression with other flags is "
        "the one in the row with those flags. Some expressions have equivalents that hold under a condition. The map prefers `h_n`, "
        "which is also correct under packing:"
    )
    yield "\n".join(f"* {caveat}: {', '.join(f'`{text}`' for text in texts)}" for caveat, texts in _equivalents(grids).items())


def _equivalents(grids: Sequence[Tree]) -> dict[str, list[str]]:
    by_caveat: dict[str, dict[str, None]] = {}
    for row in rows_of(grids):
        for text, caveat in row["also"].value:
            by_caveat.setdefault(caveat, {})[text] = None
    return {caveat: list(texts) for caveat, texts in by_caveat.items()}


PAGE = Page(
    name="return-values",
    title="Return values",
    question="What do an LSTM and a GRU return in Keras and in PyTorch, and why does the GRU return one array less?",
    experiments=(("tensorflow", "return_values"), ("tensorflow", "return_values.grid"), ("torch", "return_values.grid")),
    verdict=_verdict,
    body=_body,
)
