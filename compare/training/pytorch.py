"""Training a PyTorch module step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from compare.training.states import Array, require_same


class PyTorchSide:
    """A PyTorch module and its optimizer, as a `Side` of `train_together`.

    Example:
        >>> import torch
        >>> from compare.training import PyTorchSide, parameter_reader
        >>> linear = torch.nn.Linear(2, 1)
        >>> _ = torch.nn.init.ones_(linear.weight), torch.nn.init.zeros_(linear.bias)
        >>> def loss_of(x, y):
        ...     return torch.nn.functional.mse_loss(linear(x), y)
        >>> optimizer = torch.optim.SGD(linear.parameters(), lr=0.1)
        >>> side = PyTorchSide(linear, optimizer, loss_of, parameter_reader({"dense": linear}))
        >>> side.step((torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0]])))
        1.0
        >>> round(float(side.parameters()["dense.bias"][0]), 4)  # minus the error of 1 times twice the rate
        -0.2
    """

    framework = "pytorch"

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_of: Callable[..., torch.Tensor],
        parameters: Callable[[], Mapping[str, Array]],
        seed: int = 0,
    ) -> None:
        """Wrap a module and the optimizer of its parameters.

        Args:
            model: a module, in the dtype to train in.
            optimizer: a torch.optim.Optimizer.
            loss_of: a function from a batch's arrays to the scalar loss.
            parameters: a function that returns the parameters under the names and in the shapes that all sides share.
            seed: the seed of random numbers such as dropout; the same step always draws the same numbers.
        """
        self.model, self.optimizer, self._loss_of, self._parameters = model, optimizer, loss_of, parameters
        self.seed, self.steps = seed, 0

    def step(self, batch: Any) -> float:
        """Train on a batch, and return the loss before the step."""
        self.model.train()
        self.optimizer.zero_grad()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((self.seed << 32) + self.steps)  # a step draws the same numbers, whatever was drawn before
            loss = self._loss_of(*batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        return loss.item()

    def loss(self, batch: Any) -> float:
        """Return the loss of a batch without training on it."""
        return float(self._loss_of(*batch).detach())

    def parameters(self) -> Mapping[str, Array]:
        """Return every parameter under the names and in the shapes that all sides share."""
        return self._parameters()

    def state(self) -> dict[str, Array]:
        """Return the complete state, so that a side built the same way can continue exactly."""
        model = {f"model/{name}": tensor.cpu().numpy().copy() for name, tensor in self.model.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        slots = {
            f"slot/{index}/{name}": torch.as_tensor(slot).cpu().numpy().copy()
            for index, kept in optimizer["state"].items()
            for name, slot in kept.items()
        }
        numbers = {
            f"group/{index}/{name}": np.array(value)
            for index, group in enumerate(optimizer["param_groups"])
            for name, value in group.items()
            if isinstance(value, (int, float))
        }
        return {**model, **slots, **numbers, "steps": np.array(self.steps)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restore a state, to continue from there.

        Raises:
            GatewiseError: for the state of another side; nothing is written then.
        """
        slots = {name: array for name, array in state.items() if name.startswith("slot/")}
        own = {name: array for name, array in self.state().items() if not name.startswith("slot/")}
        require_same(state, own | slots)  # this optimizer may not have made the slots yet
        self.model.load_state_dict(
            {name.partition("/")[2]: torch.tensor(array) for name, array in state.items() if name.startswith("model/")}
        )
        self.optimizer.load_state_dict(self._optimizer_state(state, slots))
        self.steps = int(state["steps"])

    def _optimizer_state(self, state: Mapping[str, Array], slots: Mapping[str, Array]) -> dict[str, Any]:
        groups = self.optimizer.state_dict()["param_groups"]
        for index, group in enumerate(groups):
            group |= {name: state[f"group/{index}/{name}"].item() for name in group if f"group/{index}/{name}" in state}
        by_parameter: dict[int, dict[str, torch.Tensor]] = {}
        for name, array in slots.items():
            _, parameter, slot = name.split("/")
            by_parameter.setdefault(int(parameter), {})[slot] = torch.tensor(array)
        return {"state": by_parameter, "param_groups": groups}
