"""Mistakes with weights, activations and cells."""

from __future__ import annotations

from compare.report.pages.pitfalls.experiment.pitfall import Pitfall

_LSTM = """\
kernel, recurrent_kernel, bias = (torch.tensor(array) for array in lstm.get_weights())
rnn = nn.LSTM(4, 5, batch_first=True)
"""
_GRU = """\
kernel, recurrent_kernel, (bias, recurrent_bias) = (torch.tensor(array) for array in gru.get_weights())
"""

PITFALLS = (
    Pitfall(
        "recurrent-kernel",
        "A recurrent kernel that is not transposed",
        "It is square, so it fits either way.",
        "simple = randomised(keras.layers.SimpleRNN(5, return_sequences=True))\nexpected = simple(x)\n",
        """\
kernel, recurrent_kernel, bias = (torch.tensor(array) for array in simple.get_weights())
arrays = {"weight_ih_l0": kernel.T, "bias_ih_l0": bias, "bias_hh_l0": 0 * bias}
rnn = nn.RNN(4, 5, batch_first=True)
rnn.load_state_dict({**arrays, "weight_hh_l0": recurrent_kernel})
found, _ = rnn(tensor)
""",
        'rnn.load_state_dict({**arrays, "weight_hh_l0": recurrent_kernel.T})\nfound, _ = rnn(tensor)\n',
    ),
    Pitfall(
        "kernel-data",
        "A kernel assigned through `.data`",
        "`nn.LSTM` in float32 does not check the shape again. It reads the memory as if the shape were correct.",
        "expected = lstm(x)[0]\n",
        f"""\
{_LSTM}rnn.load_state_dict(convert(lstm).state_dict())
rnn.weight_ih_l0.data = kernel.contiguous()
found, _ = rnn(tensor)
""",
        """\
rnn = nn.LSTM(4, 5, batch_first=True)
rnn.load_state_dict({**convert(lstm).state_dict(), "weight_ih_l0": kernel.T})
found, _ = rnn(tensor)
""",
    ),
    Pitfall(
        "gate-order",
        "The gates of a GRU in Keras's order",
        "Keras has update, reset, candidate; torch has reset, update, candidate. (An LSTM's gates have the same order in both.)",
        "expected = gru(x)\n",
        f"""\
{_GRU}
def load(turned):
    rnn.load_state_dict({{
        "weight_ih_l0": turned(kernel).T, "weight_hh_l0": turned(recurrent_kernel).T,
        "bias_ih_l0": turned(bias), "bias_hh_l0": turned(recurrent_bias),
    }})

rnn = nn.GRU(4, 5, batch_first=True)
load(lambda gates: gates)
found, _ = rnn(tensor)
""",
        """\
def turned(gates):
    update, reset, candidate = gates.chunk(3, dim=-1)
    return torch.cat((reset, update, candidate), dim=-1)

load(turned)
found, _ = rnn(tensor)
""",
    ),
    Pitfall(
        "biases-summed",
        "The two biases of a GRU summed",
        "The reset gate scales only one of them, so the candidate needs both. (An LSTM needs only their sum.)",
        "expected = gru(x)\n",
        """\
rnn = convert(gru)
right = {name: array.clone() for name, array in rnn.state_dict().items()}
summed = {"bias_ih_l0": right["bias_ih_l0"] + right["bias_hh_l0"], "bias_hh_l0": 0 * right["bias_hh_l0"]}
rnn.load_state_dict({**right, **summed})
found, _ = rnn(tensor)
""",
        "rnn.load_state_dict(right)\nfound, _ = rnn(tensor)\n",
    ),
    Pitfall(
        "second-bias",
        "The second bias of an LSTM left at its random initial value",
        "Keras has one bias, and torch adds two. Copying it into one leaves the other random.",
        "expected = lstm(x)[0]\n",
        f"""\
{_LSTM}with torch.no_grad():
    rnn.weight_ih_l0.copy_(kernel.T)
    rnn.weight_hh_l0.copy_(recurrent_kernel.T)
    rnn.bias_ih_l0.copy_(bias)
found, _ = rnn(tensor)
""",
        "with torch.no_grad():\n    rnn.bias_hh_l0.zero_()\nfound, _ = rnn(tensor)\n",
    ),
    Pitfall(
        "both-biases-trained",
        "Training both biases of an LSTM",
        "Each gets the whole gradient, so their sum moves twice as far as Keras's one bias. Here: one step of descent.",
        """\
import tensorflow as tf

with tf.GradientTape() as tape:
    loss = keras.ops.sum(lstm(x)[0])
expected = lstm.cell.bias - 0.1 * tape.gradient(loss, lstm.cell.bias)
""",
        """\
rnn = convert(lstm)
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
rnn(tensor)[0].sum().backward()
optimizer.step()
found = rnn.bias_ih_l0 + rnn.bias_hh_l0
""",
        """\
rnn = convert(lstm)
rnn.bias_hh_l0.requires_grad_(False)                # or half the learning rate for both
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
rnn(tensor)[0].sum().backward()
optimizer.step()
found = rnn.bias_ih_l0 + rnn.bias_hh_l0
""",
    ),
    Pitfall(
        "reset-before",
        "A GRU with `reset_after=False` in `nn.GRU`",
        "All its arrays fit. But `nn.GRU` applies the reset gate after the recurrent product, and this GRU before it.",
        "before = randomised(keras.layers.GRU(5, reset_after=False, return_sequences=True))\nexpected = before(x)\n",
        """\
rnn = nn.GRU(4, 5, batch_first=True)
rnn.load_state_dict({**emulate(before).state_dict(), "bias_hh_l0": torch.zeros(15)})
found, _ = rnn(tensor)
""",
        "found = emulate(before)(tensor)\n",
    ),
    Pitfall(
        "activation",
        "Weights of a ReLU LSTM loaded into `nn.LSTM`",
        "torch's LSTM computes tanh, whatever the weights were trained with.",
        'relu = randomised(keras.layers.LSTM(5, activation="relu", return_sequences=True))\nexpected = relu(x)\n',
        "rnn = nn.LSTM(4, 5, batch_first=True)\nrnn.load_state_dict(emulate(relu).state_dict())\nfound, _ = rnn(tensor)\n",
        "found = emulate(relu)(tensor)\n",
    ),
    Pitfall(
        "hard-sigmoid",
        "`hard_sigmoid` with weights from before Keras 3",
        "Keras 2 computed 0.2 x + 0.5, clipped to [0, 1]. Keras 3 and torch compute x / 6 + 0.5, clipped likewise.",
        """\
old = keras.layers.LSTM(5, recurrent_activation=lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1), return_sequences=True)
old.build(x.shape)
old.set_weights(lstm.get_weights())                 # as saved by Keras 2
expected = old(x)
""",
        """\
weights = emulate(lstm).state_dict()
rnn = KerasLSTM(5, recurrent_activation="hard_sigmoid", input_size=4, return_sequences=True)
rnn.load_state_dict(weights)
found = rnn(tensor)
""",
        """\
rnn = KerasLSTM(5, recurrent_activation="keras2_hard_sigmoid", input_size=4, return_sequences=True)
rnn.load_state_dict(weights)
found = rnn(tensor)
""",
    ),
    Pitfall(
        "weights-argument",
        "`Bidirectional(weights=...)`",
        "Keras 3 accepts the argument and never reads it: the layer starts from random weights.",
        "expected = bidirectional(x)\n",
        "layer = keras.layers.Bidirectional(keras.layers.LSTM(5), weights=bidirectional.get_weights())\nfound = layer(x)\n",
        "layer.set_weights(bidirectional.get_weights())\nfound = layer(x)\n",
    ),
)
