"""The proof of a torch module's port to Keras finds what is wrong in it, at the given sizes and at others.

Covers: `compare/models/proving/modules.py`, `compare/commands/searching/porting.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compare.models.proving.proving import Port, load_port, prove
from frameworks.errors import GatewiseError
from frameworks.models import to_source
from tests.frameworks.models.keras_source import networks
from tests.frameworks.models.keras_source.networks import PackedTagger, network

GIVEN = {"tokens": np.array([[3, 4, 5, 6, 7], [1, 2, 8, 0, 0]]), "lengths": np.array([5, 3])}


def port(folder: Path, *changes: tuple[str, str]) -> Any:
    """Return the Keras model of the tagger's source, in which texts are replaced."""
    module, arguments = network("packed tagger")
    path, _ = to_source(module, example=arguments).write(folder / "port")
    text = path.read_text()
    for one, other in changes:
        assert one in text
        text = text.replace(one, other)
    path.write_text(text)
    return Port(load_port(path), "port.py")


def test_a_right_port_is_proven_at_three_sizes_and_layer_by_layer(tmp_path: Path) -> None:
    proof = prove(network("packed tagger")[0], port(tmp_path), GIVEN)
    assert (proof.status, len(proof.calls)) == (0, 3)
    assert {(each.layer, each.here, each.how) for each in proof.layers} == {
        ("embedding", "self.embedding", "alone"),
        ("dropout", "self.dropout", "alone"),
        ("lstm", "self.lstm", "alone"),
        ("head", "self.head", "alone"),
    }
    assert "training" in " ".join(proof.open)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("ops.relu(output)", "ops.tanh(output)"), "relu(output of"),
        (("[:, : ops.max(lengths)]", "[:, :5]"), ""),  # right for the given sizes alone
        (("[forward_h, backward_h]", "[backward_h, forward_h]"), ""),
    ],
)
def test_a_wrong_port_is_found(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    proof = prove(network("packed tagger")[0], port(tmp_path, change), GIVEN)
    assert proof.status == 1
    assert said in str(proof)


def test_a_port_that_raises_at_another_size_is_wrong(tmp_path: Path) -> None:
    change = ("embedded = self.dropout(", "assert len(tokens) == 2\n        embedded = self.dropout(")
    proof = prove(network("packed tagger")[0], port(tmp_path, change), GIVEN)
    assert proof.status == 1
    assert "which the module accepts, the port raises AssertionError" in str(proof)


def test_the_proof_says_that_no_other_size_was_compared() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.arange(6.0).view(2, 3)

    module, x = Fixed(), torch.zeros(2, 3)
    from frameworks.models import port_model

    proof = prove(module, port_model(module, example=(x,)), (x.numpy(),))
    assert (proof.status, len(proof.calls)) == (0, 1)
    assert proof.open[0] == "other sizes: the module accepts the sizes of the given inputs alone"


@pytest.mark.parametrize("inputs", [None, {"words": GIVEN["tokens"]}, (GIVEN["tokens"],) * 3])
def test_inputs_that_are_no_arguments_of_forward_are_refused(inputs: Any, tmp_path: Path) -> None:
    with pytest.raises(GatewiseError, match="must be"):
        prove(network("packed tagger")[0], port(tmp_path), inputs)


def gatewise(*arguments: str, folder: Path) -> tuple[int, Any]:
    code = "import sys; from compare.cli import main; sys.exit(main(sys.argv[1:]))"
    call = [sys.executable, "-c", code, *arguments, "--json"]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def test_the_command_writes_proves_and_verifies(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(Path(networks.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    torch.save(PackedTagger().state_dict(), tmp_path / "w.pt")
    np.savez(tmp_path / "in.npz", tokens=GIVEN["tokens"], lengths=GIVEN["lengths"])
    named = ("net.py:PackedTagger", "port.py", "--weights", "w.pt", "--inputs", "in.npz")
    status, answer = gatewise("port", *named, "--to", "keras", folder=tmp_path)
    assert (status, answer["results"]["proof"]["verdict"]) == (0, "proven")
    assert {path.name for path in tmp_path.iterdir()} >= {"port.py", "port.weights.h5", "port.parity.json"}
    text = (tmp_path / "port.py").read_text()
    (tmp_path / "port.py").write_text(text.replace("ops.relu(output)", "output"))
    status, answer = gatewise("verify", *named, folder=tmp_path)
    assert (status, answer["results"]["verdict"]) == (1, "wrong")
