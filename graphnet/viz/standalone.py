"""HTML files that need nothing else: their parts joined, their data made harmless, and a policy against all the rest.

The browser is told to run the one script that is in the file, and to load nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from graphnet.escape import markup


def checked_path(path: str | os.PathLike[str], what: str = "a page") -> Path:
    """`path`, if an HTML file can be written there."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{target}: {what} ends in .html")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
    return target


def as_json(data: Any) -> str:
    """JSON that can stand in a script element: with no `<`, `>` or `&`, and in ASCII alone.

    >>> as_json(["</script>"])
    '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def asset(name: str) -> str:
    """The text of a part of the pages."""
    return (files("graphnet.viz") / "assets" / name).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    """What the browser is told."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    scripts = f"script-src 'sha256-{digest(script)}'; " if script else ""
    return (
        f"default-src 'none'; {scripts}style-src 'sha256-{digest(style)}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def joined(template: str, title: str, style: str, script: str = "", **parts: str) -> str:
    """The page `template` with its places (`@@NAME@@`) filled: `parts` are markup already, the title is text."""
    filled = {
        "TITLE": markup(title),
        "POLICY": markup(_policy(script, style)),
        "STYLE": style,
        "SCRIPT": script,
        **parts,
    }
    return re.sub(r"@@(\w+)@@", lambda m: filled[m[1]], asset(template))
