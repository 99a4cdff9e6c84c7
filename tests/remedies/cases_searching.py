"""Remedies of `gatewise diagnose` and `gatewise compare`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.commands import compare, diagnose
from compare.commands.searching.arguments import Named
from compare.commands.searching.inputs_file import read_layer_call, read_model_call
from compare.commands.searching.models import open_model
from compare.commands.searching.user_errors import as_refusal
from compare.commands.searching.user_files import UserFiles
from gatewise import compare_models, copy_weights, open_checkpoint
from tests.remedies.following import case, refuses

GRU = "from torch import nn\nnet = nn.GRU(3, 4)\n"
NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, units=4):
        super().__init__()
        self.rnn = nn.LSTM(3, units, batch_first=True)
        self.out = nn.Linear(units, 2)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])
"""


@contextmanager
def running() -> Iterator[UserFiles]:
    """Run files in this process, which is as before afterwards."""
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "argv", list(sys.argv))
        files = UserFiles()
        try:
            yield files
        finally:
            for name in set(sys.modules) - modules:
                if any(str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)) for folder in files.folders):
                    del sys.modules[name]


def load(path: Path, name: str, text: str, *, is_port: bool = True) -> Any:
    """Write a file, and load an object of it."""
    path.write_text(text)
    with running() as files:
        return files.load(Named(path, name), is_port=is_port)


def searched(command: Any, *words: Any) -> Any:
    """Run the search of a command."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = {name: _plain(value) for name, value in vars(parser.parse_args([str(word) for word in words])).items()}
    with running() as files:
        return command.search(argparse.Namespace(**given), files)


def _plain(value: Any) -> Any:
    return [str(each) for each in value] if isinstance(value, list) else str(value) if isinstance(value, Path) else value


@case
def objects_of_a_python_file(folder: Path) -> None:
    path = folder / "model.py"
    sized = GRU + "class Net(nn.Module):\n    def __init__(self, units):\n        super().__init__()\n"
    with refuses("Name one of these: *model.py:net."):
        load(path, "", sized)
    assert isinstance(load(path, "net", sized), nn.GRU)
    with refuses("Add `def build(): return Net(...)` with its arguments to model.py, and name that: *model.py:build."):
        load(path, "Net", sized)
    assert type(load(path, "build", f"{sized}\ndef build(): return Net(4)\n")).__name__ == "Net"
    with refuses("Add a function to it that returns the model, `def build(): ...`, and name that: *model.py:build."):
        load(path, "net", "SIZE = 3\n")
    assert isinstance(load(path, "build", f"{GRU}\ndef build(): return net\n"), nn.GRU)
    with refuses("Return the model itself, or name a function that takes the inputs."):
        load(path, "build", f"{GRU}def build(): net\n")
    assert isinstance(load(path, "build", f"{GRU}def build(): return net\n"), nn.GRU)
    with refuses("Name one of these: *model.py:net."):
        load(path, "SIZE", f"{GRU}SIZE = 3\n")
    with refuses("Check the path."), running() as files:
        files.load(Named(folder / "modle.py", "net"), is_port=True)


@case
def files_that_do_not_run(folder: Path) -> None:
    path = folder / "model.py"
    with refuses('Put what it does as a program below `if __name__ == "__main__":`, which is left out here.'):
        load(path, "net", f"{GRU}import sys\nsys.exit('usage: model.py FILE')\n")
    below = f"{GRU}if __name__ == '__main__':\n    import sys\n    sys.exit('usage: model.py FILE')\n"
    assert isinstance(load(path, "net", below), nn.GRU)
    with refuses("Correct the line that is shown above."):
        load(path, "net", f"{GRU}net.input_sise\n")
    assert load(path, "net", f"{GRU}net.input_size\n").input_size == 3


@case
def a_port_that_fails_in_a_call(folder: Path) -> None:
    path = folder / "port.py"
    with running() as files:
        path.write_text("def port(x):\n    raise SystemExit\n")
        port = files.load(Named(path, "port"), is_port=True)
        with pytest.raises(SystemExit) as end:
            port(1)
        with refuses("Correct the line that is shown above."):
            raise as_refusal(end.value, files)
    assert load(path, "port", "def port(x):\n    return x\n")(1) == 1


@case
def layers_to_choose(folder: Path) -> None:
    path = folder / "two.pt"
    net = nn.ModuleDict({"one": nn.GRU(3, 4), "two": nn.GRU(4, 4)})
    torch.save(net.state_dict(), path)
    for choice in ((), ("--layer", "three"), ("--layer", "one=three")):
        with refuses("Choose one of one, two; several with commas are a stack."):
            searched(diagnose, path, path, *choice)
    for name in ("one", "one,two"):
        assert searched(diagnose, path, path, "--layer", name).status == 0
    (folder / "single.py").write_text(GRU)
    single = f"{folder / 'single.py'}:net"
    with refuses("Leave it out."):
        searched(diagnose, single, single, "--layer", "net")
    assert searched(diagnose, single, single).status == 0


@case
def arrays_to_call_with(folder: Path) -> None:
    path, x = folder / "x.npz", np.ones((2, 5, 3), "float32")
    np.savez(path, x=x)
    with refuses("Write it with np.savez(path, inputs=..., mask=..., h_0=..., c_0=...), without those that are not needed."):
        read_layer_call(path)
    np.savez(path, inputs=x)
    assert read_layer_call(path)["inputs"].shape == x.shape
    np.save(folder / "x.npy", x)
    with refuses("Write it with np.savez(path, inputs=...)."):
        read_layer_call(folder / "x.npy")
    np.savez(path)
    with refuses("Write it with np.savez(path, x), or by the names of the inputs: np.savez(path, words=...)."):
        read_model_call(path)
    np.savez(path, x)
    assert [array.shape for array in read_model_call(path)] == [x.shape]
    np.savez(path, words=x)
    assert list(read_model_call(path)) == ["words"]


def keras_model() -> Any:
    return keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4, name="lstm"), keras.layers.Dense(2, name="out")])


def port_of(path: Path) -> nn.Module:
    """Return the port of a file that holds `keras_model`."""
    with running() as files:
        net: nn.Module = files.load(Named(path.with_name("net.py"), "Net"), is_port=False)
    layers = open_checkpoint(path)
    copy_weights(layers["lstm"], net.rnn)
    arrays = layers.others["out"].arrays
    state = {"weight": torch.from_numpy(arrays["kernel"].T.copy()), "bias": torch.from_numpy(arrays["bias"])}
    net.out.load_state_dict(state)  # type: ignore[union-attr]
    return net


@case
def weights_beside_a_model(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    net, path, inputs = f"{folder / 'net.py'}:Net", folder / "model.keras", folder / "x.npz"
    np.savez(inputs, np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32"))
    model = keras_model()
    model.save(path)
    port = port_of(path)
    torch.save(port.state_dict(), folder / "net.pt")
    with refuses("Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."):
        searched(compare, path, folder / "net.pt")
    assert searched(compare, path, net, "--weights", folder / "net.pt", "--inputs", inputs).status == 0
    model.save_weights(folder / "model.weights.h5")
    with refuses("Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."):
        open_model(folder / "model.weights.h5")
    with refuses("Leave it out for a file that holds a model with its weights, or name the code that builds the model."):
        searched(compare, path, net, "--weights", folder / "model.weights.h5")
    code = "import keras\nmodel = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4), keras.layers.Dense(2)])\n"
    (folder / "code.py").write_text(code)
    both = ("--weights", folder / "net.pt", "--weights", folder / "model.weights.h5")
    assert searched(compare, f"{folder / 'code.py'}:model", net, *both, "--inputs", inputs).status == 0
    torch.save({"rnn.bias": torch.zeros(2)}, folder / "other.pt")
    with refuses("Pass the file that was saved from this model, or load the weights in the code that builds it."):
        searched(compare, path, net, "--weights", folder / "other.pt")
    loading = f"{NET}\nimport torch\nnet = Net()\nnet.load_state_dict(torch.load({str(folder / 'state.pt')!r}))\n"
    torch.save(port.state_dict(), folder / "state.pt")
    (folder / "loading.py").write_text(loading)
    assert searched(compare, path, f"{folder / 'loading.py'}:net", "--inputs", inputs).status == 0
    np.savez(folder / "model.npz", x=np.zeros(2))
    with refuses("Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."):
        open_model(folder / "model.npz")


@case
def a_lambda_layer(folder: Path) -> None:
    path = folder / "model.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)
    trusting = (
        "If you trust it, load it in a Python file, model = keras.saving.load_model(path, safe_mode=False), and name that:"
    )
    with refuses(f"{trusting} FILE.py:model."):
        open_model(path)
    text = f"import keras\nmodel = keras.saving.load_model({str(path)!r}, safe_mode=False)\n"
    model = load(folder / "code.py", "model", text, is_port=False)
    assert np.asarray(model(np.ones((1, 3)))).tolist() == [[2, 2, 2]]


@case
def a_class_that_keras_lacks(folder: Path) -> None:
    text = """
    @keras.saving.register_keras_serializable("of_a_case")
    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2 * x
    """
    name = "of_a_case>Twice"
    code = "import keras\n" + "\n".join(line[4:] for line in text.splitlines())
    path = folder / "model.keras"
    model = load(folder / "one.py", "model", f"{code}\nmodel = keras.Sequential([keras.Input((3,)), Twice()])\n", is_port=False)
    model.save(path)
    del keras.saving.get_custom_objects()[name]
    with refuses("Load it in a Python file that defines what Keras lacks, and name that: FILE.py:NAME."):
        open_model(path)
    loaded = load(folder / "two.py", "model", f"{code}\nmodel = keras.saving.load_model({str(path)!r})\n", is_port=False)
    del keras.saving.get_custom_objects()[name]
    assert np.asarray(loaded(np.ones((1, 3)))).tolist() == [[2, 2, 2]]


@case
def a_model_of_keras_2(folder: Path) -> None:
    import tf_keras

    path, inputs = folder / "old.h5", folder / "x.npz"
    np.savez(inputs, np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32"))
    (folder / "net.py").write_text(NET)
    layers = [tf_keras.layers.Input((5, 3)), tf_keras.layers.LSTM(4, name="lstm"), tf_keras.layers.Dense(2, name="out")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the format is an old one
        tf_keras.Sequential(layers).save(path, include_optimizer=False)
    with refuses(
        "Load it in a Python file, model = tf_keras.models.load_model(path), and name that: FILE.py:model."
        " `gatewise verify` compares its layers with those of a file without any Keras."
    ):
        open_model(path)
    torch.save(port_of(path).state_dict(), folder / "net.pt")
    (folder / "code.py").write_text(f"import tf_keras\nmodel = tf_keras.models.load_model({str(path)!r})\n")
    words = (f"{folder / 'code.py'}:model", f"{folder / 'net.py'}:Net", "--weights", folder / "net.pt", "--inputs", inputs)
    assert searched(compare, *words).status == 0
    from tests.remedies.cases_commands import verified

    assert verified(path, folder / "net.pt").status == 0


@case
def where_a_figure_is_written(folder: Path) -> None:
    module = nn.GRU(3, 4)
    same = compare_models(module, module, np.ones((5, 2, 3), "float32"))
    (folder / "folder.png").mkdir()
    for name in ("missing/figure.png", "figure.nothing", "folder.png"):
        with refuses("Choose another place, or another ending, such as .png."):
            compare._require_drawable(folder / name)
    with refuses("Choose another place, or another ending, such as .png."):
        compare._draw(same, folder / "folder.png")
    compare._require_drawable(folder / "figure.png")
    compare._draw(same, folder / "figure.png")
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


@case
def a_file_that_ends_the_process(folder: Path) -> None:
    path = folder / "model.py"
    ends = "If it ran a file of yours, see whether that ends the process (os._exit) or needs more memory than there is."

    def asked() -> Any:
        parser = argparse.ArgumentParser()
        diagnose.add_arguments(parser)
        given = parser.parse_args([f"{path}:net", f"{path}:net"])
        return diagnose.run(argparse.Namespace(**vars(given), quiet=False, verbose=False, debug=False, json=False))

    arrays = {name: array.numpy() for name, array in nn.GRU(3, 4).state_dict().items()}
    np.savez(folder / "model.npz", **{f"gru.{name}": array for name, array in arrays.items()})
    text = f"from gatewise import open_checkpoint\nnet = open_checkpoint({str(folder / 'model.npz')!r})['gru']\n"
    path.write_text(f"{text}import os\nos._exit(0)\n")
    with refuses(ends):
        asked()
    path.write_text(text)
    assert asked().status == 0
