"""The roundings that each Keras backend adds to the rules; with them the results agree almost to the last bit.

On every backend Keras stores the learning rate in its float type, float32 unless `keras.config.set_floatx` changes it. The
TensorFlow backend also rounds to float32 each Python number that a rule casts to the variables' dtype (betas, momentum, weight
decay). The torch backend computes the factor of weight decay in the learning rate's dtype.

One rounding is not followed: on every backend but TensorFlow, Keras's `maximum`, `minimum`, `where` and `clip` compute float64
in float32. It changes clipping by norms, the moving average, Adafactor, Lamb, Ftrl's l1 and ScheduleFreeAdamW's warm-up by
about 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Backend = Literal["tensorflow", "torch", "jax"]


@dataclass(frozen=True)
class Arithmetic:
    """The roundings that a rule follows: those of a Keras backend, or none by default.

    Attributes:
        backend: the Keras backend, or None for double precision.
        floatx: Keras's float type, in which it stores learning rates, as the name of a torch dtype.
    """

    backend: Backend | None = None
    floatx: str = "float64"

    def rate(self, learning_rate: float | torch.Tensor) -> float:
        """Return the learning rate as Keras stores it."""
        return _rounded(float(learning_rate), self.floatx)

    def cast(self, number: float) -> float:
        """Return a Python number after `keras.ops.cast` to the variables' dtype."""
        return _rounded(number, "float32") if self.backend == "tensorflow" else number

    def kept(self, rate: float, weight_decay: float) -> float:
        """Return the factor by which weight decay multiplies a parameter."""
        if self.backend == "torch":
            dtype = getattr(torch, self.floatx)
            return float(1 - torch.tensor(weight_decay, dtype=dtype) * torch.tensor(rate, dtype=dtype))
        return 1 - self.cast(weight_decay) * rate

    def number(self, value: float, dtype: torch.dtype) -> torch.Tensor:
        """Return a number to compute with: in the parameters' dtype to follow a Keras backend, otherwise in float64."""
        return torch.tensor(value, dtype=torch.float64 if self.backend is None else dtype)

    @property
    def schedule_dtype(self) -> torch.dtype:
        """The dtype in which Keras computes learning-rate schedules."""
        dtype: torch.dtype = torch.float32 if self.backend == "tensorflow" else getattr(torch, self.floatx)
        return dtype


def _rounded(number: float, dtype: str) -> float:
    return number if dtype == "float64" else torch.tensor(number, dtype=getattr(torch, dtype)).item()


EXACT = Arithmetic()
"""No rounding beyond double precision."""
