"""A torch module as what it calls: recorded while it runs, for any batch size and any length.

`torch.fx` traces with stand-ins for tensors, which no `for t in range(x.size(1))` takes, and which have no shapes. Here the
module runs on the user's example, at several sizes of its axes, and every function that torch is asked for is recorded, with
every module and method that asks. `trace` puts the records into one: what differs with a size is computed from it, and what
repeats with a length is a loop. Anything else that differs is refused.
"""

from frameworks.models.tracing.steps import Block, Function, Line, Loop, Method, ModuleCall, Parameter, Step, Value
from frameworks.models.tracing.tracing import Trace, other_sizes, trace

__all__ = [
    "Block",
    "Function",
    "Line",
    "Loop",
    "Method",
    "ModuleCall",
    "Parameter",
    "Step",
    "Trace",
    "Value",
    "other_sizes",
    "trace",
]
