"""The page on the translation model: both frameworks line by line, trained alike, and what their own defaults make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
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
_ROUNDED = "one rounding off"
_DRAWN = ("gatewise", "knight", "physics")
_FILES = {
    "gru": "Encoder and decoder",
    "attention": "Attention",
    "loss": "Loss",
    "translator": "Teacher forcing and greedy decoding",
}


def _found(results: Tree) -> Tree:
    tree: Tree = results["translation"]["tensorflow"]
    return tree


def _long(results: Tree, dtype: str) -> dict[str, Tree]:
    """Give the long runs that have been made, by cell."""
    made = results.get("long", {})
    return {cell: made[name] for cell, name in _LONG[dtype].items() if name in made}


def _trainings(results: Tree) -> Mapping[str, Tree]:
    """Give the trainings in float64, the long ones where they have been made."""
    return {**_found(results)["trained"], **_long(results, "float64")}


def _verdict(results: Tree) -> str:
    trainings = _trainings(results)
    far = worst(value for found in trainings.values() for value in found["parameters"].values())
    steps = min(found["steps"].value for found in trainings.values())
    spoken = _found(results)["g2p_en"]
    return (
        f"From the same weights, on the same batches and by the same rule the two train alike: after {steps} steps in float64 no "
        f"parameter is farther than {far} from its twin, with a GRU or an LSTM. Greedy decoding from the same weights gives the same "
        f"phonemes, and g2p_en's own model pronounces {spoken['words'].value} of {spoken['words'].value} words as the package does, in both."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    parts = [
        "The model is the one of TensorFlow's tutorial on neural machine translation with attention: an encoder that returns its output "
        "*and* its state, additive attention, a decoder that is stepped by hand. The task is to pronounce English words, from the CMU "
        "Pronouncing Dictionary.",
        table(("", *(cell.upper() for cell in _CELLS)), _summary(results)),
        "## The two models, line by line",
        "Lines that begin with `-` are Keras's, those with `+` PyTorch's, all others both have. The files lie in "
        "[compare/report/studies/translation](../compare/report/studies/translation).",
        *_listings(found["source"]["keras and pytorch"]),
        "Two lines are not a renaming. PyTorch's state has an axis for layers and directions, which attention must not see: `hidden[-1]`. "
        "And a recurrent layer of PyTorch must be told the size of its input, which for the decoder is context and embedding together. "
        "`unroll=True` is for Keras's speed alone.",
        "## What the cell state changes",
        "From the GRU (`-`) to the LSTM (`+`). An LSTM hands back one array more, and both have to reach the decoder:",
        *(
            f"{title}:\n\n{code('diff', found['source']['gru and lstm'][name].value)}"
            for name, title in (("keras", "Keras"), ("pytorch", "PyTorch"))
        ),
        "## Carrying it over",
        code("python", found["snippet"].value),
        "## The same training, step by step",
        *_alike(results),
        "## What a port that is nearly right makes of it",
        f"Each mistake alone, in PyTorch, against the right port: the largest distance of a parameter after {found['mistaken steps'].value} "
        "steps with Adam at 0.001. None of them raises an error.",
        table(("mistake", "off by"), found["mistakes"].items()),
        *_defaults(results),
        *_translations(results),
        "## A model that strangers trained",
        f"g2p_en's encoder and decoder, from the arrays that the package ships, written in both frameworks. {found['g2p_en']['words'].value} "
        f"words; pronounced otherwise than by the package: {number(found['g2p_en']['keras'])} in Keras, {number(found['g2p_en']['pytorch'])} in "
        "PyTorch.",
        table(
            ("word", "the package", "Keras", "PyTorch"),
            ((word, *spoken.value) for word, spoken in found["g2p_en"]["pronounced"].items()),
        ),
    ]
    return "\n\n".join(parts)


def _summary(results: Tree) -> Iterator[Sequence[object]]:
    trainings, single = _trainings(results), _long(results, "float32")
    yield "steps in float64", *(trainings[cell]["steps"].value for cell in _CELLS)
    yield "largest distance of a parameter", *(worst(trainings[cell]["parameters"].values()) for cell in _CELLS)
    yield "largest difference of the losses", *(number(trainings[cell]["largest loss gap"]) for cell in _CELLS)
    decoded = [single.get(cell, _found(results)["trained"][cell]) for cell in _CELLS]
    yield "held-out words decoded", *(found.get("words decoded", found.get("decoded")).value for found in decoded)
    yield "decoded otherwise", *(number(found["decoded otherwise"]) for found in decoded)
    yield "attention maps apart by", *(number(found["attention"]) for found in decoded)
    if len(single) == len(_CELLS):
        yield "steps in float32", *(single[cell]["steps"].value for cell in _CELLS)
        yield "words right, held out: Keras", *(_percent(single[cell]["held out"]["keras"]["sequences"]) for cell in _CELLS)
        yield "words right, held out: PyTorch", *(_percent(single[cell]["held out"]["pytorch"]["sequences"]) for cell in _CELLS)


def _percent(value: Any) -> str:
    return f"{100 * value.value:.1f} %"


def _listings(sources: Tree) -> Iterator[str]:
    for name, title in _FILES.items():
        yield f"{title}:"
        yield code("diff", sources[name].value)


def _alike(results: Tree) -> Iterator[str]:
    trainings = _trainings(results)
    yield (
        "Keras's parameters copied to PyTorch, the same batches, Adam and `optimizer_like` of it, the LSTM's second bias frozen at zero. "
        "The largest distance of each parameter at any of the steps that were measured, in float64:"
    )
    named = {
        cell: {name.replace(f".{cell}.", ".*."): far for name, far in trainings[cell]["parameters"].items()} for cell in _CELLS
    }
    names = dict.fromkeys(name for found in named.values() for name in found)
    rows = ((f"`{name}`", *(named[cell].get(name, "") for cell in _CELLS)) for name in names)
    yield table(("parameter", *(f"{cell.upper()}, {trainings[cell]['steps'].value} steps" for cell in _CELLS)), rows)
    yield (
        "`V.bias` has no gradient but rounding, for softmax does not see what it adds to every score alike, and Adam makes a step of any "
        "gradient: what is farthest apart is what changes nothing."
    )
    single = _long(results, "float32")
    if single:
        yield f"![Losses and distances of the trainings]({_CURVES})"
        yield (
            "In float32 every step rounds, and a training makes much of little. The control is a second Keras training whose parameters "
            "began one rounding up or down: two ports cannot be expected to agree better than Keras with itself. "
            + " ".join(_parted(cell, found) for cell, found in single.items())
        )
        yield table(("model", "side", "loss", "tokens right", "words right"), _scores(single))
        yield "Held-out words. *Tokens* are phonemes and ends after the right ones before them; a *word* is right from its start to its end."


def _parted(cell: str, found: Tree) -> str:
    steps = {name: value.value for name, value in found["parted at"].items()}
    told = {name: "never" if step is None else f"first at step {step}" for name, step in steps.items()}
    return (
        f"With a{'n' if cell == 'lstm' else ''} {cell.upper()} the losses of Keras and PyTorch differ by one in a hundred "
        f"{told['pytorch']}, those of Keras and Keras one rounding off {told[_ROUNDED]}."
    )


def _scores(single: Mapping[str, Tree]) -> Iterator[Sequence[object]]:
    for cell, found in single.items():
        for name, score in found["held out"].items():
            side = {"keras": "Keras", "pytorch": "PyTorch"}.get(name, f"Keras, {name}")
            yield cell.upper(), side, f"{score['loss'].value:.4f}", _percent(score["tokens"]), _percent(score["sequences"])


def _defaults(results: Tree) -> Iterator[str]:
    made = {name: results["long"][part] for name, part in _DEFAULTS.items() if part in results.get("long", {})}
    if len(made) < len(_DEFAULTS):
        return
    first = made["none"]
    yield "## Each framework with its own defaults"
    yield (
        f"Trained: {first['setting'].value}; {first['steps'].value} steps in float32 from {len(first['held out']['loss'].value)} seeds each. "
        "The port in PyTorch, with nothing its own: it follows Keras's rule from Keras's start; then each of what a port leaves to PyTorch, "
        "alone, and all at once, as a port does that keeps the model and forgets the rest. The share is of the distance between none and all, "
        "in the mean loss on words that were held out. Beside it Keras itself: by the rule, and as `fit` trains, which does not add up an "
        "embedding's gradient ([training](training.md#an-embedding-on-tensorflow))."
    )
    yield table(
        ("trained in", "PyTorch's own", "held-out loss, mean", "from", "to", "share", "words right"), _default_rows(made)
    )
    yield (
        "A share that is smaller than what lies between the seeds of one row says nothing. *learning rate*: Adam's is the same in both. "
        "*dropout*: a layer's argument of the same name drops inputs in Keras and nothing in a single layer of PyTorch. *rule*: where "
        "epsilon stands, and its size."
    )


def _default_rows(made: Mapping[str, Tree]) -> Iterator[Sequence[object]]:
    means = {name: _mean(found["held out"]["loss"].value) for name, found in made.items()}
    for name, found in made.items():
        losses, right = found["held out"]["loss"].value, found["held out"]["sequences"].value
        share = (means[name] - means["none"]) / (means["all"] - means["none"])
        by = {"keras": ("Keras, by the rule", ""), "fit": ("Keras, as `fit`", "")}.get(
            name, ("PyTorch", name.replace("_", " "))
        )
        yield (
            *(*by, f"{means[name]:.3f}", f"{min(losses):.3f}", f"{max(losses):.3f}"),
            *("" if name in ("keras", "fit") else f"{100 * share:z.0f} %", f"{100 * _mean(right):.1f} %"),
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _translations(results: Tree) -> Iterator[str]:
    single = _long(results, "float32")
    if not single:
        return
    yield "## Greedy decoding"
    found = next(iter(single.values()))
    yield (
        "The trained parameters of Keras, in float64 in both frameworks, so that no rounding decides between two phonemes that are nearly "
        f"as likely; the closest decision is {number(found['closest decision'])} apart in logits. Some words:"
    )
    yield table(
        ("word", *(f"{cell.upper()}, {name}" for cell in single for name in ("Keras", "PyTorch"))),
        (
            (word, *(made["pronounced"][word][name].value for made in single.values() for name in ("keras", "pytorch")))
            for word in found["pronounced"]
        ),
    )
    yield f"Where each step of the decoder looked, {number(found['attention'])} apart at most:"
    yield f"![Attention maps in Keras and in PyTorch]({_MAPS})"


def _draw_curves(results: Tree, path: Path) -> None:
    wide, single = _trainings(results), _long(results, "float32")
    names = {"pytorch": "PyTorch", _ROUNDED: "Keras, one rounding off"}
    gaps: Curves = {
        f"{names[name]}, {cell.upper()}": curve for cell, found in single.items() for name, curve in found["distances"].items()
    }
    losses: Curves = {
        f"{'Keras' if name == 'keras' else names[name]}, {cell.upper()}": curve
        for cell, found in single.items()
        for name, curve in found["losses"].items()
        if name != _ROUNDED
    }
    far: Curves = {f"PyTorch, {cell.upper()}": found["distances"]["pytorch"] for cell, found in wide.items()}
    draw_curves(
        (
            ("distance from Keras, float64", "log", far),
            ("loss, float32", "linear", losses),
            ("distance from Keras, float32", "log", gaps),
        ),
        path,
    )


def _draw_maps(results: Tree, path: Path) -> None:
    found = _long(results, "float32")["gru"]["maps"]
    names = {"keras": "Keras", "pytorch": "PyTorch"}
    draw_attention({word: {names[name]: one.value for name, one in found[word].items()} for word in _DRAWN}, path)


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
