"""The pages of the report, one module each, and their index."""

from compare.pages import (
    hidden_states,
    masking,
    optimizers,
    options,
    parity,
    pitfalls,
    porting,
    real_models,
    return_values,
    training,
    translation,
    weights,
)
from compare.pages.index import Index
from compare.pages.page import Page

PAGES: tuple[Page, ...] = (
    return_values.PAGE,
    weights.PAGE,
    hidden_states.PAGE,
    masking.PAGE,
    options.PAGE,
    pitfalls.PAGE,
    porting.PAGE,
    parity.PAGE,
    real_models.PAGE,
    training.PAGE,
    optimizers.PAGE,
    translation.PAGE,
)
INDEX = Index(PAGES)

__all__ = ["INDEX", "PAGES", "Index", "Page"]
