import base64
import html.parser
import io

import numpy as np
import pytest
import soundfile

from kws_tf import html_page


def test_a_page_stands_alone_and_shows_text_as_text():
    content = html_page.page("a <b> & 'c'", ["<h1>x</h1>", "", f"<p>{html_page.escaped('<script>')}</p>"])
    seen = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attributes: seen.append(tag)
    parser.feed(content)
    assert seen == ["html", "head", "meta", "meta", "title", "style", "body", "h1", "p"]
    assert "<title>a &lt;b&gt; &amp; &#x27;c&#x27;</title>" in content and "&lt;script&gt;" in content and "\n\n</body>" not in content


def test_numbers_are_right_aligned_and_no_rows_make_no_table():
    assert html_page.table(("a", "#b"), []) == ""
    assert html_page.table(("a & b", "#n"), [("<i>x</i>", "3")]) == (
        "<table><tr><th>a &amp; b</th><th class=n>n</th></tr>\n<tr><td><i>x</i></td><td class=n>3</td></tr>\n</table>")
    assert "<th" not in html_page.table(("", ""), [("x", "y")])
    with pytest.raises(ValueError, match="zip"):
        html_page.table(("a", "b"), [("x",)])


def test_pictures_and_sounds_are_inside():
    assert html_page.picture(b"png", "it's") == f"<img alt='it&#x27;s' src='data:image/png;base64,{base64.b64encode(b'png').decode()}'>"
    assert html_page.picture(None, "nothing") == ""
    pcm = np.arange(-5, 300, dtype=np.int16)
    content = html_page.sound(pcm, 8000).split("base64,")[1].split("'")[0]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="int16")
    assert rate == 8000 and np.array_equal(samples, pcm)
