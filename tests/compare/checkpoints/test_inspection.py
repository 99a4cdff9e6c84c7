"""`gatewise inspect` lists the contents of a file without importing a framework."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from compare import cli

LAYERS: list[dict[str, Any]] = [
    {"class_name": "Embedding", "config": {"name": "embedding", "input_dim": 9, "output_dim": 3, "mask_zero": True}},
    {
        "class_name": "LSTM",
        "config": {"name": "lstm", "units": 4, "recurrent_activation": "hard_sigmoid", "return_sequences": True},
    },
    {
        "class_name": "Bidirectional",
        "config": {"name": "bi", "layer": {"class_name": "GRU", "config": {"units": 2, "reset_after": True}}},
    },
    {"class_name": "Dense", "config": {"name": "dense", "units": 1}},
]
SHAPES: dict[str, list[tuple[str, tuple[int, ...]]]] = {
    "embedding": [("embeddings:0", (9, 3))],
    "lstm": [("kernel:0", (3, 16)), ("recurrent_kernel:0", (4, 16)), ("bias:0", (16,))],
    "bi": [
        (f"{way}/{name}", shape)
        for way in ("forward_gru", "backward_gru")
        for name, shape in (("kernel:0", (4, 6)), ("recurrent_kernel:0", (2, 6)), ("bias:0", (2, 6)))
    ],
    "dense": [("kernel:0", (4, 1)), ("bias:0", (1,))],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A whole model as Keras 2.2 wrote it."""
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as h5:
        h5.attrs["keras_version"] = b"2.2.4"
        h5.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": LAYERS}).encode()
        top = h5.create_group("model_weights")
        top.attrs["layer_names"] = [name.encode() for name in SHAPES]
        for name, weights in SHAPES.items():
            group = top.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight, _ in weights]
            for weight, shape in weights:
                group.create_dataset(f"{name}/{weight}", data=np.zeros(shape, "float32"))
    return path


def squeezed(text: str) -> str:
    return "".join(text.split())


def row(text: str, name: str) -> str:
    """Return the cells of a row without spaces; each may be wrapped over several lines."""
    lines = iter(text.splitlines())
    rule = ""
    for line in lines:
        rule = line if re.fullmatch("-[- ]+-", line) else rule
        if rule and line.startswith(f"{name} "):
            places = [match.span() for match in re.finditer("-+", rule)]
            whole = [line, *takewhile(lambda each: each.startswith("  "), lines)]
            return squeezed("".join(part[start:end] for start, end in places for part in whole))
    raise AssertionError(name)


def test_the_table_names_each_layer_its_sizes_activations_mask_and_counterpart(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(file)]) == 0
    text = capsys.readouterr().out
    assert row(text, "lstm") == squeezed(
        "lstm LSTM 3 -> 4, float32 tanh, gates keras2_hard_sigmoid return_sequences embedding (mask_zero)"
    )
    assert row(text, "bi") == squeezed(
        "bi Bidirectional 4 -> 2 x 2 directions, float32 tanh, gates sigmoid merge_mode=concat embedding (mask_zero)"
    )
    assert "In pytorch:\n- lstm: emulate: recurrent_activation='keras2_hard_sigmoid'\n- bi: nn.GRU(4, 2, bidir" in text
    assert row(text, "dense") == squeezed("dense Dense kernel (4, 1), bias (1,)")
    assert max(map(len, text.partition("Caveats")[0].splitlines()[1:])) <= 80
    assert "- lstm: its hard_sigmoid is Keras 2's" in text
    assert "- bi: at masked steps, Bidirectional repeated the last output" in text


def test_code_is_never_broken_and_layers_with_the_same_code_share_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = {"weight_ih_l0": (20, 3), "weight_hh_l0": (20, 5), "bias_ih_l0": (20,), "bias_hh_l0": (20,)}
    arrays: Any = {f"{name}.{array}": np.ones(shape, "float32") for name in ("a", "b") for array, shape in shapes.items()}
    np.savez(tmp_path / "model.npz", **arrays)
    assert cli.main(["inspect", str(tmp_path / "model.npz")]) == 0
    assert "\n\nIn keras:\n- a, b: LSTM(5, return_sequences=True, return_state=True)\n" in capsys.readouterr().out


def test_options_of_other_layers_are_listed_if_asked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(file)]) == 0
    assert "input_dim" not in capsys.readouterr().out
    assert cli.main(["inspect", str(file), "--verbose"]) == 0
    text = capsys.readouterr().out
    assert "\n- embedding: input_dim=9, output_dim=3, mask_zero=True\n- dense: units=1\n" in text


def test_json_output_holds_the_same_contents(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(file), "--json"]) == 0
    contents = json.loads(capsys.readouterr().out)["results"]
    assert [layer["name"] for layer in contents["layers"]] == ["lstm", "bi"]
    assert contents["layers"][0]["cells"][0]["recurrent_activation"] == "keras2_hard_sigmoid"
    assert contents["layers"][1]["elsewhere"] == {
        "framework": "pytorch",
        "by": "convert",
        "layer": "nn.GRU(4, 2, bidirectional=True, batch_first=True)",
        "because": [],
    }
    assert contents["others"][1]["arrays"] == {
        "kernel": {"shape": [4, 1], "dtype": "float32"},
        "bias": {"shape": [1], "dtype": "float32"},
    }


def test_options_and_an_architecture_are_accepted(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--option",
        "lstm.recurrent_activation=sigmoid",
        "--option",
        "return_state=true",
        "--option",
        "bi.merge_mode=none",
    ]
    assert cli.main(["inspect", str(file), "--json", *options]) == 0
    lstm, bi = json.loads(capsys.readouterr().out)["results"]["layers"]
    assert lstm["cells"][0]["recurrent_activation"] == "sigmoid"
    assert lstm["options"]["return_state"] is bi["options"]["return_state"] is True
    assert bi["options"]["merge_mode"] is None
    described = tmp_path / "model.json"
    described.write_text(json.dumps({"keras_version": "3.1.0", "class_name": "Sequential", "config": {"layers": LAYERS}}))
    assert cli.main(["inspect", str(file), "--architecture", str(described)]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["no.h5"], "opened"), (["--option", "lstm.units"], "OPTION=VALUE"), (["--option", "lstm.units=3"], "units")],
)
def test_an_error_is_one_line(file: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", *([str(file)] if arguments[0].startswith("--") else []), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gatewise: ")
    assert error.count("\n") == 1
    assert said in error


def test_inspecting_loads_no_framework(file: Path) -> None:
    text = f"import sys, compare.cli as cli\ncli.main(['inspect', {str(file)!r}])\nprint(sorted(sys.modules), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    for name in ("tensorflow", "keras", "tf_keras", "torch", "h5py"):
        assert f"'{name}'" not in run.stderr, name
