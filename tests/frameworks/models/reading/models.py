"""Models of Keras 3 and of Keras 2 whose wiring and masks take different ways; each function gets the framework."""

from __future__ import annotations

from typing import Any


def chained(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(11, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.Dropout(0.5),
            layers.GRU(3),
            layers.Dense(2),
        ]
    )


def encoder_decoder(keras: Any) -> Any:
    layers = keras.layers
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    embedding = layers.Embedding(11, 5, mask_zero=True)
    _, *states = layers.LSTM(4, return_state=True)(embedding(source))
    decoded, _, _ = layers.LSTM(4, return_sequences=True, return_state=True)(embedding(target), initial_state=states)
    return keras.Model([source, target], [layers.Dense(11, activation="softmax")(decoded)])


def bidirectional_states(keras: Any) -> Any:
    layers = keras.layers
    steps, state = keras.Input((None, 3)), keras.Input((4,))
    read = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True), merge_mode=None)
    forward, backward, h, c, *others = read(layers.Masking()(steps))
    summed = layers.Bidirectional(layers.GRU(4), merge_mode="sum")(layers.Add()([forward, backward]), initial_state=[h, state])
    return keras.Model([steps, state], [summed, layers.Concatenate()([c, *others])])


def nested_and_shared(keras: Any) -> Any:
    layers = keras.layers
    steps, vector = keras.Input((None, 5)), keras.Input((3,))
    sequence = layers.LSTM(5, return_sequences=True)(steps)
    inner = keras.Model([steps, vector], [sequence, layers.Dense(3, activation="tanh")(vector)], name="inner")
    tokens, given = keras.Input((None,), dtype="int32", name="tokens"), keras.Input((3,), name="given")
    embedded = layers.Embedding(11, 5, mask_zero=True)(tokens)
    first, second = inner([embedded, given])
    third, fourth = inner([first, second])
    last = layers.GRU(3)(third, initial_state=fourth)
    tail = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="tail")
    return keras.Model(
        {"tokens": tokens, "given": given}, {"b": tail(last), "a": inner([embedded, last])[1], "c": tail(second)}
    )


def masks_inside(keras: Any) -> Any:
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32")
    embed = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(11, 4, mask_zero=True), layers.Dense(4)])
    return keras.Model(tokens, layers.LSTM(3)(embed(tokens)))


def merged_masks(keras: Any) -> Any:
    layers = keras.layers
    one, other = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    plain = keras.Input((6, 4))
    first, second = (layers.Embedding(11, 4, mask_zero=True)(each) for each in (one, other))
    read = [
        layers.LSTM(3)(layers.Add()([first, second])),
        layers.LSTM(3)(layers.Concatenate()([first, second])),
        layers.LSTM(3)(layers.Concatenate(axis=1)([first, second])),
        layers.LSTM(3)(layers.Average()([first, plain])),
        layers.LSTM(3)(layers.Concatenate()([first, plain])),
        layers.LSTM(3)(layers.Maximum()([layers.Add()([first, second]), first])),
        layers.LSTM(3)(layers.Add()([first, first])),
    ]
    return keras.Model([one, other, plain], read)


def attention(keras: Any) -> Any:
    layers = keras.layers
    one, other = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    query, value = (layers.Embedding(11, 4, mask_zero=True)(each) for each in (one, other))
    own = layers.AdditiveAttention()([query, value], return_attention_scores=True)
    heads, scores = layers.MultiHeadAttention(2, 3)(query, value, return_attention_scores=True)
    masked = layers.MultiHeadAttention(2, 3)(query, query)
    read = layers.GRU(3)(layers.Attention()([query, value, value]))
    return keras.Model([one, other], [own[0], own[1], heads, scores, masked, read])


def operations(keras: Any) -> Any:
    layers = keras.layers
    steps, vector = keras.Input((7, 4)), keras.Input((4,))
    read = layers.LSTM(4, return_sequences=True)(layers.Masking()(steps))
    scaled = read * 2 + 1 - vector[:, None]
    sliced = scaled[:, 1:-1:2] / 3.0
    last = (2.0 - scaled)[:, -1] * vector
    return keras.Model([steps, vector], [layers.GRU(2)(sliced), -(last**2), scaled[:, :, 0]])


def given_mask(keras: Any) -> Any:
    layers = keras.layers
    steps, mask = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    read = layers.LSTM(3, return_sequences=True)(steps, mask=mask)
    return keras.Model([steps, mask], layers.GRU(2)(read))


def stacked_cells(keras: Any) -> Any:
    layers = keras.layers
    steps = keras.Input((None, 4))
    cells = [layers.LSTMCell(3), layers.GRUCell(2)]
    output, *states = layers.RNN(cells, return_sequences=True, return_state=True)(layers.Masking()(steps))
    return keras.Model(
        steps, [output, *(each for one in states for each in (one if isinstance(one, (list, tuple)) else [one]))]
    )


def hierarchical(keras: Any) -> Any:
    layers = keras.layers
    words = keras.Input((None,), dtype="int32")
    sentence = keras.Model(words, layers.LSTM(3)(layers.Embedding(11, 4, mask_zero=True)(words)))
    document = keras.Input((5, None) if keras.__name__ == "tf_keras" else (5, 6), dtype="int32")
    return keras.Model(document, layers.GRU(2)(layers.TimeDistributed(sentence)(document)))


def training(keras: Any) -> Any:
    layers = keras.layers
    steps = keras.Input((None, 4))
    return keras.Model(steps, layers.Dense(2)(layers.LSTM(3)(steps, training=False)))


MODELS = (
    *(chained, encoder_decoder, bidirectional_states, nested_and_shared, masks_inside, merged_masks, attention, operations),
    *(given_mask, stacked_cells, hierarchical, training),
)
