"""Masks of any pattern are read, packed as torch packs, and applied to the output by Keras's rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from frameworks.keras_in_torch.layers.masking import Packing, blank, read_mask


@st.composite
def masks(draw: st.DrawFn) -> torch.Tensor:
    batch, time = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=time, max_size=time), min_size=batch, max_size=batch))
    return torch.tensor(rows)


def shown(outputs: torch.Tensor, mask: torch.Tensor, *, zero_output: bool) -> torch.Tensor:
    """Compute Keras's output step by step, (batch, time, feature), from the outputs of all steps."""
    result = torch.zeros_like(outputs)
    for row in range(len(outputs)):
        last = torch.zeros_like(outputs[0, 0])
        for time in range(outputs.shape[1]):
            last = outputs[row, time] if mask[row, time] else last
            result[row, time] = last if mask[row, time] or not zero_output else 0
    return result


@given(mask=masks(), zero_output=st.booleans())
def test_packing_and_unpacking_gives_keras_s_output(mask: torch.Tensor, *, zero_output: bool) -> None:
    x = torch.randn(*mask.shape, 3)
    packing = Packing(mask)
    if not mask.any():
        return  # a loop runs it, as there is nothing to pack
    torch.testing.assert_close(
        packing.unpack(packing.pack(x), zero_output=zero_output), shown(x, mask, zero_output=zero_output), rtol=0, atol=0
    )


@given(mask=masks())
def test_packed_steps_have_torch_s_order(mask: torch.Tensor) -> None:
    rows = mask.any(dim=1)
    if not rows.any():
        return
    x = torch.randn(*mask.shape, 3)
    front = torch.zeros_like(x)
    for row, counts in enumerate(mask):
        front[row, : int(counts.sum())] = x[row, counts]
    expected = pack_padded_sequence(front[rows], mask.sum(1)[rows], batch_first=True, enforce_sorted=False)
    packing = Packing(mask)
    torch.testing.assert_close(packing.batch_sizes, expected.batch_sizes)
    # Rows of equal length may be in another order; each row is compared with its own.
    assert expected.sorted_indices is not None
    actual = pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(packing.pack(x), packing.batch_sizes), batch_first=True)[0]
    torch.testing.assert_close(actual, front[packing.rows, : actual.shape[1]], rtol=0, atol=0)


@given(mask=masks(), zero_output=st.booleans())
def test_blank_gives_keras_s_output(mask: torch.Tensor, *, zero_output: bool) -> None:
    outputs = torch.randn(*mask.shape, 3)
    carried = outputs.clone()  # at masked steps the last valid state, or the initial one before the first
    for time in range(1, mask.shape[1]):
        carried[:, time] = torch.where(mask[:, time, None], outputs[:, time], carried[:, time - 1])
    torch.testing.assert_close(
        blank(carried, mask, zero_output=zero_output), shown(outputs, mask, zero_output=zero_output), rtol=0, atol=0
    )


def test_states_of_rows_without_steps_stay_as_they_were() -> None:
    mask = torch.tensor([[False, False], [True, False], [True, True]])
    packing = Packing(mask)
    before = torch.randn(2, 3, 4)
    after = packing.unpack_state(packing.pack_state(before) + 1, before)
    torch.testing.assert_close(after - before, mask.any(1).float()[:, None].expand(2, 3, 4))
    assert packing.rows.tolist() == [2, 1]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32, torch.float64])
def test_a_mask_of_zeros_and_ones_is_read_in_any_dtype(dtype: torch.dtype) -> None:
    mask = torch.tensor([[1, 0], [0, 0]], dtype=dtype)
    actual = read_mask(mask, torch.zeros(2, 2, 3))
    assert actual is not None
    assert actual.dtype == torch.bool
    assert actual.tolist() == [[True, False], [False, False]]
    assert read_mask(None, torch.zeros(2, 2, 3)) is None


def test_a_mask_of_other_numbers_is_refused(refused: Any) -> None:
    for mask in (torch.tensor([[2, 0]]), torch.tensor([[0.5, 1.0]]), torch.tensor([[np.nan, 1.0]]), torch.ones(1, 2) * 1j):
        with refused("mask", "0 and 1"):
            read_mask(mask, torch.zeros(1, 2, 3))
