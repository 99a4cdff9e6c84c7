"""Reads h5 files with h5py in a separate process, because the library can hang or grow on a damaged file.

`h5_process` runs this module as a script, which imports nothing of this package. It gets an open descriptor, never the user's
path; where the system cannot pass one, it gets the path of a copy. The answer includes the reason if a file is refused; if
this process ends without an answer after it has announced that it is ready, the parent treats the file as damaged.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

MAX_OBJECTS, MAX_DEPTH, MAX_TEXT, BLOCK = 200_000, 64, 32 << 20, 4 << 20
READY = b"ready\n"  # what this process prints once it can be asked
BFLOAT16 = "|V2"  # how HDF5 shows Keras's bfloat16: two opaque bytes
ATTRIBUTES = ("keras_version", "backend", "model_config", "layer_names", "weight_names", "name")


class Window:
    """A part of a file as a file object, for h5py to read from."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        """Start at the beginning."""
        self.descriptor, self.start, self.size, self.at = descriptor, start, size, 0

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as there are bytes."""
        wanted = min(len(buffer), max(self.size - self.at, 0))
        count = os.preadv(self.descriptor, [memoryview(buffer)[:wanted]], self.start + self.at)
        self.at += count
        return count

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset."""
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self) -> int:
        """Return the offset."""
        return self.at

    def flush(self) -> None:
        """Do nothing: the file is only read."""


class RefusalError(Exception):
    """The reason why a file or an array is not read, as a part of a message."""


def limit(memory: int, seconds: int) -> bool:
    """Set the limits of this process if the system can; return whether its memory is limited."""
    try:
        import resource
    except ImportError:  # Windows
        return False

    def lower(kind: int, soft: int, hard: int) -> None:
        most = resource.getrlimit(kind)[1]  # one that the user has set may be lower already
        resource.setrlimit(kind, (soft, hard) if most == resource.RLIM_INFINITY else (min(soft, most), min(hard, most)))

    lower(resource.RLIMIT_CPU, seconds, seconds + 1)
    lower(resource.RLIMIT_CORE, 0, 0)
    try:
        lower(resource.RLIMIT_AS, memory, memory)
    except (OSError, ValueError):  # macOS
        return False
    return True


def describe(file: Any) -> dict[str, Any]:
    """Return the attributes in use of every group, and the location of the elements of every dataset."""
    tree: dict[str, Any] = {"groups": {}, "datasets": {}, "unread": {}}
    text = 0
    for count, (path, thing) in enumerate(walk(file)):
        text += len(path)
        if count > MAX_OBJECTS or text > MAX_TEXT:
            raise RefusalError(
                f"has more than {MAX_OBJECTS} objects, or more than {MAX_TEXT >> 20} MiB of names and attributes"
            )
        if isinstance(thing, str):
            tree["unread"][path] = thing
        elif hasattr(thing, "shape"):
            try:
                tree["datasets"][path] = dataset(thing)
            except RefusalError as refusal:
                tree["unread"][path] = str(refusal)
        else:
            tree["groups"][path] = dict(attributes(thing))
            text += len(repr(tree["groups"][path]))
    return tree


def walk(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield each path with its group or dataset, or the reason why it is not followed. Each group is visited once."""
    import h5py

    seen = set()
    waiting = [("", file["/"], 0)]
    while waiting:
        path, group, depth = waiting.pop()
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:
            yield path, "a group that has another path too"
            continue
        seen.add(place)
        if depth > MAX_DEPTH:
            raise RefusalError(f"nests groups more than {MAX_DEPTH} deep")
        yield path, group
        for name in group:
            below = f"{path}/{name}" if path else name
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield below, f"a link out of the tree ({type(link).__name__}), which is not followed"
                continue
            thing = group[name]
            if isinstance(thing, h5py.Group):
                waiting.append((below, thing, depth + 1))
            elif isinstance(thing, h5py.Dataset):
                yield below, thing
            else:
                yield below, "neither a group nor a dataset"


def dataset(thing: Any) -> dict[str, Any]:
    """Return shape and dtype, and the offset of the elements if they are contiguous and not compressed."""
    import h5py

    created = thing.id.get_create_plist()
    if thing.external or created.get_layout() == h5py.h5d.VIRTUAL:
        raise RefusalError("an array in another file, which is not followed")
    opaque = thing.dtype.str == BFLOAT16
    if not opaque and (thing.dtype.kind not in "fiub" or thing.dtype.names or thing.dtype.subdtype):
        raise RefusalError(f"an array of {thing.dtype}")
    plain = created.get_layout() == h5py.h5d.CONTIGUOUS and created.get_nfilters() == 0
    offset = thing.id.get_offset() if plain else None
    if thing.shape is None:
        raise RefusalError("an array without a shape")
    return {
        "shape": [int(size) for size in thing.shape],
        "dtype": thing.dtype.str,
        "offset": None if offset is None else int(offset),
    }


def attributes(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes in use, as texts and lists of texts. Those that Keras split because of their length are joined."""
    for name in ATTRIBUTES:
        if name in group.attrs:
            yield name, texts(group.attrs[name])
        elif f"{name}0" in group.attrs:
            pieces: list[Any] = []
            while f"{name}{len(pieces)}" in group.attrs:
                pieces.append(texts(group.attrs[f"{name}{len(pieces)}"]))
            yield name, [text for piece in pieces for text in piece]


def texts(value: Any) -> Any:
    """Return a text or a list of texts."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return str(value)
    return [texts(item) for item in value.ravel().tolist()] if hasattr(value, "ravel") else []


def copy_out(thing: Any, place: int | str, ratio: int) -> None:
    """Write the elements of a dataset to a file, row by row, in blocks."""
    import numpy as np

    if thing.nbytes > ratio * (thing.id.get_storage_size() + 4096):
        raise RefusalError(f"claims that {thing.id.get_storage_size()} bytes hold {thing.nbytes}")
    with open(place, "wb", closefd=isinstance(place, str)) as out:
        if thing.ndim == 0:
            out.write(np.asarray(thing[()]).tobytes())
            return
        rows = max(1, BLOCK // max(thing.nbytes // max(thing.shape[0], 1), 1))
        starts = range(0, thing.shape[0], rows)
        out.writelines(np.ascontiguousarray(thing[start : start + rows]).tobytes() for start in starts)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request: `describe`, or `copy` of one dataset to another file."""
    try:
        import h5py
    except ImportError as error:
        return {"missing": str(error)}
    place = request["file"]
    try:
        with h5py.File(place if isinstance(place, str) else Window(place, request["start"], request["size"]), "r") as file:
            if "copy" not in request:
                return describe(file)
            thing = file[request["copy"]]
            dataset(thing)
            copy_out(thing, request["out"], request["ratio"])
            return {}
    except RefusalError as refusal:
        return {"refused": str(refusal)}
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes the library raise
        return {"damaged": f"cannot be read: {error}"}


def receive() -> dict[str, Any]:
    """Wait for a request and its open files; return an empty request if the parent sends none."""
    if not hasattr(socket, "recv_fds"):  # Windows
        asked: dict[str, Any] = json.loads(sys.stdin.buffer.read() or "{}")
        return asked
    channel = socket.socket(fileno=sys.stdin.fileno())
    text, descriptors, *_ = socket.recv_fds(channel, 1 << 16, 2)
    while more := channel.recv(1 << 16):
        text += more
    return {**json.loads(text), **dict(zip(("file", "out"), descriptors, strict=False))} if text else {}


if __name__ == "__main__":
    with suppress(ValueError):  # the modules of this folder must hide no installed package
        sys.path.remove(str(Path(__file__).resolve().parent))
    limited = limit(memory=int(sys.argv[2]), seconds=int(sys.argv[1]))
    with suppress(ImportError):  # the answer will report it
        import_module("h5py")
    sys.stdout.write(READY.decode())
    sys.stdout.flush()
    if request := receive():
        sys.stdout.write(json.dumps({**main(request), "memory_is_limited": limited}))
        sys.stdout.flush()
    os._exit(0)  # a damaged file can crash the library while it shuts down
