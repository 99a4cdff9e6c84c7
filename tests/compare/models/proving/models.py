"""Models to be ported: of Keras and of tf_keras, in memory and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frameworks.models import to_source


def tagger(library: Any) -> Any:
    """Return a model with an embedding that masks, two recurrent layers, a normalisation and two branches."""
    library.utils.set_random_seed(0)
    layers = library.layers
    words = library.Input((None,), dtype="int32", name="words")
    embedded = layers.Embedding(9, 4, mask_zero=True, name="embedding")(words)
    x = layers.LSTM(5, return_sequences=True, name="lstm")(embedded)
    x = layers.LayerNormalization(epsilon=0.01, name="norm")(x)
    x = layers.Add(name="add")([x, layers.Dense(5, name="skip")(embedded)])
    x = layers.GRU(3, name="gru")(x)
    model = library.Model(words, layers.Dense(2, name="out")(x), name="net")
    with_biases(model)
    return model


def with_biases(model: Any) -> None:
    """Move every weight of a model away from its initial value: zero biases hide mistakes."""
    rng = np.random.default_rng(0)
    model.set_weights([each + rng.normal(0, 0.3, each.shape).astype("float32") for each in model.get_weights()])


def write_port(model: Any, out: Path, *changes: tuple[str, str], **arguments: Any) -> Path:
    """Write the port of a model, with changes to its text, each an old and a new part.

    Returns:
        The path of its source.
    """
    source = to_source(model, **arguments)
    path, _ = source.write(out, force=True)
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    path.write_text(text)
    return path
