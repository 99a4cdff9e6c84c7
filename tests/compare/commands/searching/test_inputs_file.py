"""--inputs reads arrays by name and unpickles nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.commands.searching.inputs_file import read_layer_call, read_model_call
from frameworks.errors import GatewiseError

X, MASK, H, C = np.ones((2, 5, 3), "float32"), np.ones((2, 5), bool), np.zeros((1, 2, 4)), np.ones((1, 2, 4))


def save(path: Path, *arrays: Any, **named: Any) -> Path:
    np.savez(path, *arrays, **named)
    return path


def test_the_arrays_of_a_layer_are_its_inputs_mask_and_states(tmp_path: Path) -> None:
    call = read_layer_call(save(tmp_path / "x.npz", c_0=C, inputs=X, h_0=H, mask=MASK))
    assert np.array_equal(call["inputs"], X)
    assert np.array_equal(call["mask"], MASK)
    assert [state.mean() for state in call["initial_state"]] == [0, 1]
    assert read_layer_call(save(tmp_path / "x.npz", mask=MASK)).keys() == {"inputs", "mask", "initial_state"}
    assert read_layer_call(save(tmp_path / "x.npz", mask=MASK))["initial_state"] is None


@pytest.mark.parametrize("named", [{"x": X}, {"inputs": X, "c_0": C}, {"inputs": X, "state": H}, {}])
def test_other_names_are_refused_with_the_right_ones(tmp_path: Path, named: dict[str, Any]) -> None:
    with pytest.raises(
        GatewiseError, match="must hold arrays of the names inputs, mask, h_0, c_0, and c_0 only beside h_0, but"
    ):
        read_layer_call(save(tmp_path / "x.npz", **named))


def test_the_inputs_of_a_model_are_by_name_or_in_order(tmp_path: Path) -> None:
    arrays = [np.full(2, number) for number in range(12)]
    positional = read_model_call(save(tmp_path / "x.npz", *arrays))
    assert [array[0] for array in positional] == list(range(12))  # and not as text is sorted
    named = read_model_call(save(tmp_path / "x.npz", words=X, tags=MASK))
    assert named.keys() == {"words", "tags"}
    assert isinstance(read_model_call(save(tmp_path / "x.npz", X, tags=MASK)), dict)
    with pytest.raises(GatewiseError, match="holds no array"):
        read_model_call(save(tmp_path / "x.npz"))


class Evil:
    """An object that leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled_and_other_files_are_named(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    save(tmp_path / "pickled.npz", inputs=np.array([Evil(ran)], dtype=object))
    np.save(tmp_path / "single.npy", X)
    (tmp_path / "text.npz").write_text("no archive")
    whole = save(tmp_path / "cut.npz", inputs=np.arange(1000.0)).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "damaged.npz").write_bytes(whole[:300] + bytes(100) + whole[400:])
    np.savez_compressed(tmp_path / "packed.npz", inputs=np.arange(1000.0))
    packed = (tmp_path / "packed.npz").read_bytes()
    (tmp_path / "packed.npz").write_bytes(packed[:200] + bytes(100) + packed[300:])
    for name in ("pickled.npz", "single.npy", "text.npz", "cut.npz", "damaged.npz", "packed.npz", "missing.npz", "."):
        with pytest.raises(
            GatewiseError, match=r"must be an \.npz file of numbers, but reading it failed with: .*[^.]\. Write it"
        ) as raised:
            read_layer_call(tmp_path / name)
        assert "unsafely" not in str(raised.value)
    assert not ran.exists()
    np.load(tmp_path / "pickled.npz", allow_pickle=True)["inputs"]
    assert ran.exists()
