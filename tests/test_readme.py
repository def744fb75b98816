"""What the README shows is true: its Python runs, its numbers come from the results, its picture is the town."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tables
from townlet_jax.bench.record import append
from townlet_jax.config import build, load
from townlet_jax.ui import svg_map

RECORD: dict[str, Any] = {
    "device": "1 cpu device: test",
    "commit": "abc",
    "dirty": False,
    "versions": {"python": "3.11.7", "jax": "0.10.2"},
    "time": "2026-01-01T00:00:00+00:00",
    "bench": "compile",
    "line": "chunk, drawn",
    "cold_seconds": 20.0,
    "warm_seconds": 1.25,
    "compilations": 1,
    "compilations_after_warm_up": 0,
    "hlo_instructions": 12345,
}


def test_python_of_the_readme_runs_and_prints_what_it_says(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    promised = re.findall(r"^print\(.*\)  # (\([^)]*\))", "".join(blocks), re.MULTILINE)
    assert len(promised) == 4
    namespace: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)  # our own text
    assert capsys.readouterr().out.splitlines() == promised


def test_files_that_the_readme_names_exist(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"configs/[\w/]+\.yaml", text)
    assert named
    for name in named:
        assert (root / name).exists(), f"README.md names {name}"


def test_numbers_of_the_readme_come_from_the_results() -> None:
    assert tables.main(["--check"]) == 0, "run `make docs`"


def test_the_newest_record_of_a_line_is_shown(tmp_path: Path) -> None:
    newer = RECORD | {"time": "2026-02-01T00:00:00+00:00", "cold_seconds": 10.0}
    other = RECORD | {"line": "chunk, scripted"}
    kept = tables.newest([newer, RECORD, other])
    assert sorted((record["line"], record["cold_seconds"]) for record in kept) == [
        ("chunk, drawn", 10.0),
        ("chunk, scripted", 20.0),
    ]


def test_table_is_written_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{tables.BEGIN}\nyesterday\n{tables.END}\nafter\n")
    append([RECORD], tmp_path / "cpu.jsonl")
    assert tables.main(["--check"], readme=readme, results=tmp_path) == 1
    assert tables.main([], readme=readme, results=tmp_path) == 0
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert "| chunk, drawn | 20.0 | 1.2 | 1 | 0 | 12,345 |" in text
    assert "1 cpu device: test" in text
    assert tables.main(["--check"], readme=readme, results=tmp_path) == 0


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing")
    with pytest.raises(SystemExit, match="lacks the markers"):
        tables.main([], readme=readme, results=tmp_path)


def test_the_picture_is_the_default_town(root: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "town.svg"
    assert svg_map.main([str(root / "configs/default.yaml"), str(drawn)]) == 0
    assert drawn.read_text(encoding="utf-8") == (root / "docs/town.svg").read_text(encoding="utf-8"), "run `make docs`"


def test_the_picture_shows_every_object_and_resident(root: Path) -> None:
    built = build(load(root / "configs/default.yaml"))
    text = svg_map.draw(built.names, built.params, title="a <b> & c")
    picture = ElementTree.fromstring(text)
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    for name in built.names.agents:
        assert words.count(name) == 1
    assert words.count("w") == 3 + 1, "three showers and their line in the legend"
    assert "bed × 8" in words
    assert "a <b> & c" in words


def test_a_wrong_file_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert svg_map.main(["no_such.yaml"]) == 2
    assert "no_such.yaml" in capsys.readouterr().err
    assert svg_map.main([]) == 2
