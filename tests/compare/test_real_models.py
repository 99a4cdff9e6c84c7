"""Layers that strangers trained give in the other framework what they gave in their own."""

from __future__ import annotations

import pytest

from compare.experiments import real_models
from compare.results import leaves
from compare.studies.real_models.models import load, load_all
from frameworks import GatewiseError

MODELS = [model.name for model in load_all()]


@pytest.mark.backend
@pytest.mark.parametrize("name", MODELS)
def test_a_port_is_within_the_recorded_outputs_and_a_wrong_one_is_not(name: str) -> None:
    found = dict(leaves(real_models._run_model(load(name))))
    assert found["ported"].value <= 2e-5
    assert found["in the layout's own framework"].value <= 2e-5
    assert found["recurrent kernel not transposed"].value > 1e-2


def test_the_three_promised_models_are_there_with_license_source_and_checksum() -> None:
    assert MODELS == ["dgaintel", "uzmorph_bilstm", "g2p_en"]
    for model in load_all():
        assert len(model.sha256) == 64
        assert model.license in {"MIT", "Apache-2.0"}
        assert model.homepage.startswith("https://")


def test_a_model_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(GatewiseError, match="'crema'"):
        load("crema")
