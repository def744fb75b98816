"""What the back ends make of a scene: text, PNG, GIF and SVG, opened again by others."""

import io
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.ui import towns
from tests.ui.towns import ADA, EVA, NOON
from townlet_jax import run
from townlet_jax.ui import gif, pictures, raster, scene, signs, vector
from townlet_jax.ui.layout import Layout, PictureError, lay_out
from townlet_jax.ui.pictures import Order
from townlet_jax.ui.shapes import Box
from townlet_jax.ui.view import Frame

SVG = "{http://www.w3.org/2000/svg}"
WALL, GRASS, ROAD = (3, 4), (2, 1), (10, 12)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of #rrggbb."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def walk() -> list[Frame]:
    """Return five pictures around dusk: ada walks down the road, eva gets hungry, the last two are the same."""
    frames = []
    for step in range(5):
        still = min(step, 3)
        state = towns.quiet(1200 + 20 * still)
        state.roster.position[ADA] = (10 + still, 12)
        state.needs.level[EVA] = 0.9 - 0.25 * still
        frames.append(towns.frame(state))
    return frames


@pytest.fixture(scope="module")
def layout() -> Layout:
    """Return the layout of the default town, small for speed."""
    return lay_out(towns.stage(), scale=10)


def at(layout: Layout, x: int, y: int) -> tuple[int, int]:
    """Return the pixel in the middle of a tile."""
    middle = layout.centre(x, y)
    return int(middle[0]), int(middle[1])


def over_the_mark(layout: Layout, x: int, y: int) -> tuple[int, int]:
    """Return a pixel of an agent's disc that its mark leaves free."""
    middle = layout.centre(x, y)
    return int(middle[0]), int(middle[1] - 0.72 * scene.radius(layout))


def test_png_shows_ground_and_people_in_their_colours(layout: Layout) -> None:
    file = io.BytesIO()
    raster.write_png(file, towns.stage(), layout, walk()[0], "about this")
    with Image.open(file) as opened:
        assert opened.format == "PNG"
        assert opened.info["Description"] == "about this"
        picture = opened.convert("RGB")
    assert picture.size == (layout.width, layout.height)
    assert picture.getpixel(at(layout, *WALL)) == rgb(signs.TILES["wall"])
    assert picture.getpixel(at(layout, *GRASS)) == rgb(signs.TILES["grass"])
    assert picture.getpixel(at(layout, *ROAD)) != rgb(signs.TILES["road"]), "ada stands there"
    assert picture.getpixel(over_the_mark(layout, *ROAD)) == rgb(signs.level_colour(0.75))
    assert picture.getpixel(over_the_mark(layout, 5, 40)) == rgb(signs.level_colour(0.9))


def test_gif_holds_every_picture_and_each_looks_as_drawn(layout: Layout) -> None:
    file, stage, frames = io.BytesIO(), towns.stage(), walk()
    assert gif.write(file, stage, layout, iter(frames), milliseconds=80, hold=1000) == 5
    easel = raster.Easel(stage, layout)
    with Image.open(file) as opened:
        assert (opened.format, opened.n_frames, opened.size) == ("GIF", 5, (layout.width, layout.height))
        assert opened.info["loop"] == 0, "for ever"
        durations = []
        for number, frame in enumerate(frames):
            opened.seek(number)
            durations.append(opened.info["duration"])
            shown = np.asarray(opened.convert("RGB")).astype(int)
            drawn = np.asarray(easel.picture(frame)).astype(int)
            difference = np.abs(shown - drawn)
            assert difference.mean() < 2
            assert np.percentile(difference, 99.9) < 40
            lowest = 0.9 - 0.25 * min(number, 3)
            x, y = over_the_mark(layout, 5, 40)
            assert tuple(shown[y, x]) == rgb(signs.level_colour(lowest))
        x, y = at(layout, *WALL)
        opened.seek(0)
        assert opened.convert("RGB").getpixel((x, y)) == rgb(signs.TILES["wall"])
        opened.seek(4)
        assert sum(opened.convert("RGB").getpixel((x, y))) < sum(rgb(signs.TILES["wall"])), "night has come"
    assert durations == [80, 80, 80, 80, 1080]


def test_a_gif_stores_only_what_changed(layout: Layout) -> None:
    frames = walk()[:1] * 40
    one, many = io.BytesIO(), io.BytesIO()
    gif.write(one, towns.stage(), layout, frames[:1], milliseconds=80, hold=0)
    gif.write(many, towns.stage(), layout, frames, milliseconds=80, hold=0)
    assert len(many.getvalue()) < len(one.getvalue()) + 40 * 60
    with Image.open(many) as opened:
        assert opened.n_frames == 40


def test_a_still_svg_shows_the_same_as_the_png(layout: Layout) -> None:
    stage, frame = towns.stage("a <b> & c"), towns.frame(towns.busy())
    picture = ElementTree.fromstring(vector.still(stage, layout, frame, "about <this>"))
    assert picture.findtext(f"{SVG}title") == "about <this>"
    assert picture.attrib["viewBox"] == f"0 0 {layout.width} {layout.height}"
    words = [element.text for element in picture.iter(f"{SVG}text")]
    for text in ("ada", "12:00", "2nd in line: shower 1", "a <b> & c", "cafe counter"):
        assert text in words
    x, y = layout.centre(21, 6)
    discs = [
        disc.attrib for disc in picture.iter(f"{SVG}circle") if (disc.get("cx"), disc.get("cy")) == (f"{x:g}", f"{y:g}")
    ]
    assert discs[0]["fill"] == signs.level_colour(0.04)
    assert not list(picture.iter(f"{SVG}animate"))


def test_an_svg_film_shows_each_picture_in_its_turn(layout: Layout) -> None:
    frames = walk()[:4]
    text = vector.film(towns.stage(), layout, frames, "about", milliseconds=100, hold=600)
    picture = ElementTree.fromstring(text)
    groups = [group for group in picture.iter(f"{SVG}g") if group.find(f"{SVG}animate") is not None]
    shown = {}
    for group in groups:
        animation = group.find(f"{SVG}animate")
        assert animation is not None
        assert (animation.get("dur"), animation.get("repeatCount")) == ("1000ms", "indefinite")
        times = [float(time) for time in animation.attrib["keyTimes"].split(";")]
        values = animation.attrib["values"].split(";")
        assert times[0] == 0.0
        assert times == sorted(times)
        assert len(times) == len(values)
        clocks = [
            element.text for element in group.iter(f"{SVG}text") if re.fullmatch(r"\d\d:\d\d", element.text or "")
        ]
        if clocks:
            shown[clocks[0]] = [time for time, value in zip(times, values, strict=True) if value == "visible"]
    assert shown == {"20:00": [0.0], "20:20": [0.1], "20:40": [0.2], "21:00": [0.3]}
    assert sum(group.get("visibility") == "visible" for group in groups) == 2, (
        "picture and night that viewers without animation show"
    )


def plain(frame: Frame, overlay: str = "none") -> list[str]:
    """Return the lines of a text picture."""
    return pictures.as_text(towns.stage(), frame, overlay=overlay, coloured=False).splitlines()


def test_text_shows_people_at_their_cells() -> None:
    lines = plain(towns.frame(towns.busy()))
    assert lines[0] == "☀ day 1 12:00  tick 720  no special events"
    rows = lines[1:49]
    for slot, (x, y) in ((1, (21, 6)), (2, (20, 6)), (3, (22, 6)), (5, (5, 40)), (6, (32, 28))):
        assert rows[y][x] == str(slot)
    assert not any("4" in row[:48] for row in rows), "dan is away"
    assert rows[0].startswith("T" * 48)
    (cleo,) = (line for line in lines if re.search(r"3 +cleo", line))
    assert re.search(r"3 +cleo +75% +75% +75% +3.00 +1st in line: shower 1$", cleo)


def test_text_tells_events_night_chats_and_ties() -> None:
    assert "☾ day 1 21:00" in plain(towns.frame(towns.quiet(1260)))[0]
    head = " ".join(plain(towns.frame(towns.eventful()))[:3])
    for words in ("price spike", "prices x 1.50", "blackout", "no power", "closed: shower 2"):
        assert words in head
    spoke = np.full(8, -1)
    spoke[EVA] = ADA
    told = "\n".join(plain(towns.happened(towns.frame(towns.quiet()), spoke_to=spoke, spoke_well=np.ones(8, bool))))
    assert "stands, chatted with ada" in told
    ties = plain(towns.frame(towns.busy()), "ties")
    assert [line.split() for line in ties[-2:]] == [
        ["ada", "and", "ben", "friends", "0.50"],
        ["ben", "and", "cleo", "rivals", "0.30"],
    ]


def test_coloured_text_has_the_colour_of_the_lowest_need() -> None:
    text = pictures.as_text(towns.stage(), towns.frame(towns.busy()), coloured=True)
    red, green, blue = rgb(signs.level_colour(0.04))
    assert f"48;2;{red};{green};{blue}m1" in text
    assert re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()[7][21] == "1"


def test_boxes_of_no_size_are_not_drawn() -> None:
    image = Image.new("RGB", (20, 20), "#ffffff")
    raster.draw(image, [Box(3, 3, 0, 5, "#000000"), Box(3, 3, 0.1, 0.1, "#000000", radius=2)])
    assert image.getcolors() == [(400, (255, 255, 255))]


@pytest.mark.parametrize("name", ["town.png", "town.gif", "town.svg", "town.txt", "town.ansi"])
def test_files_are_replaced_whole(tmp_path: Path, name: str, layout: Layout) -> None:
    target = tmp_path / name
    target.write_text("old")
    order = Order(out=target, scale=10)
    assert pictures.check(order, towns.stage()) == layout
    amount = pictures.write(order, towns.stage(), layout, iter(walk()))
    assert amount == (5 if name.endswith("gif") else 1)
    assert target.read_bytes()[:3] != b"old"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failing_film_leaves_the_old_file(tmp_path: Path, layout: Layout) -> None:
    target = tmp_path / "town.gif"
    target.write_text("old")

    def frames() -> object:
        yield walk()[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pictures.write(Order(out=target), towns.stage(), layout, frames())  # type: ignore[arg-type]  # a generator
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("order", "last", "ticks"),
    [
        (Order(out=Path("a.png")), 600, [600]),
        (Order(out=Path("-")), 600, [600]),
        (Order(out=Path("a.svg")), 600, [600]),
        (Order(out=Path("a.gif")), 600, list(range(4, 601, 4))),
        (Order(out=Path("a.gif")), 100, list(range(1, 101))),
        (Order(out=Path("a.gif"), first=590, every=5), 600, [590, 595, 600]),
        (Order(out=Path("a.svg"), every=250), 600, [100, 350, 600]),
        (Order(out=Path("a.SVG"), first=599), 600, [599, 600]),
    ],
)
def test_ticks_that_are_shown(order: Order, last: int, ticks: list[int]) -> None:
    assert pictures.ticks_of(order, last) == ticks


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (Order(out=Path("a.gif"), first=0), "--from is 0, but must be a tick from 1 to 600"),
        (Order(out=Path("a.png"), first=601), "--from is 601"),
        (Order(out=Path("a.gif"), every=0), "--every is 0"),
        (Order(out=Path("a.svg"), every=-1), "--every is -1"),
    ],
)
def test_ticks_that_cannot_be_shown(order: Order, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        pictures.ticks_of(order, 600)


def test_too_many_pictures_are_refused() -> None:
    with pytest.raises(PictureError, match=r"A film of 1,001 pictures was asked for, but the most are 1,000"):
        pictures.ticks_of(Order(out=Path("a.gif"), every=1), 1001)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (lambda folder: folder / "town.mp4", "no suffix that names a format"),
        (lambda folder: folder / "town", "end it with one of .txt, .ansi, .png, .gif, .svg"),
        (lambda folder: folder / "no" / "town.png", "there is no folder"),
        (lambda folder: folder, "no suffix"),
        (lambda folder: Path("/proc/town.gif"), "cannot be written"),
        (lambda folder: folder / ("x" * 300 + ".png"), "cannot be written"),
        (lambda folder: folder / "a\0b.png", "cannot be written"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, place: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(run.RunError, match=words):
        pictures.check(Order(out=place(tmp_path)), towns.stage())


def test_a_folder_with_the_name_of_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "town.png").mkdir()
    with pytest.raises(run.RunError, match="is a folder"):
        pictures.check(Order(out=tmp_path / "town.png"), towns.stage())


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_without_pillow_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(PictureError, match=r"pip install 'townlet_jax\[plots\]'"):
        pictures.check(Order(out=tmp_path / f"town{suffix}"), towns.stage())
    for other in (".svg", ".txt"):
        pictures.check(Order(out=tmp_path / f"town{other}"), towns.stage())


def test_a_film_of_a_whole_night_stays_small(tmp_path: Path) -> None:
    stage = towns.stage()
    frames = [towns.frame(towns.quiet(tick)) for tick in range(NOON, NOON + 1440, 60)]
    order = Order(out=tmp_path / "town.gif")
    assert pictures.write(order, stage, lay_out(stage), frames) == 24
    assert order.out.stat().st_size < 800_000


def test_the_page_about_pictures_is_true(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (root / "docs/pictures.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (root / "docs" / name).exists(), name
    for suffix in pictures.SUFFIXES:
        assert f"`{suffix}`" in page
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "pictures.md", "exec"), {})  # our own text
    assert capsys.readouterr().out == "1\n"
    assert ElementTree.parse(tmp_path / "start.svg").findtext(f"{SVG}title") == "townlet_jax: the first moment"


def test_the_film_of_the_docs_is_whole_and_small(root: Path) -> None:
    film = root / "docs/town.gif"
    assert film.stat().st_size < 3_000_000
    with Image.open(film) as opened:
        assert (opened.n_frames, opened.info["loop"]) == (150, 0)
