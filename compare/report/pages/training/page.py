"""The page on training: gradients, biases, initial weights and embeddings."""

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
    "keras": "Keras's default",
    "pytorch": "PyTorch's default",
    "initialise_like_keras": "PyTorch, initialise_like_keras",
    "initialise_like_pytorch": "Keras, initialise_like_pytorch",
}
_LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN, RNN", "dense": "Dense, Linear", "embedding": "Embedding"}
_MISTAKES = {
    "recurrent-kernel-not-transposed": "recurrent kernel not transposed",
    "bias-doubled": "bias doubled, as if both of torch's biases were trained",
    "gates-exchanged": "first two gates exchanged",
}


def _own(results: Tree, name: str) -> Tree:
    """Return the results of one of this page's experiments."""
    tree: Tree = results[f"training.{name}"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    biases, starts = _own(results, "biases"), _own(results, "initialisation")["training"]
    cases = _own(results, "gradients")["cases"]
    exact = worst(case[each] for case in cases.values() if case["dtype"].value == "float64" for each in _GRADIENTS)
    remedied = worst(value for _, value in leaves(biases["rules"]) if value.kind == "measured")
    untouched = max((rule["nothing"]["bias"] for rule in biases["rules"].values()), key=lambda value: value.value)
    embedding = _own(results, "embeddings")
    return (
        f"The gradients are the same: in float64 the largest difference is {exact}. Trainings diverge for other reasons. PyTorch trains two "
        f"biases where Keras trains one; after {biases['steps'].value[-1]} steps that makes a difference of {number(untouched)}, or of "
        f"{remedied} with either remedy. PyTorch starts from other weights; over the first {starts['steps'].value} steps of a small task its mean loss is "
        f"{number(starts[_RATIO])} times Keras's. Its optimizers follow other rules. And Keras on TensorFlow does not sum an embedding's "
        f"gradient before squaring it; after {embedding['steps'].value} steps of Adam that makes a difference of "
        f"{number(embedding['optimizers']['Adam']['a token twice'])}."
    )


_GRADIENTS = ("kernel", "recurrent kernel", "bias", "inputs", "initial states")
_REFERENCES = ("keras against the reference", "pytorch against the reference")
_RATIO = "loss ratio"


def _body(results: Tree) -> str:
    biases, starts, embeddings = (_own(results, name) for name in ("biases", "initialisation", "embeddings"))
    own_model = _own(results, "own_model")
    parts = [
        f"![The bias under each remedy, and losses from each start]({_FILE})",
        "## The gradients are the same",
        *_gradients(results["training.gradients"]),
        "## Two biases, one bias",
        "nn.LSTM and nn.RNN add two biases where Keras has one. Both get the whole gradient, so their sum moves twice as far, under Adam "
        "as well as under SGD. nn.GRU has two biases, like Keras's GRU, and needs no remedy. The table shows how far an LSTM is from "
        f"Keras's after {biases['steps'].value[-1]} steps in float64 with the rule of Keras's optimizer:",
        table(("optimizer", "remedy", "difference of the bias", "of all other parameters"), _bias_rows(biases)),
        "Either freeze the second bias:",
        code("python", biases["code"]["freeze_second_bias"].value),
        "Or halve the learning rate of both:",
        code("python", biases["code"]["half_rate_for_biases"].value),
        "The first remedy is exact under every rule. The second is not exact with weight decay (which would have to be doubled for that "
        "group), with clipping by the norm of all gradients, or with rules that depend on the size of a parameter.",
        "## The initial weights",
        "The table compares samples of the initial weights, in Keras's layout. A distance is the largest difference between the two "
        "distribution functions (Kolmogorov and Smirnov): 0 if they are the same, at most 1.",
        table(
            ("layer", "weight", "Keras", "PyTorch", "distance", "after initialise_like_keras", "after initialise_like_pytorch"),
            _start_rows(starts["weights"]),
        ),
        _training(starts["training"]),
        code(
            "python",
            "from gatewise import initialise_like_keras\n\ninitialise_like_keras(module, seed=0)     # in place; a layer or a whole model",
        ),
        "## An embedding on TensorFlow",
        *_embeddings(embeddings),
        "## Optimizers",
        "The page on [optimizers](optimizers.md) describes every Keras optimizer, its rule and torch's, and its port by `optimizer_like`. "
        "The page on [translation](translation.md) trains a whole model in both frameworks.",
        "## Your own model",
        "Train it and its port on the same batches, with the same loss and the same rule:",
        code("python", own_model["code"].value),
        f"For an LSTM and its port in float64 the losses differ by at most {number(own_model['loss gap'])}, the parameters by at most "
        f"{number(own_model['distance'])}.",
    ]
    return "\n\n".join(parts)


def _gradients(backends: Tree) -> Iterator[str]:
    cases = backends["tensorflow"]["cases"]
    yield (
        "Each framework differentiates one scalar, a weighted sum of all outputs and final states, with respect to every weight, gate by gate, "
        "the inputs and the initial states. The first columns show the largest difference between Keras on TensorFlow and PyTorch, as a share "
        "of max(1, the largest gradient). The next shows the largest difference of either from a float64 NumPy reference with handwritten "
        "backpropagation. The last shows all of this with Keras on its torch backend, which multiplies matrices in float32."
    )
    yield table(
        ("layer", *_GRADIENTS, "from the reference", "torch backend"),
        (
            (
                *(name, *(one[each] for each in _GRADIENTS)),
                worst(one[each] for each in _REFERENCES),
                worst(backends["torch"]["cases"][name][each] for each in (*_GRADIENTS, *_REFERENCES)),
            )
            for name, one in cases.items()
        ),
    )
    yield "In a test of your own:"
    yield code("python", "assert_parity(layer, rnn, gradients=True)")
    yield "A mistake in one array makes an error as large as the gradients:"
    yield table(
        ("cell", "mistake", "error"),
        (
            (cell, _MISTAKES[name], size)
            for cell, sizes in backends["tensorflow"]["mistakes"].items()
            for name, size in sizes.items()
        ),
    )


def _bias_rows(biases: Tree) -> Iterator[Sequence[object]]:
    for rule in biases["rules"].values():
        for remedy, title in _REMEDIES.items():
            yield f"`{rule['optimizer'].value}`", title, rule[remedy]["bias"], rule[remedy]["others"]


def _start_rows(weights: Tree) -> Iterator[Sequence[object]]:
    for layer, parts in weights.items():
        for name, one in parts.items():
            drawn = one["drawn"]
            yield (
                *(_LAYERS[layer], f"`{name}`", drawn["keras"].value, drawn["pytorch"].value),
                *(one[each] for each in ("the frameworks' own", "initialise_like_keras", "initialise_like_pytorch")),
            )


def _training(training: Tree) -> str:
    means = training["mean loss"]
    shown = "; ".join(f"{title}: {means[start].value}" for start, title in _STARTS.items())
    return (
        f"We trained the first {training['steps'].value} steps of a small task (which word came first in the sequence?) from each start, with the "
        f"same rule, a single bias and {training['seeds'].value} seeds. The mean losses are: {shown}. Of the distance between the frameworks' default "
        f"starts, `initialise_like_keras` leaves a share of {number(training['initialise_like_keras'])} and `initialise_like_pytorch` "
        f"{number(training['initialise_like_pytorch'])}."
    )


def _embeddings(embeddings: Tree) -> Iterator[str]:
    yield (
        "TensorFlow returns an embedding's gradient as one row per token (`IndexedSlices`), so a token that occurs twice in a batch has two rows. "
        "Keras's `fit` passes the rows to the optimizer unsummed, and a rule that squares the gradient squares each row separately. That "
        "deviates from the documented rule, from Keras on its other backends, and from every torch optimizer. `optimizer_like` follows "
        f"the rule. The table compares an embedding after {embeddings['steps'].value} steps of `train_on_batch`, at a learning rate of "
        f"{embeddings['rate'].value}, with the same training after summing the rows:"
    )
    yield table(
        ("optimizer", "a token twice in a batch", "each token once"),
        ((name, one["a token twice"], one["each token once"]) for name, one in embeddings["optimizers"].items()),
    )
    yield "To follow the rule in Keras too, sum the rows in a custom training step:"
    yield code("python", embeddings["remedy"].value)


def _draw(results: Tree, path: Path) -> None:
    biases, training = _own(results, "biases"), _own(results, "initialisation")["training"]
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
    question="Why does a port train differently, and how do I make it train the same?",
    experiments=(
        *(("tensorflow", f"training.{name}") for name in ("gradients", "biases", "initialisation", "embeddings", "own_model")),
        ("torch", "training.gradients"),
    ),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
