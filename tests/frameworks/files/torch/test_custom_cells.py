"""A cell that is not torch's own is not read as one, whatever its arrays, unless the user vouches for it.

Covers: `frameworks/files/torch/modules.py`, `frameworks/files/torch/recurrent.py`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import GatewiseError, adapt
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint

BATCH, TIME, INPUT, HIDDEN = 2, 6, 3, 4


class NormalisedCell(nn.Module):
    """An LSTM cell with layer normalisation, whose arrays have torch's names and shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(4 * HIDDEN, INPUT))
        self.weight_hh = nn.Parameter(torch.randn(4 * HIDDEN, HIDDEN))
        self.norm = nn.LayerNorm(4 * HIDDEN)


class OwnCell(nn.Module):
    """A GRU cell whose arrays are exactly torch's, and whose code may be anything."""

    weight_ih: nn.Parameter

    def __init__(self) -> None:
        super().__init__()
        for name, parameter in nn.GRUCell(INPUT, HIDDEN).named_parameters():
            self.register_parameter(name, nn.Parameter(parameter))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight_ih.T


class OwnLSTM(nn.LSTM):
    """A subclass, which may override anything."""


class Reverse(nn.Module):
    """A wrapper that reverses time around a recurrent module."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flip(0))[0].flip(0)  # type: ignore[no-any-return]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.GRU(INPUT, HIDDEN), Reverse(nn.Sequential(nn.GRU(HIDDEN, HIDDEN)))
        self.third = Outer(Reverse(nn.GRU(INPUT, HIDDEN)))


class Outer(Reverse):
    """A class around another."""


def with_peephole() -> nn.Module:
    cell = nn.LSTMCell(INPUT, HIDDEN)
    cell.register_parameter("peephole", nn.Parameter(torch.randn(3, HIDDEN)))
    return cell


def one_bias() -> dict[str, Any]:
    """Return the arrays of a cell as many write it: with a single bias."""
    arrays = nn.LSTMCell(INPUT, HIDDEN).state_dict()
    return {"cell.weight_ih": arrays["weight_ih"], "cell.weight_hh": arrays["weight_hh"], "cell.bias": arrays["bias_ih"]}


def saved(thing: Any, path: Path, options: Any = None) -> Checkpoint:
    """Save something with a plain GRU beside it, and open the file."""
    beside = nn.GRU(2, 3)
    if isinstance(thing, nn.Module):
        torch.save(nn.ModuleDict({"cell": thing, "plain": beside}), path)
    else:
        torch.save({**thing, **{f"plain.{name}": array for name, array in beside.state_dict().items()}}, path)
    return open_checkpoint(path, options=options)


def state_of(module: nn.Module) -> dict[str, Any]:
    return {f"cell.{name}": array for name, array in module.state_dict().items()}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: state_of(NormalisedCell()), "it also has norm,"),
        (lambda: state_of(with_peephole()), "it also has peephole,"),
        (NormalisedCell, "its class is NormalisedCell"),
        (OwnCell, "its class is OwnCell"),
        (lambda: OwnLSTM(INPUT, HIDDEN), "its class is OwnLSTM"),
    ],
)
def test_a_custom_cell_is_not_read_as_torch_s_until_the_user_vouches_for_it(made: Any, said: str, tmp_path: Path) -> None:
    checkpoint = saved(made(), tmp_path / "a.pt")
    assert list(checkpoint) == ["plain"]
    assert said in checkpoint.others["cell"].warnings[0]
    cell = "gru" if "OwnCell" in said else "lstm"
    assert f"the option cell={cell} states it (--option cell.cell={cell})" in checkpoint.others["cell"].warnings[0]
    assert checkpoint.others["cell"].stored  # carried under their names
    vouched = open_checkpoint(tmp_path / "a.pt", options={"cell": {"cell": cell}})
    assert list(vouched) == ["cell", "plain"]
    assert vouched["cell"].spec.cell == cell


def test_a_custom_cell_with_other_shapes_is_called_one(tmp_path: Path, refused: Any) -> None:
    """As the EA-LSTM, whose input gate reads static inputs."""
    shapes = {
        "weight_ih": (INPUT, 3 * HIDDEN),
        "weight_hh": (HIDDEN, 3 * HIDDEN),
        "weight_sh": (7, HIDDEN),
        "bias_s": (HIDDEN,),
    }
    torch.save({f"lstm.{name}": torch.ones(shape) for name, shape in shapes.items()}, tmp_path / "a.pt")
    with refused("The layer lstm is not read as a recurrent layer", "blocks", "it also has weight_sh, bias_s"):
        open_checkpoint(tmp_path / "a.pt")


def test_a_file_of_custom_cells_alone_states_their_reason_once_and_ends_with_the_way_on(tmp_path: Path) -> None:
    cells = {name: state_of(NormalisedCell()) for name in ("first", "second", "third")}
    state = {key.replace("cell.", f"{name}.", 1): array for name, one in cells.items() for key, array in one.items()}
    torch.save({key: array for key, array in state.items() if not key.startswith("plain")}, tmp_path / "a.pt")
    with pytest.raises(GatewiseError) as caught:
        open_checkpoint(tmp_path / "a.pt")
    message = str(caught.value)
    assert message.endswith("the option cell=lstm states it (--option first.cell=lstm). Likewise second, third.")
    assert message.count("is not read as a recurrent layer") == 1
    assert message.count("of second: ") == 1  # its arrays stand together
    assert "Open the model's own file" not in message
    options: Any = {name: {"cell": "lstm"} for name in cells}
    assert set(open_checkpoint(tmp_path / "a.pt", options=options)) == set(cells)


def test_a_cell_of_torch_is_read_and_needs_no_vouching(tmp_path: Path) -> None:
    assert saved(state_of(nn.LSTMCell(INPUT, HIDDEN)), tmp_path / "a.pt")["cell"].warnings == ()
    assert list(saved(nn.LSTMCell(INPUT, HIDDEN), tmp_path / "b.pt")) == ["cell", "plain"]
    # The file states torch's class, whose code does nothing with a further parameter.
    assert "peephole" in saved(with_peephole(), tmp_path / "c.pt")["cell"].warnings[0]


def test_what_the_user_vouches_for_must_fit_the_arrays(tmp_path: Path, refused: Any) -> None:
    for told, path in (("gru", "a.pt"), ("peephole", "b.pt")):
        with refused("the option cell of cell", "'lstm'", told):
            saved(state_of(NormalisedCell()), tmp_path / path, {"cell": {"cell": told}})
    with refused("the option cell of plain", "'gru'", "lstm"):
        saved(state_of(NormalisedCell()), tmp_path / "c.pt", {"plain": {"cell": "lstm"}})
    checkpoint = saved(one_bias(), tmp_path / "d.pt", {"cell": {"cell": "lstm"}})
    assert "one bias" in checkpoint.others["cell"].warnings[0]


def test_a_custom_cell_at_the_top_of_a_file_is_recognised_and_arrays_beside_a_state_dict_are_not_its(
    tmp_path: Path, refused: Any
) -> None:
    torch.save(NormalisedCell().state_dict(), tmp_path / "a.pt")
    with refused("it also has norm"):
        open_checkpoint(tmp_path / "a.pt")
    torch.save({"model": nn.LSTM(INPUT, HIDDEN).state_dict(), "mean": torch.ones(3), "epoch": 3}, tmp_path / "b.pt")
    checkpoint = open_checkpoint(tmp_path / "b.pt")
    assert list(checkpoint) == [""]
    assert list(checkpoint.others[""].arrays) == ["mean"]


def test_a_class_around_a_recurrent_module_is_named(tmp_path: Path) -> None:
    torch.save(Model(), tmp_path / "a.pt")
    checkpoint = open_checkpoint(tmp_path / "a.pt")
    assert checkpoint["first"].warnings == ()
    (warning,) = checkpoint["second.layer.0"].warnings
    assert "called by the class Reverse, whose code is not read" in warning
    assert "called by the class Reverse within Outer," in checkpoint["third.layer.layer"].warnings[0]
    torch.save(nn.DataParallel(Model()), tmp_path / "parallel.pt")
    assert open_checkpoint(tmp_path / "parallel.pt")["first"].warnings == ()
    torch.save(Reverse(nn.GRU(INPUT, HIDDEN)), tmp_path / "b.pt")
    assert "called by the class Reverse" in open_checkpoint(tmp_path / "b.pt")["layer"].warnings[0]
    torch.save(Reverse(nn.Sequential(nn.Linear(INPUT, INPUT), nn.GRU(INPUT, HIDDEN))), tmp_path / "model.pt")
    assert open_checkpoint(tmp_path / "model.pt")["layer.1"].warnings == ()  # this class is the model's
    torch.save(nn.Sequential(nn.GRU(INPUT, HIDDEN)), tmp_path / "c.pt")
    assert open_checkpoint(tmp_path / "c.pt")["0"].warnings == ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        compiler: Any = torch.jit
        compiler.trace(Reverse(nn.GRU(INPUT, HIDDEN)), torch.ones(TIME, BATCH, INPUT)).save(str(tmp_path / "d.pt"))
    assert "called by the class Reverse" in open_checkpoint(tmp_path / "d.pt")["layer"].warnings[0]


class AugmentedLstm(nn.Module):
    """The cell of AllenNLP, from its equations: one linear map of the input, one of the state."""

    def __init__(self, *, blocks: tuple[int, int] = (4, 4), bias: bool = True) -> None:
        super().__init__()
        self.input_linearity = nn.Linear(INPUT, blocks[0] * HIDDEN, bias=bias)
        self.state_linearity = nn.Linear(HIDDEN, blocks[1] * HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the states, (batch, time, hidden), of inputs, (batch, time, input)."""
        hidden = memory = torch.zeros(len(x), HIDDEN)
        states = []
        for step in x.unbind(1):
            gates = self.input_linearity(step) + self.state_linearity(hidden)
            enter, forget, new, leave = gates.chunk(4, dim=1)
            memory = enter.sigmoid() * new.tanh() + forget.sigmoid() * memory
            hidden = leave.sigmoid() * memory.tanh()
            states.append(hidden)
        return torch.stack(states, dim=1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["cell", "encoder.layer_0"])
def test_a_cell_of_allennlp_is_read_as_the_lstm_that_it_is(randomise: Any, tmp_path: Path, name: str, *, bias: bool) -> None:
    cell = randomise(AugmentedLstm(bias=bias))
    torch.save({f"{name}.{key}": array for key, array in cell.state_dict().items()}, tmp_path / "a.pt")
    layer = open_checkpoint(tmp_path / "a.pt")[name]
    x = torch.randn(BATCH, TIME, INPUT)
    output: Any = layer.forward(x.numpy()).output
    np.testing.assert_allclose(output, cell(x).detach().numpy(), rtol=0, atol=1e-6)
    assert any("direction" in warning for warning in layer.warnings)
    save_checkpoint(tmp_path / "b.pt", {"lstm": layer})
    module = nn.LSTM(INPUT, HIDDEN, batch_first=True)
    module.load_state_dict({key.removeprefix("lstm."): array for key, array in torch.load(tmp_path / "b.pt").items()})
    np.testing.assert_allclose(module(x)[0].detach(), cell(x).detach(), rtol=0, atol=1e-6)
    assert adapt(module).spec == layer.spec


def test_a_highway_and_a_projected_cell_of_allennlp_are_refused_by_name(tmp_path: Path, refused: Any) -> None:
    torch.save(state_of(AugmentedLstm(blocks=(6, 5))), tmp_path / "a.pt")
    with refused("The layer cell is not read as a recurrent layer", "highway", "of cell: input_linearity.weight (24, 3)"):
        open_checkpoint(tmp_path / "a.pt")
    arrays = {**state_of(AugmentedLstm(bias=False)), "cell.state_projection.weight": torch.ones(HIDDEN, HIDDEN)}
    torch.save(arrays, tmp_path / "b.pt")
    with refused("The layer cell is not read as a recurrent layer", "projects"):
        open_checkpoint(tmp_path / "b.pt", options={"cell": {"cell": "lstm"}})
    torch.save({f"a.input_linearity.{key}": array for key, array in nn.Linear(3, 8).state_dict().items()}, tmp_path / "c.pt")
    with refused("Linear"):  # without the other half it is any linear module
        open_checkpoint(tmp_path / "c.pt")
