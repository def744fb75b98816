"""The line in which a command is typed: editing, completion, history. Pure."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from townlet_jax.ui.dashboard.block import clean

MOST_LETTERS, MOST_HISTORY = 1000, 100


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A line being typed."""

    text: str = ""
    cursor: int = 0
    history: tuple[str, ...] = ()  # oldest first
    back: int = 0  # lines back in the history
    choices: tuple[str, ...] = ()  # that completion offers

    def typed(self, letters: str) -> "Prompt":
        """Put letters where the cursor stands."""
        letters = clean(letters)[: MOST_LETTERS - len(self.text)]
        text = self.text[: self.cursor] + letters + self.text[self.cursor :]
        return dataclasses.replace(self, text=text, cursor=self.cursor + len(letters), choices=())

    def erased(self, back: int = 1) -> "Prompt":
        """Remove letters before the cursor."""
        begin = max(0, self.cursor - back)
        return dataclasses.replace(self, text=self.text[:begin] + self.text[self.cursor :], cursor=begin, choices=())

    def moved(self, steps: int) -> "Prompt":
        """Move the cursor."""
        return dataclasses.replace(self, cursor=max(0, min(len(self.text), self.cursor + steps)))

    def recalled(self, steps: int) -> "Prompt":
        """Show an earlier line of the history, or a later one."""
        back = max(0, min(len(self.history), self.back + steps))
        text = self.history[-back] if back else ""
        return dataclasses.replace(self, text=text, cursor=len(text), back=back, choices=())


def completed(prompt: Prompt, commands: Sequence[str], names: Sequence[str]) -> Prompt:
    """Complete the word before the cursor as far as it is clear, and offer what it may become."""
    head = prompt.text[: prompt.cursor]
    begin = max(head.rfind(" "), head.rfind("="), head.rfind(","), head.rfind("[")) + 1
    word = head[begin:]
    known = commands if not head[:begin].strip() else names
    fits = sorted({name for name in known if name.startswith(word)})
    if not fits:
        return dataclasses.replace(prompt, choices=())
    common = _common(fits)
    more = common[len(word) :] + (" " if len(fits) == 1 else "")
    grown = prompt.typed(more) if more else prompt
    return dataclasses.replace(grown, choices=tuple(fits) if len(fits) > 1 else ())


def _common(words: Sequence[str]) -> str:
    first, last = min(words), max(words)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
