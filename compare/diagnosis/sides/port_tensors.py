"""The tensors that a port takes, and the arrays of what it returns."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidTypeError

Array = npt.NDArray[Any]
HALVES = ("float16", "bfloat16")


@dataclass(frozen=True)
class Tensors:
    """How arrays become the tensors that a port takes.

    Args:
        make: the function that makes one of an array.
        torch: the module torch, if the tensors are torch's.
    """

    make: Callable[[Array], Any]
    torch: Any = None

    @classmethod
    def of(cls, framework: str, roots: Iterable[Any]) -> Tensors:
        """Return them for a port that takes tensors of a framework; those of torch on its device and in its dtype."""
        if framework != "pytorch":
            return cls(_keras_maker(roots))
        torch = sys.modules.get("torch")
        if torch is None:
            return cls(lambda array: array)
        first = first_parameter(roots)

        def make(array: Array) -> Any:
            tensor = torch.from_numpy(np.array(array))
            if first is None:
                return tensor
            return tensor.to(first.device, first.dtype if tensor.is_floating_point() else tensor.dtype)

        return cls(make, torch)

    def nested(self, states: Any) -> Any:
        """Return tensors, nested like the arrays."""
        return type(states)(map(self.nested, states)) if isinstance(states, (tuple, list)) else self.make(states)

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Return a context in which torch records no gradients."""
        return nullcontext() if self.torch is None else self.torch.no_grad()


def first_parameter(roots: Iterable[Any]) -> Any:
    """Return the first floating parameter of the torch modules among some objects, or None."""
    modules = [root for root in roots if hasattr(root, "state_dict") and hasattr(root, "parameters")]
    return next((each for module in modules for each in module.parameters() if each.is_floating_point()), None)


def _keras_maker(roots: Iterable[Any]) -> Callable[[Array], Any]:
    if any(base.__module__.startswith("tf_keras") for root in roots for base in type(root).__mro__):
        return sys.modules["tf_keras"].backend.constant  # type: ignore[no-any-return]
    return sys.modules["keras"].ops.convert_to_tensor  # type: ignore[no-any-return]


def arrays_of(returned: Any) -> list[Array]:
    """Return the arrays of a nest of tuples, lists and mappings, in order; None is left out.

    Raises:
        GatewiseError: for anything but arrays of numbers.
    """
    return [_array(leaf) for leaf in _leaves(returned)]


def halved(returned: Any) -> str:
    """Return the first half precision among the results of a port, or ""."""
    names = (str(getattr(leaf, "dtype", "")).rpartition(".")[2] for leaf in _leaves(returned))
    return next((name for name in names if name in HALVES), "")


def _leaves(returned: Any) -> Iterator[Any]:
    if hasattr(returned, "batch_sizes") and hasattr(returned, "unsorted_indices"):
        raise InvalidTypeError.because(
            "what the port returns",
            must="be arrays",
            but="holds a PackedSequence",
            remedy="Unpack it: pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])[0].",
        )
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    if isinstance(returned, (tuple, list)) and not all(isinstance(each, (bool, int, float)) for each in returned):
        for each in returned:
            yield from _leaves(each)
    elif returned is not None and not (isinstance(returned, (tuple, list)) and not returned):
        yield returned


def _array(leaf: Any) -> Array:
    if getattr(leaf, "is_meta", False):
        raise _no_numbers("tensor on the meta device")
    if hasattr(leaf, "detach"):
        leaf = leaf.detach().cpu()
        leaf = leaf.float() if str(leaf.dtype) == "torch.bfloat16" else leaf
    try:
        array = np.asarray(leaf)
    except (TypeError, ValueError) as error:
        raise _no_numbers(type(leaf).__name__) from error
    if array.dtype.kind not in "fiub":
        if array.dtype.name != "bfloat16":
            raise _no_numbers(f"{type(leaf).__name__}{'' if array.dtype.kind in 'OUS' else f' of {array.dtype}'}")
        array = array.astype(np.float32)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _no_numbers(kind: str) -> InvalidTypeError:
    return InvalidTypeError.because(
        "what the port returns",
        must="be arrays of numbers",
        but=f"holds a {kind}",
        remedy="Return what the right layer's own call returns, nested in any way.",
    )


def is_on_meta(native: Any) -> bool:
    """Return whether a torch module has parameters without numbers."""
    return hasattr(native, "state_dict") and any(each.is_meta for each in getattr(native, "parameters", tuple)())


def in_single_precision(native: Any) -> Any:
    """Return a copy of a recurrent torch module in half precision with the same weights in float32; anything else as it is."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(native, (torch.nn.RNNBase, torch.nn.modules.rnn.RNNCellBase)):
        return native
    dtypes = {parameter.dtype for parameter in native.parameters()}
    return copy.deepcopy(native).float() if dtypes and dtypes <= {torch.float16, torch.bfloat16} else native
