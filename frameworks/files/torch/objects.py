"""The contents of torch's pickles: tensors over storages outside the pickle, and the objects around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from frameworks.files.untrusted.derived_arrays import MAX_RANK, strided, widened
from frameworks.files.untrusted.source import StoredArray, damaged, unsupported
from frameworks.files.untrusted.unpickling import Global, Record, load

_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "Double": "f8",
        "Float": "f4",
        "Half": "f2",
        "BFloat16": "u2",
        "Long": "i8",
        "Int": "i4",
        "Short": "i2",
        "Char": "i1",
        "Byte": "u1",
        "Bool": "?",
        "ComplexDouble": "c16",
        "ComplexFloat": "c8",
        "QInt8": "i1",
        "QUInt8": "u1",
        "QInt32": "i4",
        "QUInt4x2": "u1",
        "QUInt2x4": "u1",
    }
)
"""The dtype of a storage's elements, by the name of its class: "Float" for `torch.FloatStorage`."""

_TYPED: Mapping[str, str] = MappingProxyType({"uint16": "u2", "uint32": "u4", "uint64": "u8"})
"""Dtypes that have no storage class: the tensor states the dtype instead."""


@dataclass(frozen=True)
class Storage:
    """Elements outside the pickle.

    Args:
        kind: "Float", "BFloat16", ...; "Untyped" for bytes.
        key: the name of the storage in the file.
        count: the number of elements.
        offset: the offset of the first element, if the storage is a view of another one.
    """

    kind: str
    key: str
    count: int
    offset: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of an element; bfloat16 is read as its bits."""
        return np.dtype(_DTYPES.get(self.kind, "u1"))


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor: a view of a storage. `dtype` is set if the storage has none."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str = ""

    @property
    def repeats(self) -> bool:
        """Whether it repeats its elements, as `.expand` does."""
        return any(size > 1 and not step for size, step in zip(self.shape, self.strides, strict=True))

    def over(self, elements: StoredArray, name: str) -> StoredArray:
        """Return the array, from the elements of its storage, (element,)."""
        array = strided(elements, self.storage.offset + self.offset, self.shape, self.strides, name)
        return widened(array, "bfloat16") if self.storage.kind == "BFloat16" else array


Objects = Any
"""Dictionaries, lists, tuples, numbers, texts, tensors and records, nested in any way."""


@dataclass(frozen=True)
class Pickled:
    """The contents of a pickle: the object, its storages by their keys, and the offset of the end of the pickle."""

    root: Objects
    storages: Mapping[str, Storage]
    end: int


def unpickle(content: bytes, name: str) -> Pickled:
    """Read the torch pickle at the start of `content`.

    Raises:
        GatewiseError: for a damaged pickle.
    """
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Any:
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            return identity[1]  # a class, followed by its source code
        storage = _storage(identity, name)
        storages.setdefault(storage.key, storage)
        return storage

    root, end = load(content, name, _CALLS, persistent)
    return Pickled(root, storages, end)


def _storage(identity: Any, name: str) -> Storage:
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise damaged(name, "refers to something that is not a storage")
    _, kind, key, _, count, *view = identity
    short = kind.name.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Global) else ""
    if short not in _DTYPES and short != "Untyped":
        raise unsupported(name, f"has a storage of the unknown kind {short or repr(short)}")
    if not isinstance(key, str) or not _is_size(count):
        raise damaged(name, "has a storage without a key or a size")
    offset = view[0][1] if view and isinstance(view[0], tuple) and len(view[0]) == 3 else 0
    if not _is_size(offset):
        raise damaged(name, "has a view of a storage without an offset")
    return Storage(short, key, count, offset)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *metadata: Any) -> Tensor | Record:
    if any(isinstance(each, Mapping) and any(each.get(bit) for bit in ("conj", "neg")) for each in metadata):
        return Record("a conjugated or negated view: call .resolve_conj() and .resolve_neg() before saving")
    if not isinstance(storage, Storage) or storage.kind == "Untyped":
        raise ValueError("a tensor over something that is not a storage of a known kind")
    return tensor_over(storage, offset, shape, strides)


def _typed_tensor(storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any) -> Any:
    name = dtype.name.rpartition(".")[2] if isinstance(dtype, Global) else ""
    if not isinstance(storage, Storage) or name not in _TYPED:
        return Record(f"a tensor of {name}")
    return tensor_over(storage, offset, shape, strides, _TYPED[name])


def tensor_over(storage: Storage, offset: Any, shape: Any, strides: Any, dtype: str = "") -> Tensor:
    """Return a tensor from its description in a file.

    Raises:
        ValueError: for a description that fits no tensor.
    """
    sizes, steps = _sizes(shape), _sizes(strides)
    if len(sizes) != len(steps) or len(sizes) > MAX_RANK or not _is_size(offset):
        raise ValueError("a tensor whose sizes and strides do not fit")
    return Tensor(storage, offset, sizes, steps, dtype)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or not all(_is_size(size) for size in value):
        raise ValueError("a tensor with an invalid shape")
    return tuple(value)


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    for pair in pairs if isinstance(pairs, (list, tuple)) else ():
        key, value = pair
        if isinstance(key, str):
            items[key] = value
    return items


def _first(value: Any, *_: Any) -> Any:
    return value


def _forgotten(*_: Any) -> None:
    """Treat a value that holds no array as None."""


def _without_values(*_: Any) -> Record:
    return Record("a tensor on the meta device, which has no values")


def _subclass(function: Any, _kind: Any, args: Any, *_: Any) -> Any:
    known = _CALLS.get(function.name) if isinstance(function, Global) else None
    return known(*args) if known is not None and known is not _subclass else Record("a tensor of a custom class")


def _attribute(owner: Any, name: Any, *_: Any) -> Any:
    """Return the function with which Keras restores a whole model, or a record of any other attribute."""
    if name == _KERAS_MODEL and isinstance(owner, Global) and owner.name.startswith("keras."):
        return Global(_KERAS_MODEL)
    return Record("builtins.getattr", (owner, name))


_KERAS_MODEL = "_unpickle_model"
_CALLS: Mapping[str, Callable[..., Any]] = {
    "builtins.getattr": _attribute,
    "__builtin__.getattr": _attribute,
    _KERAS_MODEL: lambda *_: Record("a whole Keras model: load it where it was made, and call model.save('model.keras')"),
    "collections.OrderedDict": _ordered,
    "collections.Counter": _first,
    "builtins.set": _first,
    "__builtin__.set": _first,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _subclass,
    "torch._utils._rebuild_meta_tensor_no_storage": _without_values,
    "torch._utils._rebuild_qtensor": lambda *_: Record("a quantised tensor: save it before it is quantised"),
    "torch.ScriptObject": lambda *_: Record("packed weights, as of a quantised module: save it before it is quantised"),
    "torch._utils._rebuild_sparse_tensor": lambda *_: Record("a sparse tensor: call .to_dense() before saving"),
    "torch.device": _forgotten,
    "numpy.core.multiarray.scalar": _forgotten,
    "numpy._core.multiarray.scalar": _forgotten,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.build_tensorlist": _first,
    "torch.jit._pickle.restore_type_tag": _first,
}


def elements_of(tensor: Tensor, stored: StoredArray, order: Literal["<", ">"], name: str) -> StoredArray:
    """Return the elements of a tensor's storage.

    Args:
        tensor: the tensor.
        stored: the bytes of the storage, (byte,).
        order: the byte order, "<" or ">".
        name: what messages call the file.

    Raises:
        GatewiseError: for a storage that is shorter than the pickle states.
    """
    dtype = np.dtype(tensor.dtype or tensor.storage.dtype).newbyteorder(order)
    count = stored.shape[0] // dtype.itemsize
    if tensor.storage.kind != "Untyped" and tensor.storage.count > count:
        raise damaged(name, f"has a storage of {count} elements that should have {tensor.storage.count}")
    return StoredArray((count,), dtype, stored.read_into, stored.start)
