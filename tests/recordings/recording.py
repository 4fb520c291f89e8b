"""Where the recordings are, and how to read one."""

import json
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "aws-recordings"

# In JSON5 a string comes first: what looks like a comment inside it is none.
STRING_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
TRAILING_COMMA = re.compile(r",(\s*[\]}])")


def folder():
    """The folder of recordings; the test that asks is skipped where there is none."""
    if not FOLDER.is_dir():
        raise unittest.SkipTest(f"AWS's recordings are not at {FOLDER}")
    return FOLDER


def recorded(path):
    """Each test of a recording: its name without the file, and what AWS answered at each step."""
    content = json.loads((folder() / path).read_text())
    return {name.split("::", 1)[1]: test["recorded-content"] for name, test in content.items()}


def json5(text):
    """JSON with comments and trailing commas: all that the recordings use of JSON5."""
    return json.loads(TRAILING_COMMA.sub(r"\1", STRING_OR_COMMENT.sub(lambda match: match[1] or "", text)))
