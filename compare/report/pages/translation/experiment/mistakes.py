"""Mistakes in an otherwise correct port: each alone, in PyTorch, and its effect on a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.report.results import Results, control
from compare.report.studies.translation.batches import Batches, Tokens
from compare.report.studies.translation.copying import copy_model, parameters
from compare.report.studies.translation.dictionary import Entry
from compare.report.studies.translation.setting import Setting
from compare.training import train_together

STEPS = 5
_BATCH_SIZE = 16
_RATE = 1e-3


def sizes_of_mistakes(entries: tuple[Entry, ...]) -> Results:
    """Return, for each mistake, the largest error of a parameter after some steps with Adam."""
    import torch

    from compare.report.studies.translation.keras.training import build_model as build_keras
    from compare.report.studies.translation.pytorch.loss import masked_loss

    source = build_keras(Setting(cell="lstm"))

    def right(model: Any, sources: Any, targets: Any) -> Any:
        return masked_loss(targets[:, 1:], model(sources, targets))

    def own_mean(model: Any, sources: Any, targets: Any) -> Any:
        logits = model(sources, targets).transpose(1, 2)
        return torch.nn.functional.cross_entropy(logits, targets[:, 1:], ignore_index=0)

    def handed(change: Callable[[Any], Any]) -> Callable[..., Any]:
        def loss(model: Any, sources: Any, targets: Any) -> Any:
            output, states = model.encoder(sources)
            states, logits = change(states), []
            for step in range(targets.shape[1] - 1):
                each, states, _ = model.decoder(targets[:, step : step + 1], states, output)
                logits.append(each)
            return masked_loss(targets[:, 1:], torch.stack(logits, dim=1))

        return loss

    zeros = handed(lambda states: tuple(torch.zeros_like(state) for state in states))
    sides = {
        "right": _side(source, right),
        "both-biases-trained": _side(source, right, one_bias=False),
        "torch-adam": _side(source, right, follows=False),
        "mean-without-padding": _side(source, own_mean),
        "decoder-from-zeros": _side(source, zeros),
        "hidden-as-cell-state": _side(source, handed(lambda states: (states[0], states[0]))),
    }
    trajectory = train_together(sides, Batches(entries, _BATCH_SIZE).batch, STEPS)
    return {name: control(trajectory.farthest(name)[-1]) for name in trajectory.distances}


def _side(source: Any, loss: Callable[..., Any], *, one_bias: bool = True, follows: bool = True) -> Any:
    import keras
    import torch

    from compare.report.studies.translation.pytorch.training import build_model, trained
    from compare.training.pytorch import PyTorchSide
    from frameworks import freeze_second_bias, optimizer_like

    model = build_model(Setting(cell="lstm"))
    copy_model(source, model)
    if one_bias:
        freeze_second_bias(model)
    numbers = keras.optimizers.Adam(_RATE)
    optimizer = (
        optimizer_like(numbers, trained(model))
        if follows
        else torch.optim.Adam(trained(model), lr=_RATE, betas=(numbers.beta_1, numbers.beta_2), eps=numbers.epsilon)
    )

    def loss_of(sources: Tokens, targets: Tokens) -> Any:
        return loss(model, torch.from_numpy(sources).long(), torch.from_numpy(targets).long())

    return PyTorchSide(model, optimizer, loss_of, lambda: parameters(model))
