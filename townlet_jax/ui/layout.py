"""Where things stand in a picture, in pixels: the clock above, the map on the left, the people on the right."""

import math
from dataclasses import dataclass

from townlet_jax.run import RunError
from townlet_jax.ui.stage import Stage

MAP_SIDE = 768  # of a map's longer side if nobody asks for a scale
LEAST_TILE, MOST_TILE = 4, 64
MOST_PIXELS = 24_000_000
LEGEND_HEIGHT = 246  # in units
ROW, MOST_ROW, SHORT_ROW = 45, 60, 22  # height of a person's entry, in units
OVERLAYS = ("none", "ties")


class PictureError(RunError):
    """A picture cannot be had; the text is one sentence: what, what is allowed, what to do."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Places of a picture; a unit is the pixel of a map of the default size."""

    tile: int
    unit: float
    left: int  # of the map
    top: int
    map_width: int
    map_height: int
    panel_left: int
    panel_width: int
    width: int
    height: int
    overlay: str

    @property
    def legend_top(self) -> float:
        """Where the list of people ends and the legend begins."""
        return self.height - self.left - LEGEND_HEIGHT * self.unit

    @property
    def people_height(self) -> float:
        """Height of the list of people."""
        return self.legend_top - self.top

    def tile_at(self, x: float, y: float) -> tuple[float, float]:
        """Return the upper left corner of a tile."""
        return self.left + x * self.tile, self.top + y * self.tile

    def centre(self, x: float, y: float) -> tuple[float, float]:
        """Return the middle of a tile."""
        return self.left + (x + 0.5) * self.tile, self.top + (y + 0.5) * self.tile


def lay_out(stage: Stage, *, scale: int | None = None, overlay: str = "none") -> Layout:
    """Place everything; raises `PictureError` for a scale that cannot be had."""
    if overlay not in OVERLAYS:
        raise PictureError(f"--overlay is '{overlay}', but must be one of {', '.join(OVERLAYS)}; choose one.")
    if scale is not None and not LEAST_TILE <= scale <= MOST_TILE:
        raise PictureError(
            f"--scale is {scale}, but a tile is {LEAST_TILE} to {MOST_TILE} pixels; choose one of these sizes."
        )
    tile = scale or min(32, max(LEAST_TILE, MAP_SIDE // max(stage.width, stage.height)))
    map_width, map_height = stage.width * tile, stage.height * tile
    unit = min(2.5, max(0.9, max(map_width, map_height) / MAP_SIDE))
    margin, head, panel = round(12 * unit), round(50 * unit), round(304 * unit)
    wanted = (LEGEND_HEIGHT + ROW * min(len(stage.names.agents), 8)) * unit
    height = head + margin + max(map_height, math.ceil(wanted) + 1) + margin
    width = map_width + panel + 3 * margin
    if width * height > MOST_PIXELS:
        raise PictureError(
            f"A picture with --scale {tile} has {width} x {height} pixels, but the most are "
            f"{MOST_PIXELS // 1_000_000} million; choose a smaller scale."
        )
    return Layout(
        tile=tile,
        unit=unit,
        left=margin,
        top=head + margin,
        map_width=map_width,
        map_height=map_height,
        panel_left=map_width + 2 * margin,
        panel_width=panel,
        width=width,
        height=height,
        overlay=overlay,
    )
