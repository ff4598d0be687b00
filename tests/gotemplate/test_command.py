"""``python -m bootstrap_core.gotemplate conformance`` tells by category what passed and failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootstrap_core.gotemplate.__main__ import main

META = {"meta": {"datasets": {"d": '{"Vars": {"n": 1000000}}'}, "template_name": "bootstrap"}}
GOOD = {
    "id": "1",
    "category": "numbers",
    "data": "d",
    "template": "{{ .Vars.n }}",
    "class": "ok",
    "out": "1e+06",
}
BYTES = {**GOOD, "id": "2", "category": "text", "template": '{{ "\\xff" }}', "out_b64": "/w=="}
ERROR = {
    "id": "3",
    "category": "text",
    "data": "d",
    "template": "{{ .Vars.x }}",
    "class": "exec error",
    "error": "somewhere else",
}
WRONG = {**GOOD, "id": "4", "out": "1000000"}


def file_of(tmp_path: Path, *cases: dict[str, str]) -> str:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (META, *cases)), encoding="utf-8")
    return str(path)


def test_passing_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", file_of(tmp_path, GOOD, BYTES, ERROR)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "numbers: 1 passed, 0 failed",
        "text: 2 passed, 0 failed",
        "3 passed, 0 failed",
    ]


def test_a_failure_is_counted_and_shown_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(tmp_path, GOOD, WRONG)
    assert main(["conformance", file]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"
    assert main(["conformance", "--failures", file]) == 1
    shown = capsys.readouterr().out
    assert "4 numbers '{{ .Vars.n }}'" in shown
    assert "Go: ok: b'1000000'" in shown
    assert "here: ok: b'1e+06'" in shown


def test_an_error_text_unlike_gos_is_shown_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", "--errors", file_of(tmp_path, ERROR)]) == 0
    assert "Go: exec error: somewhere else" in capsys.readouterr().out


def test_missingkey_is_that_of_the_case_or_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lenient = {**GOOD, "template": "{{ .Vars.x }}", "out": "<no value>"}
    by_key = {**lenient, "missingkey": "default"}
    by_option = {**lenient, "options": ["missingkey=zero"]}
    path = tmp_path / "options.jsonl"
    meta = {"meta": {**META["meta"], "options": ["missingkey=default"]}}
    path.write_text("\n".join(map(json.dumps, (meta, lenient, by_key, by_option))))
    assert main(["conformance", str(path)]) == 0
    assert main(["conformance", file_of(tmp_path, by_key, by_option)]) == 0
    assert main(["conformance", file_of(tmp_path, lenient)]) == 1


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["conformance", "nowhere.jsonl"])
    assert "nowhere.jsonl: no such file" in capsys.readouterr().err


def test_several_files_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = file_of(tmp_path, GOOD)
    assert main(["conformance", file, file]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"
