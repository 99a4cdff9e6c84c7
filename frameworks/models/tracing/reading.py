"""What code may ask a tensor without computing with it: sizes, which remember the axis, and facts that never change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from frameworks.models.tracing.sizes import Of, Whole


def name_of(func: Any) -> str:
    """Return the name of a function of torch; of an attribute of a tensor the attribute's."""
    name = str(getattr(func, "__name__", func))
    return str(func.__self__.__name__) if name == "__get__" else name


def _sizes(recorder: Any, tensor: Any) -> torch.Size:
    value = recorder.known(tensor)
    if value is None:
        return torch.Size(tensor.shape)
    return torch.Size([Whole.made(size, Of("size", (value, axis))) for axis, size in enumerate(value.shape)])


def _shape(recorder: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    sizes = _sizes(recorder, args[0])
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return sizes if axis is None else sizes[axis]


def _count(recorder: Any, _: Any, args: tuple[Any, ...], __: dict[str, Any]) -> Any:
    count: Any = 1
    for size in _sizes(recorder, args[0]):
        count = size * count
    return count


def _fact(_: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*args, **kwargs)


_FACTS = (
    "dtype device ndim dim layout is_cuda is_cpu is_mps is_sparse is_quantized is_nested is_leaf requires_grad grad_fn "
    "get_device is_contiguous is_floating_point is_complex is_tensor element_size stride storage_offset data_ptr "
    "untyped_storage __hash__ _backward_hooks names is_meta device_type is_same_size itemsize nbytes is_inference is_xla "
    "is_vulkan is_neg is_conj set_grad_enabled _set_grad_enabled __repr__ __format__ get_default_dtype finfo requires_grad_ "
    "retain_grad"
)

READERS: dict[str, Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]] = {
    "shape": _shape,
    "size": _shape,
    "numel": _count,
    "nelement": _count,
    **dict.fromkeys(_FACTS.split(), _fact),
}
