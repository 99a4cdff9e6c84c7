"""Example code for both frameworks, run exactly as printed."""

from __future__ import annotations

from compare.groundwork.tolerance import TOLERANCES
from compare.report.arrays import distance, flat
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet

KERAS = """\
import keras
import numpy as np

rng = np.random.default_rng(0)
batches = [(rng.normal(size=(8, 6, 3)).astype("float32"), rng.normal(size=(8, 4)).astype("float32")) for _ in range(20)]

layer = keras.layers.GRU(4)
model = keras.Sequential([layer])
model.compile(keras.optimizers.RMSprop(keras.optimizers.schedules.CosineDecay(0.01, 20), momentum=0.9), loss="mse")
model.build((None, 6, 3))
layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
for x, wanted in batches[:10]:
    model.train_on_batch(x, wanted)
"""

TORCH = """\
import torch
from gatewise import convert, optimizer_like

rnn = convert(layer)                                             # the weights after ten steps
optimizer = optimizer_like(model.optimizer, [(layer, rnn)])      # and the optimizer, with slots, step count and schedule
for x, wanted in batches[10:]:
    _, h_n = rnn(torch.from_numpy(x))
    torch.nn.functional.mse_loss(h_n[0], torch.from_numpy(wanted)).backward()
    optimizer.step()
    optimizer.zero_grad()
"""

STOCK = """\
rnn = convert(layer)
optimizer = torch.optim.RMSprop(rnn.parameters(), lr=0.01, alpha=0.9, eps=1e-7, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
for x, wanted in batches[10:]:
    _, h_n = rnn(torch.from_numpy(x))
    torch.nn.functional.mse_loss(h_n[0], torch.from_numpy(wanted)).backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()
"""

_REST = """\
for x, wanted in batches[10:]:
    model.train_on_batch(x, wanted)
expected = convert(layer)
"""


def run_code() -> Results:
    """Train ten steps in Keras, then ten more in Keras, in torch with `optimizer_like`, and in torch with torch's class."""
    _, names = run_snippet(KERAS)
    _, ours = run_snippet(TORCH, dict(names))
    _, stock = run_snippet(STOCK, dict(ours))
    _, rest = run_snippet(_REST, dict(ours))
    expected = flat(list(rest["expected"].parameters()))
    return {
        "keras": exact(KERAS),
        "torch": exact(TORCH),
        "stock": exact(STOCK),
        "ours off": measured(distance(expected, flat(list(ours["rnn"].parameters()))), TOLERANCES["float32"]),
        "stock off": control(distance(expected, flat(list(stock["rnn"].parameters())))),
    }
