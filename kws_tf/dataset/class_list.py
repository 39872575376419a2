"""The classes of a data set: the folders of its training split, in alphabetical order or in that of an index file."""

import collections
import os

from kws_tf.dataset.scan import subfolders


def find_classes(root, index=""):
    """Class names in the order of their numbers.

    Args:
        root: folder of the data set; each folder in <root>/training is a class.
        index: path of a file with one class name per line, which fixes the order; "" for alphabetical order.

    Returns:
        (names, problems): tuple of str, and lines about what is wrong with them.
    """
    names = tuple(subfolders(os.path.join(root, "training")))
    if len(names) < 2:
        found = f"only {names[0]}" if names else "none"
        return names, [f"training: found {found}, expected at least two class folders: {os.path.join(root, 'training')}/<class>/<clip>."]
    problems = [f"training/{name!r}: {problem}. Rename the folder." for name in names if (problem := name_problem(name))]
    if problems:
        return names, problems
    return _order(names, index) if index else (names, [])


def name_problem(name):
    """Why a text cannot be the name of a class; "" if it can. Names are lines of labels.txt, of index files and of reports.

    Args:
        name: in any language; spaces and invisible joiners between letters are part of many words.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "the name of a class must be UTF-8 text"
    if name != name.strip() or len(name.splitlines()) != 1:
        return "the name of a class must be one line, without spaces at its ends"
    return ""


def _order(names, index):
    try:
        with open(index, encoding="utf-8") as file:
            listed = tuple(line.strip() for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        return names, [f"--index={index}: cannot be read: {getattr(error, 'strerror', 'not UTF-8 text')}."]
    problems = []
    for what, wrong in (("named twice", [name for name, n in collections.Counter(listed).items() if n > 1]),
                        ("without a folder in training", sorted(set(listed) - set(names))),
                        ("not named in it", sorted(set(names) - set(listed)))):
        if wrong:
            problems.append(f"--index={index}: {what}: {', '.join(wrong)}. It must name each folder of training once, one per line.")
    return (names, problems) if problems else (listed, [])
