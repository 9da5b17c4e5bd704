"""Draws two plots from the figures: the CPU time of a request as bars, and the latency against the load as lines."""

import math
import os

COST, LATENCY = "benchmarks.svg", "benchmarks-latency.svg"
# The label of each row, and true for Cachefront.
ROWS = {
    "bare reply": ("a constant from the same stack", False),
    "READ from the near cache": ("Cachefront READ, near cache", True),
    "READ": ("Cachefront READ, 1,000 keys", True),
    "READ, one key": ("Cachefront READ, one key", True),
    "READ of 1 KiB": ("Cachefront READ of 1 KiB", True),
    "READ of 1 KiB, sealed": ("Cachefront READ of 1 KiB, sealed", True),
    "WRITE": ("Cachefront WRITE", True),
    "100 READs in a batch": ("Cachefront batch of 100 READs", True),
    "Webdis GET, plain HTTP, no token": ("Webdis GET: no TLS, no token", False),
    "nginx TLS + Lua GET, no token": ("nginx TLS + Lua GET: no token", False),
    "upstash-redis-server GET, plain HTTP": ("Upstash-style bridge: no TLS", False),
    "Flask + gunicorn READ": ("Flask + gunicorn READ", False),
}
WIDTH = 760
COLORS = ["#777777", "#0b7a75", "#0072b2", "#cc79a7", "#7a5195", "#e69f00", "#d55e00", "#999933", "#8c6d46"]
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.ours { fill: #0b7a75 } .theirs { fill: #9aa5b1 }
.grid { stroke: #9aa5b1; stroke-opacity: 0.35 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .ours { fill: #3cbfb8 } .theirs { fill: #66707c } }
</style>"""


def svg(title, height, lines):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
    return "\n".join([head, STYLE, text(10, 24, title, 'class="title"'), *lines, "</svg>\n"])


def text(x, y, content, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{content}</text>'


def bar(number, label, ours, cpu_us, longest_us):
    """Returns one bar with its label. A bar that is too long is cut off and gets an arrow."""
    left, right, y = 240, 110, 46 + number * 32
    width = min(cpu_us, longest_us) * (WIDTH - left - right) / longest_us
    figure = f"{cpu_us:.1f} µs" if cpu_us <= longest_us else f"{cpu_us:.0f} µs →"
    rectangle = f'<rect class="{"ours" if ours else "theirs"}" x="{left}" y="{y}" width="{width:.1f}" height="20" rx="3"/>'
    return text(left - 10, y + 15, label, 'text-anchor="end"') + rectangle + text(left + width + 8, y + 15, figure)


def cost(main):
    bars = [(label, ours, main[row]["cpu_us"]) for row, (label, ours) in ROWS.items()]
    # The batch, the bridge and Flask are so long that the others would all look the same at their scale.
    longest_us = sorted(cpu_us for _, _, cpu_us in bars)[-4] * 1.05
    lines = [bar(number, *given, longest_us) for number, given in enumerate(bars)]
    return svg("CPU time per request, user and kernel, 64 keep-alive connections", 46 + len(bars) * 32 + 6, lines)


class Axis:
    """A logarithmic axis from the lowest to the highest figure, which are at two places of the plot."""

    def __init__(self, figures, first, last):
        self.first, self.last = first, last
        self.low, self.high = math.log10(min(figures)) - 0.05, math.log10(max(figures)) + 0.05

    def at(self, figure):
        return self.first + (math.log10(figure) - self.low) / (self.high - self.low) * (self.last - self.first)

    def marks(self):
        """Returns the powers of ten within the axis."""
        return [10**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def grid(x, y):
    lines = []
    for mark in x.marks():
        at = f"{x.at(mark):.1f}"
        lines.append(
            f'<line class="grid" x1="{at}" x2="{at}" y1="{y.first}" y2="{y.last}"/>' + text(x.at(mark), y.first + 18, f"{mark:,}", 'text-anchor="middle"')
        )
    for mark in y.marks():
        at = f"{y.at(mark):.1f}"
        lines.append(
            f'<line class="grid" y1="{at}" y2="{at}" x1="{x.first}" x2="{x.last}"/>' + text(x.first - 8, y.at(mark) + 4, f"{mark:,}", 'text-anchor="end"')
        )
    return lines


def curve(number, name, points, x, y):
    """Returns the line of one row and its entry in the legend."""
    color = COLORS[number]
    places = " ".join(f"{x.at(rate):.1f},{y.at(p99_us):.1f}" for rate, p99_us in points)
    top = y.last + 14 + number * 22
    return (
        f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        f'<rect x="{x.last + 12}" y="{top - 8}" width="14" height="6" fill="{color}"/>' + text(x.last + 32, top, ROWS[name][0])
    )


def latency(curves):
    points = {name: [(figures["per_sec"], figures["p99_us"]) for figures in row["points"].values()] for name, row in curves.items()}
    rates, latencies = zip(*(point for row in points.values() for point in row), strict=True)
    x, y = Axis(rates, 80, WIDTH - 250), Axis(latencies, 380, 46)
    lines = [curve(number, name, row, x, y) for number, (name, row) in enumerate(points.items())]
    caption = text(80, 418, "requests per second, at 10, 25, 50, 80 and 95 % of the capacity of each")
    return svg("p99 of the latency in µs against the load, service and load generator on the same CPUs", 432, [*grid(x, y), *lines, caption])


def write(results, folder):
    for name, drawing in ((COST, cost(results["main"])), (LATENCY, latency(results["curves"]))):
        with open(os.path.join(folder, name), "w") as file:
            file.write(drawing)
