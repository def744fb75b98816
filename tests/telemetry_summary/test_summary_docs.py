"""What docs/summaries.md shows is what the commands say."""

import re
import shlex
from pathlib import Path

import pytest
from asked import ask
from telling import Record, small_town, write

ELISION = "…"


def examples(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a page with the lines they are said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def later() -> list[Record]:
    """Return the run of the page as it went on another day: half the wallets."""
    records = small_town()
    for record in records:
        if record["payload_type"] == "measures":
            mean = record["kpis"]["wallet_mean"]["mean"]
            record["kpis"]["wallet_mean"] = {"mean": mean - 5.0, "p5": None, "p50": None, "p95": None}
    return records


def fits(said: list[str], promised: list[str]) -> bool:
    """Tell whether lines are those of a page, where an ellipsis stands for any number of them."""
    pattern = "\n".join(".*" if line == ELISION else re.escape(line) for line in promised)
    return re.fullmatch(pattern, "\n".join(said), re.DOTALL) is not None


def test_examples_are_true(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("run.jsonl"), small_town())
    write(Path("later.jsonl"), later())
    write(Path("cut.jsonl"), [*small_town()[:10], *small_town()[12:-1]])
    shown = examples((root / "docs" / "summaries.md").read_text(encoding="utf-8"))
    assert len(shown) == 10
    code = 0
    for command, promised in shown:
        words = shlex.split(command)
        if command == "echo $?":
            said = [str(code)]
        elif words[0] == "head":
            said = Path(words[2]).read_text().splitlines()[: -int(words[1])]
        else:
            assert words[:2] == ["townlet", "telemetry"]
            target = words.index(">") if ">" in words else None
            code, out, errors = ask(*words[2:target])
            if target is not None:
                Path(words[target + 1]).write_text(out)
                out = ""
            said = (out + errors).splitlines()
        assert fits([line.rstrip() for line in said], promised), f"$ {command}\n" + "\n".join(said)


def test_every_option_and_picture_is_explained(root: Path) -> None:
    text = (root / "docs" / "summaries.md").read_text(encoding="utf-8")
    for command in ("summary", "watch", "export", "validate"):
        said = ask(command, "--help")[1]
        for option in set(re.findall(r"--[a-z-]+", said)) - {"--help", "--top", "--most"}:
            assert option in text, f"{command} {option}"
