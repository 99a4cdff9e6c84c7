"""The sides of `diagnose` are layers of files and of models, chosen by --layer, and its exit status is that of its verdict.

Covers: `compare/commands/searching/layers.py`, `compare/commands/searching/choice.py`, `compare/commands/diagnose.py`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compare import Diagnosis
from compare.commands import diagnose
from compare.commands.outcome import Outcome
from compare.commands.searching.choice import read_choice
from compare.commands.searching.layers import read_sides
from compare.commands.searching.user_files import UserFiles
from compare.diagnosis import diagnosing
from frameworks.errors import GatewiseError


class Tagger(nn.Module):
    """A model with two recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 3)
        self.one = nn.GRU(3, 4)
        self.two = nn.GRU(4, 4)


class Files(UserFiles):
    """Objects under names, as if files had been run."""

    def __init__(self, **objects: Any) -> None:
        super().__init__()
        self.objects = objects
        self.order: list[str] = []

    def load(self, named: Any, *, is_port: bool) -> Any:
        self.order.append(str(named))
        assert is_port == named.name.startswith("port")
        return self.objects[named.name]


@pytest.fixture
def two(tmp_path: Path) -> str:
    path = tmp_path / "two.pt"
    torch.save(Tagger().state_dict(), path)
    return str(path)


@pytest.fixture
def single(tmp_path: Path) -> str:
    path = tmp_path / "single.pt"
    torch.save({f"rnn.{name}": array for name, array in nn.GRU(3, 4).state_dict().items()}, path)
    return str(path)


NET = Tagger()
LAYER = nn.GRU(3, 4)


@pytest.mark.parametrize(
    ("choice", "right", "port"),
    [
        ("one", "one", "port"),
        ("two", "two", "port"),
        ("one=two", "one", "two"),
        ("one,two=two", ["one", "two"], "two"),
        ("two=one,two", "two", ["one", "two"]),
    ],
)
def test_layers_of_a_model_are_chosen_by_name(choice: str, right: Any, port: Any) -> None:
    def layers(names: Any) -> Any:
        return (
            NET
            if names == "port"
            else [getattr(NET, name) for name in names]
            if isinstance(names, list)
            else getattr(NET, names)
        )

    sides = read_sides("a.py:net", "a.py:port", choice, Files(net=NET, port=NET))
    assert [side[0] for side in sides] == [layers(right), layers(port)]
    assert sides[0][1] == f"a.py:net, layer {choice.partition('=')[0].replace(',', ', ')}"


def test_layers_of_files_are_chosen_by_name_and_a_single_one_needs_none(two: str, single: str) -> None:
    right, port = read_sides(two, single, "two", UserFiles())
    assert (right[0].spec.input_size, port[0].spec.input_size) == (4, 3)
    assert (right[1], port[1]) == (f"{two}, layer two", f"{single}, layer rnn")
    right, port = read_sides(single, two, "rnn=two", UserFiles())
    assert (right[0].spec.input_size, port[0].spec.input_size) == (3, 4)
    right, port = read_sides(two, two, "two", UserFiles())  # the same name in both
    assert port[1] == f"{two}, layer two"
    right, _ = read_sides(two, "a.py:port", "one,two", Files(port=LAYER))
    assert [layer.spec.input_size for layer in right[0]] == [3, 4]


@pytest.mark.parametrize(
    ("right", "port", "choice", "said"),
    [
        ("TWO", "TWO", None, "has one, two and none is chosen"),
        ("TWO", "TWO", "three", "has no 'three'. Choose one of one, two; several with commas are a stack."),
        ("TWO", "TWO", "one=three", "--layer NAME=OTHER must name a recurrent layer, but "),
        ("SINGLE", "TWO", None, "two.pt has one, two and none is chosen"),
        ("SINGLE", "TWO", "rnn", "two.pt has one, two and none is chosen"),
        ("a.py:net", "a.py:port", None, "a.py:net has one, two and none is chosen"),
        ("a.py:net", "a.py:port", "embed", "a.py:net has no 'embed'. Choose one of one, two"),
        ("a.py:layer", "a.py:port", "one", "a.py:layer has no 'one'. Leave it out."),
    ],
)
def test_a_choice_that_fits_nothing_lists_the_names(
    right: str, port: str, choice: str | None, said: str, two: str, single: str
) -> None:
    known = {"TWO": two, "SINGLE": single}
    with pytest.raises(GatewiseError) as caught:
        read_sides(known.get(right, right), known.get(port, port), choice, Files(net=NET, layer=LAYER, port=NET))
    assert said in str(caught.value)


def test_one_layer_of_a_model_and_a_stack_need_no_choice() -> None:
    head = nn.Sequential(nn.Embedding(9, 3), LAYER)
    stack = [nn.GRU(3, 4), nn.GRU(4, 4)]
    for value, layer in ((head, LAYER), (LAYER, LAYER), (stack, stack)):
        right, port = read_sides("a.py:net", "a.py:port", None, Files(net=value, port=head))
        assert right[0] is layer
        assert port[0] is head


def test_python_files_are_run_before_others_are_opened(single: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(port=LAYER)
    opened: list[int] = []

    def opening(_: Path) -> dict[str, Any]:
        opened.append(len(files.order))
        return {"rnn": LAYER}

    monkeypatch.setattr("compare.commands.searching.layers.open_checkpoint", opening)
    read_sides(single, "a.py:port", None, files)
    assert opened == [1]


def test_a_file_that_changes_the_folder_changes_no_path(single: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing(Files):
        def load(self, named: Any, *, is_port: bool) -> Any:
            os.chdir("/")
            return super().load(named, is_port=is_port)

    monkeypatch.chdir(tmp_path)
    right, _ = read_sides(Path(single).name, "a.py:port", None, Changing(port=LAYER))
    assert right[0].spec.input_size == 3


def test_a_name_may_contain_the_signs_of_a_choice() -> None:
    assert read_choice("a=b", {"a=b"}) == (("a=b",), None)
    assert read_choice("a,b", {"a,b"}) == (("a,b",), None)
    assert read_choice("a,b", {"a", "b"}) == (("a", "b"), None)
    assert read_choice("a,b=c", {"a", "b"}) == (("a", "b"), ("c",))
    assert read_choice("a=b=c,d", {"a=b"}) == (("a=b",), ("c", "d"))


def question(right: str, port: str, **given: Any) -> argparse.Namespace:
    plain = {"layer": None, "inputs": None, "seed": 0, "tolerance": None}
    return argparse.Namespace(right=right, port=port, **{**plain, **given})


@pytest.mark.parametrize(("verdict", "status"), [("right", 0), ("named", 1), ("not named", 1), ("cannot be seen", 3)])
def test_the_status_is_that_of_the_verdict(verdict: Any, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing, "diagnose", lambda *_, **__: Diagnosis(verdict))
    outcome: Outcome = diagnose.search(question("a.py:net", "a.py:port"), Files(net=LAYER, port=LAYER))
    assert (outcome.status, outcome.results["verdict"]) == (status, verdict)


def test_the_mistake_is_named_with_the_given_arrays_seed_and_tolerance(tmp_path: Path) -> None:
    wrong = nn.GRU(3, 4)
    wrong.load_state_dict({name: torch.cat((a[4:8], a[:4], a[8:])) for name, a in LAYER.state_dict().items()})
    np.savez(tmp_path / "x.npz", inputs=np.random.default_rng(1).normal(size=(2, 6, 3)).astype("float32"))
    files = Files(net=LAYER, port=wrong)
    outcome = diagnose.search(question("a.py:net", "a.py:port", inputs=str(tmp_path / "x.npz")), files)
    assert (outcome.status, outcome.results["findings"][0].mistake) == (1, "gates-permuted")
    assert outcome.render is not None
    assert "gates-permuted" in outcome.render(False)  # noqa: FBT003  as the command line calls it
    with pytest.raises(GatewiseError, match="tolerance must be a positive number"):
        diagnose.search(question("a.py:net", "a.py:port", tolerance=-1.0), files)


def test_arrays_that_do_not_fit_the_layer_are_refused(tmp_path: Path) -> None:
    for arrays, said in (
        ({"inputs": np.ones((2, 6, 5), "float32")}, "inputs"),
        ({"inputs": np.ones((2, 6, 3))}, "float64"),
        ({"mask": np.ones((2, 6), int)}, "mask"),
        ({"inputs": np.ones((2, 6, 3), "float32"), "h_0": np.ones((2, 2, 4), "float32")}, "initial_state"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(GatewiseError, match=said):
            diagnose.search(question("a.py:net", "a.py:port", inputs=str(tmp_path / "x.npz")), Files(net=LAYER, port=LAYER))


class Inner(nn.Module):
    """A part of a model with a recurrent layer and its own call."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4)


def test_layers_of_the_same_name_are_told_apart_by_their_paths() -> None:
    net = nn.ModuleDict({"encoder": Inner(), "decoder": Inner()})
    files = Files(net=net, port=net)
    right, port = read_sides("a.py:net", "a.py:port", "encoder.rnn=decoder.rnn", files)
    assert right == (net["encoder"].rnn, "a.py:net, layer encoder.rnn")
    assert port == (net["decoder"].rnn, "a.py:port, layer decoder.rnn")
    with pytest.raises(GatewiseError, match=r"has no 'rnn'\. Choose one of encoder\.rnn, decoder\.rnn"):
        read_sides("a.py:net", "a.py:port", "encoder.rnn=rnn", files)
    single = nn.ModuleDict({"encoder": Inner()})
    right, _ = read_sides("a.py:net", "a.py:port", "rnn", Files(net=single, port=LAYER))  # the end of one path alone
    assert right[0] is single["encoder"].rnn


def test_a_part_of_a_model_may_be_the_port() -> None:
    net = nn.ModuleDict({"encoder": Inner(), "decoder": Inner()})
    _, port = read_sides("a.py:layer", "a.py:port", None, Files(layer=LAYER, port=net))
    assert port[0] is net
    _, port = read_sides("a.py:net", "a.py:port", "encoder.rnn=decoder", Files(net=net, port=net))
    assert port == (net["decoder"], "a.py:port, decoder")


def test_the_only_layer_of_a_file_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "bare.pt"
    torch.save(LAYER.state_dict(), path)
    _, port = read_sides("a.py:net", str(path), "one", Files(net=NET))
    assert (port[0].spec.hidden_size, port[1]) == (4, str(path))
