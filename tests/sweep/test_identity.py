"""The identity of a stage: equal digests for equal recipes, and for nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.stages.base import Stage, digest_of

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
recipes = st.dictionaries(st.text(max_size=3), plain, max_size=4)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(recipes)
def test_the_order_of_keys_and_a_trip_through_json_do_not_matter(recipe: dict[str, Any]) -> None:
    digest = digest_of(recipe)
    assert digest == digest_of(reordered(recipe)) == digest_of(json.loads(json.dumps(recipe)))


@given(recipes, recipes)
def test_different_recipes_have_different_digests(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert (digest_of(one) == digest_of(two)) == (
        json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    )


@given(recipes, st.integers(min_value=-(2**53), max_value=2**53))
def test_a_whole_number_is_not_a_float(recipe: dict[str, Any], number: int) -> None:
    assert digest_of({**recipe, "n": number}) != digest_of({**recipe, "n": float(number)})


@given(recipes, st.sampled_from([float("nan"), float("inf"), -float("inf"), object(), {1: 2}, b"x"]))
def test_what_json_cannot_hold_is_refused(recipe: dict[str, Any], value: object) -> None:
    with pytest.raises(ValueError, match=r"recipe\.deep\[0\]"):
        digest_of({**recipe, "deep": [value]})


def test_label_axes_and_work_do_not_enter_and_all_else_does() -> None:
    def stage(**changes: Any) -> str:
        base = {
            "kind": "tune",
            "recipe": {"a": 1},
            "inputs": {"x": "1"},
            "label": "l",
            "axes": {},
            "work": 1.0,
        }
        return Stage(**{**base, **changes}).digest

    assert stage() == stage(label="m") == stage(axes={"seed": 1}) == stage(work=2.0)
    changed = [
        stage(kind="align"),
        stage(recipe={"a": 2}),
        stage(inputs={"x": "2"}),
        stage(inputs={"y": "1"}),
    ]
    assert len({stage(), *changed}) == 5
