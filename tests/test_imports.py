"""The house rules of who may import whom, read from the source itself."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "kws_tf"
FOUNDATION = {"errors", "config", "atomic_file", "audio", "crop", "mel", "detector_settings", "recall_area", "manifest", "worker_pool",
              "shipped", "micro_front_end", "counted"}
KERAS_STACK = {"dataset", "augment", "features", "layers", "models", "streaming", "training"}

# component -> kws_tf components that it may import, besides itself
ALLOWED = {
    "errors": set(),
    "config": {"errors"},
    "atomic_file": set(),
    "counted": set(),
    "html_page": set(),
    "worker_pool": set(),
    "program": {"errors"},
    "chain": {"errors", "atomic_file", "program"},
    "screen": set(),
    "missing_package": set(),
    "shipped": {"errors"},
    "audio": {"errors", "config", "mp3_frames"},
    "mp3_frames": set(),
    "crop": {"errors", "config"},
    "mel": {"errors", "config"},
    "micro_front_end": {"errors", "audio"},
    "detector_settings": {"errors"},
    "recall_area": {"errors", "detector_settings"},
    "manifest": {"errors", "config", "atomic_file", "detector_settings"},
    "dataset": FOUNDATION | {"screen"},
    "augment": FOUNDATION,
    "features": FOUNDATION,
    "front_end": FOUNDATION,
    "layers": FOUNDATION | {"features"},
    "models": FOUNDATION | {"features", "layers"},
    "streaming": FOUNDATION | {"features", "layers", "models"},
    "training": FOUNDATION | KERAS_STACK,
    "tflite": FOUNDATION | {"features", "front_end", "layers", "models", "streaming", "runtime"},
    "runtime": FOUNDATION,
    "evaluation": FOUNDATION | {"runtime", "dataset", "front_end", "html_page"},
    "synthesis": FOUNDATION | {"dataset", "runtime"},
    "curation": FOUNDATION | {"dataset", "runtime", "html_page"},
}
NO_TENSORFLOW = {"layers", "models", "features", "augment", "streaming"}
NO_KERAS = FOUNDATION | {"front_end", "runtime", "evaluation"}


def module_files():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def component_of(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def is_entry_point(path):
    return path.parent == PACKAGE and component_of(path) not in ALLOWED and path.stem not in ("flags", "__init__")


def imported_modules(path):
    """Dotted names that the file imports anywhere, functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from; import kws_tf.… instead"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", module_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_house_rules(path):
    own = component_of(path)
    for name in imported_modules(path):
        top, *rest = name.split(".")
        if top in ("tensorflow", "tensorflow_io"):
            assert own not in NO_TENSORFLOW | NO_KERAS or name_is_allowed_interpreter(path, name), f"{path}: imports {name}"
        if top == "keras":
            assert own not in NO_KERAS, f"{path}: imports {name}"
        if top != "kws_tf" or not rest or not (PACKAGE / rest[0]).exists() and not (PACKAGE / f"{rest[0]}.py").exists():
            continue
        target = rest[0]
        if target == own:
            continue
        assert target in ALLOWED or target == "flags", f"{path}: imports the entry point kws_tf.{target}"
        if target == "flags":
            assert is_entry_point(path), f"{path}: flags are read in entry points only"
        elif own in ALLOWED:
            assert target in ALLOWED[own], f"{path}: kws_tf.{own} must not import kws_tf.{target}"


def name_is_allowed_interpreter(path, name):
    """The runtime may open TensorFlow's own TFLite interpreter as the last of its choices."""
    return component_of(path) == "runtime" and path.stem == "interpreter" and name.startswith("tensorflow")


def test_every_folder_has_a_rule():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(ALLOWED), f"no import rule for {sorted(folders - set(ALLOWED))}"


def test_no_print_outside_entry_points():
    for path in module_files():
        if is_entry_point(path) or path.stem == "flags":
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        prints = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
        assert not prints, f"{path}: print() on line {prints[0]}; use absl logging or return the text"
