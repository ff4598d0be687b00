"""The catalog: names, reloads that no broken edit can harm, nothing outside its directory."""

import errno
import os
from pathlib import Path

import pytest

from provision.layout.catalog import LayoutCatalog
from provision.layout.errors import LayoutError, UnknownLayoutError
from provision.layout.model import Dialect, InlineProfile, Overrides
from tests.layout.samples import GO, OWN

PROFILE = '[profile]\nname = "p"\ncontent_template_file = "p.tmpl"\n'


def write(path: Path, text: str) -> None:
    """Replace ``path`` as editors do: a new file under the same name."""
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    write(layouts / "sample.toml", OWN)
    return layouts


def loaded(directory: Path | None, **options: object) -> LayoutCatalog:
    catalog = LayoutCatalog(directory, **options)  # type: ignore[arg-type]
    catalog.reload_changed()
    return catalog


def test_layouts_are_called_as_their_files_are(directory: Path) -> None:
    write(directory / "other.toml", GO)
    write(directory / ".hidden.toml", "x")
    write(directory / "notes.txt", "x")
    catalog = loaded(directory, default="sample")
    assert catalog.names == ("other", "sample")
    assert catalog.get("other").dialect is Dialect.MAGISTRALA
    assert catalog.get().name == "sample"
    assert all(state.good for state in catalog.states)
    assert catalog.state("sample").file == "layouts/sample.toml"


@pytest.mark.parametrize(
    "name", ["smaple", "../layouts/sample", "sample.toml", "/etc/passwd", "a\0"]
)
def test_an_unknown_name_is_refused_with_the_nearest(directory: Path, name: str) -> None:
    with pytest.raises(UnknownLayoutError) as caught:
        loaded(directory, default="sample").get(name)
    assert caught.value.status == 400
    assert caught.value.names == ("sample",)
    if name == "smaple":
        assert str(caught.value) == (
            'layout: there is no layout "smaple"; did you mean "sample"? The layouts are sample.'
        )


def test_edits_are_picked_up(directory: Path) -> None:
    catalog = loaded(directory)
    before = catalog.get("sample")
    assert catalog.reload_changed() == ()
    write(directory / "sample.toml", OWN.replace("-agent", "-other"))
    [changed] = catalog.reload_changed()
    assert changed.name == "sample"
    assert catalog.get("sample").digest != before.digest


def test_a_broken_edit_leaves_the_good_version_serving(directory: Path) -> None:
    catalog = loaded(directory)
    good = catalog.get("sample")
    for broken in (OWN.replace("key =", "keey ="), "= [", ""):
        write(directory / "sample.toml", broken)
        [state] = catalog.reload_changed()
        assert not state.good
        assert state.problems[0].file == "layouts/sample.toml"
        assert catalog.get("sample") is good
    write(directory / "sample.toml", OWN)
    [state] = catalog.reload_changed()
    assert state.good


def test_a_layout_that_never_was_good_is_refused_when_asked_for(directory: Path) -> None:
    write(directory / "broken.toml", OWN.replace("key =", "keey ="))
    catalog = loaded(directory)
    assert not catalog.state("broken").good
    with pytest.raises(LayoutError, match='unknown key "keey"'):
        catalog.get("broken")
    assert catalog.get("sample")


def test_what_is_only_touched_is_not_read_again(directory: Path) -> None:
    catalog = loaded(directory)
    before = catalog.get("sample")
    os.utime(directory / "sample.toml", ns=(1, 1))
    assert catalog.reload_changed() == ()
    assert catalog.get("sample") is before


def test_files_come_and_go(directory: Path) -> None:
    catalog = loaded(directory, default="sample")
    write(directory / "new.toml", GO)
    assert [state.name for state in catalog.reload_changed()] == ["new"]
    (directory / "new.toml").unlink()
    catalog.reload_changed()
    assert catalog.names == ("sample",)


def test_template_files_are_read_beside_the_layout_and_watched(directory: Path) -> None:
    write(directory / "p.tmpl", "one")
    write(directory / "sample.toml", OWN + PROFILE)
    catalog = loaded(directory)

    def template() -> str:
        profile = catalog.get("sample").profile
        assert isinstance(profile, InlineProfile)
        return profile.content_template

    assert template() == "one"
    write(directory / "p.tmpl", "two")
    assert len(catalog.reload_changed()) == 1
    assert template() == "two"
    write(directory / "p.tmpl", "{{ if }}")
    [state] = catalog.reload_changed()
    assert [(problem.file, problem.line) for problem in state.problems] == [("layouts/p.tmpl", 1)]
    assert template() == "two"
    (directory / "p.tmpl").unlink()
    [state] = catalog.reload_changed()
    assert 'there is no file "p.tmpl"' in state.problems[0].message
    assert template() == "two"
    write(directory / "p.tmpl", "three")
    assert len(catalog.reload_changed()) == 1
    assert template() == "three"


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "link", "sub/../../secret", "a\\u0000"]
)
def test_template_files_outside_the_directory_are_refused(directory: Path, name: str) -> None:
    write(directory.parent / "secret", "top secret")
    (directory / "sub").mkdir()
    (directory / "link").symlink_to(directory.parent / "secret")
    write(directory / "sample.toml", OWN + PROFILE.replace("p.tmpl", name))
    [state] = loaded(directory).states[-1:]
    assert not state.good
    [problem] = state.problems
    assert problem.rule == "template-file"
    assert (problem.line, problem.column) == (20, 25)


def test_a_link_to_the_outside_that_becomes_a_file_is_read(directory: Path) -> None:
    write(directory.parent / "secret", "top secret")
    (directory / "p.tmpl").symlink_to(directory.parent / "secret")
    write(directory / "sample.toml", OWN + PROFILE)
    catalog = loaded(directory)
    assert not catalog.state("sample").good
    write(directory / "p.tmpl", "mine")
    catalog.reload_changed()
    assert catalog.state("sample").good


def test_a_link_in_a_circle_is_no_file(directory: Path) -> None:
    (directory / "p.tmpl").symlink_to(directory / "p.tmpl")
    write(directory / "sample.toml", OWN + PROFILE)
    assert not loaded(directory).state("sample").good


def test_a_template_in_a_sub_directory_is_fine(directory: Path) -> None:
    (directory / "sub").mkdir()
    write(directory / "sub" / "p.tmpl", "x")
    write(directory / "sample.toml", OWN + PROFILE.replace("p.tmpl", "sub/p.tmpl"))
    assert loaded(directory).state("sample").good


def test_files_that_cannot_be_read_are_broken_layouts(directory: Path) -> None:
    (directory / "latin.toml").write_bytes(b'# \n# \xe9\n[layout]\nname = "x"')
    (directory / "folder.toml").mkdir()
    os.mkfifo(directory / "pipe.toml")
    (directory / "large.toml").write_bytes(b"#" * 1_000_001)
    write(directory / "bad name.toml", OWN)
    catalog = loaded(directory, default="sample")
    messages = {state.name: state.problems[0].message for state in catalog.states if not state.good}
    assert messages == {
        "latin": "line 2 is not UTF-8",
        "folder": 'there is no file "folder.toml"',
        "pipe": 'there is no file "pipe.toml"',
        "large": "file has 1,000,001 bytes; at most 1,000,000",
        "bad name": '"bad name" cannot be the name of a layout: letters, digits, dots, '
        "underscores and dashes, at most 128; rename the file",
    }
    assert catalog.reload_changed() == ()


def test_a_file_that_fails_to_be_read_is_a_broken_layout(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    [problem] = loaded(directory).state("sample").problems
    assert problem.message == "file cannot be read: Permission denied"


def test_the_go_services_file_is_the_default(directory: Path) -> None:
    file = directory.parent / "config.toml"
    write(file, GO)
    catalog = loaded(directory, config_file=file)
    assert catalog.default == "config"
    assert catalog.get() is catalog.get("config")
    assert catalog.names == ("config", "sample")
    assert loaded(directory, config_file=file, default="sample").get().name == "sample"


def test_without_any_file_the_built_in_layout_serves(directory: Path) -> None:
    for catalog in (
        loaded(None),
        loaded(directory.parent / "nowhere"),
        loaded(None, config_file=directory / "config.toml"),
    ):
        assert catalog.default == "default"
        assert catalog.get().dialect is Dialect.MAGISTRALA
        assert catalog.names == ("default",)
        assert catalog.reload_changed() == ()


def test_the_go_services_file_takes_over_when_it_appears(tmp_path: Path) -> None:
    catalog = loaded(None, config_file=tmp_path / "config.toml")
    write(tmp_path / "config.toml", GO)
    catalog.reload_changed()
    assert catalog.names == ("config",)
    assert catalog.get().name == "config"


def test_settings_of_the_go_service_win_over_its_files(directory: Path) -> None:
    write(directory / "config.toml", GO)
    overrides = Overrides(x509_provision=True, content={"a": 1})
    catalog = loaded(directory, overrides=overrides)
    assert catalog.get("config").clients[0].certificate
    assert catalog.get().bootstrap.content == {"a": 1}
    assert not catalog.get("sample").clients[0].certificate


def test_warnings_do_not_break_a_layout(directory: Path) -> None:
    write(directory / "sample.toml", OWN + "[parameters.unused]\n")
    state = loaded(directory).state("sample")
    assert state.good
    assert [problem.rule for problem in state.problems] == ["unused-parameter"]
