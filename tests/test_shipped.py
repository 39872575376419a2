"""Tests of kws_tf.shipped."""

import sysconfig

import pytest

from kws_tf import shipped
from kws_tf.errors import ConfigError


def test_a_checkout_has_its_own_folders():
    assert (shipped.folder("flags") / "wakeword.cfg").is_file()


def test_an_installed_package_has_them_below_share(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "site-packages" / "kws_tf" / "shipped.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    with pytest.raises(ConfigError, match="the folder flags/ of kws_tf is not there; looked for .*share/kws_tf/flags"):
        shipped.folder("flags")
    wanted = tmp_path / "data" / "share" / "kws_tf" / "flags"
    wanted.mkdir(parents=True)
    assert shipped.folder("flags") == wanted
