"""The model of the package g2p_en in both frameworks, with the pronunciations of the package itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np

from compare.report.studies.data import data_folder
from compare.report.studies.real_models.models import load, read_arrays
from compare.report.studies.translation.batches import Tokens
from compare.report.studies.translation.copying import copy_model
from frameworks.keras.tensors import to_numpy
from frameworks.registry import owner_name

MAX_LENGTH = 20
"""The largest number of phonemes in a pronunciation of the package."""


@cache
def _known() -> Mapping[str, Any]:
    return MappingProxyType(json.loads((data_folder("translation") / "g2p_en.json").read_text(encoding="utf-8")))


def expected() -> dict[str, str]:
    """Return words and their pronunciations, recorded from the package's code."""
    return dict(_known()["expected"])


def build_pytorch() -> Any:
    """Build the model in PyTorch, which has the layout of the package's arrays."""
    import torch

    from compare.report.studies.translation.pytorch.g2p import Pronouncer

    arrays = read_arrays(data_folder("translation") / "g2p_en.npz.xz")
    named = {
        "encoder.embedding.weight": arrays["enc_emb"],
        "decoder.embedding.weight": arrays["dec_emb"],
        "decoder.fc.weight": arrays["fc_w"],
        "decoder.fc.bias": arrays["fc_b"],
    }
    for layer in load("g2p_en").layers:
        named |= {f"{layer.name}.gru.{name}": array for name, array in layer.weights.items()}
    model = Pronouncer(*_sizes(named))
    model.load_state_dict({name: torch.tensor(array) for name, array in named.items()})
    return model.eval()


def build_keras() -> Any:
    """Build the model in Keras, with the parameters of the PyTorch model."""
    from compare.report.studies.translation.keras.g2p import Pronouncer

    source = build_pytorch()
    model = Pronouncer(*_sizes(source.state_dict()))
    model.pronounce(np.zeros((1, 2), np.int32), 0, 0, 1)
    copy_model(source, model)
    return model


def pronounce(model: Any, words: Iterable[str]) -> dict[str, str]:
    """Pronounce words as the package's `predict` does.

    Args:
        model: a model of either framework, as built here.
        words: the words in lower case; anything but a letter is read as unknown.
    """
    letters, phonemes = _known()["graphemes"], _known()["phonemes"]
    numbers = {letter: number for number, letter in enumerate(letters)}
    start, end = phonemes.index("<s>"), phonemes.index("</s>")
    spoken: dict[str, str] = {}
    for _, group in groupby(sorted(words, key=len), key=len):
        same = list(group)
        rows = [[*(numbers.get(letter, numbers["<unk>"]) for letter in word), numbers["</s>"]] for word in same]
        written = to_numpy(model.pronounce(_tokens(model, rows), start, end, MAX_LENGTH))
        spoken |= {word: _spoken(row, phonemes) for word, row in zip(same, written, strict=True)}
    return spoken


def _tokens(model: Any, rows: list[list[int]]) -> Any:
    """Return token ids in the form that the model's framework expects."""
    if owner_name(model) == "keras":
        return np.array(rows, np.int32)
    import torch

    return torch.tensor(rows)


def _spoken(row: Tokens, phonemes: list[str]) -> str:
    names = [phonemes[number] for number in row]
    return " ".join(names[: names.index("</s>")] if "</s>" in names else names)


def _sizes(named: Mapping[str, Any]) -> tuple[int, int, int, int]:
    letters, embedding_dim = named["encoder.embedding.weight"].shape
    phonemes, units = named["decoder.fc.weight"].shape
    return letters, phonemes, embedding_dim, units
