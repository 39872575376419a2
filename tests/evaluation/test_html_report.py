import base64
import dataclasses
import html.parser
import io
import re

import numpy as np
import pytest
import soundfile

from kws_tf import manifest as manifests
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.evaluation import annotations, evaluate_stream, html_report, report_text
from kws_tf.evaluation.annotations import AnnotatedRecording, Word
from tests.spoken_stream import speak, write_model


@pytest.fixture
def stream(spoken_model, tmp_path):
    soundfile.write(tmp_path / "ambient.wav", speak(600, [(1, 100, 140)]), 16000)
    soundfile.write(tmp_path / "w.wav", speak(1500, [(1, 100, 130), (2, 500, 530)]), 16000)
    words = Word(1.0, 1.2, "jarvis", {"snr_db": 3, "level_dbfs": -33}), Word(8.0, 8.5, "jarvis", {"snr_db": 12, "clip": "j/<b>.wav"})
    annotations.write(tmp_path / "w.json", [AnnotatedRecording(tmp_path / "w.wav", words, 15.0, 16000)])
    return evaluate_stream(spoken_model, ambient=tmp_path / "ambient.wav", annotated=tmp_path / "w.json", workers=1, progress=False)


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "testing" / "jarvis").mkdir(parents=True)
    soundfile.write(tmp_path / "testing" / "jarvis" / "1.flac", np.arange(-8000, 8000, dtype=np.int16), 16000)
    row = {"label": "jarvis", "clips": 10, "precision": 0.9, "recall": 0.8, "f1": None}
    return {"data_root": str(tmp_path), "split": "testing", "clips": 10, "correct": 8, "accuracy": 0.8, "accuracy_interval": [0.49, 0.94],
            "balanced_accuracy": 0.8, "classes": [row],
            "worst": [{"file": "testing/jarvis/1.flac", "label": "jarvis", "predicted": "computer", "score": 0.97}]}


class Checker(html.parser.HTMLParser):
    """Collects text and sources, and checks that elements are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.sources = [], "", []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_page_that_needs_nothing_else(spoken_model, stream, clips):
    page = html_report.build(spoken_model, clips=clips, stream=stream, confusion=b"\x89PNG picture", command="evaluate --model <x>")
    checked = Checker(page)
    assert all(source.startswith(("data:image/png;base64,", "data:audio/wav;base64,")) for source in checked.sources)
    assert "http" not in page.replace("http-equiv", "")
    pictures = [source for source in checked.sources if "image/png" in source]
    assert len(pictures) == 5 and base64.b64decode(pictures[-1].split(",")[1]) == b"\x89PNG picture"
    for text in ("How well model.tflite finds: jarvis, computer", "1 false accept in 0.00 hours", "1 of 2 words found", "80.0 %",
                 "What these numbers do not show", "evaluate --model <x>", "j/<b>.wav", "SNR 12 dB", "10 to 15 dB"):
        assert text in checked.text, text
    sounds = [soundfile.read(io.BytesIO(base64.b64decode(source.split(",")[1])), dtype="int16")
              for source in checked.sources if "audio" in source]
    assert [rate for _, rate in sounds] == [16000] * len(sounds)
    # 1.08 s after the start of the recording: the sound begins with it, and ends half a second later.
    assert len(sounds[0][0]) == round(1.58 * 16000) and np.array_equal(sounds[-1][0], np.arange(-8000, 8000))


def test_recordings_can_be_left_out(spoken_model, stream, clips):
    with_sounds = html_report.build(spoken_model, clips=clips, stream=stream)
    page = html_report.build(spoken_model, clips=clips, stream=stream, sounds=False)
    assert "<audio" not in page and page.count("not included") == with_sounds.count("<audio") > 0
    assert Checker(page).sources


def test_presets_costs_and_a_lost_recording(tmp_path, clips):
    preset = DetectorPreset("strict", DetectorSettings(230, 100, 7), {"per_hour": 0.4, "upper_bound_per_hour": 2.1, "miss_rate": 0.125,
                                                                     "note": "best effort"})
    folder = write_model(tmp_path / "m", detector=DetectorPresets(("jarvis",), "strict", (preset,)),
                         metrics={"validation_accuracy": 0.98765432, "epoch": 12, "by_class": [1]})
    clips["worst"][0]["file"] = "gone.wav"
    text = Checker(html_report.build(folder, clips=clips)).text
    for part in ("strict (default)", "0.90", "2.1", "12.5 %", "best effort", "1,000", "gone.wav: cannot be opened", "not stated",
                 "validation accuracy0.9877", "epoch12", "Nothing about false accepts per hour"):
        assert part in text, part


def test_a_clip_model_has_no_presets(tmp_path, clips):
    folder = write_model(tmp_path / "m")
    manifest = dataclasses.replace(manifests.read(folder), kind="clip", streaming=None)
    (folder / "manifest.json").write_text(manifests.to_json(manifest))
    text = Checker(html_report.build(folder, clips={**clips, "split": "validation"})).text
    assert "Presets" not in text and "clip model: 1 s of audio at once" in text and "seen during training" in text


def test_limits_name_the_hours(stream):
    lines = "\n".join(report_text.limits(None, stream))
    bound = float(re.search(r"fewer than (\d+) false accepts per hour", lines)[1])
    assert bound == pytest.approx(stream["ambient"]["upper_bound_per_hour"], rel=0.01)
    assert "Nothing about misses" in "\n".join(report_text.limits(None, {**stream, "annotated": None}))
    assert "No recordings without the keywords" in "\n".join(report_text.limits(None, {**stream, "ambient": None}))


def test_numbers():
    assert [report_text.number(value) for value in (0.0312, 4.744, 129.4, 12345.6)] == ["0.0312", "4.74", "129", "12346"]
    assert report_text.percent(None) == "-" and report_text.rate_text(0.0, 0) == "0"
