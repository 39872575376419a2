"""Tests of kws_tf.missing_package."""

import importlib.metadata

import pytest

from kws_tf import missing_package

REQUIREMENTS = [
    "absl-py>=2.1",
    'tflite-runtime==2.14.0; (python_version < "3.12" and sys_platform == "linux") and extra == "pi"',
    'tqdm>=4.66; extra == "train"',
    'rir-generator>=0.3; extra == "synth"',
    'tqdm>=4.66; extra == "synth"',
]


@pytest.fixture(autouse=True)
def requirements(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIREMENTS)


@pytest.mark.parametrize("package, extras", [
    ("tqdm", ["train", "synth"]), ("rir_generator", ["synth"]), ("tflite_runtime", ["pi"]), ("absl", []), ("numpy", []),
])
def test_extras_are_read_from_the_metadata(package, extras):
    assert missing_package.extras_with(package) == extras


def test_a_missing_package_is_explained_with_its_extra():
    error = ModuleNotFoundError("No module named 'tqdm.auto'", name="tqdm.auto")
    assert missing_package.explain(error) == ("the package tqdm is not installed; this program needs it. Install it with: "
                                              "pip install 'kws_tf[train]' or 'kws_tf[synth]'")


@pytest.mark.parametrize("name", ["kws_tf.nothing", "somebody_elses", None])
def test_what_no_extra_brings_is_not_explained(name):
    assert missing_package.explain(ModuleNotFoundError("No module", name=name)) is None


def test_a_checkout_that_is_not_installed_explains_nothing_and_hides_nothing(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert missing_package.explain(ModuleNotFoundError("No module named 'tqdm'", name="tqdm")) is None
