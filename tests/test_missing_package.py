"""Tests of kws_tf.missing_package."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys

import pytest

from kws_tf import missing_package

REQUIREMENTS = [
    "absl-py>=2.1",
    'tflite-runtime==2.14.0; (python_version < "3.12" and sys_platform == "linux") and extra == "pi"',
    'tqdm>=4.66; extra == "train"',
    'rir-generator>=0.3; extra == "synth"',
    'tqdm>=4.66; extra == "synth"',
]
PROGRAMS_WITH_THE_BASE_PACKAGES = """
import importlib, json, pathlib, sys
from absl import flags
import kws_tf
class Blocker:
    allowed = {"kws_tf", "numpy", "absl", "soundfile", "cffi", "typing_extensions"}
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if not top.startswith("_") and top not in self.allowed and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
found = {}
for path in sorted(pathlib.Path(kws_tf.__file__).parent.glob("*.py")):
    if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8"):
        values = flags.FlagValues()
        importlib.import_module(f"kws_tf.{path.stem}").define(values)
        found[path.stem] = len(values)
print(json.dumps(found))
"""


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


@pytest.mark.parametrize("extra, named", [("synth", "'kws_tf[synth]'"), ("pi", "'kws_tf[train]' or 'kws_tf[synth]'")])
def test_the_extra_of_the_program_is_named_alone_if_it_brings_the_package(extra, named):
    error = ModuleNotFoundError("No module named 'tqdm'", name="tqdm")
    assert missing_package.explain(error, extra).endswith(f"Install it with: pip install {named}")


def test_a_package_is_required_by_its_name():
    missing_package.require("numpy")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'") as caught:
        missing_package.require("no_such_package")
    assert caught.value.name == "no_such_package"


def test_every_program_has_its_flags_where_only_the_base_packages_are_installed():
    done = subprocess.run([sys.executable, "-c", PROGRAMS_WITH_THE_BASE_PACKAGES], capture_output=True, text=True, check=False,
                          cwd=pathlib.Path(__file__).parents[1], env={"PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) >= 18 and min(found.values()) >= 1


@pytest.mark.parametrize("name", ["kws_tf.nothing", "somebody_elses", None])
def test_what_no_extra_brings_is_not_explained(name):
    assert missing_package.explain(ModuleNotFoundError("No module", name=name)) is None


def test_a_checkout_that_is_not_installed_explains_nothing_and_hides_nothing(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert missing_package.explain(ModuleNotFoundError("No module named 'tqdm'", name="tqdm")) is None
