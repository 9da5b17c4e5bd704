"""The part of a page that is measured."""

import sys

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(text, page):
    """Replaces the text between the two marks of the page."""
    with open(page) as file:
        before, begun, rest = file.read().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        sys.exit(f"{page} lacks the marks {BEGIN} and {END}")
    with open(page, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
