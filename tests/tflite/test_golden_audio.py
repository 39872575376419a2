import re

import numpy as np
import pytest

from kws_tf.errors import AudioError, ConversionError
from kws_tf.runtime import model_file
from kws_tf.tflite import firmware_folder, golden_audio, micro

needs_micro = pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())


@pytest.fixture(scope="module")
def pcm():
    return golden_audio.synthetic(9600, 16000)


def test_the_audio_is_loud_varied_and_the_same_every_time(pcm):
    assert pcm.dtype == np.int16 and np.abs(pcm).max() > 3000 and np.array_equal(pcm, golden_audio.synthetic(9600, 16000))
    assert len(np.unique(pcm)) > 1000 and not np.array_equal(pcm, golden_audio.synthetic(9600, 16000, seed=7))


@needs_micro
@pytest.mark.parametrize("stream, hop", [(True, 320), (False, 1600)])
def test_micro_and_runtime_make_the_same_bytes(micro_stream, exported, pcm, monkeypatch, stream, hop):
    folder = micro_stream if stream else exported / "pi"
    manifest, content = model_file.read(folder)
    by_micro = golden_audio.make(folder, manifest, content, pcm, hop)
    monkeypatch.setattr(micro, "unavailable", lambda: "not here")
    by_runtime = golden_audio.make(folder, manifest, content, pcm, hop)
    assert by_micro.made_by == f"tflite-micro {micro.version()}" and by_runtime.made_by == "the reference kernels of the runtime"
    for name in ("pcm", "logits", "scores"):
        assert np.array_equal(getattr(by_micro, name), getattr(by_runtime, name)), name
    assert len(by_micro.logits) == (60 if stream else 6) and np.ptp(by_micro.logits.astype(int), axis=0).max() > 5


def test_what_fills_no_hop_is_left_out(micro_stream, pcm):
    manifest, content = model_file.read(micro_stream)
    golden = golden_audio.make(micro_stream, manifest, content, pcm[:1000], 320)
    assert len(golden.pcm) == 960 and golden.logits.shape == golden.scores.shape == (6, 3)


def test_audio_of_no_length_and_of_another_type_is_refused(micro_stream):
    assert golden_audio.synthetic(0, 16000).shape == (0,)
    with pytest.raises(AudioError, match="PCM must be int16"):
        golden_audio.make(micro_stream, *model_file.read(micro_stream), np.zeros(640, np.float32), 320)


@pytest.mark.parametrize("samples, message", [(319, "319 samples; at least one hop of 320"), (0, "0 samples")])
def test_too_little_audio_is_refused(micro_stream, pcm, samples, message):
    with pytest.raises(ConversionError, match=message):
        golden_audio.make(micro_stream, *model_file.read(micro_stream), pcm[:samples], 320)


def test_audio_that_proves_nothing_is_refused(exported, monkeypatch):
    manifest, content = model_file.read(exported / "pi")
    with pytest.raises(ConversionError, match="all 3 scores of the audio of the self-test are the same.*Set --golden"):
        golden_audio.make(exported / "pi", manifest, content, np.zeros(4800, np.int16), 1600)


def numbers(header, name):
    found = re.search(rf"{name}\[\d+\] = {{(.*?)}};", header, re.DOTALL).group(1)
    return np.array([int(word) for word in found.replace(",", " ").split()])


@needs_micro
def test_the_written_bytes_are_what_tflite_micro_answers(micro_stream, tmp_path):
    firmware_folder.write(micro_stream, tmp_path / "out", golden_seconds=0.1)
    header = (tmp_path / "out" / "kws_golden.h").read_text(encoding="utf-8")
    hops = numbers(header, "kGoldenPcm").astype(np.int16).reshape(5, 1, 320)
    opened = micro.MicroInterpreter((tmp_path / "out" / "model.tflite").read_bytes())
    assert np.array_equal(np.concatenate([opened(hop).reshape(-1) for hop in hops]), numbers(header, "kGoldenLogits"))
