"""Text from users and files on its way to a reader that gives some characters a meaning: one function per target.

What a reader obeys instead of showing it (controls, ends of lines, marks that change the direction of text, halves of
characters) becomes visible, as in `\\x1b` or `\\u202e`. Generated code that is run takes no text of a graph at all,
escaped or not: its names are numbers of its own.
"""

from __future__ import annotations

import keyword
import re

#: what is obeyed, not shown: controls, ends of lines and paragraphs, directions, invisible marks, halves of characters
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff"
)
#: names of devices, that Windows opens whatever the ending
_DEVICES = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)"
#: what begins a formula in a spreadsheet
_FORMULA = ("=", "+", "-", "@")


def _code(found: re.Match[str]) -> str:
    """A character by its number, as Python writes it."""
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def is_shown(text: str) -> bool:
    """Whether all of a text is shown: nothing in it is obeyed instead, and it stays on one line."""
    return (text.isascii() and text.isprintable()) or re.search(f"[{_HIDDEN}]", text) is None


def line(text: object, limit: int | None = None) -> str:
    """One line for a terminal, a file of text or a list: what is hidden is made visible, ends of lines too.

    With `limit`, longer text is cut there.

    >>> line("a\\x1b[2J\\nb")
    'a\\\\x1b[2J\\\\nb'
    """
    text = str(text)
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "\N{HORIZONTAL ELLIPSIS}"
    if text.isascii() and text.isprintable():
        return text
    shown = re.sub(f"[{_HIDDEN}]", _code, text)
    return shown if limit is None or len(shown) <= limit else shown[: max(limit - 1, 0)] + "\N{HORIZONTAL ELLIPSIS}"


def lines(text: object) -> str:
    """Text of several lines for a terminal."""
    text = str(text)
    return text if text.isascii() and text.isprintable() else re.sub(f"(?![\n\t])[{_HIDDEN}]", _code, text)


def markup(text: object) -> str:
    """Text that can stand anywhere in XML, SVG or HTML, between tags or in quotes."""
    import html

    return html.escape(lines(text))


def dot(text: object) -> str:
    """One line of a label in DOT: no escape sequence of Graphviz, no entity. Quotes around it are added elsewhere."""
    return line(text).replace("&", "&amp;").replace("\\", "\\\\")


def plot(text: object, limit: int | None = 200) -> str:
    """Text in a plot of matplotlib: dollars are dollars, not formulas, and an underline in front hides nothing."""
    shown = line(text, limit).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def cell(text: object) -> str:
    """A name in a table that spreadsheets open: it begins no formula."""
    shown = line(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def identifier(text: object) -> str:
    """A name that Python reads as it stands: folded as Python's parser folds names (NFKC), no keyword, or ''.

    >>> identifier("x\\u00b2"), identifier("a - b"), identifier("class"), identifier("2d"), identifier("?")
    ('x2', 'a_b', '_class', '_2d', '')
    """
    from unicodedata import normalize

    text = str(text)
    if text.isascii() and text.isidentifier():
        folded = text
    else:
        folded = normalize("NFKC", text)
    kept = "".join([c if f"a{c}".isidentifier() else " " for c in folded])
    # Folding once more: what stands side by side now may join.
    name = normalize("NFKC", "_".join(kept.split()).strip("_"))
    if not name:
        return ""
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"


def file_name(text: object, limit: int = 80) -> str:
    """A name of a file in a folder: no path, nothing hidden, no device, never empty.

    >>> file_name("../a b\\n"), file_name("NUL.txt"), file_name("")
    ('a_b', '_NUL.txt', '_')
    """
    kept = re.sub(r"[^\w.\-]+", "_", re.sub(f"[{_HIDDEN}]", "_", str(text)))[:limit].strip("._")
    while len(kept.encode("utf-8")) > 200:
        kept = kept[:-1]
    return f"_{kept}" if not kept or re.match(_DEVICES, kept) else kept


def member(text: object) -> str:
    """One part of a path inside of a zip, HDF5 or safetensors file."""
    kept = "".join([c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in str(text)])
    return kept if kept.strip(".") else kept.replace(".", "_") or "_"
