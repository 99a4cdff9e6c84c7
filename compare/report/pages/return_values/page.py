"""The page on return values: LSTM against GRU first, then the tutorial's Encoder, the classic mistakes, and the whole map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compare.report.page import Page, Tree, code, number, table
from compare.report.pages.return_values.map_tables import render_map, rows_of, worst_error

_WHY = """\
**Why the GRU returns one array less.** Both return `output`, the hidden state of every time step, because `return_sequences=True`
asks for it, and then their final states, because `return_state=True` asks for them. A GRU carries one state from step to step, the
hidden state `h`. An LSTM carries two: `h`, and the cell state `c`, its memory, which no output ever shows. So the LSTM hands back
three arrays and the GRU two; `output` is not a state, and the last array of the GRU is `h`, not `c`.

PyTorch returns the same numbers in another wrapping. `h_n` and `c_n` have one axis more in front, for layers and directions, and
the LSTM's two states come as a pair: `output, (h_n, c_n)`. There are no flags; everything is always returned."""


def _found(results: Tree) -> Tree:
    tree: Tree = results["return_values"]["tensorflow"]
    return tree


def _grids(results: Tree) -> list[Tree]:
    """Give the maps, that with every call first."""
    return [results["return_values.grid"][backend] for backend in ("torch", "tensorflow")]


def _verdict(results: Tree) -> str:
    minimal = _found(results)["minimal"]
    rows = list(rows_of(_grids(results)))
    return (
        f"With both flags on, an LSTM returns {minimal['lstm']['arrays'].value} arrays (`output, h, c`) and a GRU "
        f"{minimal['gru']['arrays'].value} (`output, h`): the GRU has no cell state. `output[:, -1]` and `h` are the same numbers (in one direction, without a mask). "
        f"{sum(row['calls'].value for row in rows)} Keras calls follow from PyTorch's `(output, h_n, c_n)`, each executed, and read back where its own flags suffice, at most {worst_error(rows)} off."
    )


def _body(results: Tree) -> str:
    found, grids = _found(results), _grids(results)
    parts = [
        "## How many arrays, of which shapes",
        _shapes(grids[-1]),
        _count_states(grids[-1]),
        "## LSTM against GRU",
        *_minimal(found["minimal"]),
        _WHY,
        "## Which arrays are the same numbers",
        _same_numbers(found["minimal"]),
        "## The Encoder of the translation tutorial",
        *_encoder(found["encoder"]),
        "## The classic mistakes",
        _mistakes(found["mistakes"]),
        "None of these raises an error: the shapes agree. One bidirectional LSTM and GRU with random weights; `last` is what Keras "
        "returns with `return_sequences=False`.",
        "## The whole map",
        *_map(grids),
    ]
    return "\n\n".join(parts)


def _minimal(minimal: Tree) -> Iterator[str]:
    yield "One unit, three time steps, the inputs 0.1, 0.2, 0.3, both flags on, the same weights in both frameworks:"
    yield code("python", minimal["setup"].value)
    for cell, name in (("lstm", "LSTM"), ("gru", "GRU")):
        for framework, title in (("keras", "Keras"), ("pytorch", "PyTorch")):
            yield f"### {name} in {title}"
            yield code("python", minimal[cell][f"{framework} code"].value)
            yield "prints"
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
    return f"States of a layer: {', '.join(f'{name} {count}' for name, count in counts.items())}; twice as many when bidirectional."


def _encoder(encoder: Tree) -> Iterator[str]:
    yield (
        "`GRU(return_sequences=True, return_state=True)` is where most readers meet the two: `output` goes to the attention, which "
        "looks at every time step; `state` starts the decoder."
    )
    yield code("python", encoder["keras code"].value)
    yield "Its PyTorch twin:"
    yield code("python", encoder["pytorch code"].value)
    yield "With copied weights both give the same:"
    yield code("python", encoder["copy code"].value)
    shapes = {name: tuple(encoder[f"{name} shape"].value) for name in ("output", "state")}
    rows = [
        ("`output`", shapes["output"], number(encoder["output"])),
        ("`state`", shapes["state"], number(encoder["state"])),
        ("`output[:, -1] - state`, in Keras", shapes["state"], number(encoder["output[:, -1] - state"])),
    ]
    yield table(("array", "shape", "difference"), rows)
    yield (
        "With an LSTM in its place, the call becomes `output, h, c = self.lstm(x, initial_state=[h, c])` in Keras and "
        "`output, (h_n, c_n) = self.lstm(x, (h[None], c[None]))` in PyTorch, and the decoder is handed both states."
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
            "`output, h, c = layer(x)`: there is no `c`, it is the backward `h`",
            number(wrong["the backward h taken for c"]),
        ),
    ]
    return table(("wanted", "right", "error", "mistake", "its error"), rows)


def _map(grids: Sequence[Tree]) -> Iterator[str]:
    full, *others = (sum(row["calls"].value for row in rows_of([grid])) for grid in grids)
    yield (
        "`result` is what the Keras call returns; `output`, `h_n`, `c_n` are what the PyTorch layer with `batch_first=True` returns, "
        "called as the lines above each table say. FLAGS are `return_sequences` and `return_state`, MODE is the merge mode, as in each "
        "row. The same map of your own layer: `compare.returns_map(layer).to_markdown()`, and its `to_keras` and `to_torch` evaluate "
        "exactly these expressions."
    )
    yield (
        f"Every row was executed for each way of writing it that stands above its table: {full} calls with Keras on torch, and on "
        f"TensorFlow, whose calls take longer, the {sum(others)} plain ones (no merge mode, nothing that goes backwards). Each layer was "
        "built once and its flags set before each call, which is when Keras reads them. The errors are the largest over the calls of "
        "a row."
    )
    yield from render_map(grids)
    yield (
        "An error of the way back stands where the call's own flags determine something; an expression with other flags is that of the "
        "row with these flags. Equivalent expressions, by the condition under which they hold (the map prefers `h_n`, which is right "
        "under packing too):"
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
