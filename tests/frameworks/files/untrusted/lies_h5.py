"""Lies in h5 files, made with the library: links, external storage, shapes, dtypes, filters, attributes."""

from __future__ import annotations

import io
import random
from typing import Any

import h5py
import numpy as np

from tests.frameworks.files.untrusted.lies_json import lie_of_json, lie_of_tree


def lie_of_h5(content: bytes, dice: random.Random) -> bytes:
    """Change an h5 file with the library: links, storage, shapes, dtypes, filters, attributes."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as h5:
        places: list[str] = []
        h5.visit(places.append)
        datasets = [place for place in places if isinstance(h5.get(place), h5py.Dataset)]
        groups = [h5, *(h5[place] for place in places if isinstance(h5.get(place), h5py.Group))]
        for _ in range(dice.choice((1, 1, 2))):
            holders = [group for group in groups if len(group.attrs)]
            if holders and dice.randrange(2):
                _lie_of_attribute(dice.choice(holders), dice)
            else:
                _lie_of_dataset(h5, dice.choice(datasets), dice.choice(groups), dice)
    return file.getvalue()


def _lie_of_attribute(group: Any, dice: random.Random) -> None:
    name = dice.choice(list(group.attrs))
    value = group.attrs[name]
    text = value.decode() if isinstance(value, bytes) else value
    if isinstance(text, str) and text[:1] == "{" and dice.randrange(8):
        group.attrs[name] = lie_of_json(text.encode(), dice).decode()
    elif isinstance(value, np.ndarray) and dice.randrange(4):
        listed = [each.decode() if isinstance(each, bytes) else str(each) for each in value.ravel()]
        changed = lie_of_tree(listed, dice)
        group.attrs[name] = [str(each).replace("\0", "").encode("utf-8", "surrogatepass") or b" " for each in changed] or [b"x"]
    else:
        odd: list[Any] = [b"", b"x", "é", 3, 3.5, [], [[b"a"]], h5py.Empty("S3"), np.zeros(3, "V4"), b"\xff\xfe", [1, 2], True]
        odd += [b"2.1.0", b"1.2.0-tf", b"99" * 5000, group.ref, np.array([group.ref], h5py.ref_dtype), np.zeros((2, 0))]
        group.attrs[name] = dice.choice(odd)


def _lie_of_dataset(h5: Any, place: str, group: Any, dice: random.Random) -> None:  # noqa: C901, PLR0912  a list of lies
    kind = dice.randrange(12)
    if place not in h5:
        return
    array = h5[place][()]
    if kind == 11:
        group[dice.choice(("again", "lstm", "cell", "vars", "0"))] = dice.choice((h5, h5[place].parent, h5[place]))
        return
    del h5[place]
    if kind == 0:
        h5[place] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 1:
        h5[place] = h5py.SoftLink(dice.choice(("/", place, "/nowhere", f"/{place}")))
    elif kind == 2:
        h5.create_dataset(place, array.shape, array.dtype, external=[("/etc/hostname", 0, array.nbytes)])
    elif kind == 3:
        layout = h5py.VirtualLayout(array.shape, array.dtype)
        layout[...] = h5py.VirtualSource("/etc/hostname", "x", array.shape)
        h5.create_virtual_dataset(place, layout)
    elif kind == 4:
        shape = (1 << dice.choice((20, 31, 40, 59)), *array.shape[1:])
        h5.create_dataset(place, shape, array.dtype, chunks=(dice.choice((1, 1024)), *array.shape[1:]))
    elif kind == 5:
        filters: dict[str, Any] = dice.choice(
            ({"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"fletcher32": True}, {"scaleoffset": 4})
        )
        h5.create_dataset(place, data=array, chunks=True, **filters)
    elif kind == 6:
        kinds: list[Any] = ["f2", ">f4", "f8", "i4", "u1", "S4", "c8", "?", [("a", "f4"), ("b", "i8")]]
        kinds += [h5py.string_dtype(), h5py.vlen_dtype("f4")]
        h5.create_dataset(place, array.shape, np.dtype(dice.choice(kinds)))
    elif kind == 7:
        h5[place] = dice.choice((h5py.Empty("f4"), np.float32(1), array.T, array.ravel(), np.zeros((0, 3), "f4"), array[:1]))
    elif kind == 8:
        h5.create_group(place)
    elif kind == 9:
        h5.create_dataset(place, array.shape, array.dtype, maxshape=(None,) * array.ndim, chunks=(1,) * array.ndim)
    else:
        h5[dice.choice(("x", f"{place}/deeper", "layers/lstm_7/cell/vars/0", f"{place}_1"))] = array
