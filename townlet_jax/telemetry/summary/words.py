"""Text from files on its way to people: names are somebody else's and may hold anything."""

from townlet_jax.report import printable

LONGEST = 120  # characters
MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_{}[]<>|#~"})


def clean(text: str, longest: int = LONGEST) -> str:
    """Return text on one line, without control and bidirectional characters, shortened."""
    line = text if text.isprintable() else printable(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return text.translate(MARKDOWN)


def number(value: float | None, digits: int | None = None) -> str:
    """Return a number with as many decimals as it needs, a dash for none."""
    if value is None:
        return "–"
    if digits is not None:
        return f"{value:,.{digits}f}"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e7 or size < 1e-4:
        return f"{value:.2e}"
    return f"{value:,.{0 if size >= 1000 else 2 if size >= 10 else 3 if size >= 0.1 else 4}f}"


def share(value: float | None) -> str:
    """Return a change as a percentage, a dash for none."""
    if value is None:
        return "–"
    return f"{round(value, 2) + 0.0:+,.0%}" if abs(value) < 100 else f"{value:+.0e}"
