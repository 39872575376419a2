import numpy as np
import pytest

from kws_tf import runtime
from kws_tf.errors import ModelFileError
from kws_tf.evaluation.scoring import score


@pytest.mark.parametrize("workers", [1, 3])
def test_logits_are_in_the_order_of_the_clips(exported, tone_clips, workers):
    pcm = tone_clips[0][:40]
    asked = []

    def clips(indices):
        asked.extend(indices.tolist())
        return pcm[indices]

    found = score(exported / "float32", clips, len(pcm), workers=workers, progress=False)
    model = runtime.load_model(exported / "float32")
    np.testing.assert_array_equal(found, [model.logits(clip) for clip in pcm])
    assert sorted(asked) == list(range(len(pcm)))


def test_an_error_in_a_thread_reaches_the_caller(exported):
    with pytest.raises(ZeroDivisionError):
        score(exported / "float32", lambda indices: 1 // 0, 40, workers=2, progress=False)
    with pytest.raises(ModelFileError):
        score(exported / "nothing", lambda indices: None, 40, progress=False)


@pytest.mark.slow
def test_a_streaming_file_scores_clips_as_recordings_of_their_own(small_stream, small_network, tone_clips):
    pcm, labels = tone_clips
    logits = score(small_stream, lambda indices: pcm[indices], 12, workers=2, progress=False)
    stream = runtime.Stream(small_stream)
    last = (stream.process(pcm[5]) + stream.flush())[-1].logits
    spec = next(spec for spec in stream.manifest.outputs if spec.dtype == "int8" and spec.shape[-1] == 3)
    np.testing.assert_allclose(logits[5], (last.astype(np.float32) - spec.zero_point) * spec.scale, rtol=1e-6)
    # A clip is the window of the stream, so the answers are those of the network for clips.
    offline = np.asarray(small_network.model(small_network.features[:12]))
    assert np.mean(logits.argmax(1) == labels[:12]) > 0.8 and np.corrcoef(logits.ravel(), offline.ravel())[0, 1] > 0.98


def test_a_file_with_one_probability_gives_logits_whose_softmax_it_is(wake_word):
    logits = score(wake_word.folder, lambda indices: wake_word.pcm[indices], 6, workers=1, progress=False)
    powers = np.exp(logits)
    stream = runtime.Stream(wake_word.folder)
    for clip, row in zip(wake_word.pcm, powers / powers.sum(1, keepdims=True), strict=False):
        stream.reset()
        np.testing.assert_allclose(row, (stream.process(clip) + stream.flush())[-1].scores, atol=0.003)
    assert np.mean(logits.argmax(1) == wake_word.labels[:6]) > 0.5
