import pytest

from kws_tf.errors import DatasetError
from kws_tf.evaluation import detection
from kws_tf.evaluation.annotations import AnnotatedRecording, Word
from kws_tf.runtime import Event

RATE = 1000


def event(seconds, keyword="jarvis", score=200):
    start = round(seconds * RATE)
    return Event(keyword, score, start, start + 10, start + 20)


def test_a_hit_counts_from_the_start_to_a_second_after_the_end():
    words = [Word(2.0, 2.5, "jarvis")]
    for seconds, hit in ((1.999, False), (2.0, True), (3.5, True), (3.501, False)):
        found = detection.match([event(seconds)], words, RATE)
        assert (len(found.hits), len(found.missed), len(found.false_accepts)) == ((1, 0, 0) if hit else (0, 1, 1)), seconds


def test_a_wrong_keyword_is_a_false_accept_and_the_word_is_missed():
    found = detection.match([event(2.2, "computer")], [Word(2.0, 2.5, "jarvis")], RATE)
    assert [len(part) for part in (found.hits, found.missed, found.repeats, found.false_accepts)] == [0, 1, 0, 1]
    assert len(detection.match([event(2.2, "computer")], [Word(2.0, 2.5)], RATE).hits) == 1


def test_a_second_event_is_a_repeat_or_finds_the_next_word():
    words = [Word(2.0, 2.5, "jarvis"), Word(3.0, 3.5, "jarvis")]
    found = detection.match([event(2.4), event(3.2), event(3.4), event(9)], words, RATE)
    assert [(word.start_seconds, hit.start_sample) for word, hit in found.hits] == [(2.0, 2400), (3.0, 3200)]
    assert [hit.start_sample for hit in found.repeats] == [3400] and [hit.start_sample for hit in found.false_accepts] == [9000]


def test_a_long_word_before_a_short_one_is_still_found():
    words = [Word(0.0, 10.0, "jarvis"), Word(1.0, 1.2, "computer")]
    found = detection.match([event(1.1, "computer"), event(9.5)], words, RATE)
    assert len(found.hits) == 2 and not found.false_accepts
    assert len(detection.match([event(5.0, "computer"), event(9.5)], words, RATE).false_accepts) == 1


def test_figures_of_false_accepts_and_misses():
    figures = detection.false_accept_figures(2, 4.0)
    assert figures["per_hour"] == 0.5 and figures["upper_bound_per_hour"] == pytest.approx(6.296 / 4, abs=1e-3)
    assert detection.miss_figures(9, 10)["miss_rate"] == 0.1 and detection.miss_figures(0, 0)["miss_interval"] is None


def test_latency_is_from_the_end_of_the_word_to_the_start_of_the_event():
    found = detection.match([event(2.4), event(5.0), event(8.0)], [Word(2.0, 2.5), Word(4.0, 4.6), Word(7.0, 7.2)], RATE)
    figures = detection.latency_figures([found], RATE)
    assert figures["seconds"] == [-0.1, 0.4, 0.8] and figures["median_seconds"] == pytest.approx(0.4)
    assert figures["p95_seconds"] == pytest.approx(0.76) and detection.latency_figures([], RATE)["median_seconds"] is None


def test_bands_and_groups():
    words = [Word(index, index + 0.1, "", {"snr_db": snr, "speaker": speaker})
             for index, (snr, speaker) in enumerate([(-3, "b"), (0, "a"), (9.9, "b"), (10, ""), (30.0, "a"), (None, "a")])]
    found = [detection.match([event(0.0), event(2.0)], words[:3], RATE), detection.match([event(4.0), event(5.0)], words[3:], RATE)]
    rows = detection.by_group(found, detection.band("snr_db", (0, 10, 20), "dB"))
    assert [(row["group"], row["hits"], row["words"]) for row in rows] == [
        ("below 0 dB", 1, 1), ("0 to 10 dB", 1, 2), ("10 to 20 dB", 1, 1), ("20 dB and more", 1, 1)]
    assert [(row["group"], row["words"]) for row in detection.by_group(found, detection.named("speaker"))] == [("a", 3), ("b", 2)]


def test_words_that_are_no_keywords_are_counted_apart():
    recordings = [AnnotatedRecording("a.wav", (Word(0, 1, "jarvis"), Word(2, 3, "alexa"), Word(4, 5)))]
    own, others = detection.own_words(recordings, ("jarvis",))
    assert [[word.keyword for word in words] for words in own] == [["jarvis", ""]] and others == 1
    with pytest.raises(DatasetError, match="annotated are alexa; keywords are computer"):
        detection.own_words([AnnotatedRecording("a.wav", (Word(2, 3, "alexa"),))], ("computer",))
