"""The accuracy of a translator, computed in NumPy from the results of either framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.report.studies.translation.batches import LENGTH, PAD, START, Batch, Tokens
from compare.report.studies.translation.training import Side

Logits = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Score:
    """The scores of a translator on held-out words.

    Args:
        loss: the loss, as in training.
        tokens: token accuracy, the share of phonemes and ends that are the likeliest ones after the correct beginning.
        sequences: sequence accuracy, the share of words whose whole greedy translation is correct.
    """

    loss: float
    tokens: float
    sequences: float


def score(side: Side, batch: Batch) -> Score:
    """Score a side on a batch of any size."""
    sources, targets = batch
    logits = side.predict(batch)
    translations, _ = side.translate(sources)
    return Score(loss(logits, targets), token_accuracy(logits, targets), sequence_accuracy(translations, targets))


def loss(logits: Logits, targets: Tokens) -> float:
    """Return the cross-entropy of all tokens other than padding, averaged over all positions, in float64.

    Args:
        logits: (batch, time - 1, vocab).
        targets: (batch, time), beginning with the start token.
    """
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    right = np.take_along_axis(wide, targets[:, 1:, None], axis=-1)[..., 0]
    return float(-np.mean(right * (targets[:, 1:] != PAD)))


def token_accuracy(logits: Logits, targets: Tokens) -> float:
    """Return the share of tokens other than padding with the largest logit. The arguments are those of `loss`."""
    counts = targets[:, 1:] != PAD
    return float((logits.argmax(axis=-1) == targets[:, 1:])[counts].mean())


def sequence_accuracy(translations: Tokens, targets: Tokens) -> float:
    """Return the share of rows that are correct up to the end.

    Args:
        translations: (batch, time), without the start token.
        targets: (batch, LENGTH), with the start.
    """
    padded = np.pad(translations, ((0, 0), (0, LENGTH - 1 - translations.shape[1])), constant_values=PAD)
    return float((padded == targets[:, 1:]).all(axis=1).mean())


def margin(side: Side, sources: Tokens, translations: Tokens) -> npt.NDArray[np.floating]:
    """Return the lead of the likeliest token at the closest step of each greedy translation, in logits: (batch,)."""
    starts = np.full((len(sources), 1), START, np.int32)
    best = np.sort(side.predict((sources, np.concatenate([starts, translations], axis=1))), axis=-1)
    gaps = np.where(translations != PAD, best[..., -1] - best[..., -2], np.inf)
    closest: npt.NDArray[np.floating] = gaps.min(axis=1)
    return closest
