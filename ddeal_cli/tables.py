"""Tables: drawn on a terminal, aligned text in a file."""

from collections.abc import Sequence


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, stderr: bool = False
) -> None:
    """Print a table; the first column is text, the others are numbers; an empty row is a rule.

    On standard error where standard output is for machines.
    """
    from rich.console import Console

    from ddeal_cli.console import human, one_line

    rows = [[one_line(cell) for cell in row] for row in rows]  # names come from strangers' folders
    console = human() if stderr else Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, title in enumerate(header):
            # Two lines a title, so that nine columns fit a narrow terminal.
            lines = Text("\n".join(title.rsplit(" ", 1)))
            table.add_column(lines, justify="right" if number else "left", no_wrap=bool(number))
        for row in rows:
            if row:
                table.add_row(*map(Text, row))
            else:
                table.add_section()
        console.print(table)
        return
    filled = [row for row in (header, *rows) if row]
    widths = [max(len(row[i]) for row in filled) for i in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        text = "  ".join(cells) if row else "  ".join("-" * width for width in widths)
        console.print(text.rstrip(), soft_wrap=True)
