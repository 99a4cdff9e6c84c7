"""Mistakes with masks, states, modes and dtypes."""

from __future__ import annotations

from compare.report.pages.pitfalls.experiment.pitfall import Pitfall

MASKS = (
    Pitfall(
        "bidirectional-unpacked",
        "A bidirectional module over padding",
        "Unpacked, the backward direction starts in the padding, so it is wrong at every step.",
        "expected = bidirectional(x, mask=mask)\n",
        "rnn = convert(bidirectional)\n_, (h_n, _) = rnn(tensor)\nfound = torch.cat((h_n[0], h_n[1]), dim=-1)\n",
        """\
_, (h_n, _) = rnn(pack_padded_sequence(tensor, lengths, batch_first=True, enforce_sorted=False))
found = torch.cat((h_n[0], h_n[1]), dim=-1)
""",
    ),
    Pitfall(
        "last-step-after-packing",
        "`output[:, -1]` after packing",
        "Keras repeats the last valid output, so `output[:, -1]` is correct in Keras. After packing it is zero in torch.",
        "expected = lstm(x, mask=mask)[0][:, -1]\n",
        """\
output, (h_n, _) = convert(lstm)(pack_padded_sequence(tensor, lengths, batch_first=True, enforce_sorted=False))
output, _ = pad_packed_sequence(output, batch_first=True)
found = output[:, -1]
""",
        "found = h_n[-1]\n",
    ),
    Pitfall(
        "left-padding-packed",
        "Padding on the left, packed by length",
        "Packing keeps the first n steps of a row. With left padding these include the padding, and valid steps at the end are dropped.",
        "left = mask[:, ::-1].copy()\nexpected = lstm(x, mask=left)[1]\n",
        """\
packed = pack_padded_sequence(tensor, torch.from_numpy(left).sum(dim=1), batch_first=True, enforce_sorted=False)
found = convert(lstm)(packed)[1][0][0]
""",
        "found = emulate(lstm)(tensor, mask=torch.from_numpy(left))[1]\n",
    ),
    Pitfall(
        "zero-output-for-mask",
        "`zero_output_for_mask=True` without `return_sequences`",
        "Keras returns the output at the last step, which is then zero for every row that is padded on the right.",
        "expected = lstm(x, mask=mask)[1]\n",
        "last = keras.layers.RNN(lstm.cell, zero_output_for_mask=True)\nfound = last(x, mask=mask)\n",
        "last = keras.layers.RNN(lstm.cell)\nfound = last(x, mask=mask)\n",
    ),
    Pitfall(
        "mask-lost",
        "A computation between an Embedding and its recurrent layer",
        "The mask travels with the Embedding's tensor. `*`, `keras.ops` and Lambda layers do not pass it on.",
        """\
ids = rng.integers(1, 9, size=(3, 6)) * mask
embedding = keras.layers.Embedding(9, 4, mask_zero=True, embeddings_initializer="random_normal")
expected = lstm(keras.ops.multiply(embedding(ids), 9.0), mask=mask)[1]
""",
        "found = lstm(embedding(ids) * 9.0)[1]\n",
        "found = lstm(embedding(ids) * 9.0, mask=embedding.compute_mask(ids))[1]\n",
    ),
)

STATES = (
    Pitfall(
        "states-exchanged",
        "`h` and `c` exchanged",
        "Both expect `h` first. Both states have the same shape, so swapping them goes unnoticed.",
        """\
h, c = rng.normal(size=(2, 3, 5)).astype("float32")
expected = lstm(x, initial_state=[h, c])[0]
""",
        """\
rnn, h_0, c_0 = convert(lstm), torch.from_numpy(h)[None], torch.from_numpy(c)[None]
found, _ = rnn(tensor, (c_0, h_0))
""",
        "found, _ = rnn(tensor, (h_0, c_0))\n",
    ),
    Pitfall(
        "stateful",
        "A `stateful` layer ported without its states",
        "torch starts every call from zeros. The caller has to keep the states, and to detach them in training.",
        """\
keeping = keras.layers.RNN(lstm.cell, return_sequences=True, stateful=True)
keeping(x[:, :3])
expected = keeping(x[:, 3:])
""",
        "rnn = convert(lstm)\n_, states = rnn(tensor[:, :3])\nfound, _ = rnn(tensor[:, 3:])\n",
        "found, _ = rnn(tensor[:, 3:], tuple(state.detach() for state in states))\n",
    ),
)

MODES = (
    Pitfall(
        "training-mode",
        "A module that was not set to `eval()`",
        "A new torch module is in training mode and drops outputs between its layers. Keras drops them only in training.",
        "expected = stack[1](keras.layers.Dropout(0.5)(stack[0](x)))\n",
        """\
rnn = nn.LSTM(4, 4, num_layers=2, dropout=0.5, batch_first=True)
rnn.load_state_dict(convert(stack).state_dict())
found, _ = rnn(tensor)
""",
        "rnn.eval()\nfound, _ = rnn(tensor)\n",
    ),
    Pitfall(
        "wrapper-dtype",
        "A `Bidirectional` without its layer's dtype",
        "`Bidirectional` has a dtype of its own, float32 by default, and casts the inputs of its float64 layer to it. The float64 result "
        "is only accurate to float32.",
        """\
wide = keras.layers.Bidirectional(keras.layers.LSTM(5, dtype="float64"), dtype="float64")
wide.build(x.shape)
wide.set_weights(bidirectional.get_weights())
expected = emulate(wide)(tensor.double() / 3)
""",
        """\
layer = keras.layers.Bidirectional(keras.layers.LSTM(5, dtype="float64"))
layer.build(x.shape)
layer.set_weights(wide.get_weights())
found = layer(x.astype("float64") / 3)
""",
        'found = wide(x.astype("float64") / 3)\n',
        tolerance=1e-12,
    ),
)
