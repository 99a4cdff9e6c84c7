"""The page on training: gradients, two biases, initial weights, embeddings, and where the optimizers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.report.curve_figure import Curves, draw_curves
from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.results import environment, leaves

_FILE = "training.png"
_REMEDIES = {
    "nothing": "nothing done",
    "freeze_second_bias": "`freeze_second_bias`",
    "half_rate_for_biases": "`half_rate_for_biases`",
}
_STARTS = {
    "keras": "Keras's own",
    "pytorch": "PyTorch's own",
    "initialise_like_keras": "PyTorch, initialise_like_keras",
    "initialise_like_pytorch": "Keras, initialise_like_pytorch",
}
_LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN, RNN", "dense": "Dense, Linear", "embedding": "Embedding"}


def _found(results: Tree, name: str) -> Tree:
    tree: Tree = results[f"training.{name}"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    biases, starts = _found(results, "biases"), _found(results, "initialisation")["training"]
    cases = _found(results, "gradients")["cases"]
    exact = worst(cases[name][each] for name in cases if "float64" in name for each in _GRADIENTS)
    remedied = worst(value for _, value in leaves(biases["rules"]) if value.kind == "measured")
    untouched = max((found["nothing"]["bias"] for found in biases["rules"].values()), key=lambda value: value.value)
    embedding = _found(results, "embeddings")
    return (
        f"The gradients are the same, at most {exact} apart in float64; what parts two trainings is elsewhere. PyTorch trains two biases where Keras trains one "
        f"({number(untouched)} apart after {biases['steps'].value[-1]} steps; {remedied} with either remedy), starts from other weights (a mean "
        f"loss {number(starts[_RATIO])} times Keras's over the first {starts['steps'].value} steps of a small task), its optimizers follow other "
        "rules, and Keras on TensorFlow does not add up an embedding's gradient before it squares it "
        f"({number(embedding['optimizers']['Adam']['a token twice'])} off after {embedding['steps'].value} steps of Adam)."
    )


_GRADIENTS = ("kernel", "recurrent kernel", "bias", "inputs", "initial states")
_ARBITER = ("keras against the arbiter", "pytorch against the arbiter")
_RATIO = "pytorch's by keras's"


def _body(results: Tree) -> str:
    biases, starts, embeddings = (_found(results, name) for name in ("biases", "initialisation", "embeddings"))
    own = _found(results, "own_model")
    parts = [
        f"![The bias under each remedy, and losses from each start]({_FILE})",
        "## The gradients are the same",
        *_gradients(results["training.gradients"]),
        "## Two biases, one bias",
        "nn.LSTM and nn.RNN add two biases where Keras has one. Both get the whole gradient, so that their sum moves twice as far, under "
        "Adam as under SGD. nn.GRU has two where Keras's GRU has two, and needs nothing. An LSTM after "
        f"{biases['steps'].value[-1]} steps in float64, against Keras's, by the rule of Keras's optimizer:",
        table(("optimizer", "remedy", "bias off by", "all others off by"), _bias_rows(biases)),
        "Freeze the second bias:",
        code("python", biases["code"]["freeze_second_bias"].value),
        "or halve the rate of both:",
        code("python", biases["code"]["half_rate_for_biases"].value),
        "The first is exact under every rule. The second is not under weight decay (which wants doubling for that group), clipping by the "
        "norm of all gradients, and rules that look at the size of a parameter.",
        "## What a layer starts from",
        "Samples of what is drawn, as Keras lays it out: the largest distance of the distribution functions (Kolmogorov and Smirnov), from 0, "
        "the same, to 1.",
        table(
            ("layer", "weight", "Keras", "PyTorch", "apart by", "after initialise_like_keras", "after initialise_like_pytorch"),
            _start_rows(starts["weights"]),
        ),
        _training(starts["training"]),
        code(
            "python",
            "from frameworks import initialise_like_keras\n\ninitialise_like_keras(module, seed=0)     # in place: a layer, or a whole model",
        ),
        "## An embedding on TensorFlow",
        *_embeddings(embeddings),
        "## Optimizers",
        "Every optimizer of Keras, its rule and torch's, and what `optimizer_like` makes of it: [optimizers](optimizers.md). "
        "A whole model, trained in both: [translation](translation.md).",
        "## Your own model",
        "Train it and its port on the same batches, with the same loss and by the same rule:",
        code("python", own["code"].value),
        f"For an LSTM and its port in float64 the losses are at most {number(own['loss gap'])} apart, the parameters {number(own['distance'])}.",
    ]
    return "\n\n".join(parts)


def _gradients(found: Tree) -> Iterator[str]:
    own = found["tensorflow"]["cases"]
    yield (
        "One scalar, a weighted sum of all outputs and final states, differentiated by each framework: with respect to every gate of every "
        "weight in canonical form, the inputs and the initial states. The largest difference between Keras on TensorFlow and PyTorch, as a "
        "share of max(1, the largest gradient); then that of either from backpropagation written by hand in float64 NumPy, and Keras's on its "
        "torch backend, which multiplies matrices in float32."
    )
    yield table(
        ("layer", *_GRADIENTS, "from the arbiter", "torch backend"),
        (
            (
                *(name, *(one[each] for each in _GRADIENTS)),
                worst(one[each] for each in _ARBITER),
                worst(found["torch"]["cases"][name][each] for each in (*_GRADIENTS, *_ARBITER)),
            )
            for name, one in own.items()
        ),
    )
    yield "In a test of your own:"
    yield code("python", "assert_parity(layer, rnn, gradients=True)")
    yield "A mistake in one array is as large as the gradients themselves:"
    yield table(
        ("cell", "mistake", "off by"),
        ((cell, name, size) for cell, sizes in found["tensorflow"]["mistakes"].items() for name, size in sizes.items()),
    )


def _bias_rows(biases: Tree) -> Iterator[Sequence[object]]:
    for found in biases["rules"].values():
        for remedy, title in _REMEDIES.items():
            yield f"`{found['optimizer'].value}`", title, found[remedy]["bias"], found[remedy]["others"]


def _start_rows(weights: Tree) -> Iterator[Sequence[object]]:
    for layer, found in weights.items():
        for name, one in found.items():
            drawn = one["drawn"]
            yield (
                *(_LAYERS[layer], f"`{name}`", drawn["keras"].value, drawn["pytorch"].value),
                *(one[each] for each in ("the frameworks' own", "initialise_like_keras", "initialise_like_pytorch")),
            )


def _training(training: Tree) -> str:
    means = training["mean loss"]
    told = "; ".join(f"{title}: {means[start].value}" for start, title in _STARTS.items())
    return (
        f"What that does to the first {training['steps'].value} steps of a small task (which word did the sequence begin with?), trained with the "
        f"same rule and one bias, {training['seeds'].value} seeds: mean loss {told}. The share of the frameworks' distance that is left: "
        f"{number(training['initialise_like_keras'])} with `initialise_like_keras`, {number(training['initialise_like_pytorch'])} with "
        "`initialise_like_pytorch`."
    )


def _embeddings(found: Tree) -> Iterator[str]:
    yield (
        "TensorFlow gives an embedding's gradient as one row a token (`IndexedSlices`), and a token that stands in a batch twice has two rows. "
        "Keras's own `fit` hands them to the optimizer as they are, and a rule that squares the gradient squares each row by itself: "
        "that is not the rule, not what Keras does on its other backends, and no torch optimizer does it. `optimizer_like` follows the rule. "
        f"An embedding after {found['steps'].value} steps at {found['rate'].value} of `train_on_batch`, against the same with the rows added up:"
    )
    yield table(
        ("optimizer", "a token twice in a batch", "each token once"),
        ((name, one["a token twice"], one["each token once"]) for name, one in found["optimizers"].items()),
    )
    yield "To train by the rule in Keras too, add them up in a training step of your own:"
    yield code("python", found["remedy"].value)


def _draw(results: Tree, path: Path) -> None:
    biases, training = _found(results, "biases"), _found(results, "initialisation")["training"]
    steps = biases["steps"].value
    courses: Curves = {
        f"{rule}, {title}".replace("`", ""): environment(
            list(zip(steps, biases["rules"][rule][remedy]["bias by step"].value, strict=True))
        )
        for rule in ("Adam", "SGD")
        for remedy, title in _REMEDIES.items()
    }
    losses: Curves = {
        title: environment(list(enumerate(training["loss by step"][start].value["mean"]))) for start, title in _STARTS.items()
    }
    draw_curves(
        (("bias: distance from Keras", "log", courses), ("loss from each start", "linear", losses)),
        path,
    )


PAGE = Page(
    name="training",
    title="Training",
    question="Why does the port train differently, and what makes it train alike?",
    experiments=(
        *(("tensorflow", f"training.{name}") for name in ("gradients", "biases", "initialisation", "embeddings", "own_model")),
        ("torch", "training.gradients"),
    ),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
