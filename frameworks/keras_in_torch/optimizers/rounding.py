"""The roundings that Keras adds to its rules, by backend, so that a rule that follows them is followed to the last bit or so.

Keras holds the learning rate in its float type, float32 unless `keras.config.set_floatx` says otherwise, on every backend. Its
TensorFlow backend also rounds each Python number that a rule casts to the variables' dtype (betas, momentum, weight decay) to
float32 on the way; its torch backend computes the share that weight decay leaves in the learning rate's dtype.

Not followed: Keras's `maximum`, `minimum`, `where` and `clip` compute float64 in float32 on every backend but TensorFlow. That
moves clipping by norms, the moving average, Adafactor, Lamb, Ftrl's l1 and ScheduleFreeAdamW's warm-up by some 1e-9 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Backend = Literal["tensorflow", "torch", "jax"]


@dataclass(frozen=True)
class Arithmetic:
    """Whose roundings a rule follows: those of a Keras backend, or, by default, none.

    Attributes:
        backend: the Keras backend, or None for Python's own double precision.
        floatx: Keras's float type, a name of a torch dtype; it is what Keras holds learning rates in.
    """

    backend: Backend | None = None
    floatx: str = "float64"

    def rate(self, learning_rate: float | torch.Tensor) -> float:
        """Give the learning rate as Keras holds it."""
        return _rounded(float(learning_rate), self.floatx)

    def cast(self, number: float) -> float:
        """Give a Python number as `keras.ops.cast` hands it to a rule."""
        return _rounded(number, "float32") if self.backend == "tensorflow" else number

    def kept(self, rate: float, weight_decay: float) -> float:
        """Give the share of a parameter that weight decay leaves of it."""
        if self.backend == "torch":
            dtype = getattr(torch, self.floatx)
            return float(1 - torch.tensor(weight_decay, dtype=dtype) * torch.tensor(rate, dtype=dtype))
        return 1 - self.cast(weight_decay) * rate

    def number(self, value: float, dtype: torch.dtype) -> torch.Tensor:
        """Give a number to compute with: in the parameters' dtype where Keras's arithmetic is followed, else in float64."""
        return torch.tensor(value, dtype=torch.float64 if self.backend is None else dtype)

    @property
    def schedule_dtype(self) -> torch.dtype:
        """The dtype that Keras computes learning-rate schedules in."""
        dtype: torch.dtype = torch.float32 if self.backend == "tensorflow" else getattr(torch, self.floatx)
        return dtype


def _rounded(number: float, dtype: str) -> float:
    return number if dtype == "float64" else torch.tensor(number, dtype=getattr(torch, dtype)).item()


EXACT = Arithmetic()
"""No rounding but that of double precision."""
