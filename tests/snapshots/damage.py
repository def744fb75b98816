"""Ways in which files go bad, each real: bits turn, blocks vanish, files are cut, lost, swapped or replaced."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path


def flip_a_bit(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Turn one bit."""
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content)


def overwrite(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Put noise over a stretch."""
    content = bytearray(file.read_bytes())
    start = draw.randrange(len(content))
    length = min(draw.randrange(1, 600), len(content) - start)
    content[start : start + length] = draw.randbytes(length)
    file.write_bytes(content)


def zero(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Lose a block of 512 bytes, as after a power cut."""
    content = bytearray(file.read_bytes())
    start = draw.randrange(len(content)) // 512 * 512
    length = min(512, len(content) - start)
    content[start : start + length] = bytes(length)
    file.write_bytes(content)


def cut(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Keep the beginning only."""
    content = file.read_bytes()
    file.write_bytes(content[: draw.randrange(len(content))])


def lengthen(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Add noise at the end."""
    file.write_bytes(file.read_bytes() + draw.randbytes(draw.randrange(1, 100)))


def turn_a_digit(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Change a digit into another one: what is text stays well formed."""
    content = bytearray(file.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit() and byte < 128]
    if digits:
        content[draw.choice(digits)] = ord(draw.choice("0123456789"))
    file.write_bytes(content)


def lose(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Delete the file."""
    file.unlink()


def swap(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Put the content of another file of the snapshot there."""
    file.write_bytes(draw.choice(others).read_bytes())


def replace_by_a_folder(file: Path, draw: random.Random, others: Sequence[Path]) -> None:
    """Put a folder in the place of the file."""
    file.unlink()
    file.mkdir()


WAYS: tuple[Callable[[Path, random.Random, Sequence[Path]], None], ...] = (
    flip_a_bit,
    flip_a_bit,
    overwrite,
    zero,
    cut,
    lengthen,
    turn_a_digit,
    turn_a_digit,
    lose,
    swap,
    replace_by_a_folder,
)


def damaged(whole: Path, place: Path, seed: int) -> str:
    """Copy a snapshot and damage one file of it; return what was done."""
    draw = random.Random(seed)
    shutil.copytree(whole, place)
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.stat().st_size)
    file, way = draw.choice(files), draw.choice(WAYS)
    way(file, draw, files)
    return f"{way.__name__} of {file.relative_to(place)} with seed {seed}"
