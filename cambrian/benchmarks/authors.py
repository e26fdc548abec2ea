"""How the released code of Cambrian-1 scores each benchmark, bug for bug: the protocol `paper`.

Its numbers are there to be compared with the published ones; the faults are kept on purpose and named where
they are. Read from `eval/eval/*/*_test.py` at the released head; nothing here is a recommendation.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cambrian.benchmarks.credits import HANDWRITTEN, leave_one_out
from cambrian.benchmarks.m4c import spell
from cambrian.benchmarks.metrics import Estimate
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.totals import Item, Total, all_right, mean, mean_of_parts, mme


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """One benchmark's scorer."""

    credit: Callable[[str, Question], float | None]
    """(raw answer, question) -> credit; None where the scorer ends with an error, and so the benchmark."""
    total: Total = mean


_KEYWORDS = ("answer is", "answer is:", "answer:")


def _after_keyword(raw: str) -> str:
    """What follows the last keyword. `answer is` is tried first, so that `answer is: B` leaves `: b`."""
    text = raw.lower().strip()
    for keyword in _KEYWORDS:
        text = text.rpartition(keyword)[2]
    return text.strip()


def _letter(ending: str) -> Callable[[str, Question], float]:
    """The first character of what follows the keyword, whatever word it begins: `Because` is b."""
    return lambda raw, question: float(_stripped(raw, ending)[:1] == question.answer.lower())


def _stripped(raw: str, ending: str) -> str:
    return _after_keyword(raw).rstrip(ending).lstrip("(").rstrip(")")


def _exactly(raw: str, question: Question) -> float:
    return float(raw.lower().rstrip(".") == question.answer.lower())


def _first_word(raw: str, question: Question) -> float | None:
    """The first word; looks for `(A)` after turning all into small letters, so that `(a)` is always wrong."""
    words = raw.lower().split()
    return float(words[0].rstrip(".:,") == question.answer.lower()) if words else None


def _first_word_after_keyword(raw: str, question: Question) -> float | None:
    words = _after_keyword(raw).rstrip(".").split()
    return float(words[0] == question.answer.lower()) if words else None


def _before_full_stop(raw: str, question: Question) -> float:
    return float(raw.split(".")[0].lower().strip() == question.answer.lower())


def _first_word_before_full_stop(raw: str, question: Question) -> float:
    word = raw.split(".")[0].lower().strip().split(" ")[0]
    return float(word.lstrip("(").rstrip(")") == question.answer.lower())


def _option_text(question: Question) -> str:
    """The text behind the right letter; of a question without options the answer itself."""
    if not question.options:
        return question.answer.lower()
    return question.options[string.ascii_uppercase.index(question.answer)].lower()


def _letter_or_text(raw: str, question: Question) -> float:
    """MMVP: the whole rest is the letter or the option's text."""
    return float(_stripped(raw, ".:,") in (question.answer.lower(), _option_text(question)))


def _science_qa(raw: str, question: Question) -> float:
    """ScienceQA: what is before the first full stop, or the option's text without punctuation."""
    answer = _after_keyword(raw).rstrip(".")
    same_text = _unpunctuated(answer) == _unpunctuated(_option_text(question))
    return float(same_text or answer.split(".")[0] == question.answer.lower())


def _unpunctuated(text: str) -> str:
    return text.translate(str.maketrans("", "", string.punctuation)).lower().strip()


def _number(text: str) -> float | None:
    """As Python reads it, with `nan`, `inf` and `1_000`."""
    try:
        return float(text)
    except ValueError:
        return None


def _within_5_percent(number: float | None, of: float | None) -> bool:
    return number is not None and of is not None and abs(number - of) <= abs(of) * 0.05


def _same_or_near(answer: str, wanted: str) -> float:
    """The tolerance is relative to the prediction: 95.2 for 100 is too far, 100 for 95.2 is not."""
    return float(answer == wanted or _within_5_percent(_number(wanted), of=_number(answer)))


def _mmmu(raw: str, question: Question) -> float:
    """MMMU: a letter, or an open answer; several accepted answers are compared as the text of a list."""
    if question.options:
        return _same_or_near(_stripped(raw, ".:,")[:1], question.answer.lower())
    wanted = str(list(question.answers)) if question.answers else question.answer
    return _same_or_near(_after_keyword(raw).rstrip("."), wanted.lower())


def _math_vista(raw: str, question: Question) -> float:
    """MathVista: all that was said must be the letter, although the prompt asks for reasoning first."""
    return _same_or_near(raw.lower().strip(), question.answer.lower())


def _chart_qa(raw: str, question: Question) -> float:
    """ChartQA: without stripping, `%`, commas, money or a full stop at the end."""
    given, wanted = _number(raw.lower()), _number(question.answer.lower())
    if given is not None and wanted is not None:
        return float(_within_5_percent(given, of=wanted))
    return float(raw.lower() == question.answer.lower())


def _ocr_bench(raw: str, question: Question) -> float:
    """OCRBench: an accepted answer anywhere in the reply, also inside a word, also an empty one."""
    if question.part == HANDWRITTEN:
        return float(any(_without_spaces(one) in _without_spaces(raw) for one in _accepted(question)))
    return float(any(_on_one_line(one) in _on_one_line(raw) for one in _accepted(question)))


def _without_spaces(text: str) -> str:
    return text.strip().replace("\n", " ").replace(" ", "")


def _on_one_line(text: str) -> str:
    return text.lower().strip().replace("\n", " ")


def _vqa(raw: str, question: Question) -> float | None:
    """TextVQA and VizWiz; whatever has not ten answers ends with an error."""
    accepted = [spell(answer) for answer in _accepted(question)]
    return leave_one_out([answer == spell(raw) for answer in accepted]) if len(accepted) == 10 else None


def _accepted(question: Question) -> Sequence[str]:
    return question.answers or (question.answer,)


def _line_pairs(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """Lines 1 and 2, 3 and 4, ... of the file of answers are pairs, whatever they are about."""
    return all_right(_by_line(items), given)


def _mme_lines(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """MME, with pairs by lines: of reordered answers the accuracy+ is another one."""
    lines = _by_line(items)
    score = math.fsum(
        100.0 * (sum(part.values()) + _plus(part)) / len(part)
        for name in dict.fromkeys(item.part for item in items)
        for part in [{line: credit for line, credit in enumerate(given) if items[line].part == name}]
    )
    near = mme(lines, given)
    return Estimate(value=score, low=min(near.low, score), high=max(near.high, score))


def _plus(part: Mapping[int, float]) -> int:
    """Count accuracy+ of one subtask, from the credits of its lines, as theirs does.

    A right even line counts at once, and is taken back by a wrong odd one if the count is odd.
    """
    count = 0
    for line, credit in part.items():
        first = line % 2 == 0
        if credit:
            count += first or count % 2 == 1
        elif not first and count % 2 == 1:
            count -= 1
    return count


def _by_line(items: Sequence[Item]) -> list[Item]:
    return [
        Item(id=item.id, cluster=str(line // 2), group=str(line // 2), part=item.part, options=item.options)
        for line, item in enumerate(items)
    ]


AUTHORS: dict[str, Scorer] = {
    "mme_p": Scorer(credit=_exactly, total=_mme_lines),
    "mmb": Scorer(credit=_letter(".:,"), total=all_right),
    "mmb_cn": Scorer(credit=_first_word, total=all_right),
    "seed_i": Scorer(credit=_letter(".")),
    "gqa": Scorer(credit=_exactly),
    "sqa_i": Scorer(credit=_science_qa),
    "mmmu_v": Scorer(credit=_mmmu),
    "mathvista_m": Scorer(credit=_math_vista),
    "ai2d": Scorer(credit=_letter(".:,")),
    "chartqa": Scorer(credit=_chart_qa),
    "ocrbench": Scorer(credit=_ocr_bench),
    "textvqa": Scorer(credit=_vqa),
    "vizwiz": Scorer(credit=_vqa),
    "mmvp": Scorer(credit=_letter_or_text, total=_line_pairs),
    "realworldqa": Scorer(credit=_first_word_after_keyword),
    "cvbench_2d": Scorer(credit=_letter("."), total=mean_of_parts),
    "cvbench_3d": Scorer(credit=_letter(".:,")),
    "pope": Scorer(credit=_first_word),
    "mmstar": Scorer(credit=_first_word),
    "vstar": Scorer(credit=_letter(".")),
    "qbench": Scorer(credit=_before_full_stop),
    "blink": Scorer(credit=_first_word_before_full_stop),
}
"""By benchmark. DocVQA, InfoVQA and ST-VQA went to servers, MM-Vet to GPT-4; SynthDog is not in the table."""
