import pytest

from kws_tf.counted import counted


@pytest.mark.parametrize("arguments, text", [
    ((1, "false accept"), "1 false accept"), ((0, "clip"), "0 clips"), ((12, "word"), "12 words"), ((2, "class", "classes"), "2 classes"),
    ((1, "class", "classes"), "1 class"), ((1.0, "hour"), "1.0 hour")])
def test_one_is_singular(arguments, text):
    assert counted(*arguments) == text
