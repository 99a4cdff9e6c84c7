"""The translator in PyTorch as one side of a training."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from compare.report.studies.translation import copying
from compare.report.studies.translation.batches import END, LENGTH, LETTERS, SOUNDS, START, Batch, Tokens
from compare.report.studies.translation.pytorch.loss import masked_loss
from compare.report.studies.translation.pytorch.translator import Translator
from compare.report.studies.translation.setting import Setting
from compare.training import pytorch as training
from compare.training.states import Array


def build_model(setting: Setting) -> Translator:
    """Build the translator with PyTorch's initialisation. The same seed makes the same model."""
    cell = import_module(f"compare.report.studies.translation.pytorch.{setting.cell}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        encoder = cell.Encoder(LETTERS.size, setting.embedding_dim, setting.units)
        decoder = cell.Decoder(SOUNDS.size, setting.embedding_dim, setting.units, setting.dropout)
    return Translator(encoder, decoder).to(getattr(torch, setting.dtype))


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that an optimizer should train."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


class PyTorchSide(training.PyTorchSide):
    """A PyTorch translator and its optimizer: see `compare.report.studies.translation.training.Side`."""

    def __init__(self, model: Translator, optimizer: torch.optim.Optimizer, seed: int = 0) -> None:
        """Wrap a model and an optimizer of its parameters; `seed` is the seed of dropout."""

        def loss_of(sources: Tokens, targets: Tokens) -> torch.Tensor:
            source, target = _tensor(sources), _tensor(targets)
            return masked_loss(target[:, 1:], model(source, target))

        super().__init__(model, optimizer, loss_of, lambda: copying.parameters(model), seed)

    @torch.no_grad()
    def predict(self, batch: Batch) -> Array:
        """Return the logits under teacher forcing, in inference mode: (batch, time - 1, vocab)."""
        sources, targets = map(_tensor, batch)
        logits: Array = self.model.eval()(sources, targets).numpy()
        return logits

    def translate(self, sources: Tokens) -> tuple[Tokens, Array]:
        """Return the greedy translation, (batch, time), and its attention, (batch, time, source)."""
        model: Any = self.model.eval()
        tokens, attention = model.translate(_tensor(sources), START, END, LENGTH - 1)
        return tokens.numpy().astype(np.int32), attention.numpy()


def _tensor(tokens: Tokens) -> torch.Tensor:
    return torch.from_numpy(tokens).long()
