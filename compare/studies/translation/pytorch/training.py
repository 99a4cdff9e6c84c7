"""Training the translator in PyTorch, one step a call."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from compare.studies.translation import copying
from compare.studies.translation.batches import END, LENGTH, LETTERS, SOUNDS, START, Batch, Tokens
from compare.studies.translation.pytorch.loss import masked_loss
from compare.studies.translation.pytorch.translator import Translator
from compare.studies.translation.setting import Setting
from compare.studies.translation.states import Array, require_same


def build_model(setting: Setting) -> Translator:
    """Build the translator with PyTorch's own initialisation, the same for the same seed."""
    cell = import_module(f"compare.studies.translation.pytorch.{setting.cell}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        encoder = cell.Encoder(LETTERS.size, setting.embedding_dim, setting.units)
        decoder = cell.Decoder(SOUNDS.size, setting.embedding_dim, setting.units, setting.dropout)
    return Translator(encoder, decoder).to(getattr(torch, setting.dtype))


def train_one_bias(model: nn.Module) -> None:
    """Freeze the second bias of every LSTM at 0, where Keras has but one: otherwise the bias moves twice as far."""
    for module in model.modules():
        if isinstance(module, nn.LSTM):
            first, second = module.get_parameter("bias_ih_l0"), module.get_parameter("bias_hh_l0")
            with torch.no_grad():
                first.add_(second)
                second.zero_()
            second.requires_grad = False


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Give the parameters that an optimizer is to be made of."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


class PyTorchSide:
    """A translator of PyTorch and its optimizer, see `training.Side`."""

    framework = "pytorch"

    def __init__(self, model: Translator, optimizer: torch.optim.Optimizer, seed: int = 0) -> None:
        """Take a model and an optimizer of its parameters; the seed is for dropout."""
        self.model, self.optimizer = model, optimizer
        self.seed, self.steps = seed, 0

    def step(self, batch: Batch) -> float:
        """Train on a batch, and give the loss before."""
        sources, targets = map(_tensor, batch)
        self.model.train()
        self.optimizer.zero_grad()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((self.seed << 32) + self.steps)  # so that a step draws the same whatever was before it
            loss = masked_loss(targets[:, 1:], self.model(sources, targets))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        return loss.item()

    @torch.no_grad()
    def predict(self, batch: Batch) -> Array:
        """Give the logits under teacher forcing, (batch, time - 1, vocab), in inference."""
        sources, targets = map(_tensor, batch)
        logits: Array = self.model.eval()(sources, targets).numpy()
        return logits

    def translate(self, sources: Tokens) -> tuple[Tokens, Array]:
        """Give the greedy translation, (batch, time), and its attention, (batch, time, source)."""
        tokens, attention = self.model.eval().translate(_tensor(sources), START, END, LENGTH - 1)
        return tokens.numpy().astype(np.int32), attention.numpy()

    def parameters(self) -> dict[str, Array]:
        """Give copies of the parameters in the form that both frameworks share."""
        return copying.parameters(self.model)

    def state(self) -> dict[str, Array]:
        """Give all that another side of the same setting needs to go on exactly."""
        model = {f"model/{name}": tensor.numpy().copy() for name, tensor in self.model.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        slots = {
            f"slot/{index}/{name}": torch.as_tensor(slot).numpy().copy()
            for index, found in optimizer["state"].items()
            for name, slot in found.items()
        }
        numbers = {
            f"group/{index}/{name}": np.array(value)
            for index, group in enumerate(optimizer["param_groups"])
            for name, value in group.items()
            if isinstance(value, (int, float))
        }
        return {**model, **slots, **numbers, "steps": np.array(self.steps)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on where `state` was taken.

        Raises:
            GatewiseError: for the state of another setting; nothing is written then.
        """
        slots = {name: array for name, array in state.items() if name.startswith("slot/")}
        own = {name: array for name, array in self.state().items() if not name.startswith("slot/")}
        require_same(state, own | slots)  # an optimizer makes its slots in its first step
        self.model.load_state_dict(
            {name.partition("/")[2]: torch.tensor(array) for name, array in state.items() if name.startswith("model/")}
        )
        self.optimizer.load_state_dict(self._optimizer_state(state, slots))
        self.steps = int(state["steps"])

    def _optimizer_state(self, state: Mapping[str, Array], slots: Mapping[str, Array]) -> dict[str, Any]:
        groups = self.optimizer.state_dict()["param_groups"]
        for index, group in enumerate(groups):
            group |= {name: state[f"group/{index}/{name}"].item() for name in group if f"group/{index}/{name}" in state}
        found: dict[int, dict[str, torch.Tensor]] = {}
        for name, array in slots.items():
            _, number, slot = name.split("/")
            found.setdefault(int(number), {})[slot] = torch.tensor(array)
        return {"state": found, "param_groups": groups}


def _tensor(tokens: Tokens) -> torch.Tensor:
    return torch.from_numpy(tokens).long()
