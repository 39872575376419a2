"""Says which extra brings a package that is not installed."""

import importlib.metadata
import importlib.util
import re

REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+).*extra == [\"'](\w+)[\"']")


def extras_with(package):
    """Extras of kws_tf that require a package, in the order of pyproject.toml; none where kws_tf itself is not installed.

    Args:
        package: its import name or distribution name.
    """
    wanted = _plain(package)
    try:
        lines = importlib.metadata.requires("kws_tf") or ()
    except importlib.metadata.PackageNotFoundError:  # a checkout that runs as it is
        return []
    found = map(REQUIREMENT.match, lines)
    return list(dict.fromkeys(match[2] for match in found if match and _plain(match[1]) == wanted))


def require(package):
    """Looks for a package that will be needed later, so that nobody waits for work that cannot be finished.

    Args:
        package: its import name.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def explain(error, extra=""):
    """One line for a ModuleNotFoundError of a package that an extra brings; None if it is none of those.

    Args:
        error: ModuleNotFoundError.
        extra: the extra that the program needs anyway; it is named alone if it brings the package.

    Example:
        >>> explain(ModuleNotFoundError("No module named 'tqdm'", name="tqdm"))
        "the package tqdm is not installed; this program needs it. Install it with: pip install 'kws_tf[train]'"
    """
    package = (error.name or "").partition(".")[0]
    extras = extras_with(package) if package else []
    if not extras:
        return None
    extras = [extra] if extra in extras else extras
    others = "".join(f" or 'kws_tf[{extra}]'" for extra in extras[1:])
    return f"the package {package} is not installed; this program needs it. Install it with: pip install 'kws_tf[{extras[0]}]'{others}"


def _plain(name):
    return name.lower().replace("_", "-").replace(".", "-")
