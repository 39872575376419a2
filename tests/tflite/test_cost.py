import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.tflite import cost, flatbuffer, micro, operators


@pytest.fixture
def content(exported):
    return (exported / "pi" / "model.tflite").read_bytes()


def test_the_parts_add_up_to_the_file(content, exported):
    front_end, classifier = cost.parts(content)
    assert (front_end.name, classifier.name) == ("front_end", "classifier")
    assert front_end.n_bytes + classifier.n_bytes == len(content)
    assert front_end.nodes + classifier.nodes == len(flatbuffer.read(content).nodes)
    assert front_end.macs + classifier.macs == sum(entry.macs for entry in operators.count(content))
    # the classifier is that of the features file but for the calibration, so it has its nodes and about its bytes
    alone, = cost.parts((exported / "features" / "model.tflite").read_bytes())
    assert (alone.name, alone.nodes, alone.macs) == ("classifier", classifier.nodes, classifier.macs)
    assert abs(alone.n_bytes - classifier.n_bytes) < 2000
    for part in (front_end, classifier):
        assert 0.05 * part.n_bytes < part.constant_bytes < part.n_bytes


def test_the_manifest_carries_what_was_measured(exported):
    manifest = manifests.read(exported / "pi")
    assert manifest.cost.parts == cost.parts((exported / "pi" / "model.tflite").read_bytes())
    kernels = {time.kernels for time in manifest.cost.host_times}
    assert kernels == {"optimised", "builtin", "reference"} and all(time.milliseconds > 0 for time in manifest.cost.host_times)
    assert "processors" in manifest.cost.host


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
def test_the_arena_is_what_the_allocator_says(content):
    arena, note = cost.measure_arena(content)
    assert note == "" and arena.tflm_version == micro.version()
    # enough, and not much more than needed
    opened = micro.MicroInterpreter(content, arena_bytes=int(1.25 * arena.n_bytes))
    assert opened(np.zeros((1, 8000), np.int16)).shape == (1, 3)


def test_without_tflite_micro_the_reason_is_told(content, monkeypatch):
    monkeypatch.setattr(micro, "unavailable", lambda: "it is not here")
    assert cost.measure_arena(content) == (None, "it is not here")
