"""What this simulator must show in each tick of a recording: the recorded cells, changed by the deviations."""

import functools
from dataclasses import dataclass

from traces import rows_of_people, rows_of_things, rows_of_work
from traces.recordings import Cells, read, recorded_cells, same
from traces.rows import Row, Sight

ROWS: tuple[Row, ...] = (*rows_of_things.ROWS, *rows_of_people.ROWS, *rows_of_work.ROWS)


@dataclass(frozen=True)
class Use:
    """A row met a subject in a tick; `differs` from the recording or not."""

    row: Row
    tick: int
    subject: str
    differs: bool


@dataclass(frozen=True)
class Prediction:
    """All ticks of a recording, and every use of a row."""

    ticks: tuple[Cells, ...]
    uses: tuple[Use, ...]


@functools.cache
def predict(name: str) -> Prediction:
    """Predict every tick of a recording."""
    recording = read(name)
    ticks: list[Cells] = []
    uses: list[Use] = []
    cells: Cells = {}
    for line in recording.ticks:
        tick = line["tick"]
        recorded = recorded_cells(recording, tick)
        sight = Sight(recording, tick, recorded, dict(recorded), cells)
        touched = [(row, subject) for row in ROWS for subject in _apply(row, sight)]
        uses += [
            Use(row, tick, subject, not same(sight.of(row.field, subject), recorded[row.field, subject]))
            for row, subject in touched
        ]
        cells = sight.cells
        ticks.append(cells)
    return Prediction(tuple(ticks), tuple(uses))


def _apply(row: Row, sight: Sight) -> list[str]:
    """Write the predicted values of a row; one cell has one row, so that each value has one cause."""
    subjects = row.covers(sight)
    for subject in subjects:
        if (row.field, subject) in sight.written:
            raise ValueError(f"{sight.recording.name}, tick {sight.tick}: two rows say {row.field} of {subject}")
        sight.written.add((row.field, subject))
        sight.cells[row.field, subject] = row.value(sight, subject)
    return subjects
