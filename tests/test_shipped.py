"""Tests of kws_tf.shipped."""

import pathlib
import sysconfig

import pytest

from kws_tf import shipped
from kws_tf.errors import ConfigError


def test_a_checkout_has_its_own_folders():
    assert (shipped.folder("flags") / "wakeword.cfg").is_file()


def test_an_installed_package_has_them_below_share(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "site-packages" / "kws_tf" / "shipped.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name, scheme="all": str(tmp_path / scheme / name))
    with pytest.raises(ConfigError, match="the folder flags/ of kws_tf is not there; looked for .*share/kws_tf/flags"):
        shipped.folder("flags")
    for scheme in (sysconfig.get_preferred_scheme("user"), "all"):  # pip install --user, and without
        wanted = tmp_path / scheme / "data" / "share" / "kws_tf" / "flags"
        wanted.mkdir(parents=True)
        assert shipped.folder("flags") == wanted


def test_a_wheel_carries_every_file_of_the_firmware_and_of_the_models():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    root = pathlib.Path(__file__).parents[1]
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["data-files"]
    packed = {path.relative_to(root).as_posix(): target for target, patterns in table.items() for pattern in patterns
              for path in root.glob(pattern)}
    wanted = {path.relative_to(root).as_posix() for part in ("firmware/src", "firmware/examples", "models")
              for path in (root / part).rglob("*") if path.is_file()}
    assert wanted and wanted <= set(packed)
    assert all(packed[name] == f"share/kws_tf/{pathlib.PurePosixPath(name).parent}" for name in wanted)
