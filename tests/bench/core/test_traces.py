"""Names of files: made of any text, fit for any file system, another one for each text."""

import os
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.core.traces import file_name

BASE = "cpu-default-nchw-eager-b32"
ANY = st.text(st.characters(codec=None, exclude_categories=()))


def test_a_name_of_a_file_tells_what_it_is_of() -> None:
    assert file_name(BASE) == BASE
    assert file_name("cuda:0-x_torchvision.models:alexnet") == "cuda_0-x_torchvision.models_alexnet-f78d2d61ba98"


@example("")
@example(".")
@example("..")
@example("-rf")
@example("../../etc/passwd")
@example("x" * 5000)
@example("\N{GRINNING FACE}" * 200)
@example("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 200)
@example("\ud800\0\n")
@given(ANY)
def test_any_text_gives_a_name_that_is_fit_for_a_file(name: str) -> None:
    fit = file_name(name)

    assert re.fullmatch(r"\w[\w.-]*", fit)
    assert len(os.fsencode(fit)) <= 200


@pytest.mark.parametrize(
    ("one", "other"),
    [("a:b", "a_b"), ("a:b_c", "a_b:c"), ("a/b", "a:b"), ("", "_"), ("x" * 201, "x" * 202), (".", "_")],
)
def test_names_that_differ_in_replaced_letters_alone_stay_apart(one: str, other: str) -> None:
    assert file_name(one) != file_name(other)


@given(st.lists(st.text("ab:_/.-", max_size=6), unique=True, min_size=2))
def test_no_two_texts_give_one_name(names: list[str]) -> None:
    whole = {*names, *map(file_name, names)}  # a name of ours may be a text, too

    assert len({file_name(name) for name in whole}) == len(whole)
