import pytest

from kws_tf.errors import ConfigError
from tools.document_tables import replace_tables

TEXT = "before\n<!-- a -->\nold\n<!-- /a -->\nbetween\n<!-- b -->\n<!-- /b -->\nafter\n"


def test_tables_are_replaced_and_the_rest_is_kept():
    expected = "before\n<!-- a -->\n1\n2\n<!-- /a -->\nbetween\n<!-- b -->\n3\n<!-- /b -->\nafter\n"
    assert replace_tables(TEXT, {"a": ["1", "2"], "b": ["3"]}) == expected


@pytest.mark.parametrize("text", [TEXT, TEXT + "<!-- c -->\n", TEXT + "<!-- /c -->\n"])
def test_a_document_without_the_place_is_refused(text):
    with pytest.raises(ConfigError, match="docs/x.md: no place for the table c; expected <!-- c --> ... <!-- /c -->"):
        replace_tables(text, {"c": ["1"]}, "docs/x.md")
