"""Characters and words: a character encoder for each word (TimeDistributed), beside the word's embedding, read by a BiLSTM."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from tests.acceptance.models.altering import (
    array,
    arrays_of,
    calls,
    copied,
    keras_attribute,
    reshaped,
    rolled,
    without_padding_row,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, tokens
from tests.acceptance.models.weights import CELLS, copy_both_directions, copy_dense, copy_embedding, copy_recurrent


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time, letters = different(rng, 3, 9, 3)
    spelt, features, read, units, tags = different(rng, 9, 30, 5)
    return {
        "cell": str(rng.choice(list(CELLS))),
        "batch": batch,
        "time": time,
        "letters": letters,
        "alphabet": 28,
        "words": 50,
        "letter features": spelt,
        "word features": features,
        "letter units": read,
        "units": units,
        "tags": tags,
    }


def build(s: Sizes) -> Any:
    layers = keras.layers
    words = keras.Input((None,), dtype="int32", name="words")
    letters = keras.Input((None, s["letters"]), dtype="int32", name="letters")
    spelt = layers.Embedding(s["alphabet"], s["letter features"], name="letter_embedding")(letters)
    spelt = layers.TimeDistributed(layers.LSTM(s["letter units"], name="letter_lstm"), name="speller")(spelt)
    known = layers.Embedding(s["words"], s["word features"], name="word_embedding")(words)
    both = layers.Concatenate(name="words_and_letters")([known, spelt])
    read = layers.Bidirectional(CELLS[s["cell"]][0](s["units"], return_sequences=True), name="sentence")(both)
    return keras.Model([words, letters], layers.Dense(s["tags"], activation="softmax", name="tags")(read))


class Speller(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.char_embed = nn.Embedding(s["alphabet"], s["letter features"])
        self.char_rnn = nn.LSTM(s["letter features"], s["letter units"], batch_first=True)
        self.word_embed = nn.Embedding(s["words"], s["word features"])
        self.word_rnn = CELLS[s["cell"]][1](
            s["word features"] + s["letter units"], s["units"], batch_first=True, bidirectional=True
        )
        self.fc = nn.Linear(2 * s["units"], s["tags"])

    def fill(self, model: Any) -> None:
        copy_embedding(self.char_embed, model.get_layer("letter_embedding"))
        copy_recurrent(self.char_rnn, model.get_layer("speller").layer)
        copy_embedding(self.word_embed, model.get_layer("word_embedding"))
        copy_both_directions(self.word_rnn, model.get_layer("sentence"))
        copy_dense(self.fc, model.get_layer("tags"))

    def summary(self, output: torch.Tensor, h_n: torch.Tensor) -> torch.Tensor:
        return h_n[-1]

    def by_word(self, spelt: torch.Tensor, batch: int, time: int) -> torch.Tensor:
        return spelt.view(batch, time, -1)

    def join(self, known: torch.Tensor, spelt: torch.Tensor) -> torch.Tensor:
        return torch.cat([known, spelt], dim=-1)

    def read(self, joined: torch.Tensor) -> torch.Tensor:
        return self.word_rnn(joined)[0]  # type: ignore[no-any-return]  # a module returns Any

    def decide(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.softmax(scores, dim=-1)

    def forward(self, words: torch.Tensor, letters: torch.Tensor) -> torch.Tensor:
        batch, time, count = letters.shape
        output, (h_n, _) = self.char_rnn(self.char_embed(letters.view(batch * time, count)))
        spelt = self.by_word(self.summary(output, h_n), batch, time)
        return self.decide(self.fc(self.read(self.join(self.word_embed(words), spelt))))


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    words = tokens(rng, s["batch"], s["time"], s["words"])
    letters = tokens(rng, s["batch"] * s["time"], s["letters"], s["alphabet"])
    drawn = (words, letters.reshape(s["batch"], s["time"], s["letters"]))
    return drawn, drawn


_SPELLER = ("speller letter_lstm", "char_rnn")
_SENTENCE = ("words_and_letters sentence", "word_rnn")
MISTAKES = (
    Mistake(
        "words and batch exchanged in the view",
        before(*_SENTENCE),
        calls(by_word=lambda self, spelt, batch, time: spelt.view(time, batch, -1).transpose(0, 1)),
        fix=("transpos", "permut", "axes", "batch", "view", "reshape", "rows"),
    ),
    Mistake(
        "mean over the letters",
        before(*_SENTENCE),
        calls(summary=lambda self, output, h_n: output.mean(dim=1)),
        fix=("h_n", "last", "[:, -1]"),
    ),
    Mistake(
        "first letter's output",
        before(*_SENTENCE),
        calls(summary=lambda self, output, h_n: output[:, 0]),
        fix=("h_n", "last", "[:, -1]"),
    ),
    Mistake(
        "letters before words",
        before(*_SENTENCE),
        calls(join=lambda self, known, spelt: torch.cat([spelt, known], dim=-1)),
        fix=("order", "cat", "concat"),
    ),
    Mistake(
        "speller's recurrent kernel reshaped",
        inside(*_SPELLER),
        array("char_rnn.weight_hh_l0", reshaped),
        identifiers=("recurrent-kernel-reshaped",),
    ),
    Mistake(
        "word embedding with a padding row of zeros",
        inside("word_embedding", "word_embed"),
        array("word_embed.weight", without_padding_row),
        fix=("padding", "row"),
    ),
    Mistake(
        "letters one off",
        inside("letter_embedding", "char_embed"),
        array("char_embed.weight", rolled),
        fix=("shift", "row", "index"),
    ),
    Mistake(
        "backward direction with the forward one's weights",
        inside("sentence", "word_rnn"),
        copied(arrays_of("word_rnn", "l0"), arrays_of("word_rnn", "l0_reverse")),
        identifiers=("direction-repeated", "from-another-layer"),
    ),
    Mistake(
        "sentence read with time and batch exchanged",
        around("sentence", "word_rnn"),
        calls(read=lambda self, joined: self.word_rnn(joined.transpose(0, 1))[0].transpose(0, 1)),
        identifiers=("batch-first",),
        fix=("batch", "transpos", "permut", "axes"),
    ),
    Mistake(
        "sentence read backwards",
        around(*_SENTENCE),
        calls(read=lambda self, joined: self.word_rnn(joined.flip(1))[0]),
        fix=("flip", "revers", "turn"),
    ),
    Mistake(
        "log_softmax for softmax",
        around("tags", "fc"),
        calls(decide=lambda self, scores: torch.log_softmax(scores, dim=-1)),
        fix=("log", "softmax"),
    ),
    Mistake(
        "the Keras port's speller with another activation",
        inside(*_SPELLER),
        keras_attribute("speller", "layer.cell.activation", keras.activations.sigmoid),
        identifiers=("activation",),
        side="keras",
    ),
)

PAIR = ModelPair(
    "characters and words",
    sizes,
    build,
    Speller,
    inputs,
    {
        "letter_embedding": "char_embed",
        "speller": "char_rnn",
        "word_embedding": "word_embed",
        "sentence": "word_rnn",
        "tags": "fc",
    },
    MISTAKES,
    (
        ("letters one off", "backward direction with the forward one's weights"),
        ("speller's recurrent kernel reshaped", "log_softmax for softmax"),
    ),
)
