"""Where programs print their tables, and text that any terminal takes."""

WIDTH = 130


def console():
    """A rich Console: the terminal, or, for files and pipes, tables of at most 130 characters and text in whole lines."""
    from rich.console import Console

    # Text is printed as it is: kws_tf[train] is no markup, and a class may be called :left:.
    plain = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
    terminal = Console(**plain)
    return terminal if terminal.is_terminal else Console(width=WIDTH, **plain)


def printable(text):
    """A text in which names of files that are no UTF-8 have their bytes as escapes, such as \\udcff, which also is JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
