"""From a trained network to the folder of a streaming file."""

import pytest

from kws_tf import manifest as manifests
from kws_tf.errors import ConversionError
from kws_tf.runtime import Stream
from kws_tf.tflite import export_streaming
from kws_tf.tflite.streaming_export import state_bytes


def export(network, clips, folder, **options):
    return export_streaming(network.model, network.config, options.pop("classes", network.classes), clips, folder, **options)


def test_a_file_for_microcontrollers(micro_stream, tone_clips):
    manifest = manifests.read(micro_stream)
    section = manifest.streaming
    assert (manifest.kind, manifest.profile, manifest.input_kind) == ("streaming", "tflm", "pcm")
    assert (section.hop_frames, section.hop_samples, section.delay_frames, section.window_frames) == (2, 320, 0, 48)
    assert (manifest.data_licence, manifest.metrics["validation_accuracy"]) == ("CC0", 0.5)
    assert [spec.name for spec in manifest.inputs] == ["pcm"] and [spec.name for spec in manifest.outputs] == ["logits"]
    # blocks with a dilation of 1 need frames of a step of two: they are not joined
    apart = {f"stage0_block{number}/temporal_padding" for number in (0, 1)}
    assert {state.name for state in section.states} == {"pcm_tail", "stem_padding", "earlier_16", *apart, "head_padding", "average"}
    expected = 2 * 320 + 4 * 20 + 16 * (2 * 7 + 4 * 10 + 4 * 12) + 2 * (2 * 5) + 4 * 3 * 12 + 47 * 3
    assert state_bytes(section) == expected
    assert len(Stream(micro_stream).process(tone_clips[0][0])) == 50


@pytest.mark.parametrize("options, message", [
    ({"profile": "tflm", "state": "external"}, "profile tflm takes internal state; received 'external'"),
    ({"profile": "features", "state": "external", "classes": ("a", "b")}, "the network has 3 outputs, but there are 2 classes"),
    ({"profile": "features", "state": "external", "hop_frames": 0}, "--hop_frames must be a whole number"),
])
def test_what_does_not_fit_is_refused_and_nothing_is_written(options, message, small_network, tone_clips, tmp_path):
    with pytest.raises(ConversionError, match=message):
        export(small_network, tone_clips[0][:8], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_int8_needs_clips(small_network, tmp_path):
    with pytest.raises(ConversionError, match=r"calibration: expected int16 PCM \[clips, samples\], at least one clip"):
        export(small_network, None, tmp_path / "out", profile="pi")
