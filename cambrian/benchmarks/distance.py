"""Edit distance between two texts."""

from __future__ import annotations


def levenshtein(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements of characters that turn one into the other.

    One column of the table at a time, as bits of whole numbers: Myers (1999), in the form of Hyyrö (2003).
    """
    if not first or not second:
        return max(len(first), len(second))
    places: dict[str, int] = {}
    for index, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << index
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    rises, falls, distance = every, 0, len(first)
    for character in second:
        equal = places.get(character, 0)
        diagonal = equal | falls
        carried = (((equal & rises) + rises) ^ rises) | equal
        up = (falls | ~(carried | rises)) & every
        down = rises & carried
        distance += bool(up & last) - bool(down & last)
        up = up << 1 | 1
        rises = (down << 1 | ~(diagonal | up)) & every
        falls = up & diagonal & every
    return distance
