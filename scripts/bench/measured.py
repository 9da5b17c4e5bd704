"""The parts of a page that are measured."""

import sys


def write(text, page, part="measured"):
    """Replaces the text between the two marks of a part of the page."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    with open(page) as file:
        before, begun, rest = file.read().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        sys.exit(f"{page} lacks the marks {begin} and {end}")
    with open(page, "w") as file:
        file.write(f"{before}{begin}\n\n{text}\n{end}{after}")
