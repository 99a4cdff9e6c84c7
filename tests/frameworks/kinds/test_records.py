"""A record of a kind tells sizes, values by version, and itself by its arrays."""

from __future__ import annotations

from frameworks.kinds import ANY_AXES, KERAS, PYTORCH, Array, Dated


def test_a_dated_value_changes_with_the_version() -> None:
    dated = Dated("first", (((2, 3), "second"), ((3,), "third")))
    assert [dated.at(version) for version in ((2, 2, 4), (2, 3), (2, 15), (3, 0), (4,))] == [
        *("first", "second", "second", "third", "third")
    ]


def test_names_and_shapes_of_arrays_show_a_kind() -> None:
    def shown(**shapes: tuple[int, ...]) -> list[str]:
        return [kind.name for kind in PYTORCH.shown_by(shapes)]

    assert shown(weight=(3, 4), bias=(3,)) == ["Linear"]
    assert shown(weight=(3, 4), bias=(4,)) == []
    assert shown(weight=(3, 4)) == ["Linear", "Embedding"]
    assert shown(weight=(3, 4, 5), bias=(3,)) == ["Conv1d"]
    assert shown(weight=(3, 3, 5), bias=(3,)) == ["Conv1d", "ConvTranspose1d"]
    assert shown(weight=(4,)) == ["PReLU", "RMSNorm"]
    assert shown(weight=(1,)) == ["PReLU"]  # the default size
    assert shown(running_mean=(4,), running_var=(4,)) == ["BatchNorm"]
    assert [kind.name for kind in KERAS.shown_by({"scale": ()})] == []
    assert [kind.name for kind in KERAS.shown_by({"gamma": (4,)})] == []


def test_sizes_are_those_of_the_last_axes() -> None:
    array = Array("gamma", (ANY_AXES, "features"))
    assert array.sizes((4,)) == array.sizes((2, 3, 4)) == {"features": 4}
    assert array.sizes(()) is None
    assert Array("bias", ("output",)).sizes((2, 3)) is None
