"""The diagnosis in words and as a page that needs nothing else."""

import html.parser
import re
import shutil

import pytest
from absl import flags

from kws_tf import doctor
from kws_tf.curation import doctor_report
from kws_tf.curation.diagnosis import diagnose
from kws_tf.errors import ConfigError


@pytest.fixture(scope="module")
def spoiled(original, tmp_path_factory):
    root = tmp_path_factory.mktemp("report") / "a <set>"
    shutil.copytree(original, root)
    for take in range(7):
        shutil.copy(root / "training/cat/s03_nohash_1.wav", root / f"testing/cat/s1{take % 2}_nohash_9{take}.wav")
    return root, diagnose(root, progress=False)


def test_text(spoiled, original):
    root, found = spoiled
    text = doctor_report.text_report(found, shown=1)
    assert text.startswith(f"{root}: 235 clips (training 108, validation 60, testing 67), 0.07 h, 12 speakers; a small model")
    assert "1 error, 0 warnings" in text and "error: leak by content\n    the same sound is in testing and training" in text
    assert "    -> Keep it in one split." in text
    assert doctor_report.text_report(diagnose(original / "testing", progress=False)).endswith("nothing wrong was found")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.sounds, self.links = [], 0, 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.images += tag == "img" and attributes["src"].startswith("data:image/png;base64,iVBOR")
        self.sounds += tag == "audio" and attributes["src"].startswith("data:audio/wav;base64,UklGR")
        self.links += [value for name, value in attributes.items() if name in ("src", "href") and not value.startswith("data:")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open and self.open.pop() != tag:
                pass


def test_page_holds_its_pictures_and_sounds_and_escapes_names(spoiled):
    text = doctor_report.html_report(spoiled[1])
    page = Page(text)
    assert page.images == 1 + doctor_report.SHOWN_CLIPS and page.sounds == doctor_report.SHOWN_CLIPS
    assert page.links == [] and page.open == [] and "<set>" not in text and "a &lt;set&gt;" in text
    assert re.search(r"<td>cat</td><td class=n>24</td><td class=n>12</td><td class=n>19</td>", text)


@pytest.fixture
def run(monkeypatch):
    def call(*arguments):
        values = flags.FlagValues()
        doctor.define(values)
        rest = values(["doctor", *map(str, arguments)])
        monkeypatch.setattr(doctor, "FLAGS", values)
        return doctor.main(rest)
    return call


def test_the_program_prints_writes_and_says_by_its_status_whether_there_are_errors(run, spoiled, original, tmp_path, capsys):
    assert run(spoiled[0], "--workers=1", f"--html={tmp_path}/page.html") == 1
    assert "leak by content" in capsys.readouterr().out and (tmp_path / "page.html").read_text().endswith("</html>\n")
    assert run(original, "--workers=1") == 0
    assert "0 errors, 0 warnings\nnothing wrong was found" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "expected one folder"), (("a", "b"), "expected one folder"), (("a", "--html=none/x.html"), "--html=none/x.html: the folder"),
    ((".", "--speaker_pattern=("), "not a regular expression"),
])
def test_wrong_flags_are_one_clear_error(run, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run(*arguments)
