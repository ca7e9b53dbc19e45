"""Facts laid out for whatever terminal there is: they fold, and nothing is cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_GAP = 2


@dataclass(frozen=True, kw_only=True)
class Column:
    """One fact of each row."""

    name: str
    #: Below this many characters it is not folded: `None` is for what must stay in one piece.
    narrowest: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Rows of marked-up text: a table where there is room, else a line a fact."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """What rich prints."""
        widths = [self._needed(console, number) for number in range(len(self.columns))]
        if sum(widths) + _GAP * (len(widths) - 1) <= options.max_width:
            yield self._table(widths)
        else:
            for row in self.rows:
                yield from _lines([column.name for column in self.columns], row)

    def _needed(self, console: Console, number: int) -> int:
        """How wide a column has to be at the least."""
        column = self.columns[number]
        texts = [column.name, *(row[number] for row in self.rows)]
        natural = max(_width(console, text) for text in texts)
        return natural if column.narrowest is None else min(natural, column.narrowest)

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for column, width in zip(self.columns, widths, strict=True):
            whole = column.narrowest is None
            table.add_column(column.name, min_width=width, no_wrap=whole, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and marked-up texts: side by side where there is room, else a line each."""

    facts: Sequence[tuple[str, str]]

    #: Enough for a promotion's id beside its name.
    narrowest = 60

    def __rich_console__(
        self, _console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """What rich prints."""
        if options.max_width < self.narrowest:
            yield from _lines(*zip(*self.facts, strict=True))
            return
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for fact in self.facts:
            table.add_row(*fact)
        yield table


def _lines(names: Sequence[str], texts: Sequence[str]) -> Iterator[RenderableType]:
    """The first fact heads the others. The terminal breaks these lines, so that ids stay whole."""
    yield _line(texts[0])
    for name, text in zip(names[1:], texts[1:], strict=True):
        if text:
            yield _line(f"  [bold]{name}:[/] {text}")


def _line(markup: str) -> Text:
    text = Text.from_markup(markup, emoji=False, overflow="ignore")
    text.no_wrap = True
    return text


def _width(console: Console, markup: str) -> int:
    return Measurement.get(console, console.options, Text.from_markup(markup, emoji=False)).maximum
