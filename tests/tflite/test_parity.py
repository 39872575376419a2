import dataclasses

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.errors import ConfigError, ConversionError
from kws_tf.runtime.interpreter import available
from kws_tf.tflite import micro, parity


@pytest.fixture
def pi(exported):
    return manifests.read(exported / "pi"), (exported / "pi" / "model.tflite").read_bytes()


def by_group(found):
    return {group: [row for row in found.differences if row.group == group] for group in ("front end", "features", "logits")}


def test_one_file_gives_the_same_integers_in_every_interpreter(pi, tone_clips):
    found = parity.compare(*pi, tone_clips[0][:12], optimised_steps=4)
    assert found.kept and found.clips == 12
    rows = by_group(found)
    assert all(row.steps == 0 and row.reference == "numpy twin" for row in rows["front end"] + rows["features"])
    assert all(row.steps == 0 for row in rows["logits"] if row.kernels == "reference")
    assert all(row.argmax_changes == 0 for row in rows["logits"])
    runtimes = {row.runtime.split()[0] for row in rows["front end"]}
    assert runtimes | set(found.absent) == {"tflite_runtime", "ai_edge_litert", "tflite_micro"}
    if not micro.unavailable():
        assert {row.reference.split()[0] for row in rows["logits"]} == {"tflite_micro"}


@pytest.mark.parametrize("profile", ["features", "float32"])
def test_files_without_a_front_end_have_logits_alone(exported, tone_clips, profile):
    content = (exported / profile / "model.tflite").read_bytes()
    found = parity.compare(manifests.read(exported / profile), content, tone_clips[0][:3], optimised_steps=4)
    assert found.kept and {row.group for row in found.differences} == {"logits"}
    assert max(row.steps for row in found.differences) < (1e-3 if profile == "float32" else 5)


@pytest.mark.parametrize(("wrong", "group", "steps"), [("reference", "front end", 1), ("optimised", "logits", 5)])
def test_a_broken_promise_is_told(pi, tone_clips, monkeypatch, wrong, group, steps):
    run = parity.Runner.run

    def distorted(self, content, inputs):
        values = run(self, content, inputs)
        is_logits = values.ndim == 2
        if self.interpreter and self.kernels == wrong and is_logits == (group == "logits"):
            values = values.copy()
            values.reshape(-1)[0] += steps if values.reshape(-1)[0] < 100 else -steps
        return values

    monkeypatch.setattr(parity.Runner, "run", distorted)
    found = parity.compare(*pi, tone_clips[0][:2], optimised_steps=0 if group == "logits" else 4)
    assert not found.kept
    assert all(row.kernels == wrong for row in found.differences if not row.kept and row.steps >= steps)
    assert {row.group for row in found.differences if not row.kept} >= {group}


def test_absent_interpreters_are_named(pi, tone_clips, monkeypatch):
    monkeypatch.setattr(micro, "unavailable", lambda: "it is not here")
    found = parity.compare(*pi, tone_clips[0][:2], optimised_steps=4)
    assert found.kept and found.absent.pop("tflite_micro") == "it is not here"
    assert set(found.absent) == {"tflite_runtime", "ai_edge_litert"} - set(available())
    monkeypatch.setattr(parity, "unusable", lambda name: "not installed")
    with pytest.raises(ConfigError, match="parity needs two interpreters; absent are tflite_runtime: not installed; .*it is not here"):
        parity.compare(*pi, tone_clips[0][:2], optimised_steps=4)


def test_a_streaming_file_is_refused(pi, tone_clips):
    manifest = dataclasses.replace(pi[0])
    object.__setattr__(manifest, "kind", "streaming")
    with pytest.raises(ConversionError, match="stream_parity.compare_stream compares those"):
        parity.compare(manifest, pi[1], np.zeros((1, 8000), np.int16), optimised_steps=4)
