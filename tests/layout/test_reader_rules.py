"""Every rule of the reader: what it refuses, where it says so, and what it proposes."""

import contextlib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from provision.layout.errors import LayoutError
from provision.layout.reader import read
from tests.layout.samples import EVERYTHING, GO, OWN, layout_of, only_problem, problems_of

CASES = Path(__file__).parent.parent / "data" / "layouts" / "refused.txt"
PROFILE = '\n[profile]\nname = "p"\ncontent_template_file = "a.tmpl"\n'


def cases() -> list[tuple[str, str]]:
    """Return each case's header and the layout that it makes of the sample."""
    found = []
    for block in CASES.read_text().split("\n\n"):
        header, *lines = [line for line in block.splitlines() if not line.startswith("#")] or [""]
        text, old, new = OWN, "", ""
        for line in (line.removeprefix("    ") for line in [*lines, "- "]):
            if line.startswith("- "):
                assert text.count(old) == 1 or not old, old
                text = text.replace(old, new) if old else text
                old, new = line[2:] + "\n", ""
            elif line.startswith("+ "):
                new += line[2:] + "\n"
            else:
                text += line + "\n"
        if header:
            found.append((header, text))
    return found


@pytest.mark.parametrize(("header", "text"), cases())
def test_each_fault_is_found_where_it_stands(header: str, text: str) -> None:
    problem = only_problem(text)
    rule, _, message = header.partition(": ")
    assert problem.rule == rule
    assert message in problem.headline


def test_there_are_cases() -> None:
    assert len(cases()) > 80


@pytest.mark.parametrize(
    "template",
    [
        "{{ with .Vars }}{{ .site }}{{ end }}",
        "{{ range $key, $value := .Vars }}{{ $value }}{{ .x }}{{ end }}",
        '{{ "{{ .Nope }}" }}{{/* .Nope */}}{{ `.Nope` }}',
        "{{ $id := .ExternalID }}{{ $id }}{{ if .Name }}{{ .DomainID }}{{ end }}",
        '{{ define "x" }}{{ .Nope }}{{ $.Nope }}{{ end }}{{ template "x" .Vars }}',
    ],
)
def test_fields_of_a_moved_dot_and_quoted_text_are_no_faults(template: str) -> None:
    text = OWN.replace("bootstrap = true", f"bootstrap = true\nidentity = '''{template}'''")
    assert layout_of(text).clients[0].identity == template


def test_a_name_that_is_always_too_long_is_refused() -> None:
    text = OWN.replace('"{{ .ExternalID }}-agent"', f'«"{"n" * 1025}"')
    problem = only_problem(text)
    assert problem.rule == "too-long"
    assert "name has 1,025 characters; the platform allows 1,024" in problem.message


def test_a_fault_in_a_template_file_is_placed_in_that_file() -> None:
    [problem] = problems_of(OWN + PROFILE, lambda name: "{\n  {{ if }}{{ .Name }}\n\n{}")
    assert (problem.file, problem.line, problem.column) == ("layouts/a.tmpl", 2, 3)
    assert problem.source == "  {{ if }}{{ .Name }}"


def test_a_raw_template_is_no_template() -> None:
    text = OWN + PROFILE + 'content_format = "raw"'
    assert layout_of(text, lambda name: "{{ if }}").profile is not None


def test_all_problems_come_in_one_go_in_the_order_of_the_file() -> None:
    text = OWN.replace('key = "agent"', "keey = 1")
    text += '[certificates]\nttl = "x"\nkey_type = "y"\n[oops]\n'
    assert [(problem.line, problem.rule) for problem in problems_of(text)] == [
        (5, "unknown-key"),
        (19, "bad-duration"),
        (20, "bad-value"),
        (21, "unknown-key"),
    ]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (OWN + "[[bindings]]\n[[bindings]]\n", ["missing-key", "binding-target", "no-profile"] * 2),
        (
            OWN + PROFILE + '[[profile.binding_slots]]\ntype = "client"\nrequired = true\n'
            '[[bindings]]\nclient = "agent"\n',
            ["missing-key", "missing-key"],
        ),
        ('clients = ["agent"]\nchannels = ["data"]\n[layout]\n', ["wrong-type", "wrong-type"]),
        (
            OWN.replace("bootstrap = true\n", "") + PROFILE + "[[bindings]]\nslot = 's'\n",
            ["no-gateway", "binding-target", "no-gateway", "dangling-reference"],
        ),
    ],
)
def test_what_follows_from_a_fault_is_no_fault_of_its_own(text: str, rules: list[str]) -> None:
    assert [problem.rule for problem in problems_of(text, lambda name: "x")] == rules


def test_a_default_outside_of_the_enum_is_refused_with_what_is_allowed() -> None:
    text = OWN + '[parameters.site]\nenum = ["a", "b"]\ndefault = «"c"\n'
    assert only_problem(text).allowed == ("a", "b")


def test_a_key_that_was_written_twice_is_told_without_advice() -> None:
    problem = only_problem(OWN.replace('key = "control"', 'key = «"data"'))
    assert problem.message == 'channel key "data" is taken by the channel in line 9'


def test_a_certificate_slot_is_for_a_client_that_gets_one() -> None:
    text = OWN.replace("bootstrap = true", "bootstrap = true\ncertificate = true") + PROFILE
    text += '[[clients]]\nname = "b"\n[[profile.binding_slots]]\nname = "s"\n'
    text += 'type = "certificate"\n[[bindings]]\nslot = "s"\ncertificate = «"b"\n'
    assert only_problem(text, lambda name: "x").rule == "no-certificate"


def test_a_misspelled_table_does_not_make_its_references_dangle() -> None:
    text = OWN.replace("[[channels]]", "[[chanels]]", 2)
    text += '[[connections]]\nclients = ["agent"]\nchannels = ["data"]\n'
    assert [problem.rule for problem in problems_of(text)] == ["unknown-key"]


def test_a_misspelled_required_key_is_not_also_missing() -> None:
    text = OWN.replace('name = "{{ .ExternalID }}-agent"', 'nmae = "a"')
    assert [problem.rule for problem in problems_of(text)] == ["unknown-key"]


def test_a_layout_without_clients_is_refused() -> None:
    without = "«[[channels]]\nkey = 'b'\nname = 'b'\n"
    problem = only_problem(without + "[[connections]]\nclients = ['a']\nchannels = ['b']")
    assert problem.message == 'missing key "clients" in the top level'


def test_the_error_reads_well() -> None:
    with pytest.raises(LayoutError) as caught:
        read(OWN.replace('key = "agent"', '  keey = "agent"'), file="layouts/x.toml")
    allowed = "key, name, identity, bootstrap, certificate, tags, metadata"
    assert str(caught.value) == (
        'layouts/x.toml:5:3: unknown key "keey" in [[clients]]; did you mean "key"? '
        f"allowed: {allowed}\n"
        '    keey = "agent"\n'
        "    ^"
    )
    assert (caught.value.status, caught.value.code) == (422, "layout_invalid")


def test_a_long_line_is_shown_around_the_fault() -> None:
    text = OWN.replace('type = "data"', f"a = '{'x' * 3000}', b = nan")
    [problem] = problems_of(text)
    shown, caret = str(problem).split("\n")[1:]
    assert len(shown) < 200
    assert shown[caret.index("^")] == "n"


@pytest.mark.parametrize("base", [OWN, EVERYTHING, GO, GO.replace("clients", "things")])
@given(data=st.data())
@pytest.mark.slow
def test_a_mutilated_file_is_refused_with_a_layout_error_or_read(
    base: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(base)))
    end = data.draw(st.integers(start, min(len(base), start + 12)))
    junk = data.draw(st.sampled_from(["", '"', "[", "{{", " = 1\n", "[[", "x", "[1]\n", "{}"]))
    with contextlib.suppress(LayoutError):
        read(base[:start] + junk + base[end:], file="f.toml")


KEYS = """layout parameters clients channels connections certificates bootstrap profile bindings
things server cert file key name metadata tags type types slot client channel certificate ttl
enum pattern default required content render_context binding_slots content_template profile_id
content_template_file external_id metadata_key metadata_value identity route x"""
names = st.sampled_from(KEYS.split())
values = st.recursive(
    st.sampled_from(["agent", "{{ .ExternalID }}", "{{ .Vars.a }}", "{{", "1h", "string", "("])
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


@given(st.dictionaries(names, values, max_size=6))
@pytest.mark.slow
def test_any_toml_is_read_or_refused_with_a_layout_error(document: dict[str, object]) -> None:
    with contextlib.suppress(LayoutError):
        read(tomli_w.dumps(document), file="f.toml")
