import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.errors import AudioError, ConfigError
from kws_tf.runtime.interpreter import available
from kws_tf.tflite import export_streaming, micro, parity, stream_parity


@pytest.fixture(scope="module")
def internal(small_network, tone_clips, tmp_path_factory):
    """Export folder of a file that keeps its state inside."""
    folder = tmp_path_factory.mktemp("stream") / "tflm_stream"
    export_streaming(small_network.model, small_network.config, small_network.classes, tone_clips[0][:16], folder, profile="tflm",
                     state="internal", hop_frames=2)
    return folder


def compare(folder, recordings, **options):
    manifest = manifests.read(folder)
    return stream_parity.compare_stream(folder, manifest, (folder / manifest.model_file).read_bytes(), recordings, **options)


def recordings(tone_clips):
    return [tone_clips[0][0], np.concatenate(tone_clips[0][1:3]), tone_clips[0][3][:5000]]


def test_internal_state_gives_the_same_scores_everywhere(internal, tone_clips):
    found = compare(internal, recordings(tone_clips), optimised_steps=8)
    assert found.kept and found.clips == 3 and {row.group for row in found.differences} == {"logits"}
    exact = [row for row in found.differences if row.kernels == "reference"]
    assert all(row.steps == 0 and row.argmax_changes == 0 for row in exact)
    if not micro.unavailable():
        assert {row.reference.split()[0] for row in found.differences} == {"tflite_micro"}
        assert set(found.absent) == {"tflite_runtime", "ai_edge_litert"} - set(available())


def test_external_state_is_compared_without_tflite_micro(small_stream, tone_clips):
    found = compare(small_stream, recordings(tone_clips)[:1], optimised_steps=8)
    assert found.kept and found.absent["tflite_micro"] == stream_parity.EXTERNAL_NOTE
    assert all(row.reference.split()[0] != "tflite_micro" for row in found.differences)


def test_recordings_shorter_than_a_step(internal, tone_clips):
    short = tone_clips[0][0][:100]
    found = compare(internal, [tone_clips[0][0], short], optimised_steps=8)
    assert found.kept and found.clips == 2
    with pytest.raises(AudioError, match="none of 2 recordings has the 320 samples of one step"):
        compare(internal, [short, short[:0]], optimised_steps=8)


def test_scores_that_differ_are_told(internal, tone_clips, monkeypatch):
    play = stream_parity._play  # noqa: SLF001

    def distorted(runner, *arguments):
        values = play(runner, *arguments).copy()
        if runner.interpreter == available()[0] and runner.kernels == "reference":
            values[-1, 0] += 1 if values[-1, 0] < 100 else -1
        return values

    monkeypatch.setattr(stream_parity, "_play", distorted)
    found = compare(internal, recordings(tone_clips)[:1], optimised_steps=8)
    broken = [row for row in found.differences if not row.kept]
    assert not found.kept and [row.steps for row in broken] == [1.0] and broken[0].runtime.startswith(available()[0])


def test_nothing_to_compare_with(internal, tone_clips, monkeypatch):
    monkeypatch.setattr(micro, "unavailable", lambda: "it is not here")
    monkeypatch.setattr(parity, "unusable", lambda name: "not installed")
    with pytest.raises(ConfigError, match="parity needs two interpreters"):
        compare(internal, recordings(tone_clips), optimised_steps=8)
