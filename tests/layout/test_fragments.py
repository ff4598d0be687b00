"""Fragments: tables that several layouts share, and where their faults are told."""

from pathlib import Path

import pytest

from provision.layout.catalog import LayoutCatalog, read_layout_file
from provision.layout.errors import ExpansionError, LayoutError, TemplateFileError
from provision.layout.expansion import expand
from tests.layout.samples import OWN, CountedIdentifiers, gateway, layout_of, problems_of

INCLUDING = OWN.replace('name = "sample"', 'name = "sample"\ninclude = ["shared/log.toml"]')
FRAGMENT = """\
# Every gateway has a log channel.
[parameters.level]
default = "info"
[[channels]]
key = "log"
name = "{{ .ExternalID }}-log"
[bootstrap]
status = "disabled"
render_context = { level = "{{ .Vars.level }}", region = "eu" }
"""


def loader(text: str) -> object:
    def load(name: str) -> str:
        if name != "shared/log.toml":
            raise TemplateFileError(f'there is no file "{name}"')
        return text

    return load


def test_a_fragment_adds_its_tables_after_the_layouts_own() -> None:
    layout = layout_of(INCLUDING, loader(FRAGMENT))  # type: ignore[arg-type]
    assert [channel.key for channel in layout.channels] == ["data", "control", "log"]
    assert [parameter.name for parameter in layout.parameters] == ["level"]
    assert layout.bootstrap.status == "disabled"


def test_the_layouts_own_values_win_key_by_key() -> None:
    own = INCLUDING + '[bootstrap]\nstatus = "enabled"\nrender_context = { region = "us" }\n'
    layout = layout_of(own, loader(FRAGMENT))  # type: ignore[arg-type]
    assert layout.bootstrap.status == "enabled"
    assert layout.bootstrap.render_context == {"level": "{{ .Vars.level }}", "region": "us"}


def test_what_gives_way_is_not_looked_at() -> None:
    own = INCLUDING + '[bootstrap]\nrender_context = { region = "us", list = [1] }\n'
    fragment = FRAGMENT.replace('region = "eu"', "region = nan, list = [nan]")
    layout = layout_of(own, loader(fragment))  # type: ignore[arg-type]
    level = "{{ .Vars.level }}"
    assert layout.bootstrap.render_context == {"level": level, "region": "us", "list": [1]}


@pytest.mark.parametrize(
    ("fragment", "place", "message"),
    [
        (FRAGMENT.replace("[[channels]]\nkey", "[[channels]]\nkeey"), (5, 1), 'unknown key "keey"'),
        (FRAGMENT.replace('"log"', '"data"'), (5, 7), 'channel key "data" is taken by the channel'),
        (FRAGMENT.replace("{{ .ExternalID }}", "{{ .Exter }}"), (6, 12), "has no .Exter"),
        (FRAGMENT + "= [", (10, 1), "not valid TOML"),
        ('[layout]\nname = "x"\n', (1, 2), "a fragment has no [layout]"),
    ],
)
def test_faults_are_told_where_they_stand_in_the_fragment(
    fragment: str, place: tuple[int, int], message: str
) -> None:
    problem = problems_of(INCLUDING, loader(fragment))[0]  # type: ignore[arg-type]
    assert problem.file == "layouts/shared/log.toml"
    assert (problem.line, problem.column) == place
    assert message in problem.message
    assert problem.source == fragment.split("\n")[place[0] - 1]


def test_faults_of_the_layout_itself_keep_their_places() -> None:
    text = INCLUDING.replace("bootstrap = true", "bootstrap = true\nsort = 1")
    [problem] = problems_of(text, loader(FRAGMENT))  # type: ignore[arg-type]
    assert (problem.file, problem.line, problem.column) == ("layouts/sample.toml", 9, 1)


def test_a_fragment_that_is_not_there_is_told_at_the_include() -> None:
    [problem] = problems_of(INCLUDING.replace("log.toml", "lgo.toml"), loader(FRAGMENT))  # type: ignore[arg-type]
    assert (problem.rule, problem.line, problem.column) == ("include", 3, 12)
    assert 'there is no file "shared/lgo.toml"' in problem.message


def test_what_a_missing_fragment_may_have_is_not_called_missing() -> None:
    text = INCLUDING.replace('"shared/log.toml"', '"shared/lgo.toml"')
    text += '[[connections]]\nclients = ["agent"]\nchannels = ["log"]\ntype = 1\n'
    rules = [problem.rule for problem in problems_of(text, loader(FRAGMENT))]  # type: ignore[arg-type]
    assert rules == ["include", "unknown-key"]


def test_the_nearest_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "log.toml").write_text(FRAGMENT)
    (tmp_path / "sample.toml").write_text(INCLUDING.replace("log.toml", "logs.toml"))
    with pytest.raises(LayoutError) as caught:
        read_layout_file(tmp_path / "sample.toml")
    [problem] = caught.value.problems
    wanted = 'there is no file "shared/logs.toml"; did you mean "shared/log.toml"?'
    assert wanted in problem.message


def test_a_fragment_is_included_once() -> None:
    more = '"shared/log.toml", "shared/log.toml", "nowhere.toml"'
    twice = INCLUDING.replace('"shared/log.toml"', more)
    problem, other = problems_of(twice, loader(FRAGMENT))  # type: ignore[arg-type]
    assert (problem.rule, problem.line, problem.column) == ("include", 3, 31)
    assert problem.message == '"shared/log.toml" is included twice'
    assert 'there is no file "nowhere.toml"' in other.message


def test_what_fails_for_a_request_is_told_in_the_fragment() -> None:
    fragment = FRAGMENT.replace('default = "info"', "")
    layout = layout_of(INCLUDING, loader(fragment))  # type: ignore[arg-type]
    with pytest.raises(ExpansionError) as caught:
        expand(layout, gateway(), CountedIdentifiers())
    assert str(caught.value).startswith("layouts/shared/log.toml:9:20: bootstrap.render_context")


def test_an_edit_of_the_fragment_is_picked_up(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    fragment = tmp_path / "shared" / "log.toml"
    fragment.write_text(FRAGMENT)
    (tmp_path / "sample.toml").write_text(INCLUDING)
    catalog = LayoutCatalog(tmp_path, default="sample")
    catalog.reload_changed()
    assert catalog.names == ("sample",)
    good = catalog.get()
    fragment.write_text(FRAGMENT + "sort = 1\n")
    [state] = catalog.reload_changed()
    assert not state.good
    assert catalog.get() is good
    assert state.problems[0].file.endswith("/shared/log.toml")
