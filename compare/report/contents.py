"""The pages of the report in order, and their index: a page is a folder in `pages/` and a row here."""

from compare.report.index import Index
from compare.report.page import Page
from compare.report.pages.hidden_states import page as hidden_states
from compare.report.pages.masking import page as masking
from compare.report.pages.mistakes import page as mistakes
from compare.report.pages.models import page as models
from compare.report.pages.optimizers import page as optimizers
from compare.report.pages.options import page as options
from compare.report.pages.parity import page as parity
from compare.report.pages.porting import page as porting
from compare.report.pages.real_models import page as real_models
from compare.report.pages.return_values import page as return_values
from compare.report.pages.training import page as training
from compare.report.pages.translation import page as translation
from compare.report.pages.weights import page as weights

PAGES: tuple[Page, ...] = (
    return_values.PAGE,
    weights.PAGE,
    hidden_states.PAGE,
    masking.PAGE,
    options.PAGE,
    mistakes.PAGE,
    models.PAGE,
    porting.PAGE,
    parity.PAGE,
    real_models.PAGE,
    training.PAGE,
    optimizers.PAGE,
    translation.PAGE,
)
INDEX = Index(PAGES)

__all__ = ["INDEX", "PAGES", "Index", "Page"]
