"""The six models of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A model whose port is shown.

    Args:
        name: identifier in the results, and the name of the source.
        title: the heading of its section.
        note: what is hard about it, in a few sentences.
        keras: code that sets `model`; `keras` and `layers` are there.
    """

    name: str
    title: str
    note: str
    keras: str


EXAMPLES = (
    Example(
        "tagger",
        "Embedding, mask, two bidirectional layers",
        "The mask of the embedding reaches both recurrent layers and may have holes. Keras outputs zeros at masked steps here, "
        "because both layers are bidirectional.",
        """\
model = keras.Sequential([
    layers.Input((None,), dtype="int32", name="tokens"),
    layers.Embedding(200, 16, mask_zero=True, name="embedding"),
    layers.Bidirectional(layers.LSTM(12, return_sequences=True), name="lower"),
    layers.Bidirectional(layers.LSTM(12, return_sequences=True), name="upper"),
    layers.Dense(5, activation="softmax", name="tags"),
], name="tagger")
""",
    ),
    Example(
        "light_curves",
        "Masking, and gates that torch does not have",
        "Steps where all features are 0 are masked, wherever they are. `nn.LSTM` has no other gates than sigmoid, so the layer "
        "becomes a class of its own.",
        """\
model = keras.Sequential([
    layers.Input((50, 2), name="fluxes"),
    layers.Masking(0.0, name="observed"),
    layers.LSTM(12, recurrent_activation="hard_sigmoid", return_sequences=True, name="lstm"),
    layers.TimeDistributed(layers.Dense(4, activation="softmax"), name="classes"),
], name="light_curves")
""",
    ),
    Example(
        "translator",
        "Encoder and decoder with states",
        "The decoder starts from the encoder's final states. Each has a mask of its own.",
        """\
source = keras.Input((None,), dtype="int32", name="source")
target = keras.Input((None,), dtype="int32", name="target")
embedded = layers.Embedding(80, 12, mask_zero=True, name="source_embedding")(source)
_, h, c = layers.LSTM(16, return_state=True, name="encoder")(embedded)
shifted = layers.Embedding(90, 12, mask_zero=True, name="target_embedding")(target)
decoded = layers.LSTM(16, return_sequences=True, name="decoder")(shifted, initial_state=[h, c])
model = keras.Model([source, target], layers.Dense(90, name="words")(decoded), name="translator")
""",
    ),
    Example(
        "events",
        "Convolution, normalisation and a GRU",
        "Keras puts channels last and pads on the left for `causal`. Its BatchNormalization has another epsilon and momentum "
        "than torch's. `GRU(reset_after=False)` has no counterpart in torch.nn.",
        """\
signal = keras.Input((None, 6), name="signal")
x = layers.Conv1D(12, 3, padding="causal", activation="relu", name="conv")(signal)
x = layers.BatchNormalization(name="norm")(x)
x = layers.MaxPooling1D(2, name="pool")(x)
x = layers.GRU(10, reset_after=False, name="gru")(x)
model = keras.Model(signal, layers.Dense(1, activation="sigmoid", name="event")(x), name="events")
""",
    ),
    Example(
        "reader",
        "Attention over a recurrent layer",
        "Keras's attention does not divide by the root of the width, and the mask keeps it from padded steps.",
        """\
text = keras.Input((None,), dtype="int32", name="text")
x = layers.Embedding(120, 12, mask_zero=True, name="embedding")(text)
memory = layers.Bidirectional(layers.GRU(8, return_sequences=True), name="memory")(x)
context = layers.Attention(name="attention")([memory, memory])
pooled = layers.GlobalAveragePooling1D(name="mean")(context)
model = keras.Model(text, layers.Dense(3, activation="softmax", name="answer")(pooled), name="reader")
""",
    ),
    Example(
        "twins",
        "One encoder for two inputs",
        "The nested model is one module, called twice. Operations between layers are in the graph too.",
        """\
words = keras.Input((None,), dtype="int32", name="words")
x = layers.Embedding(60, 10, mask_zero=True, name="embedding")(words)
encoder = keras.Model(words, layers.LSTM(9, name="lstm")(x), name="encoder")
left = keras.Input((None,), dtype="int32", name="left")
right = keras.Input((None,), dtype="int32", name="right")
difference = abs(encoder(left) - encoder(right))
model = keras.Model([left, right], layers.Dense(1, activation="sigmoid", name="same")(difference), name="twins")
""",
    ),
)
