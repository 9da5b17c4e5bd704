"""The part of a page that is measured."""

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(text, page):
    """Replaces the text between the two marks of the page."""
    with open(page) as file:
        before, _, rest = file.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(page, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
