"""Names in the generated source are identifiers, whatever the names of a model are."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.models.pytorch.names import MODULE_ATTRIBUTES, VARIABLES, Names, class_name, identifier


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dense_1", "dense_1"),
        ("block1/conv", "block1_conv"),
        ('x"); import os', "x_import_os"),
        ("Gefühl", "Gefuhl"),
        ("слой", "layer"),
        ("", "layer"),
        ("2nd", "layer_2nd"),
        ("__dict__", "dict"),
        ("a" * 300, "a" * 45),
    ],
)
def test_an_identifier_resembles_the_name(name: str, expected: str) -> None:
    assert identifier(name) == expected


@given(st.lists(st.text(), max_size=20))
def test_names_of_a_scope_are_distinct_identifiers_and_never_keywords(wishes: list[str]) -> None:
    names = Names(VARIABLES)
    made = [names.free(wish) for wish in [*wishes, *wishes, "class", "x", "torch"]]
    assert len(set(made)) == len(made)
    assert all(name.isidentifier() and name.isascii() and not keyword.iskeyword(name) for name in made)
    assert not VARIABLES.intersection(made)
    assert made[-3:] != ["class", "x", "torch"]


def test_a_reserved_name_gets_an_underscore_and_a_taken_one_a_number() -> None:
    names = Names(MODULE_ATTRIBUTES)
    assert [names.free(wish) for wish in ("train", "train", "lstm", "lstm", "lstm_2")] == [
        *("train_", "train_2", "lstm", "lstm_2", "lstm_2_2"),
    ]


def test_thousands_of_equal_names_take_no_time() -> None:
    names = Names()
    assert len({names.free("dense") for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    ("name", "expected"), [("my_model", "MyModel"), ("functional_1", "Functional1"), ("BiLSTM tagger", "BiLSTMTagger")]
)
def test_a_class_is_named_after_the_model(name: str, expected: str) -> None:
    assert class_name(name) == expected
