"""`lstm`: torch.lstm kept out of torch.compile's graphs, made when it is first asked for, since that loads the compiler.

torch 2.13 cannot compile its LSTM for a backward pass; nn.LSTM breaks the graph there too.
"""

from __future__ import annotations

from typing import Any

import torch


def __getattr__(name: str) -> Any:
    if name != "lstm":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, torch.compiler.disable(torch.lstm))  # type: ignore[no-untyped-call]
