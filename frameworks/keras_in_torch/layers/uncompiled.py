"""`lstm`: torch.lstm, kept out of the graphs of torch.compile.

torch 2.13 cannot compile its LSTM for a backward pass; nn.LSTM breaks the graph too. The function is created on first access,
because creating it loads the compiler.
"""

from __future__ import annotations

from typing import Any

import torch


def __getattr__(name: str) -> Any:
    if name != "lstm":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, torch.compiler.disable(torch.lstm))  # type: ignore[no-untyped-call]
