"""Damaged and lying files of TensorFlow are read or refused, within bounded time and memory.

Covers: `frameworks/files/untrusted/sorted_table.py`, `frameworks/files/untrusted/tensor_bundle.py`,
`frameworks/files/untrusted/folders.py`, `frameworks/files/tensorflow/objects.py`.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import tensor_bundle_pb2, trackable_object_graph_pb2

from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint
from frameworks.files.tensorflow.objects import GRAPH, Objects
from frameworks.files.untrusted.folders import open_path, open_within
from frameworks.files.untrusted.sorted_table import END, _checksum, _masked, values_of
from frameworks.files.untrusted.source import open_source, scratch_source
from frameworks.files.untrusted.tensor_bundle import read_bundle

FILES = ("saved_model.pb", "keras_metadata.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "model"
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((7, 3)), layers.GRU(2, name="gru"), layers.Dense(1)])
    model.save(folder, save_traces=False)
    return folder


def number(value: int) -> bytes:
    """Return a number of variable length."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def block(entries: Mapping[bytes, bytes]) -> bytes:
    """Return a block of a table, with its checksum."""
    content = b"".join(number(0) + number(len(key)) + number(len(value)) + key + value for key, value in entries.items())
    content += bytes(4) + (1).to_bytes(4, "little") + b"\0"
    return content + _masked(_checksum(content)).to_bytes(4, "little")


def table(entries: Mapping[bytes, bytes]) -> bytes:
    """Return a table of one block."""
    first = block(entries)
    index = block({b"\xff": number(0) + number(len(first) - 5)})
    footer = number(0) * 2 + number(len(first)) + number(len(index) - 5)
    return first + index + footer.ljust(40, b"\0") + END


def entry(**stated: Any) -> bytes:
    sizes = stated.pop("shape", (2, 3))
    message = tensor_bundle_pb2.BundleEntryProto(**{"dtype": 1, "size": 24, **stated})
    for size in sizes:
        message.shape.dim.add(size=size)
    return bytes(message.SerializeToString())


def header(**stated: Any) -> bytes:
    return bytes(tensor_bundle_pb2.BundleHeaderProto(**{"num_shards": 1, **stated}).SerializeToString())


def write(folder: Path, entries: Mapping[bytes, bytes], data: bytes = bytes(24)) -> Path:
    (folder / "a.index").write_bytes(table(entries))
    (folder / "a.data-00000-of-00001").write_bytes(data)
    return folder / "a"


def bundle_of(path: Path) -> Any:
    return read_bundle(open_path(path), lambda ending: open_within(path.parent, f"{path.name}{ending}"))


def test_the_checksum_is_that_of_the_standard() -> None:
    """RFC 3720, B.4: 32 bytes of zeros, of ones, and counting up."""
    assert _checksum(bytes(32)) == 0x8A9136AA
    assert _checksum(b"\xff" * 32) == 0x62A8AB43
    assert _checksum(bytes(range(32))) == 0x46DD794E


def test_every_dtype_and_byte_order_is_read_as_tensorflow_reads_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dtypes = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
    arrays = {dtype: rng.normal(0, 50, (3, 2)).astype(dtype) for dtype in dtypes}
    tensors = [*map(tf.constant, arrays.values()), tf.cast(arrays["float32"], tf.bfloat16)]
    names = [*arrays, "bfloat16"]
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "a"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    found = bundle_of(tmp_path / "a").arrays
    for name, expected in arrays.items():
        array = found[name].read()
        np.testing.assert_array_equal(array.astype(expected.dtype), expected)
    np.testing.assert_array_equal(found["bfloat16"].read(), tf.cast(tensors[-1], tf.float32).numpy())
    values = np.arange(6, dtype=">f4").reshape(2, 3)
    big = write(tmp_path, {b"": header(endianness=1), b"a": entry()}, values.tobytes())
    np.testing.assert_array_equal(bundle_of(big).arrays["a"].read(), values)


def test_a_table_of_many_blocks_is_read_in_order(tmp_path: Path) -> None:
    names = [f"scope/{index:04}/kernel" for index in range(2000)]
    arrays = [np.full((2,), index, "f4") for index in range(2000)]
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "a"), tensor_names=names, shape_and_slices=[""] * 2000, tensors=arrays)
    assert [key.decode() for key, _, _ in values_of(open_source(tmp_path / "a.index"))] == ["", *names]
    found = bundle_of(tmp_path / "a").arrays
    assert [int(found[name].read()[0]) for name in names] == list(range(2000))


def test_what_is_no_array_of_numbers_is_named(tmp_path: Path) -> None:
    sliced = tensor_bundle_pb2.BundleEntryProto.FromString(entry())
    sliced.slices.add()
    entries = {b"": header(), b"s": bytes(sliced.SerializeToString()), b"t": entry(dtype=7), b"u": entry(dtype=20)}
    found = bundle_of(write(tmp_path, entries))
    assert not found.arrays
    assert found.unread == {
        "s": "an array that is split into parts",
        "t": "an array of text",
        "u": "an array of TensorFlow's dtype 20",
    }


LIES: Mapping[str, tuple[Mapping[bytes, bytes], tuple[str, ...]]] = {
    "a huge shape": ({b"a": entry(shape=(1 << 40, 1 << 40))}, ("which no file can hold",)),
    "a negative size": ({b"a": entry(shape=(-1, 3))}, ("a negative size",)),
    "many axes": ({b"a": entry(shape=(1,) * 40)}, ("40 axes",)),
    "another size": ({b"a": entry(size=20)}, ("holds 20 bytes for a, whose shape (2, 3) takes 24",)),
    "beyond the end": ({b"a": entry(offset=20)}, ("lacks 20 of the bytes",)),
    "before the start": ({b"a": entry(offset=-4)}, ("must be whole",)),
    "a file that is not stated": ({b"a": entry(shard_id=3)}, ("is in file 3 of 1",)),
    "no files": ({b"": header(num_shards=0), b"a": entry()}, ("states 0 files",)),
    "many files": ({b"": header(num_shards=1 << 30), b"a": entry()}, ("states 1073741824 files",)),
    "a missing file": (
        {b"": header(num_shards=2), b"a": entry(shard_id=1)},
        ("a.data-00001-of-00002 must be whole", "missing"),
    ),
    "no message": ({b"a": b"\xff\xff\xff"}, ("must be whole",)),
    "a long text": ({GRAPH.encode(): entry(dtype=7, shape=(), size=24)}, ("lacks", "bytes")),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_refused(lie: str, tmp_path: Path, refused: Any) -> None:
    entries, said = LIES[lie]
    assert bundle_of(write(tmp_path, {b"": header(), b"a": entry()})).arrays["a"].shape == (2, 3)
    path = write(tmp_path, {b"": header(), **entries}, data=b"\x80\x80\x08" + bytes(21))
    with refused(*said):
        bundle_of(path)


def test_a_block_that_lists_itself_again_and_again_is_refused(tmp_path: Path, refused: Any) -> None:
    first = block({b"a": entry()})
    index = block({bytes([each]): number(0) + number(len(first) - 5) for each in range(200)})
    footer = number(0) * 2 + number(len(first)) + number(len(index) - 5)
    (tmp_path / "a.index").write_bytes(first + index + footer.ljust(40, b"\0") + END)
    with refused("a.index must be whole, but lists blocks that overlap"):
        list(values_of(open_source(tmp_path / "a.index")))


def test_a_compressed_table_is_refused(tmp_path: Path, refused: Any) -> None:
    content = bytearray(table({b"": header()}))
    content[content.index(bytes(4) + b"\x01\0\0\0\0") + 8] = 1
    (tmp_path / "a.index").write_bytes(content)
    with refused("a.index must have a form", "is compressed"):
        list(values_of(open_source(tmp_path / "a.index")))


def objects_of(*children: Mapping[str, int]) -> Objects:
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    for each in children:
        node = graph.nodes.add()
        for name, place in each.items():
            node.children.add(local_name=name, node_id=place)
    content = graph.SerializeToString()

    def fill(descriptor: int) -> None:
        os.write(descriptor, content)

    return Objects(scratch_source("graph", fill))


def test_objects_that_hold_each_other_are_followed_once(refused: Any) -> None:
    circle = objects_of({"a": 1}, {"b": 0, "self": 1})
    assert circle.variables(0) == {}
    assert circle.at("a/b/a/self") == 1
    with refused("graph must be whole, but refers to the object 7 of 1"):
        objects_of({"a": 7}).variables(0)


def changed(content: bytes, dice: random.Random) -> bytes:
    """Change some bytes, cut the content, or repeat a part of it."""
    damaged = bytearray(content)
    kind, at = dice.randrange(4), dice.randrange(len(content))
    if kind == 0:
        return bytes(damaged[:at])
    if kind == 1:
        return bytes(damaged[:at] + damaged[at : at + dice.randrange(40)] + damaged[at:])
    for _ in range(dice.randrange(1, 6)):
        damaged[dice.randrange(len(damaged))] = dice.choice((0, 1, 7, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(damaged)


def lying(path: Path, dice: random.Random) -> bytes:
    """Change the values of an index, and state the right checksums of the result."""
    content = path.read_bytes()
    entries = {key: content[begin:end] for key, begin, end in values_of(open_source(path))}
    key = dice.choice(list(entries))
    entries[key] = changed(entries[key], dice) if entries[key] else b"\xff"
    return table(entries)


@pytest.mark.parametrize("file", FILES)
def test_every_mutation_of_a_folder_is_read_or_refused(file: str, saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    path, dice, outcomes = tmp_path / "model" / file, random.Random(0), [0, 0]
    content = path.read_bytes()
    for turn in range(150):
        lies = file.endswith(".index") and turn % 2
        path.write_bytes(lying(saved / file, dice) if lies else changed(content, dice))
        began = time.process_time()
        try:
            for layer in open_checkpoint(tmp_path / "model").values():
                assert layer.weights.layers
            outcomes[0] += 1
        except GatewiseError:
            outcomes[1] += 1
        assert time.process_time() - began < 2
    assert min(outcomes) > 3 or file == "saved_model.pb"
