"""Draws docs/benchmarks.svg from the figures: CPU time per request of each service, as bars."""

import os

PLOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "benchmarks.svg")
# Row of the table, label in the plot, and true for Cachefront.
BARS = [
    ("bare reply", "a constant from the same stack", False),
    ("READ from the near cache", "Cachefront READ, near cache", True),
    ("READ", "Cachefront READ through Redis", True),
    ("WRITE", "Cachefront WRITE", True),
    ("Webdis GET, plain HTTP, no token", "Webdis GET: no TLS, no token", False),
    ("nginx TLS + Lua GET, no token", "nginx TLS + Lua GET: no token", False),
    ("Flask + gunicorn READ", "Flask + gunicorn READ", False),
]
WIDTH, LEFT, RIGHT, TOP, STEP, THICKNESS = 760, 240, 110, 46, 32, 20
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.ours { fill: #0b7a75 } .theirs { fill: #9aa5b1 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .ours { fill: #3cbfb8 } .theirs { fill: #66707c } }
</style>"""


def bar(number, label, ours, cpu_us, per_us, longest_us):
    """Returns one line of the plot. A bar that is too long is cut off and gets an arrow."""
    y = TOP + number * STEP
    fits = cpu_us <= longest_us
    width = min(cpu_us, longest_us) * per_us
    text = f"{cpu_us:.1f} µs" if fits else f"{cpu_us:.0f} µs →"
    return (
        f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{label}</text>'
        f'<rect class="{"ours" if ours else "theirs"}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{THICKNESS}" rx="3"/>'
        f'<text x="{LEFT + width + 8:.1f}" y="{y + 15}">{text}</text>'
    )


def svg(main):
    bars = [(label, ours, main[row]["cpu_us"]) for row, label, ours in BARS]
    # The last bar, Python, is so long that the others would all look the same at its scale.
    longest_us = max(cpu_us for _, _, cpu_us in bars[:-1]) * 1.05
    per_us = (WIDTH - LEFT - RIGHT) / longest_us
    height = TOP + len(bars) * STEP + 6
    title = "CPU time per request, user and kernel, 64 keep-alive connections"
    lines = [bar(number, *given, per_us, longest_us) for number, given in enumerate(bars)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
            STYLE,
            f'<text class="title" x="10" y="24">{title}</text>',
            *lines,
            "</svg>\n",
        ]
    )


def write(main):
    with open(PLOT, "w") as file:
        file.write(svg(main))
