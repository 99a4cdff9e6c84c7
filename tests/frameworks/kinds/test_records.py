"""A record of a kind tells sizes, values by version, and itself by its arrays."""

from __future__ import annotations

from frameworks.kinds import ANY_AXES, KERAS, PYTORCH, Array, Dated


def test_a_dated_value_changes_with_the_version() -> None:
    dated = Dated("first", (((2, 3), "second"), ((3,), "third")))
    assert [dated.at(version) for version in ((2, 2, 4), (2, 3), (2, 15), (3, 0), (4,))] == [
        *("first", "second", "second", "third", "third")
    ]


def test_names_and_shapes_of_arrays_show_a_kind() -> None:
    def holding(**shapes: tuple[int, ...]) -> list[str]:
        return [kind.name for kind in PYTORCH.holding(shapes)]

    assert holding(weight=(3, 4), bias=(3,)) == ["Linear"]
    assert holding(weight=(3, 4), bias=(4,)) == []
    assert holding(weight=(3, 4)) == ["Linear", "Embedding", "EmbeddingBag", "LayerNorm", "RMSNorm"]
    assert holding(weight=(3, 4), bias=(3, 4)) == ["LayerNorm"]
    assert holding(weight=(3, 4, 5), bias=(3,)) == ["Bilinear", "Conv1d"]
    assert holding(weight=(6, 3, 5), bias=(6,)) == ["Bilinear", "Conv1d", "ConvTranspose1d"]  # transposed, in two groups
    assert holding(weight=(6, 3, 5), bias=(3,)) == ["ConvTranspose1d"]
    assert holding(weight=(6, 3, 5), bias=(12,)) == []  # four groups of six channels
    assert holding(weight=(4,)) == holding(weight=(1,)) != []
    assert "BatchNorm1d" in holding(running_mean=(4,), running_var=(4,))
    assert holding(running_mean=(4,)) == holding(weight=(3, 4), scale=(3,)) == []
    assert [kind.name for kind in KERAS.shown_by({"scale": ()})] == []
    assert [kind.name for kind in KERAS.shown_by({"gamma": (4,)})] == []


def test_groups_that_do_not_fit_the_channels_are_detected() -> None:
    plain, transposed = PYTORCH.get("Conv2d"), PYTORCH.get("ConvTranspose2d")
    shapes = {"weight": (6, 2, 3, 3), "bias": (6,)}
    assert [plain.fits(shapes, groups) for groups in (1, 3, 4, 0)] == [True, True, False, False]
    assert [transposed.fits(shapes, groups) for groups in (None, 3, 1, 2)] == [True, True, False, False]
    del shapes["bias"]
    assert [transposed.fits(shapes, groups) for groups in (1, 2, 4)] == [True, True, False]


def test_sizes_are_those_of_the_last_axes() -> None:
    array = Array("gamma", (ANY_AXES, "features"))
    assert array.sizes((4,)) == array.sizes((2, 3, 4)) == {"features": 4}
    assert array.sizes(()) is None
    assert Array("bias", ("output",)).sizes((2, 3)) is None
