"""Training a PyTorch module one step a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from compare.training.states import Array, require_same


class PyTorchSide:
    """A module of PyTorch and its optimizer, see `compare.training.Side`."""

    framework = "pytorch"

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_of: Callable[..., torch.Tensor],
        parameters: Callable[[], Mapping[str, Array]],
        seed: int = 0,
    ) -> None:
        """Take a module and an optimizer of its parameters.

        Args:
            model: in the dtype to train in.
            optimizer: of torch.optim, or derived from it.
            loss_of: gives the scalar loss of a batch's arrays.
            parameters: gives the parameters under the names and in the shapes that all sides share.
            seed: of what is drawn in a step, such as dropout: the same for the same step.
        """
        self.model, self.optimizer, self.loss_of, self._parameters = model, optimizer, loss_of, parameters
        self.seed, self.steps = seed, 0

    def step(self, batch: Any) -> float:
        """Train on a batch, and give the loss before."""
        self.model.train()
        self.optimizer.zero_grad()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((self.seed << 32) + self.steps)  # so that a step draws the same whatever was before it
            loss = self.loss_of(*batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        return loss.item()

    def parameters(self) -> Mapping[str, Array]:
        """Give every parameter under the names and in the shapes that all sides share."""
        return self._parameters()

    def state(self) -> dict[str, Array]:
        """Give all that another side of the same making needs to go on exactly."""
        model = {f"model/{name}": tensor.cpu().numpy().copy() for name, tensor in self.model.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        slots = {
            f"slot/{index}/{name}": torch.as_tensor(slot).cpu().numpy().copy()
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
            GatewiseError: for the state of something else; nothing is written then.
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
            _, parameter, slot = name.split("/")
            found.setdefault(int(parameter), {})[slot] = torch.tensor(array)
        return {"state": found, "param_groups": groups}
