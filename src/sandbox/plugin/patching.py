"""How moto's classes are corrected."""

from functools import wraps


def replaces(cls):
    """Put a function in the place of a class's method of that name.

    The function gets the original method first, so that it can add to it; for a method
    that moto lacks, that is None.
    """

    def decorate(function):
        original = getattr(cls, function.__name__, None)

        @wraps(function)
        def method(self, *args, **kwargs):
            return function(original, self, *args, **kwargs)

        setattr(cls, function.__name__, method)
        return function

    return decorate


def page(items, marker, limit, default=100):
    """One page of a list, and the marker of the next one if there is more."""
    start = int(marker or 0)
    end = start + int(limit or default)
    items = list(items)
    return items[start:end], str(end) if end < len(items) else None
