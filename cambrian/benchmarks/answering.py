"""How a model answers: in its own words, or by the likeliest of a question's options.

Planning imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import string

from cambrian.benchmarks.records import Question

GENERATE, LIKELIHOOD = ANSWERINGS = ("generate", "likelihood")
"""Values of `benchmarks.answering`: greedy decoding as in the study, or the option that is likeliest to come
next, which never fails to be one."""


def candidates_of(matcher: str, question: Question) -> tuple[str, ...]:
    """Give what can be said to choose an option: its letter where the matcher reads letters, else itself."""
    if matcher == "choice":
        return tuple(string.ascii_uppercase[: len(question.options)])
    return question.options
