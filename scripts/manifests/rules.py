"""All rules, for one set of resources."""

from . import networks, resources, settings


def problems(documents, elsewhere):
    """`elsewhere`: keys of the ConfigMaps and Secrets that somebody else makes, by kind and name."""
    invalid = list(resources.schema_problems(documents))
    yield from invalid
    # The rest relies on what the schemas say.
    if not invalid:
        yield from resources.problems(documents, elsewhere)
        yield from networks.problems(documents)
        yield from settings.problems(documents, elsewhere)
