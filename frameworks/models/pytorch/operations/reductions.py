"""Functions of `keras.ops` that reduce or order numbers along axes, in torch; each with Keras's signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.models.pytorch.operations.constants import cast, refused
from frameworks.models.pytorch.pieces import literal


def _along(axis: Any, *, keepdims: bool = False) -> str:
    """Return the arguments of a reduction."""
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    stated = [*([f"dim={axis}"] if axis is not None else []), *(["keepdim=True"] if keepdims else [])]
    if keepdims and axis is None:
        raise refused("keepdims=True without an axis")
    return ", ".join(stated)


def _reduction(method: str, further: str = "") -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002  Keras's signature
        return f"{x}.{method}({', '.join(filter(None, (_along(axis, keepdims=keepdims), further)))})"

    return write


def _extreme(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False, initial: Any = None) -> str:  # noqa: FBT002
        if initial is not None:
            raise refused(f"initial={initial}")
        return f"{x}.{method}({_along(axis, keepdims=keepdims)})"

    return write


def _product(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None) -> str:  # noqa: FBT002
    if isinstance(axis, (list, tuple)) and len(axis) > 1:
        raise refused(f"axis={axis}, of which torch multiplies along one at a time")
    product = f"{x}.prod({_along(axis, keepdims=keepdims)})"
    return cast(product, dtype) if dtype else product


def _log_sum_exp(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002
    if axis is None and not keepdims:
        return f"{x}.flatten().logsumexp(dim=0)"
    return f"{x}.logsumexp({_along(axis, keepdims=keepdims)})"


def _sorted(x: Any, axis: Any = -1) -> str:
    return f"{x}.sort(dim={axis}).values"


def _order(x: Any, axis: Any = -1) -> str:
    return f"{x}.argsort(dim={axis}, stable=True)"


def _position(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002
        return f"{x}.{method}({_along(axis, keepdims=keepdims)})"

    return write


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> str:  # noqa: A002, FBT002
    several = isinstance(axis, (list, tuple)) and len(axis) > 1
    if ord not in (None, 1, 2) or axis is None or (several and ord is not None):  # of a matrix these are other norms
        raise refused(f"ord={ord!r} and axis={axis!r}")
    return f"torch.linalg.vector_norm({x}, {ord or 2}, {_along(axis, keepdims=keepdims)})"


def _cumulative(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, dtype: Any = None) -> str:
        if axis is None:
            raise refused("axis=None")
        summed = f"{x}.{method}({axis})"
        return cast(summed, dtype) if dtype else summed

    return write


def _top_k(x: Any, k: Any, sorted: Any = True) -> str:  # noqa: A002, ARG001, FBT002  Keras's signature
    return f"(each[..., :{literal(k)}] for each in {x}.sort(descending=True, stable=True))"


WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        **{name: _reduction(name) for name in ("sum", "mean", "any", "all")},
        **{name: _reduction(name, "unbiased=False") for name in ("var", "std")},
        **{name: _extreme("amax") for name in ("max", "amax")},
        **{name: _extreme("amin") for name in ("min", "amin")},
        **{name: _position(name) for name in ("argmax", "argmin")},
        **{name: _cumulative(name) for name in ("cumsum", "cumprod")},
        "prod": _product,
        "logsumexp": _log_sum_exp,
        "norm": _norm,
        "sort": _sorted,
        "argsort": _order,
        "top_k": _top_k,
    }
)
