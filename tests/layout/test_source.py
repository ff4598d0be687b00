"""Parsing with positions: the scanner agrees with tomli, and with the text at each place."""

from collections.abc import Callable

import pytest
import tomli
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from provision.layout.errors import LayoutError
from provision.layout.model import KeyPath, Position
from provision.layout.source import MAX_CHARACTERS, MAX_DEPTH, parse_source, scan, string_characters
from tests.layout.samples import marked

TEXT = '''\
title = "x"
[a.b]
  "quoted key" = 'literal'  # comment = 1
  list = [1,
    { c = true, d.e = 2 },
  ]
[[items]]
  name = "first"
[[items]]
  name = """
two\\u00e9 \\
    lines"""
  [items.sub]
    deep = 1979-05-27T07:32:00Z
'''


def test_each_key_and_value_has_its_place() -> None:
    source = parse_source(TEXT, "f.toml")
    expected: dict[KeyPath, tuple[tuple[int, int], tuple[int, int]]] = {
        ("title",): ((1, 1), (1, 9)),
        ("a", "b"): ((2, 4), (2, 1)),
        ("a", "b", "quoted key"): ((3, 3), (3, 18)),
        ("a", "b", "list"): ((4, 3), (4, 10)),
        ("a", "b", "list", 0): ((4, 11), (4, 11)),
        ("a", "b", "list", 1): ((5, 5), (5, 5)),
        ("a", "b", "list", 1, "c"): ((5, 7), (5, 11)),
        ("a", "b", "list", 1, "d", "e"): ((5, 19), (5, 23)),
        ("items",): ((7, 3), (7, 1)),
        ("items", 0): ((7, 1), (7, 1)),
        ("items", 0, "name"): ((8, 3), (8, 10)),
        ("items", 1): ((9, 1), (9, 1)),
        ("items", 1, "name"): ((10, 3), (10, 10)),
        ("items", 1, "sub"): ((13, 10), (13, 3)),
        ("items", 1, "sub", "deep"): ((14, 5), (14, 12)),
    }
    for path, (key, value) in expected.items():
        assert source.key_position(path) == Position(*key), path
        assert source.value_position(path) == Position(*value), path


def test_an_unknown_path_is_where_its_nearest_ancestor_is() -> None:
    source = parse_source(TEXT, "f.toml")
    assert source.key_position(("items", 0, "nothing", "here")) == Position(7, 1)
    assert source.key_position(("nothing",)) == Position(1, 1)


def test_places_inside_strings_count_escapes_and_folded_lines_right() -> None:
    source = parse_source(TEXT, "f.toml")
    path = ("items", 1, "name")
    value = source.value(path)
    assert value == "twoé lines"
    assert source.position_inside(path, value.index("t")) == Position(11, 1)
    assert source.position_inside(path, value.index("é")) == Position(11, 4)
    assert source.position_inside(path, value.index("l")) == Position(12, 5)
    assert source.position_inside(path, 1000) == Position(12, 9)
    assert source.position_inside(("items", 0, "nothing"), 1) == Position(7, 1)
    assert source.position_inside(("a", "b", "list"), 1) == Position(4, 10)


@pytest.mark.parametrize(
    ("literal", "index", "column"),
    [
        (r"'C:\dir'", 3, 9),
        (r"'''C:\n'x'''", 5, 13),
        (r'"\U0010FFFFx"', 1, 16),
        (r"'''C:\n'x'''", 4, 12),
        (r'"\U0010FFFFx"', 0, 6),
        (r'"\u00e9\tx"', 2, 14),
        ('"""x"y"""', 2, 10),
        ('"x\'y"', 2, 8),
    ],
)
def test_a_position_inside_a_string_counts_what_is_written(
    literal: str, index: int, column: int
) -> None:
    source = parse_source(f"a = {literal}\n", "f.toml")
    assert source.position_inside(("a",), index) == Position(1, column)


@pytest.mark.parametrize(
    "deep",
    [
        lambda levels: "x = " + "[" * (levels - 1) + "]" * (levels - 1),
        lambda levels: "x = " + "{ a = " * (levels - 1) + "1" + " }" * (levels - 1),
        lambda levels: "y = 1\nx = [1, " + "[" * (levels - 2) + "]" * (levels - 2) + "]",
        lambda levels: "z = {}\n" + ".".join("x" * levels) + " = 1",
    ],
    ids=["lists", "tables", "after a number", "dotted"],
)
def test_values_may_be_nested_thirty_two_deep(deep: Callable[[int], str]) -> None:
    assert parse_source(deep(MAX_DEPTH), "f.toml").data["x"]
    with pytest.raises(LayoutError, match="at most 32 levels"):
        parse_source(deep(MAX_DEPTH + 1), "f.toml")


def test_blanks_in_keys_do_not_count() -> None:
    source = parse_source("[ a . b ]\n c . 'd' =  1\n", "f.toml")
    assert source.key_position(("a", "b")) == Position(1, 7)
    assert source.key_position(("a", "b", "c", "d")) == Position(2, 6)
    assert source.value_position(("a", "b", "c", "d")) == Position(2, 13)


def test_quotes_before_the_end_of_a_string_belong_to_it() -> None:
    source = parse_source('a = """say "hi"""""\nb = 1', "f.toml")
    assert source.data["a"] == 'say "hi""'
    assert source.key_position(("b",)) == Position(2, 1)


def test_dates_and_times_become_text() -> None:
    source = parse_source("a = 1979-05-27T07:32:00\nb = 1979-05-27\nc = 07:32:00.5", "f.toml")
    assert source.data == {"a": "1979-05-27T07:32:00", "b": "1979-05-27", "c": "07:32:00.500000"}


def test_dates_become_text_and_json_misfits_are_noted() -> None:
    source = parse_source("d = 1979-05-27T07:32:00Z\nn = nan\nb = [99999999999999999999]", "f")
    assert source.data["d"] == "1979-05-27T07:32:00Z"
    assert source.unfit.keys() == {("n",), ("b", 0)}


def test_line_ends_of_windows_do_not_shift_places() -> None:
    assert parse_source("a = 1\r\nb = 2\r\n", "f").key_position(("b",)) == Position(2, 1)


@pytest.mark.parametrize(
    ("text", "rule", "part"),
    [
        ("a = «", "toml-syntax", "not valid TOML: Invalid value"),
        ("a = 1\n«a = 2", "duplicate-key", '"a" is defined twice, first in line 1'),
        ("[x]\n[x.y]\n[«x]\n", "duplicate-key", '"x" is defined twice, first in line 1'),
        ("l = [{k = 1}]\n[[«l]]\nk = 2", "duplicate-key", '"l" is defined twice, first in line 1'),
        ("x.y = 1\n[«x]\n", "duplicate-key", '"x" is defined twice, first in line 1'),
        ("x = {y = 1, «y = 2}", "duplicate-key", '"x.y" is defined twice, first in line 1'),
        ("n = «{{ .ExternalID }}", "toml-syntax", "a template stands in quotes"),
        ("n = [«{{ .Vars.x }}]", "toml-syntax", "a template stands in quotes"),
        ('[[l]]\nk = 1\n[[l]]\nn = "1"\n«n = 2', "duplicate-key", '"l[1].n" is defined twice'),
        ("« \n", "empty", "file is empty"),
        ("«" + "a." * 40 + "a = 1", "depth", "nested too deeply"),
        # Parsed, it would take minutes.
        ("x = 1\n«" + "a." * 400_000 + "a = 1", "depth", "a dotted key of more than 100 parts"),
        ("«x = " + "[" * 40 + "]" * 40, "depth", "nested too deeply"),
        ("«x = " + "[" * 9000 + "]" * 9000, "depth", "nested too deeply"),
        ("«x = " + "1" * 5000, "toml-syntax", "4300 digits"),
        ("«#" + "x" * MAX_CHARACTERS, "size", "at most 1,000,000"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_place(text: str, rule: str, part: str) -> None:
    plain, (line, column) = marked(text)
    with pytest.raises(LayoutError) as caught:
        parse_source(plain, "f.toml")
    [problem] = caught.value.problems
    assert (problem.rule, problem.line, problem.column) == (rule, line, column)
    assert part in problem.message


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6)
scalars = (
    st.text(st.characters(codec="utf-8"), max_size=12)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.datetimes()
)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=5,
)


def paths_of(value: object, path: KeyPath = ()) -> list[tuple[KeyPath, object]]:
    found: list[tuple[KeyPath, object]] = [(path, value)] if path else []
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        found += paths_of(item, (*path, key))
    return found


@given(documents, st.booleans())
@pytest.mark.slow
def test_the_scanner_finds_every_path_where_the_text_says_so(
    document: dict[str, object], multiline: bool
) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline).replace("\r\n", "\n")
    data = tomli.loads(text)
    found = scan(text)
    assert not found.duplicates
    for path, value in paths_of(data):
        mark = found.marks[path]
        if isinstance(path[-1], str) and mark.key != mark.value:
            assert _key_at(text, mark.key) == path[-1]
        match value:
            case str():
                assert "".join(c for c, _ in string_characters(text, mark.value)) == value
            case bool() | int() | float():
                assert tomli.loads(f"v = {_word(text, mark.value)}")["v"] == value
            case dict() | list():
                assert text[mark.value] in "[{" or isinstance(path[-1], str)


def _key_at(text: str, offset: int) -> str:
    if text[offset] in "\"'":
        return "".join(character for character, _ in string_characters(text, offset))
    end = offset
    while text[end].isalnum() or text[end] in "_-":
        end += 1
    return text[offset:end]


def _word(text: str, offset: int) -> str:
    end = offset
    while end < len(text) and text[end] not in ",]}\n #":
        end += 1
    return text[offset:end]


@given(st.text("ab.=[]{}\"'\\\n# 1,u", max_size=60))
def test_the_scanner_survives_what_is_no_toml(text: str) -> None:
    scan(text)


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "a." * 100_000 + "a = 1"])
def test_the_scanner_stops_where_the_text_nests_without_end(text: str) -> None:
    assert len(scan(text).marks) <= 102
