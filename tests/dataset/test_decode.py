"""The choice of the decoder is stated, and a broken tensorflow-io is found out by a call."""

import pytest

from kws_tf import audio
from kws_tf.dataset import decode
from kws_tf.dataset.tensorflow_io_decoder import TensorFlowIODecoder
from kws_tf.errors import ConfigError


@pytest.fixture(autouse=True)
def fresh_choice():
    decode.choose.cache_clear()
    yield
    decode.choose.cache_clear()


@pytest.fixture
def broken(monkeypatch):
    monkeypatch.setattr(TensorFlowIODecoder, "probe", classmethod(lambda cls: (None, "NotImplementedError: no native library")))


def test_soundfile_is_taken_when_asked_and_reads_as_audio_does(folder, log):
    pcm = folder.clip("a.wav")
    decoder = decode.choose("soundfile")
    recording = decoder.read(folder.root / "a.wav")
    assert decoder.name == "soundfile" and "libsndfile" in decoder.identity
    assert (decoder.to_pcm(recording, 16000) == pcm).all() and (pcm == audio.read_pcm(folder.root / "a.wav", 16000)).all()
    assert log() == ["Audio: soundfile decodes, SciPy resamples (as asked)."]


def test_auto_falls_back_and_says_why(broken, log):
    assert decode.choose("auto").name == "soundfile"
    assert len(log()) == 1 and "NotImplementedError: no native library" in log()[0]


def test_tensorflow_io_on_request_is_not_replaced(broken):
    with pytest.raises(ConfigError, match="does not work here: NotImplementedError: no native library. Use --audio_backend=soundfile"):
        decode.choose("tensorflow_io")


def test_auto_takes_a_tensorflow_io_that_works(monkeypatch, log):
    working = TensorFlowIODecoder(None, None)
    monkeypatch.setattr(TensorFlowIODecoder, "probe", classmethod(lambda cls: (working, "")))
    assert decode.choose("auto") is working and decode.choose("auto") is working
    assert log() == ["Audio: tensorflow-io decodes 16-bit WAV and resamples; soundfile decodes everything else."]


def test_clips_that_lacked_a_resampler_are_tried_again_when_there_is_one(monkeypatch):
    with_scipy = decode.SoundfileDecoder().identity
    monkeypatch.setattr(decode.importlib.util, "find_spec", lambda name: None)
    assert decode.SoundfileDecoder().identity != with_scipy
