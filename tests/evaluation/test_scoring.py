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
