"""The recipes of the page on porting."""

from __future__ import annotations

from compare.report.pages.porting.experiment.recipe import Recipe

_ENCODER = Recipe(
    "encoder-states",
    "A bidirectional encoder's states for a decoder",
    "The decoder has as many units as both directions together. Keras returns the states direction by direction, `h` before "
    "`c`. torch stacks all `h` in one array and all `c` in another, with the directions on the first axis.",
    """\
encoder = randomised(keras.layers.Bidirectional(keras.layers.LSTM(6, return_state=True)))
decoder = keras.layers.LSTM(12, return_sequences=True)
randomised(decoder)

_, h_f, c_f, h_b, c_b = encoder(x)
states = [keras.ops.concatenate([h_f, h_b], axis=-1), keras.ops.concatenate([c_f, c_b], axis=-1)]
expected = decoder(y, initial_state=states)
""",
    """\
encoder_rnn, decoder_rnn = convert(encoder), convert(decoder)

def join(state):                                                # (direction, batch, hidden) -> (1, batch, direction * hidden)
    return torch.cat((state[0], state[1]), dim=-1)[None]        # the same as state.transpose(0, 1).flatten(1)[None]

_, (h_n, c_n) = encoder_rnn(torch.from_numpy(x))
found, _ = decoder_rnn(torch.from_numpy(y), (join(h_n), join(c_n)))
""",
    "joining the states by `reshape`, which mixes rows of the batch",
    """\
def join(state):
    return state.reshape(1, len(x), -1)

found, _ = decoder_rnn(torch.from_numpy(y), (join(h_n), join(c_n)))
""",
)

_CLASSIFIER = Recipe(
    "masked-classifier",
    "A masked bidirectional classifier",
    "In Keras the Embedding's mask reaches the recurrent layer automatically. In torch, packing skips the padding, and the last "
    "output of both directions is in `h_n`.",
    """\
model = keras.Sequential([
    keras.layers.Embedding(10, 4, mask_zero=True),
    keras.layers.Bidirectional(keras.layers.LSTM(6)),
    keras.layers.Dense(2, activation="softmax"),
])
randomised(model, ids)

expected = model(ids)
""",
    """\
class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.rnn = nn.LSTM(4, 6, bidirectional=True, batch_first=True)
        self.dense = nn.Linear(12, 2)

    def forward(self, ids):
        lengths = (ids != 0).sum(dim=1)                         # padding on the right; for other masks see masking.md
        packed = pack_padded_sequence(self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h_n, _) = self.rnn(packed)
        return self.dense(torch.cat((h_n[0], h_n[1]), dim=-1)).softmax(dim=-1)

classifier = Classifier()
embedding, recurrent, dense = model.layers
kernel, bias = dense.get_weights()
classifier.embedding.load_state_dict({"weight": torch.tensor(embedding.get_weights()[0])})
classifier.dense.load_state_dict({"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)})
copy_weights(recurrent, classifier.rnn)

found = classifier(torch.from_numpy(ids))
""",
    "reading the padding too, without packing",
    """\
_, (h_n, _) = classifier.rnn(classifier.embedding(torch.from_numpy(ids)))
found = classifier.dense(torch.cat((h_n[0], h_n[1]), dim=-1)).softmax(dim=-1)
""",
)

_STREAMING = Recipe(
    "stream",
    "A stream in chunks, keeping the state",
    "`stateful=True` keeps the states from call to call. In torch the caller keeps them, and detaches them so that a training "
    "step does not reach back into earlier chunks. (`emulate` of the stateful layer keeps them as Keras does, until "
    "`reset_state()`.)",
    """\
layer = randomised(keras.layers.LSTM(6, return_sequences=True))
streaming = keras.layers.RNN(layer.cell, return_sequences=True, stateful=True)

chunks = [streaming(x[:, start : start + 2]) for start in range(0, 8, 2)]
expected = keras.ops.concatenate(chunks, axis=1)
""",
    """\
rnn = convert(layer)
chunks, state = [], None                                        # None: zeros, at the start of each stream
for start in range(0, 8, 2):
    output, state = rnn(torch.from_numpy(x[:, start : start + 2]), state)
    state = tuple(each.detach() for each in state)
    chunks.append(output)
found = torch.cat(chunks, dim=1)
""",
    "forgetting the state between chunks",
    """\
chunks = [rnn(torch.from_numpy(x[:, start : start + 2]))[0] for start in range(0, 8, 2)]
found = torch.cat(chunks, dim=1)
""",
)

_TIME_MAJOR = Recipe(
    "time-major",
    "Time-major code",
    "torch's modules are time-major unless `batch_first=True`; Keras 3's layers never are (Keras 2 had `time_major`). "
    "States are (layer * direction, batch, hidden) either way.",
    """\
layer = randomised(keras.layers.GRU(6, return_sequences=True))
time_major = x.swapaxes(0, 1).copy()                            # (time, batch, input)

expected = keras.ops.swapaxes(layer(time_major.swapaxes(0, 1)), 0, 1)
""",
    """\
rnn = nn.GRU(4, 6)                                              # batch_first=False
copy_weights(layer, rnn)
found, h_n = rnn(torch.from_numpy(time_major))                  # (time, batch, hidden), (1, batch, hidden)
""",
    "passing time-major data to a module from `convert`, which is batch-first",
    "found, _ = convert(layer)(torch.from_numpy(time_major))\n",
)

_ONE_DIRECTION = Recipe(
    "one-direction",
    "One direction at a time",
    "A bidirectional module consists of two modules of one direction. A model that reads backwards by hand, or has a separate "
    "`backward_layer`, can therefore be ported one half at a time. The backward half reads flipped inputs, and its output is "
    "flipped back.",
    """\
forwards = randomised(keras.layers.LSTM(6, return_sequences=True))
backwards = randomised(keras.layers.LSTM(6, return_sequences=True, go_backwards=True))

expected = keras.ops.concatenate([forwards(x), keras.ops.flip(backwards(x), axis=1)], axis=-1)
""",
    """\
def load_half(layer, suffix):
    half = nn.LSTM(4, 6)
    copy_weights(layer, half)                                   # copies weights, whatever the layer's flags
    return {name + suffix: tensor for name, tensor in half.state_dict().items()}

rnn = nn.LSTM(4, 6, bidirectional=True, batch_first=True)
rnn.load_state_dict({**load_half(forwards, ""), **load_half(backwards, "_reverse")})
found, _ = rnn(torch.from_numpy(x))
""",
    "exchanging the halves",
    """\
rnn.load_state_dict({**load_half(backwards, ""), **load_half(forwards, "_reverse")})
found, _ = rnn(torch.from_numpy(x))
""",
)

_REPLACING = Recipe(
    "emulated-to-native",
    "From the emulated layer to the native one",
    "`emulate` ports a layer as is, and the parameters have torch's names and shapes. Once nothing in the model needs "
    "Keras's behaviour any more, its state_dict loads strictly into the native module. From then on the module is called in "
    "torch's way.",
    """\
layer = randomised(keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True), merge_mode="sum"))
expected = layer(x)
""",
    """\
emulated = emulate(layer)                                       # convert(layer) refuses merge_mode="sum", by name
rnn = nn.LSTM(4, 6, bidirectional=True, batch_first=True)
rnn.load_state_dict(emulated.state_dict())

output, _ = rnn(torch.from_numpy(x))
found = output[..., :6] + output[..., 6:]                       # the native module leaves this to the caller
""",
    "loading the weights of a `hard_sigmoid` LSTM into `nn.LSTM`, which raises no exception",
    """\
hard = keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True, recurrent_activation="hard_sigmoid"))
hard.build(x.shape)
hard.set_weights(layer.get_weights())
expected = hard(x)
rnn.load_state_dict(emulate(hard).state_dict())                 # checks nothing but names and shapes
found, _ = rnn(torch.from_numpy(x))                             # convert(hard) refuses it
""",
)

RECIPES = (_ENCODER, _CLASSIFIER, _STREAMING, _TIME_MAJOR, _ONE_DIRECTION, _REPLACING)
