"""Where programs print their tables."""

WIDTH = 130


def console():
    """A rich Console: the terminal, or, for files and pipes, tables of at most 130 characters and text in whole lines."""
    from rich.console import Console

    terminal = Console(highlight=False, soft_wrap=True)
    return terminal if terminal.is_terminal else Console(width=WIDTH, highlight=False, soft_wrap=True)
