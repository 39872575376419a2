import importlib.util

import numpy as np
import pytest

from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.runtime import interpreter as interpreters
from kws_tf.runtime import model_file


def test_first_of_the_list_is_taken(monkeypatch):
    assert list(interpreters.INTERPRETERS) == ["tflite_runtime", "ai_edge_litert", "tensorflow"]
    name, _ = interpreters.import_interpreter()
    assert name == interpreters.available()[0]


def hide(monkeypatch, *names):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in names else find(name, *rest))


def test_the_next_one_is_taken_where_the_first_is_missing(monkeypatch):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    hide(monkeypatch, "tflite_runtime")
    assert interpreters.import_interpreter()[0] == "ai_edge_litert"
    with pytest.raises(ConfigError, match=r"no TFLite interpreter: tflite_runtime \(not installed\)"):
        interpreters.import_interpreter("tflite_runtime")


def test_numpy_2_rules_tflite_runtime_out(monkeypatch):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime is not installed")
    monkeypatch.setattr(np, "__version__", "2.1.0")
    assert "tflite_runtime" not in interpreters.available()
    with pytest.raises(ConfigError, match="needs numpy below 2, found 2.1.0"):
        interpreters.import_interpreter("tflite_runtime")


def test_none_at_all(monkeypatch):
    hide(monkeypatch, *interpreters.INTERPRETERS)
    assert interpreters.available() == ()
    with pytest.raises(ConfigError, match=r"not installed.*pip install 'kws_tf\[pi\]'"):
        interpreters.import_interpreter()


@pytest.mark.parametrize("options, message", [
    ({"kernels": "fast"}, "kernels must be one of optimised, builtin, reference; received 'fast'"),
    ({"num_threads": 0}, "num_threads must be a whole number, at least 1; received 0"),
    ({"interpreter": "onnx"}, "interpreter must be one of tflite_runtime, ai_edge_litert, tensorflow; received 'onnx'"),
])
def test_wrong_options(exported, options, message):
    with pytest.raises(ConfigError, match=message):
        interpreters.open_interpreter(model_file.read(exported / "features")[1], **options)


@pytest.mark.parametrize("name", interpreters.available())
def test_what_the_interpreter_refuses_is_a_model_file_error(name):
    with pytest.raises(ModelFileError, match=f"{name} refuses the model"):
        interpreters.open_interpreter(b"\x1c\x00\x00\x00TFL3" + bytes(64), interpreter=name)
