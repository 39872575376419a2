"""Where programs print their tables."""

WIDTH = 130


def console():
    """A rich Console: the terminal, or, for files and pipes, tables of at most 130 characters and text in whole lines."""
    from rich.console import Console

    # Text is printed as it is: kws_tf[train] is no markup, and a class may be called :left:.
    plain = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
    terminal = Console(**plain)
    return terminal if terminal.is_terminal else Console(width=WIDTH, **plain)
