"""Numbers and words as C++ source text."""

import numpy as np

COLUMNS = 140
INDENT = "    "


def array(kind, name, values, *, storage="inline constexpr "):
    """The definition of an array, its values in lines of at most COLUMNS characters.

    Args:
        kind: C++ type of an element. name: of the array. values: integers, or texts of elements. storage: what stands before the type.

    Returns:
        str with a line end.

    Example:
        >>> array("int8_t", "kAnswer", [4, 2])
        'inline constexpr int8_t kAnswer[2] = {\\n    4, 2,\\n};\\n'
    """
    elements = [str(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
    lines, line = [], INDENT
    for element in elements:
        piece = f"{element}, "
        if len(line) + len(piece) - 1 > COLUMNS and line != INDENT:
            lines.append(line.rstrip())
            line = INDENT
        line += piece
    lines.append(line.rstrip())
    return f"{storage}{kind} {name}[{len(elements)}] = {{\n" + "\n".join(lines) + "\n};\n"


def text(words):
    """A string literal of any words, in UTF-8."""
    escaped = {"\\": "\\\\", '"': '\\"'}
    # Octal, because a hexadecimal escape swallows letters that follow; ? because of compilers that still read trigraphs.
    return '"' + "".join(escaped.get(c, c) if c.isprintable() and c != "?" else "".join(f"\\{byte:03o}" for byte in c.encode("utf-8"))
                         for c in words) + '"'


def comment(lines):
    """Lines of a comment. What comes from a manifest may hold anything: line breaks in it become spaces, and a full stop follows a
    backslash (or the trigraph of one) at the end, which would join the next line of code to the comment."""
    words = (" ".join(line.split()) for line in lines)
    return "".join(f"// {line}{'.' if line.endswith((chr(92), '??/')) else ''}\n" for line in words)


def header(name, about, body, includes=("<cstdint>",)):
    """A header file in the form of firmware/src.

    Args:
        name: file name. about: lines of the comment that opens it. body: what it declares, inside namespace kws_model.
        includes: with their brackets or quotes.
    """
    guard = name.upper().replace(".", "_") + "_"
    included = "".join(f"#include {include}\n" for include in includes)
    return (f"{comment(about)}#ifndef {guard}\n#define {guard}\n\n{included}\n"
            f"namespace kws_model {{\n\n{body}\n}}  // namespace kws_model\n\n#endif  // {guard}\n")
