"""The table of values in the chart's README.md, made from values.yaml and its comments."""

import json
import re

import yaml

BEGIN, END = "<!-- values: made from values.yaml by `make docs` -->\n", "<!-- end of values -->\n"
# A longer default is not shown.
DEFAULT_CHARACTERS_MAX = 60


def problems(folder):
    text = (folder / "README.md").read_text()
    if BEGIN not in text or END not in text:
        yield "helm README.md: there is no place for the table of values"
    elif text != written(folder):
        yield "helm README.md: the table of values is not current: make docs"
    for path, _, meaning in rows(folder):
        if not meaning:
            yield f"values.yaml: {path} has no comment that says what it is"


def write(folder):
    (folder / "README.md").write_text(written(folder))


def written(folder):
    before, rest = (folder / "README.md").read_text().split(BEGIN)
    lines = [f"| `{path}` | {default} | {meaning} |\n" for path, default, meaning in rows(folder)]
    return before + BEGIN + "| value | default | meaning |\n| --- | --- | --- |\n" + "".join(lines) + END + rest.split(END)[1]


def rows(folder):
    """Yields path, default and meaning of every value that has a comment or is no map. A value inside of a commented one is no row."""
    text = (folder / "values.yaml").read_text()
    values = yaml.safe_load(text)
    # Names from the top to the current line, each with its indentation.
    path, comment, covered = [], [], None
    for line in text.splitlines():
        match = re.match(r"( *)([A-Za-z0-9_]+):", line)
        if line.strip().startswith("#"):
            comment.append(line.strip().lstrip("# "))
        elif not match:
            comment = []
        else:
            indentation = len(match[1])
            while path and path[-1][0] >= indentation:
                path.pop()
            path.append((indentation, match[2]))
            meaning, comment = " ".join(comment), []
            if covered is not None and indentation > covered:
                continue
            covered = None
            value = values
            for _, name in path:
                value = value[name]
            if meaning or not isinstance(value, dict) or not value:
                covered = indentation
                yield ".".join(name for _, name in path), shown(value), meaning


def shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= DEFAULT_CHARACTERS_MAX else "see values.yaml"
