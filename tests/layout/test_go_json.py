"""Content is stored as Go's encoding/json writes it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.layout.expansion import go_json
from provision.layout.model import JsonValue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"b": 1, "a": [True, False, None, "x"]}, '{"a":[true,false,null,"x"],"b":1}'),
        ("<a> & \u2028\u2029 é", '"\\u003ca\\u003e \\u0026 \\u2028\\u2029 é"'),
        ({"é": 1, "z": 2, "\U0001f600": 3, "\uffff": 4}, '{"z":2,"é":1,"\uffff":4,"\U0001f600":3}'),
        (
            [3.0, 0.5, -0.0, 1e20, 1e21, 1e-6, 1.5e-7],
            "[3,0.5,-0,100000000000000000000,1e+21,0.000001,1.5e-7]",
        ),
        ([5e-324, 1.7976931348623157e308], "[5e-324,1.7976931348623157e+308]"),
        (12345678901234567, "12345678901234567"),
    ],
)
def test_the_text_is_gos(value: JsonValue, text: str) -> None:
    assert go_json(value) == text


texts = st.text(st.characters(codec="utf-8"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)


@given(
    st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=9
    )
)
@pytest.mark.slow
def test_the_text_means_the_value(value: JsonValue) -> None:
    expected = json.loads(json.dumps(value), parse_int=float)
    assert json.loads(go_json(value), parse_int=float) == expected
