"""What models put around an answer: reasoning, tags, LaTeX, JSON, end-of-turn marks, invisible characters.

`unwrap` leaves the answer in plain sight, as `answer: ...` where the model had marked it. Takes linear time.
"""

from __future__ import annotations

import re

_INVISIBLE = dict.fromkeys(
    (0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065))
)
_MARKS = re.compile(r"<\|[^<>|]{1,40}\|>|</?s>|\[/?INST\]")  # ends of turns
_STYLE = re.compile(r"</?(?:b|i|u|p|br|em|strong|code|span|div)(?:\s[^<>]{0,80})?/?>")
_TAGGED = re.compile(r"<answer>", re.IGNORECASE)
_TAG_END = re.compile(r"</answer>", re.IGNORECASE)
_THOUGHT_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THOUGHT = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_JSON = re.compile(
    r"""\{\s*["'](?:final[_ ])?answer["']\s*:\s*["']?([^"'{}]{0,400})["']?\s*\}""", re.IGNORECASE
)
_FONT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname)\{([^{}]{0,200})\}")
_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d{1,12})\}\{(\d{1,12})\}")
_BOXED = re.compile(r"\\(?:boxed|fbox)\{([^{}]{1,200})\}")
_MATHS = re.compile(r"\\[()\[\]]")
# "The answer is", "I choose" and "option" in Chinese, before a Latin letter: elsewhere they are text.
_CHINESE = re.compile(r"(?:正确)?答案(?:应该)?(?:是|为)?[:\uff1a]?\s{0,3}(?=[(\[\uff08]?[A-Za-z])")
_CHINESE_OPTION = re.compile(r"(?:选项|选择|选)[:\uff1a]?\s{0,3}(?=[(\[\uff08]?[A-Za-z](?![A-Za-z]))")


def unwrap(raw: str) -> str:
    """Take away what is around the answer; text without any of it comes back as it is."""
    text = raw.translate(_INVISIBLE) if not raw.isascii() else raw
    if "<" in text or "[" in text:
        text = _without_tags(text)
    if "\\" in text:
        text = _FRACTION.sub(r"\1/\2", _FONT.sub(r"\1", text))
        text = _MATHS.sub("", _BOXED.sub(r"answer: \1 ", text))
    if "{" in text:
        text = _JSON.sub(r"answer: \1", text)
    return text if text.isascii() else _CHINESE_OPTION.sub("option ", _CHINESE.sub("answer: ", text))


def _without_tags(text: str) -> str:
    bare = _STYLE.sub("", _MARKS.sub(" ", text))
    thoughts = list(_THOUGHT_END.finditer(bare))
    if thoughts and bare[thoughts[-1].end() :].strip():
        bare = bare[thoughts[-1].end() :]
    return _TAG_END.sub("\n", _TAGGED.sub("answer: ", _THOUGHT.sub(" ", bare)))
