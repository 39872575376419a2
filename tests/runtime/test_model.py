import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from kws_tf import manifest as manifests
from kws_tf.config import FeatureConfig
from kws_tf.crop import fit_clip
from kws_tf.errors import AudioError, ModelFileError
from kws_tf.manifest import Streaming, TensorSpec
from kws_tf.runtime import load_model, model_file
from kws_tf.runtime.model import Model, dequantise, quantise, softmax

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("profile, tolerance", [("float32", 1e-4), ("features", 0.6)])
def test_logits_are_those_of_the_keras_network(exported, small_network, tone_clips, profile, tolerance):
    expected = np.array(small_network.model(small_network.features, training=False))
    assert np.ptp(expected, axis=0).min() > 4  # no constant network
    model = load_model(exported / profile)
    found = np.stack([model.logits(clip) for clip in tone_clips[0]])
    assert found.dtype == np.float32 and model.labels == small_network.classes
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_kernels_follow_the_type_of_the_model(exported):
    assert load_model(exported / "float32").kernels == "optimised"
    assert load_model(exported / "features").kernels == "reference"
    assert load_model(exported / "features", kernels="builtin").kernels == "builtin"


@pytest.mark.parametrize("kernels", ["optimised", "builtin"])
def test_optimised_integer_kernels_stay_close_to_the_reference(exported, tone_clips, kernels):
    reference, other = load_model(exported / "features"), load_model(exported / "features", kernels=kernels)
    step = reference.manifest.outputs[0].scale
    for clip in tone_clips[0][:12]:
        assert np.abs(reference.logits(clip) - other.logits(clip)).max() <= 4 * step


def test_every_installed_interpreter_gives_the_same_reference_bytes(exported, tone_clips):
    from kws_tf.runtime.interpreter import available

    models = [load_model(exported / "features", interpreter=name) for name in available()]
    assert [model.interpreter_name for model in models] == list(available())
    for clip in tone_clips[0][:6]:
        first, *others = [model.logits(clip) for model in models]
        assert all((other == first).all() for other in others)


def test_scores_are_the_softmax_of_the_logits(exported, tone_clips):
    model = load_model(exported / "float32")
    scores, logits = model.scores(tone_clips[0][0]), model.logits(tone_clips[0][0]).astype(np.float64)
    np.testing.assert_allclose(scores, np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0.0])


def test_predict_reads_any_recording(exported, tone_clips, tmp_path):
    model = load_model(exported / "float32")
    clip, label = tone_clips[0][1], model.labels[tone_clips[1][1]]
    soundfile.write(tmp_path / "stereo.flac", np.stack([clip, clip], axis=1), 16000)
    found = model.predict(tmp_path / "stereo.flac")
    assert found == model.predict(clip)
    assert (found.label, found.duration_seconds, found.window_start_seconds) == (label, 0.5, 0.0)
    assert found.score == found.scores[label] == max(found.scores.values()) and list(found.scores) == list(model.labels)
    with pytest.raises(AudioError, match="nothing.wav"):
        model.predict(str(tmp_path / "nothing.wav"))


def test_other_lengths_are_fitted_as_in_evaluation(exported, tone_clips):
    model = load_model(exported / "float32")
    clip = tone_clips[0][0]
    longer = np.concatenate([np.zeros(5000, np.int16), clip, np.zeros(2000, np.int16)])
    window, start = fit_clip(longer, len(clip), "energy")
    assert 0 < start < 7000
    np.testing.assert_array_equal(model.logits(longer), model.logits(window))
    found = model.predict(longer)
    assert (found.duration_seconds, found.window_start_seconds) == (len(longer) / 16000, start / 16000)
    assert found.label == model.predict(clip).label
    assert model.predict(clip[1000:7000]).window_start_seconds == -1000 / 16000


@pytest.mark.parametrize("pcm, message", [
    (np.zeros(0, np.int16), "a recording without samples"),
    (np.full(8000, 0.5, np.float32), r"PCM must be int16 \[samples\]; received float32 \[8000\]. Samples in \[-1, 1\] become PCM by"),
    (np.full(9000, 0.5, np.float32), r"PCM must be int16 \[samples\]; received float32 \[9000\]"),
    (np.zeros((8000, 1), np.int16), r"received int16 \[8000, 1\]"),
])
def test_refuses_what_is_no_pcm(exported, pcm, message):
    model = load_model(exported / "float32")
    for take in (model.logits, model.fit, model.predict):
        with pytest.raises(AudioError, match=message):
            take(pcm)


def changed_spec(spec, **changes):
    return (dataclasses.replace(spec, **changes),)


CONTRADICTIONS = [
    (lambda m: {"inputs": changed_spec(m.inputs[0], name="x")}, "the name of the input is 'features', but the manifest says 'x'"),
    (lambda m: {"inputs": changed_spec(m.inputs[0], shape=(1, 48, 40, 1))}, "the shape of the input"),
    (lambda m: {"inputs": changed_spec(m.inputs[0], dtype="float32")}, "the type of the input is 'int8'"),
    (lambda m: {"inputs": changed_spec(m.inputs[0], scale=0.5)}, "the scale of the input"),
    (lambda m: {"inputs": changed_spec(m.inputs[0], zero_point=m.inputs[0].zero_point + 1)}, "the zero point of the input"),
    (lambda m: {"outputs": changed_spec(m.outputs[0], name="scores")}, "the name of the output"),
    (lambda m: {"outputs": (*m.outputs, m.outputs[0])}, "has one output; the manifest lists 2, the file has 1"),
    (lambda m: {"labels": ("yes", "no")}, r"2 labels, but the output is \[1, 3\]"),
    (lambda m: {"clip_samples": 16000}, "16000 samples give features of shape"),
    (lambda m: {"features": FeatureConfig(n_mels=20, hop_samples=320)}, "8000 samples give features of shape"),
    (lambda m: {"features": FeatureConfig(n_mels=20, low_hz=1.0, high_hz=20.0)}, "bands between 1 and 20 Hz"),
    (lambda m: {"input_kind": "pcm"}, "a PCM input must be int16 with 8000 elements"),
    (lambda m: {"kind": "streaming", "streaming": Streaming(1, 160, "internal", 0, 0.0, 48, ())},
     "a streaming model; clips are scored by a clip model"),
]


@pytest.mark.parametrize("changes, message", CONTRADICTIONS, ids=[message for _, message in CONTRADICTIONS])
def test_a_manifest_that_contradicts_the_file_is_refused(exported, changes, message):
    manifest, content = model_file.read(exported / "features")
    Model(manifest, content)
    with pytest.raises(ModelFileError, match=message):
        Model(dataclasses.replace(manifest, **changes(manifest)), content)


def test_quantise_rounds_away_from_zero_and_saturates():
    spec = TensorSpec("x", (6,), "int8", 0.5, 3)
    values = np.array([0.25, -0.25, 0.2, 100.0, -100.0, 1.0], np.float32)
    stored = quantise(values, spec)
    assert stored.dtype == np.int8 and stored.tolist() == [4, 2, 3, 127, -128, 5]
    assert dequantise(stored, spec).tolist() == [0.5, -0.5, 0.0, 62.0, -65.5, 1.0]


WITHOUT_FRAMEWORKS = """
import json, sys

class Blocker:
    blocked = ("tensorflow", "keras", "jax", "torch", "scipy", "matplotlib", "rich", "tqdm")

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.blocked:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
sys.argv = ["kws_tf.predict", "--model", sys.argv[1], sys.argv[2]]
import runpy
try:
    runpy.run_module("kws_tf.predict", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
loaded = {name.split(".")[0] for name in sys.modules}
print(json.dumps(sorted(loaded & set(Blocker.blocked))))
"""


def test_runs_where_no_framework_can_be_imported(exported, tone_clips, tmp_path):
    soundfile.write(tmp_path / "clip.wav", tone_clips[0][2], 16000)
    done = subprocess.run([sys.executable, "-c", WITHOUT_FRAMEWORKS, exported / "features", tmp_path / "clip.wav"],
                          capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    line, loaded = done.stdout.splitlines()
    assert json.loads(loaded) == []
    expected = load_model(exported / "features").predict(tone_clips[0][2])
    assert json.loads(line)["label"] == expected.label
    assert json.loads(line)["scores"] == {label: round(score, 4) for label, score in expected.scores.items()}


def test_pcm_models_get_the_samples_as_they_are(exported, tone_clips):
    """A model whose graph holds the front end: the runtime hands it int16 and computes nothing."""
    manifest, content = model_file.read(exported / "features")
    model = Model(manifest, content)
    model.manifest = dataclasses.replace(manifest, input_kind="pcm", inputs=(TensorSpec("pcm", (1, 8000), "int16"),))
    model._extract = None
    tensor = model.input_tensor(tone_clips[0][0])
    assert tensor.dtype == np.int16 and tensor.shape == (1, 8000)
    np.testing.assert_array_equal(tensor[0], tone_clips[0][0])


def test_a_moved_export_still_loads(exported, tone_clips, tmp_path):
    moved = shutil.copytree(exported / "features", tmp_path / "elsewhere")
    assert manifests.read(moved).labels == load_model(moved / "model.tflite").labels
    np.testing.assert_array_equal(load_model(moved).logits(tone_clips[0][0]), load_model(exported / "features").logits(tone_clips[0][0]))
