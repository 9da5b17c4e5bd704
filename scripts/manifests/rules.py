"""Applies all rules to one set of resources."""

from . import networks, resources, settings


def problems(documents, elsewhere):
    """Yields the problems. `elsewhere` has the keys of ConfigMaps and Secrets that others create, by kind and name."""
    invalid = list(resources.schema_problems(documents))
    yield from invalid
    # The other rules rely on what the schemas promise.
    if not invalid:
        yield from resources.problems(documents, elsewhere)
        yield from networks.problems(documents)
        yield from settings.problems(documents, elsewhere)
