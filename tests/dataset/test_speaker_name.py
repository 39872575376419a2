import pytest

from kws_tf.dataset.speaker_name import SpeakerName
from kws_tf.errors import ConfigError


@pytest.mark.parametrize(("pattern", "path", "speaker"), [
    ("", "0132a06d_nohash_2.wav", "0132a06d"), ("", "more/0132a06d_nohash_2.wav", "0132a06d"), ("", "ann/one.wav", "ann"),
    ("", "one.wav", ""), (r"^(\w+?)_", "bob_3.wav", "bob"), (r"p\d+", "a/p17.wav", "p17"), (r"^(\w+?)_", "bob.wav", ""),
])
def test_speakers_by_path(pattern, path, speaker):
    assert SpeakerName(pattern)(path) == speaker


def test_a_wrong_pattern_is_refused():
    with pytest.raises(ConfigError, match="--speaker_pattern='\\(': not a regular expression"):
        SpeakerName("(")
