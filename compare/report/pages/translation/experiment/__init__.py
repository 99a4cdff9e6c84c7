"""The translation model in both frameworks: its source, a few steps of training, decoding, and the model of g2p_en."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.report.pages.translation.experiment.long_training import course, nearness
from compare.report.pages.translation.experiment.mistakes import STEPS as MISTAKEN_STEPS
from compare.report.pages.translation.experiment.mistakes import sizes_of_mistakes
from compare.report.pages.translation.experiment.sources import difference, modules_of
from compare.report.results import Results, environment, exact, measured
from compare.report.snippets import run_snippet
from compare.report.studies.translation import dictionary, g2p
from compare.report.studies.translation.accuracy import margin
from compare.report.studies.translation.batches import Batches, held_out
from compare.report.studies.translation.copying import copy_model, parameters
from compare.report.studies.translation.setting import Setting
from compare.report.studies.translation.training import build_sides
from compare.training import train_together
from frameworks import registry

STEPS = 2
BATCH_SIZE = 64
DECODED = 100
_PRONOUNCED = 4


def run(progress: Callable[[str], None]) -> Results:
    """Compare the models' sources, train both from the same weights, and have them translate."""
    registry.load("keras")
    entries = dictionary.read_sample()
    trained = {}
    for cell in ("gru", "lstm"):
        progress(f"{STEPS} steps with {cell}")
        trained[cell] = _train(cell, entries)
    progress("g2p_en")
    return {
        "words": exact(len(entries)),
        "source": _sources(),
        "trained": trained,
        "mistaken steps": exact(MISTAKEN_STEPS),
        "mistakes": sizes_of_mistakes(entries),
        "snippet": exact(_run_snippet()),
        "g2p_en": _pronounce(),
    }


_SNIPPET = """\
import torch
from gatewise import copy_weights

def copy_translator(source, target):                            # a Keras model and its port
    pairs = {"encoder.embedding": "embeddings", "decoder.embedding": "embeddings", "decoder.attention.W1": "kernel",
             "decoder.attention.W2": "kernel", "decoder.attention.V": "kernel", "decoder.fc": "kernel"}
    state = {}
    for path, kind in pairs.items():
        layer = operator.attrgetter(path)(source)
        weight = keras.ops.convert_to_numpy(getattr(layer, kind))
        state[f"{path}.weight"] = torch.from_numpy(weight.T.copy() if kind == "kernel" else weight.copy())
        if kind == "kernel":
            state[f"{path}.bias"] = torch.from_numpy(keras.ops.convert_to_numpy(layer.bias).copy())
    missing, unexpected = target.load_state_dict(state, strict=False)
    assert not unexpected and all(".gru." in name for name in missing)
    copy_weights(source.encoder.gru, target.encoder.gru)        # the gates have another order
    copy_weights(source.decoder.gru, target.decoder.gru)
"""


def _run_snippet() -> str:
    """Run the code that the page shows, check its result against the study's own copy, and return it."""
    from compare.report.studies.translation.keras import training as in_keras
    from compare.report.studies.translation.pytorch import training as in_pytorch

    model, ported = in_keras.build_model(Setting()), in_pytorch.build_model(Setting())
    _, names = run_snippet(f"import operator\nimport keras\n{_SNIPPET}")
    names["copy_translator"](model, ported)
    expected, actual = parameters(model), parameters(ported)
    if any((expected[name] != actual[name]).any() for name in expected):
        raise AssertionError("the copy that the page shows is wrong")
    return f"import operator\n\nimport keras\n{_SNIPPET}"


def _sources() -> Results:
    parts = {name: modules_of(name) for name in ("gru", "lstm", "attention", "loss", "translator")}
    return {
        "keras and pytorch": {name: exact(difference(*modules)) for name, modules in parts.items() if name != "lstm"},
        "gru and lstm": {
            framework: exact(difference(parts["gru"][place], parts["lstm"][place]))
            for place, framework in enumerate(("keras", "pytorch"))
        },
    }


def _train(cell: Any, entries: tuple[dictionary.Entry, ...]) -> Results:
    import tensorflow as tf

    sides: Any = build_sides(Setting(cell=cell))
    one, other = sides
    tf.config.run_functions_eagerly(run_eagerly=True)  # compiling takes longer than so few steps
    trajectory = train_together({"keras": one, "pytorch": other}, Batches(entries, BATCH_SIZE).batch, STEPS, every=STEPS)
    tf.config.run_functions_eagerly(run_eagerly=False)
    sources = held_out(entries)[0][:DECODED]
    copy_model(one.model, other.model)
    (written, looks), (also, their_looks) = (side.translate(sources) for side in (one, other))
    return {
        "steps": exact(STEPS),
        **course(trajectory),
        **nearness(trajectory),
        "decoded": exact(len(sources)),
        "decoded otherwise": measured(float((written != also).any(axis=1).sum()), 0),
        "attention": measured(abs(looks - their_looks).max(), 1e-12),
        "closest decision": environment(float(f"{margin(one, sources, written).min():.2g}")),
    }


def _pronounce() -> Results:
    expected = dict(list(g2p.expected().items())[:: max(1, len(g2p.expected()) // _PRONOUNCED)])
    said = {"keras": g2p.pronounce(g2p.build_keras(), expected), "pytorch": g2p.pronounce(g2p.build_pytorch(), expected)}
    return {
        "words": exact(len(expected)),
        **{name: measured(sum(spoken[word] != expected[word] for word in expected), 0) for name, spoken in said.items()},
        "pronounced": {
            word: exact([expected[word], said["keras"][word], said["pytorch"][word]]) for word in list(expected)[:8]
        },
    }
