import numpy as np
import pytest

from kws_tf.detector_settings import DetectorSettings
from kws_tf.errors import AudioError
from kws_tf.evaluation.score_track import score_pcm
from kws_tf.runtime import Stream
from kws_tf.runtime.listener import Listener
from tests.spoken_stream import LABELS, SpokenStream, speak

CHANGES = {"threshold": 200, "window_scores": 3, "refractory_scores": 30}


@pytest.fixture
def pcm():
    return speak(400, [(1, 20, 60), (2, 90, 100), (1, 110, 112), (2, 200, 260), (1, 395, 400)])


def test_events_are_those_of_evaluation_for_any_chunking(spoken_model, pcm):
    track = score_pcm(SpokenStream(spoken_model), pcm)
    expected = track.events(LABELS, ("jarvis", "computer"), DetectorSettings(200, 150, 3, 30))
    assert len(expected) == 4 and expected[-1].end_sample is None
    for size in (1, 160, 1000, 70000):
        listener = Listener(spoken_model, changes=CHANGES)
        events = [event for start in range(0, len(pcm), size) for event in listener.process(pcm[start:start + size])]
        assert [event for event in events if event.end_sample is not None] == expected[:-1]
        assert len([event for event in events if event.end_sample is None]) == 4 and listener.open_event == expected[-1]


def test_level_gain_and_scores(spoken_model):
    listener = Listener(spoken_model, changes={"window_scores": 4})
    assert listener.process(np.zeros(0, np.int16)) == [] and listener.level_dbfs == -120.0
    listener.process(np.full(160, 3277, np.int16))
    assert listener.level_dbfs == pytest.approx(-20.0, abs=0.01)
    listener.process(speak(2, [(2, 0, 2)]))
    # One score that favours no class, 85 each, and two of "computer".
    assert listener.scores == {"jarvis": pytest.approx(21 / 255), "computer": pytest.approx(148 / 255)}
    loud = Listener(spoken_model, gain_db=20.0)
    loud.process(np.full(160, -30000, np.int16))
    assert loud.level_dbfs == pytest.approx(0.0), "samples saturate"


def test_samples_that_are_no_pcm_are_refused_with_and_without_gain(spoken_model):
    for gain_db in (0.0, 6.0):
        with pytest.raises(AudioError, match=r"PCM must be int16 \[samples\]; received float32 \[160\]"):
            Listener(spoken_model, gain_db=gain_db).process(np.full(160, 0.5, np.float32))


@pytest.mark.slow
def test_a_real_file_gives_the_same_events_as_evaluation(small_stream, tone_clips):
    pcm = np.concatenate([tone_clips[0][index] for index in range(8)])
    changes = {"threshold": 100, "window_scores": 5, "refractory_scores": 20}
    listener = Listener(small_stream, changes=changes)
    events = [event for start in range(0, len(pcm), 777) for event in listener.process(pcm[start:start + 777])]
    track = score_pcm(Stream(small_stream), pcm)
    expected = track.events(listener.keywords and ("high", "low", "middle"), listener.keywords, listener.settings)
    assert [event for event in events if event.end_sample is not None] == [event for event in expected if event.end_sample is not None]
    assert len(expected) > 3
