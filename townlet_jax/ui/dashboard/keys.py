"""From the bytes a terminal sends to names of keys. Pure but for what is not complete yet."""

import codecs
import re

ESCAPE = "\x1b"
NAMES = {
    "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x08": "backspace", "\x01": "home", "\x05": "end",
    "\x15": "erase", "\x17": "erase word", "\x03": "interrupt", "\x04": "quit", "\x0c": "redraw", " ": "space",
}  # fmt: skip
FINALS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "Z": "back tab"}
TILDES = {"1": "home", "3": "delete", "4": "end", "5": "page up", "6": "page down", "7": "home", "8": "end"}
SEQUENCE = re.compile(r"\x1b(?:\[(?P<numbers>[0-9;?<=>]*)(?P<final>[ -/]*[@-~])|O(?P<single>[A-Za-z]))")
BEGUN = re.compile(r"\x1b(?:\[[0-9;?<=>]*[ -/]*|O)?")
LONGEST = 32  # letters of a sequence; a longer one is none


class Keys:
    """Collects what was read; gives the keys that are complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def is_open(self) -> bool:
        """Tell whether the beginning of a sequence waits for more; alone it is the Escape key."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys in some bytes; the beginning of a sequence is kept."""
        text, found = self._rest + self._decoder.decode(data), []
        self._rest = ""
        while text:
            if text[0] != ESCAPE:
                found.append(NAMES.get(text[0], text[0] if text[0].isprintable() else ""))
                text = text[1:]
                continue
            sequence = SEQUENCE.match(text)
            if sequence is not None:
                found.append(_named(sequence))
                text = text[sequence.end() :]
            elif BEGUN.fullmatch(text) and len(text) < LONGEST:
                self._rest, text = text, ""
            else:
                found.append("escape")
                text = text[1:]
        return [key for key in found if key]

    def flush(self) -> list[str]:
        """Return what waits as it is: nothing more comes."""
        rest, self._rest = self._rest, ""
        return ["escape", *self.feed(rest[1:].encode())] if rest else []


def _named(sequence: "re.Match[str]") -> str:
    if sequence["single"]:
        return FINALS.get(sequence["single"], "")
    if sequence["final"] == "~":
        return TILDES.get(sequence["numbers"].split(";")[0], "")
    return FINALS.get(sequence["final"], "")
