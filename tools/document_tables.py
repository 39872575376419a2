"""Tables that tools write into documents, between <!-- name --> and <!-- /name -->."""

from kws_tf.errors import ConfigError


def replace_tables(text, tables, where="the document"):
    """A document with its tables replaced.

    Args:
        text: Markdown. tables: {name: lines}. where: name of the document, for messages.

    Raises:
        ConfigError: the document has no place for a table.
    """
    for name, lines in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not begin or not end:
            raise ConfigError(f"{where}: no place for the table {name}; expected <!-- {name} --> ... <!-- /{name} -->.")
        text = before + begin + "".join(f"{line}\n" for line in lines) + end + after
    return text
