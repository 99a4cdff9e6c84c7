"""The page on the translation model: both versions line by line, the same training, and each framework's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from compare.report.curve_figure import Curves, draw_attention, draw_curves
from compare.report.page import Figure, Page, Tree, code, number, table, worst

_CURVES, _MAPS = "translation.png", "attention.png"
_CELLS = ("gru", "lstm")
_LONG = {dtype: {cell: f"translation-{cell}-{dtype}" for cell in _CELLS} for dtype in ("float64", "float32")}
_TRAININGS = tuple(name for names in _LONG.values() for name in names.values())
_DEFAULTS = {
    name: f"defaults-{name}"
    for name in ("fit", "keras", "none", "initialisation", "rule", "bias", "learning_rate", "dropout", "all")
}
_IN_KERAS = {"keras": "Keras, summed gradients", "fit": "Keras, `fit`"}
_ROUNDED = "rounded"
_SIDES = {"keras": "Keras", "pytorch": "PyTorch", _ROUNDED: "Keras, perturbed by one ulp"}
_MISTAKES = {
    "both-biases-trained": "both biases of the LSTM are trained",
    "torch-adam": "`torch.optim.Adam` with Keras's settings",
    "mean-without-padding": "`cross_entropy(ignore_index=0)`, averaging over non-padding tokens only",
    "decoder-from-zeros": "the decoder starts from zeros, not from the encoder's states",
    "hidden-as-cell-state": "the hidden state is also passed on as the cell state",
}
_DRAWN = ("gatewise", "knight", "physics")
_FILES = {
    "gru": "Encoder and decoder",
    "attention": "Attention",
    "loss": "Loss",
    "translator": "Teacher forcing and greedy decoding",
}


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["translation"]["tensorflow"]
    return tree


def _long(results: Tree, dtype: str) -> dict[str, Tree]:
    """Return the long runs that have been made in a dtype, by cell."""
    made = results.get("long", {})
    return {cell: made[name] for cell, name in _LONG[dtype].items() if name in made}


def _trainings(results: Tree) -> Mapping[str, Tree]:
    """Return the trainings in float64, by cell: the long ones if they have been made."""
    return {**_own(results)["trained"], **_long(results, "float64")}


def _verdict(results: Tree) -> str:
    trainings = _trainings(results)
    far = worst(value for training in trainings.values() for value in training["parameters"].values())
    steps = min(training["steps"].value for training in trainings.values())
    spoken = _own(results)["g2p_en"]
    words = spoken["words"].value
    alike = " and ".join(f"{words - spoken[name].value:.0f} in {_SIDES[name]}" for name in ("keras", "pytorch"))
    return (
        f"Given the same weights, batches and update rule, the two train identically. After {steps} steps in float64 no parameter "
        f"differs by more than {far}, with a GRU or an LSTM. Greedy decoding with the same weights yields the same phonemes. Of {words} "
        f"words, the model of g2p_en pronounces {alike} as the package does."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    parts = [
        "The model comes from TensorFlow's tutorial on neural machine translation with attention. It has an encoder that returns its output "
        "*and* its state, additive attention, and a decoder that is called step by step. The task is to pronounce English words from the CMU "
        "Pronouncing Dictionary.",
        table(("", *(cell.upper() for cell in _CELLS)), _summary(results)),
        "## The two models, line by line",
        "Lines that begin with `-` are Keras's, lines with `+` are PyTorch's, and all others are the same in both. The files are in "
        "[compare/report/studies/translation](../compare/report/studies/translation).",
        *_listings(own["source"]["keras and pytorch"]),
        _NOT_RENAMED,
        "## The effect of the cell state",
        "From the GRU (`-`) to the LSTM (`+`). An LSTM returns one more state, and both states have to reach the decoder:",
        *(
            f"{title}:\n\n{code('diff', own['source']['gru and lstm'][name].value)}"
            for name, title in (("keras", "Keras"), ("pytorch", "PyTorch"))
        ),
        "## Copying the weights",
        code("python", own["snippet"].value),
        "## The same training, step by step",
        *_alike(results),
        "## The effect of each mistake",
        f"Each mistake was made alone, in PyTorch. Its error is the largest parameter difference from the correct port after "
        f"{own['mistaken steps'].value} steps of Adam at 0.001. None of the mistakes raises an exception.",
        table(("mistake", "error"), ((_MISTAKES[name], error) for name, error in own["mistakes"].items())),
        *_defaults(results),
        *_translations(results),
        "## A published model",
        "The encoder and decoder of g2p_en were written in both frameworks, with the arrays from the package. Of "
        f"{own['g2p_en']['words'].value} words, Keras pronounces {number(own['g2p_en']['keras'])} differently from the package, and "
        f"PyTorch {number(own['g2p_en']['pytorch'])}.",
        table(
            ("word", "the package", "Keras", "PyTorch"),
            ((word, *spoken.value) for word, spoken in own["g2p_en"]["pronounced"].items()),
        ),
    ]
    return "\n\n".join(parts)


_NOT_RENAMED = """\
Most changes are renamings. These are not:

* PyTorch's recurrent and linear layers need the size of their input. For the decoder's GRU that is context and embedding together.
* PyTorch's GRU has no return flags, and needs `batch_first=True`.
* PyTorch's state has an axis for layers and directions, which has to be removed before the attention: `hidden[-1]`.
* `cross_entropy` expects the vocabulary on the second axis, `logits.transpose(1, 2)`, and returns a mean unless you pass `reduction="none"`.
* Token ids are int32 in Keras and int64 (the default) in PyTorch.
* `@torch.no_grad()` keeps PyTorch from recording gradients while it translates.
* `unroll=True` only makes Keras faster."""


def _summary(results: Tree) -> Iterator[Sequence[object]]:
    trainings, single = _trainings(results), _long(results, "float32")
    yield "steps in float64", *(trainings[cell]["steps"].value for cell in _CELLS)
    yield "largest parameter difference", *(worst(trainings[cell]["parameters"].values()) for cell in _CELLS)
    yield "largest difference of the losses", *(number(trainings[cell]["largest loss gap"]) for cell in _CELLS)
    decoded = [single.get(cell, _own(results)["trained"][cell]) for cell in _CELLS]
    yield (
        "held-out words decoded",
        *(cell_results.get("words decoded", cell_results.get("decoded")).value for cell_results in decoded),
    )
    yield "decoded differently", *(number(cell_results["decoded otherwise"]) for cell_results in decoded)
    yield "largest difference of the attention maps", *(number(cell_results["attention"]) for cell_results in decoded)
    if len(single) == len(_CELLS):
        yield "steps in float32", *(single[cell]["steps"].value for cell in _CELLS)
        for side in ("keras", "pytorch"):
            correct = (_percent(single[cell]["held out"][side]["sequences"]) for cell in _CELLS)
            yield f"correct words: {_SIDES[side]}", *correct


def _percent(value: Any) -> str:
    return f"{100 * value.value:.1f}%"


def _listings(sources: Tree) -> Iterator[str]:
    for name, title in _FILES.items():
        yield f"{title}:"
        yield code("diff", sources[name].value)


def _alike(results: Tree) -> Iterator[str]:
    trainings = _trainings(results)
    yield (
        "PyTorch starts from Keras's parameters and gets the same batches. Keras trains with Adam, PyTorch with `optimizer_like(adam)`, and the "
        "LSTM's second bias is frozen at zero. The table shows the largest difference of each parameter at any measured step, in float64:"
    )
    named = {
        cell: {name.replace(f".{cell}.", ".*."): far for name, far in trainings[cell]["parameters"].items()} for cell in _CELLS
    }
    names = dict.fromkeys(name for parameters in named.values() for name in parameters)
    rows = ((f"`{name}`", *(named[cell].get(name, "") for cell in _CELLS)) for name in names)
    yield table(("parameter", *(f"{cell.upper()}, {trainings[cell]['steps'].value} steps" for cell in _CELLS)), rows)
    yield (
        "The bias of `V` has no effect: softmax ignores a constant added to all scores. Its gradient is therefore only rounding, which Adam "
        "amplifies to full steps."
    )
    single = _long(results, "float32")
    if single:
        yield f"![Losses and distances of the trainings]({_CURVES})"
        yield (
            "In float32 every step rounds, and training amplifies tiny differences. The control is a second Keras training whose initial "
            "parameters are perturbed by one ulp. A port cannot be expected to agree with Keras better than Keras agrees with itself. "
            + " ".join(_parted(cell, training) for cell, training in single.items())
        )
        yield table(("model", "side", "loss", "correct tokens", "correct words"), _scores(single))
        yield (
            "The scores are for words that were held out of the training. A *token* is correct if the model predicts the next phoneme, or the "
            "end, after the correct ones. A *word* is correct if its whole greedy translation is."
        )


def _parted(cell: str, training: Tree) -> str:
    port, control = (_when(training["parted at"][name].value) for name in ("pytorch", _ROUNDED))
    model = {"gru": "a GRU", "lstm": "an LSTM"}[cell]
    return f"With {model} the losses of Keras and PyTorch {port}, and the losses of the two Keras trainings {control}."


def _when(step: int | None) -> str:
    return "never differ by 1%" if step is None else f"first differ by 1% at step {step}"


def _scores(single: Mapping[str, Tree]) -> Iterator[Sequence[object]]:
    for cell, training in single.items():
        for name, score in training["held out"].items():
            yield (
                cell.upper(),
                _SIDES[name],
                f"{score['loss'].value:.4f}",
                _percent(score["tokens"]),
                _percent(score["sequences"]),
            )


def _defaults(results: Tree) -> Iterator[str]:
    made = {name: results["long"][part] for name, part in _DEFAULTS.items() if part in results.get("long", {})}
    if len(made) < len(_DEFAULTS):
        return
    first = made["none"]
    yield "## Each framework with its defaults"
    yield (
        f"The setting is: {first['setting'].value}; {first['steps'].value} steps in float32 from {len(first['held out']['loss'].value)} seeds "
        "each. Row *none* is the port with Keras's initialisation, optimizer rule, bias handling, learning rate and dropout. Each of the next "
        "rows switches one of these to PyTorch's default. Row *all* switches everything, like a port that copies only the architecture. The "
        "*share* is a row's part of the way from *none* to *all*, in the mean loss on held-out words. The first two rows are Keras itself: "
        "trained with `fit`, which does not sum an embedding's gradient ([training](training.md#an-embedding-on-tensorflow)), and trained "
        "with the summed gradient."
    )
    headers = ("framework", "PyTorch's default", "held-out loss, mean", "min", "max", "share", "correct words")
    yield table(headers, _default_rows(made))
    yield (
        "A share that is smaller than the spread between the seeds of a row is not significant. *rule*: Adam adds epsilon before the bias "
        "correction in Keras and after it in PyTorch, and its default is 1e-7 in Keras and 1e-8 in PyTorch. *learning rate*: Adam's default is "
        "the same in both. *dropout*: the layer argument of that name drops inputs in Keras, and does nothing in a single layer of PyTorch."
    )


def _default_rows(made: Mapping[str, Tree]) -> Iterator[Sequence[object]]:
    means = {name: fmean(training["held out"]["loss"].value) for name, training in made.items()}
    for name, training in made.items():
        losses, right = training["held out"]["loss"].value, training["held out"]["sequences"].value
        share = (means[name] - means["none"]) / (means["all"] - means["none"])
        by = (_IN_KERAS[name], "") if name in _IN_KERAS else ("PyTorch", name.replace("_", " "))
        yield (
            *(*by, f"{means[name]:.3f}", f"{min(losses):.3f}", f"{max(losses):.3f}"),
            *("" if name in _IN_KERAS else f"{100 * share:z.0f}%", f"{100 * fmean(right):.1f}%"),
        )


def _translations(results: Tree) -> Iterator[str]:
    single = _long(results, "float32")
    if not single:
        return
    yield "## Greedy decoding"
    first = next(iter(single.values()))
    yield (
        "Both frameworks decode with Keras's trained parameters, in float64, so that no rounding decides between two phonemes of nearly the same "
        f"probability. In the closest decision the logits differ by {number(first['closest decision'])}. Some words:"
    )
    yield table(
        ("word", *(f"{cell.upper()}, {name}" for cell in single for name in ("Keras", "PyTorch"))),
        (
            (word, *(made["pronounced"][word][name].value for made in single.values() for name in ("keras", "pytorch")))
            for word in first["pronounced"]
        ),
    )
    yield f"Attention of each decoder step (largest difference {number(first['attention'])}):"
    yield f"![Attention maps in Keras and in PyTorch]({_MAPS})"


def _draw_curves(results: Tree, path: Path) -> None:
    wide, single = _trainings(results), _long(results, "float32")
    gaps: Curves = {
        f"{_SIDES[name]}, {cell.upper()}": curve
        for cell, training in single.items()
        for name, curve in training["distances"].items()
    }
    losses: Curves = {
        f"{_SIDES[name]}, {cell.upper()}": curve
        for cell, training in single.items()
        for name, curve in training["losses"].items()
        if name != _ROUNDED
    }
    far: Curves = {f"PyTorch, {cell.upper()}": training["distances"]["pytorch"] for cell, training in wide.items()}
    draw_curves(
        (
            ("distance from Keras, float64", "log", far),
            ("loss, float32", "linear", losses),
            ("distance from Keras, float32", "log", gaps),
        ),
        path,
    )


def _draw_maps(results: Tree, path: Path) -> None:
    maps = _long(results, "float32")["gru"]["maps"]
    draw_attention({word: {_SIDES[name]: one.value for name, one in maps[word].items()} for word in _DRAWN}, path)


PAGE = Page(
    name="translation",
    title="A whole model: translation with attention",
    question="Does a sequence-to-sequence model with attention, ported line by line, train and translate as the original does?",
    experiments=(("tensorflow", "translation"),),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_CURVES, _draw_curves, _TRAININGS), Figure(_MAPS, _draw_maps, _TRAININGS)),
    long=(*_TRAININGS, *_DEFAULTS.values()),
    studies=("translation", "real_models"),
)
