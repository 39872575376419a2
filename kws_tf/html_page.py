"""One HTML page that holds its pictures and sounds, so that it works offline and can be sent: the shell of every report."""

import base64
import html
import io

import soundfile

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { margin-top: 2.4rem; border-bottom: 2px solid #e3e7ec; padding-bottom: .2rem; }
h3 { margin-bottom: .3rem; } .quiet { color: #5b6673; } img { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: .6rem 0 1rem; } td, th { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #9aa5b1; font-weight: 600; } tr + tr td { border-top: 1px solid #eef1f4; } td.n, th.n { text-align: right; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.card { background: #f4f6f9; border-radius: .5rem; padding: .7rem 1rem; flex: 1 1 13rem; } .card b { display: block; font-size: 1.5rem; }
audio { height: 1.9rem; width: 15rem; vertical-align: middle; } code { background: #f4f6f9; padding: 0 .2rem; overflow-wrap: anywhere; }
details { margin: .4rem 0; } summary { cursor: pointer; }
"""


def page(title, parts):
    """A complete HTML document.

    Args:
        title: text. parts: pieces of HTML; empty ones are left out.
    """
    body = "\n".join(filter(None, parts))
    return ("<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>{escaped(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n")


def escaped(value):
    """Any value as text of a page, or within the quotes of an attribute."""
    return html.escape(str(value))


def table(headers, rows):
    """A table; columns of numbers are right-aligned.

    Args:
        headers: texts; one that starts with "#" stands over numbers. All empty for no header.
        rows: tuples of cells that are HTML already. No rows give no table.
    """
    if not rows:
        return ""
    right = [" class=n" if header.startswith("#") else "" for header in headers]
    head = "".join(f"<th{kind}>{escaped(header.lstrip('#'))}</th>" for header, kind in zip(headers, right, strict=True))
    body = "".join("<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, right, strict=True)) + "</tr>\n" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if any(headers) else ''}\n{body}</table>"


def picture(png, alt):
    """A picture from PNG bytes; nothing where there is none."""
    return f"<img alt='{escaped(alt)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>" if png else ""


def sound(pcm, sample_rate):
    """A player for int16 [samples]."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, sample_rate, format="WAV", subtype="PCM_16")
    return f"<audio controls preload=none src='data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode()}'></audio>"
