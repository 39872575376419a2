import pytest

from kws_tf.tflite import c_source


def test_an_array_is_broken_into_lines():
    text = c_source.array("int16_t", "kPcm", range(-100, 100), storage="const ")
    first, *middle, last = text.splitlines()
    assert first == "const int16_t kPcm[200] = {" and last == "};" and all(len(line) <= c_source.COLUMNS for line in middle)
    assert [int(word) for word in " ".join(middle).replace(",", " ").split()] == list(range(-100, 100))
    assert len(middle) > 5 and min(map(len, middle[:-1])) > c_source.COLUMNS - 6


@pytest.mark.parametrize("words, literal", [
    ("jarvis", '"jarvis"'), ('say "x\\y"', '"say \\"x\\\\y\\""'), ("what??/", '"what\\077\\077/"'), ("a\n1", '"a\\0121"'),
    ("مرحبا", '"مرحبا"')])
def test_words_are_escaped(words, literal):
    assert c_source.text(words) == literal


@pytest.mark.parametrize("line, comment", [("a\nb", "// a b\n"), ("ends in \\", "// ends in \\.\n"), ("what??/", "// what??/.\n")])
def test_a_comment_ends_with_its_line(line, comment):
    assert c_source.comment([line, "c"]) == comment + "// c\n"


def test_a_header_is_guarded():
    text = c_source.header("kws_x.h", ["One.", "Two."], "inline constexpr int kX = 1;\n", ("<cstdint>", '"kws_y.h"'))
    assert text.startswith('// One.\n// Two.\n#ifndef KWS_X_H_\n#define KWS_X_H_\n\n#include <cstdint>\n#include "kws_y.h"\n\n'
                           "namespace kws_model {\n\ninline constexpr int kX = 1;\n")
    assert text.endswith("}  // namespace kws_model\n\n#endif  // KWS_X_H_\n")
