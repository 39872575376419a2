"""A number with its noun, in the singular for one."""


def counted(number, noun, plural=None):
    """A number and what it counts, for messages and reports.

    Args:
        number: how many. noun: of one. plural: of several, default noun + "s".

    Example:
        >>> counted(1, "false accept"), counted(0, "clip"), counted(2, "class", "classes")
        ('1 false accept', '0 clips', '2 classes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
