"""Remedies of torch modules that become Keras models: each is followed in the code of a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from compare.models.proving.proving import prove
from frameworks import emulate
from frameworks.models import port_model, to_source
from tests.remedies.following import case, refuses

Function = Callable[..., Any]
X = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 4, 3)).astype("float32"))
ROWS, IDS, LENGTHS, PLACES = X[:, 0], torch.tensor([[1, 2], [3, 0]]), torch.tensor([4, 2]), torch.zeros(2, 4, 1).long()


class Net(nn.Module):
    """A module whose code is a function of another module and one or two tensors."""

    def __init__(self, function: Function, part: Any = None) -> None:
        super().__init__()
        self.part = part
        self.function = function

    def forward(self, x: Tensor, y: Any = None) -> Any:
        return self.function(self.part, x) if y is None else self.function(self.part, x, y)


def follow(remedy: str, wrong: Net, right: Net, *example: Tensor) -> None:
    with refuses(remedy):
        to_source(wrong.eval(), example=example)
    with torch.no_grad():
        expected = right.eval()(*example).numpy()
    found = port_model(right, example=example)(*(each.numpy() for each in example))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)


def changed(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, ::2] = 0.0
    return x


FUNCTIONS: list[tuple[str, Function, Function, tuple[Tensor, ...]]] = [
    ("Write it without this option.", lambda _, x: x.sum(1, dtype=torch.float64), lambda _, x: x.sum(1), (X,)),
    (
        "Write it with other functions, or in their usual form.",
        lambda _, x: torch.where(x > 0)[0].float().mean(),
        lambda _, x: torch.where(x > 0, 1.0, 0.0).mean(),
        (X,),
    ),
    ("Pass num_classes.", lambda _, x: functional.one_hot(x), lambda _, x: functional.one_hot(x, num_classes=4), (IDS,)),
    (
        "Slice and concatenate.",
        lambda _, x: functional.pad(x, (1, 1), mode="circular"),
        lambda _, x: torch.cat([x[:, :, -1:], x, x[:, :, :1]], 2),
        (X,),
    ),
    (
        "Keep all entries: multiply by the mask, or use torch.where.",
        lambda _, x: x[x > 0].sum(),
        lambda _, x: torch.where(x > 0, x, torch.zeros_like(x)).sum() + (x * (x > 0)).sum(),
        (X,),
    ),
    ("Slice first.", lambda _, x, y: x[y, :, 0], lambda _, x, y: x[:, :, 0][y], (X, torch.tensor([1, 0]))),
    ("Use gather.", lambda _, x, y: x[:, y[0, :, 0], y[0, :, 0]], lambda _, x, y: x.gather(2, y), (X, PLACES)),
    ("Use torch.where.", lambda _, x: changed(x), lambda _, x: torch.where(x > 0, x, 0.0 * x), (X,)),
    (
        "Divide, and round the quotient.",
        lambda _, x: torch.div(x, 0.3, rounding_mode="trunc"),
        lambda _, x: torch.trunc(x / 0.3),
        (X,),
    ),
    (
        "Use torch.logical_and and its kin on masks.",
        lambda _, x: (x & 1).float(),
        lambda _, x: torch.logical_and(x > 0, x < 2).float(),
        (IDS,),
    ),
    ("Divide by the norm yourself.", lambda _, x: functional.normalize(x, p=1.0), lambda _, x: x / x.abs().sum(1, True), (X,)),
    ("Move the axis to the end first.", lambda _, x: x.topk(2, 1)[0], lambda _, x: x.transpose(1, 2).topk(2)[0], (X,)),
    ("Sort the negative numbers.", lambda _, x: x.sort(1, descending=True)[0], lambda _, x: -(-x).sort(1)[0], (X,)),
    ("Take slices of it.", lambda _, x: x.chunk(2, 1)[0], lambda _, x: x[:, :2], (X,)),
    (
        "Write it with others, or compute it outside of the module.",
        lambda _, x: torch.special.erfcx(x),
        lambda _, x: torch.exp(x * x) * (1.0 - torch.erf(x)),
        (X,),
    ),
    (
        "Choose between the two results with torch.where, which computes both.",
        lambda _, x: x if x.sum() > 0 else -x,
        lambda _, x: torch.where(x.sum() > 0, x, -x),
        (X,),
    ),
    ("Compute with the tensor itself.", lambda _, x: x * x[0].tolist()[0][0], lambda _, x: x * x[0, 0, 0], (X,)),
    ("Pass them to the module as an argument.", lambda _, x: x + torch.randn_like(x), lambda _, x, y: x + y, (X,)),
    (
        "Take sizes from x.shape where they are used, and let loops over time do the same in every turn.",
        lambda _, x: x / float(x.size(1)),
        lambda _, x: x / x.size(1),
        (X,),
    ),
]


@case
def functions_of_torch_in_keras() -> None:
    for remedy, wrong, right, example in FUNCTIONS:
        if "argument" in remedy:
            with refuses(remedy):
                to_source(Net(wrong), example=example)
            assert port_model(Net(right), example=(X, X))(X.numpy(), X.numpy()) is not None
        else:
            follow(remedy, Net(wrong), Net(right), *example)


def _under_two_names(_: Any, x: Tensor) -> Tensor:
    first = x[:, 0]
    first.mul_(2.0)
    return x + 1.0


@case
def a_tensor_that_changes_under_another_name() -> None:
    right = Net(lambda _, x: torch.cat([2.0 * x[:, :1], x[:, 1:]], 1) + 1.0)
    follow("Compute a new tensor instead of changing one in place.", Net(_under_two_names), right, X)


class Packs(nn.Module):
    """A module that packs, and may leave it to others to unpack."""

    def __init__(self, *, unpacks: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 2, batch_first=True)
        self.unpacks = unpacks

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        output, _ = self.rnn(pack_padded_sequence(x, lengths, batch_first=True))
        return pad_packed_sequence(output, batch_first=True)[0] if self.unpacks else output


class Switched(nn.Module):
    """A module whose method does one thing or another."""

    def forward(self, x: Tensor, *, doubled: bool = False) -> Tensor:
        return 2.0 * x if doubled else torch.tanh(x)

    def tripled(self, x: Tensor) -> Tensor:
        return 3.0 * x


def _padded(total: Function) -> Function:
    def call(part: Any, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True)
        return pad_packed_sequence(part(packed)[0], batch_first=True, total_length=total(x))[0]

    return call


def _packed(lengths: Function) -> Function:
    def call(part: Any, x: Tensor, y: Tensor) -> Tensor:
        return pad_packed_sequence(part(pack_padded_sequence(x, lengths(y), batch_first=True))[0], batch_first=True)[0]

    return call


@case
def methods_and_packing_in_keras() -> None:
    def unpacked(part: Any, x: Tensor, y: Tensor) -> Tensor:
        return pad_packed_sequence(part(x, y), batch_first=True)[0]

    follow(
        "Unpack it there.",
        Net(unpacked, Packs(unpacks=False)),
        Net(lambda part, x, y: part(x, y), Packs(unpacks=True)),
        X,
        LENGTHS,
    )
    follow(
        "Make two methods of it.",
        Net(lambda part, x: part(x) + part(x, doubled=True), Switched()),
        Net(lambda part, x: part(x) + part.tripled(x), Switched()),
        X,
    )
    gru = nn.GRU(3, 2, batch_first=True)
    follow("Pass a tensor.", Net(_packed(lambda _: [4, 2]), gru), Net(_packed(lambda y: y), gru), X, LENGTHS)
    follow("Pass x.size(1).", Net(_padded(lambda _: 9), gru), Net(_padded(lambda x: x.size(1)), gru), X, LENGTHS)


def _called(part: Any, x: Tensor) -> Any:
    result = part(x)
    return result[0] if isinstance(result, tuple) else result


def _with_batch(part: Any, x: Tensor) -> Any:
    return _called(part, x.unsqueeze(0))


MODULES: list[tuple[str, nn.Module, nn.Module, Tensor, Function]] = [
    ("Write it with others, or compute it outside of the module.", nn.RReLU(), nn.LeakyReLU(11 / 48), X, _called),
    ("Normalise its weights yourself.", nn.Embedding(4, 3, max_norm=1.0), nn.Embedding(4, 3), IDS, _called),
    ("Use nn.Dropout.", nn.Dropout1d(), nn.Dropout(), ROWS, _called),
    ("Add a batch axis.", nn.GRU(3, 2), nn.GRU(3, 2), ROWS, _with_batch),
    ("Add a batch axis.", nn.Conv1d(4, 2, 1), nn.Conv1d(1, 2, 1), torch.ones(4, 5), lambda part, x: part(x.unsqueeze(1))),
    ("Normalise by the input alone.", nn.InstanceNorm1d(4, track_running_stats=True), nn.InstanceNorm1d(4), X, _called),
    ("Normalise with LayerNorm or GroupNorm.", nn.BatchNorm1d(4, track_running_stats=False), nn.GroupNorm(2, 4), X, _called),
    (
        "Pad the input yourself.",
        nn.MaxPool1d(2, ceil_mode=True),
        nn.MaxPool1d(2),
        X,
        lambda part, x: part(functional.pad(x, (0, 1), value=-99.0)),
    ),
    (
        "Pad the result yourself.",
        nn.ConvTranspose1d(4, 2, 3, stride=2, output_padding=1),
        nn.ConvTranspose1d(4, 2, 3, stride=2),
        X,
        lambda part, x: functional.pad(part(x), (0, 1)),
    ),
    (
        "Pad with F.pad first.",
        nn.Conv1d(4, 2, 3, padding=1, padding_mode="replicate"),
        nn.Conv1d(4, 2, 3),
        X,
        lambda part, x: part(functional.pad(x, (1, 1))),
    ),
    ("Pool by windows of a fixed size.", nn.AdaptiveAvgPool1d(2), nn.AvgPool1d(2), X, _called),
    ("Use one without them.", nn.ConvTranspose1d(4, 4, 3, groups=2), nn.ConvTranspose1d(4, 4, 3), X, _called),
]


@case
def modules_of_torch_in_keras() -> None:
    for remedy, wrong, right, x, call in MODULES:
        follow(remedy, Net(_called, wrong), Net(call, right), x)
    lstm = nn.LSTM(3, 4, proj_size=2, batch_first=True)
    with refuses("gatewise.emulate(rnn, 'keras') projects."):
        to_source(Net(_called, lstm), example=(X,))
    assert emulate(lstm, "keras")(X.numpy())[0].shape == (2, 4, 2)
    linear, weight = nn.Linear(3, 3), torch.ones(3, 3)
    follow(
        "Multiply yourself.",
        Net(lambda part, x: torch.addmm(x, x, part.weight, alpha=2), linear),
        Net(lambda part, x: x + 2 * (x @ part.weight), linear),
        ROWS,
    )
    follow(
        "Normalise the weights.",
        Net(lambda part, x: functional.embedding(x, part.weight, max_norm=1.0), nn.Embedding(4, 3)),
        Net(lambda part, x: functional.embedding(x, part.weight), nn.Embedding(4, 3)),
        IDS,
    )
    del weight


@case
def the_arguments_of_a_torch_module() -> None:
    net = Net(lambda _, x: 2.0 * x)
    with refuses("Pass a tuple, or a mapping by the names of the parameters."):
        to_source(net, example={"z": X})
    assert to_source(net, example={"x": X}).to == to_source(net, example=(X,)).to == "keras"
    with refuses("Give forward a parameter for each tensor in it."):
        to_source(Net(lambda _, x, y: x + y[0]), example=(X, (X, X)))
    assert to_source(Net(lambda _, x, y: x + y), example=(X, X)).to == "keras"
    port = port_model(net, example=(X,))
    with refuses("Pass the arguments of one call: inputs=(x, lengths), or --inputs FILE.npz."):
        prove(net, port)
    with refuses("Pass them by these names, or in this order."):
        prove(net, port, {"z": X.numpy()})
    for inputs in ({"x": X.numpy()}, (X.numpy(),)):
        assert prove(net, port, inputs).status == 0
