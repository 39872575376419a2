"""Files that ship with kws_tf beside its code: the folders flags/, models/ and firmware/."""

import pathlib
import sysconfig

from kws_tf.errors import ConfigError


def folder(name):
    """The folder of a checkout, or that of an installed package, for all users or for one.

    Args:
        name: "flags", "models" or "firmware".

    Returns:
        pathlib.Path.

    Raises:
        ConfigError: neither is there.
    """
    installed = (sysconfig.get_path("data"), sysconfig.get_path("data", sysconfig.get_preferred_scheme("user")))
    places = (pathlib.Path(__file__).resolve().parents[1] / name, *(pathlib.Path(data, "share", "kws_tf", name) for data in installed))
    for place in places:
        if place.is_dir():
            return place
    raise ConfigError(f"the folder {name}/ of kws_tf is not there; looked for {' and '.join(map(str, places))}. Install kws_tf again.")
