"""Mistakes with the return values of a layer, and with the axes of its inputs."""

from __future__ import annotations

from compare.report.pages.pitfalls.experiment.pitfall import Pitfall

PITFALLS = (
    Pitfall(
        "last-step-bidirectional",
        "`output[:, -1]` for the last output of a bidirectional layer",
        "The backward half of the last time step is that direction's first step, not its last.",
        "expected = bidirectional(x)\n",
        "output, (h_n, c_n) = convert(bidirectional)(tensor)\nfound = output[:, -1]\n",
        "found = torch.cat((h_n[0], h_n[1]), dim=-1)\n",
    ),
    Pitfall(
        "states-reshaped",
        "`h_n.reshape(batch, -1)` to join the directions",
        "The batch is the second axis of `h_n`, so this joins rows of different sequences.",
        "expected = bidirectional(x)\n",
        "output, (h_n, c_n) = convert(bidirectional)(tensor)\nfound = h_n.reshape(len(x), -1)\n",
        "found = h_n.transpose(0, 1).reshape(len(x), -1)\n",
    ),
    Pitfall(
        "first-state-of-stack",
        "`h_n[0]` for the last state of a stack",
        "The first axis of `h_n` counts layers from the bottom.",
        "expected = stack[1](stack[0](x))[:, -1]\n",
        "output, (h_n, c_n) = convert(stack)(tensor)\nfound = h_n[0]\n",
        "found = h_n[-1]\n",
    ),
    Pitfall(
        "backwards-flipped",
        "The output of `go_backwards` flipped back in time",
        "Keras returns it in reading order, last time step first. (`Bidirectional` does flip its backward layer's output.)",
        "backwards = keras.layers.RNN(lstm.cell, go_backwards=True, return_sequences=True)\nexpected = backwards(x)\n",
        "output, _ = convert(lstm)(tensor.flip(1))\nfound = output.flip(1)\n",
        "found = output\n",
    ),
    Pitfall(
        "batch-first",
        "`nn.LSTM` without `batch_first=True`",
        "torch then treats the batch axis as time and vice versa, and the shapes still fit.",
        "expected = lstm(x)[0]\n",
        "rnn = nn.LSTM(4, 5)\ncopy_weights(lstm, rnn)\nfound, _ = rnn(tensor)\n",
        "rnn = nn.LSTM(4, 5, batch_first=True)\ncopy_weights(lstm, rnn)\nfound, _ = rnn(tensor)\n",
    ),
    Pitfall(
        "time-axis-missing",
        "A single time step without a time axis",
        "torch treats a 2-D input as one unbatched sequence, so the rows become time steps. Keras refuses it.",
        "expected = lstm(x[:, :1])[0][:, 0]\n",
        "rnn = convert(lstm)\nfound, _ = rnn(tensor[:, 0])\n",
        "found = rnn(tensor[:, :1])[0][:, 0]\n",
    ),
)
