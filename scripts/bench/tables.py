"""Tables in Markdown."""


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(figure, digits=0):
    return "–" if figure is None else f"{figure:,.{digits}f}"


def percent(part):
    return f"{part:.0%}".replace("%", " %")


def latencies(figures, prefix=""):
    """Returns the cells of p50, p99 and p99.9."""
    return [number(figures.get(f"{prefix}{key}")) for key in ("p50_us", "p99_us", "p999_us")]


def goals(lines):
    """Returns a table of what was measured, the goal, and whether it is met. A line has name, figure, sign and goal."""

    def row(what, figure, sign, goal):
        met = figure <= goal if sign == "≤" else figure >= goal
        return [what, number(figure, 2), f"{sign} {goal}", "yes" if met else "no"]

    return table(["", "measured", "goal", "met"], [row(*line) for line in lines])


class Section:
    """The measured part of a page. Each table names its run."""

    def __init__(self, run, intro):
        self.run, self.parts = run, [intro]

    def add(self, heading, table, *notes):
        head = [f"### {heading}\n"] if heading else []
        self.parts += [*head, f"*{self.run}*\n", *(f"{note}\n" for note in notes), table]

    def text(self):
        return "\n".join(self.parts)
