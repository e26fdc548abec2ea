"""Perfect vision for the lab's LLM: visual tokens that say in words what stands in each cell.

With them the LLM learns what questions mean before it ever sees a picture, and a task is proven solvable:
what the LLM can't answer from these, it can't answer from any encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from cambrian.data.batching import collate
from cambrian.data.conversation import Conversation, Turn
from cambrian.data.tokenization import IGNORED, ChatTokenizer, Example
from cambrian.lab.questions import LabItem, benchmark_items
from cambrian.lab.vocabulary import VOCABULARY
from cambrian.lab.world import SIDE, Scene, symbolic_cells
from cambrian.model.language import Language
from cambrian.model.splice import splice, visual_rows

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<unk>")
TEMPLATE = "lab"

_MOST_WORDS = 3
"""Words of the fullest cell."""
_EVALUATION_BATCH = 64


def make_tokenizer() -> Tokenizer:
    """One token per word of the lab, after the special ones."""
    words = {word: index for index, word in enumerate((*SPECIAL_TOKENS, *VOCABULARY))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))  # noqa: S106 - no password
    # Splitting at spaces only: special tokens are not to be cut at their angle brackets.
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def symbol_ids(scenes: Sequence[Scene], tokenizer: Tokenizer) -> Tensor:
    """Words of the cells as token ids, long (B, 16, 3), the pad token where there are fewer."""
    pad = tokenizer.token_to_id("<pad>")
    bags = []
    for scene in scenes:
        for words in symbolic_cells(scene):
            ids = [tokenizer.token_to_id(word) for word in words]
            bags.append(ids + [pad] * (_MOST_WORDS - len(ids)))
    return torch.tensor(bags, dtype=torch.long).view(len(scenes), SIDE * SIDE, _MOST_WORDS)


def visual_tokens(language: Language, symbols: Tensor) -> Tensor:
    """Sum the word embeddings of each cell of `symbols` (B, 16, 3) and add its place: (B, 4, 4, H)."""
    assert language.grid_positions is not None
    pad = language.tokenizer.token_to_id("<pad>")
    words = language.llm.get_input_embeddings()(symbols)  # (B, 16, 3, H)
    cells = (words * (symbols != pad)[..., None]).sum(dim=2)  # (B, 16, H)
    return language.grid_positions(cells.unflatten(1, (SIDE, SIDE)))


def language_states(language: Language, input_ids: Tensor, placeholder: Tensor, symbols: Tensor) -> Tensor:
    """Last hidden states (S, T, H) of right-padded samples whose placeholders take symbolic cells."""
    embeddings = language.llm.get_input_embeddings()(input_ids)  # (S, T, H)
    if len(symbols):
        rows = visual_rows(visual_tokens(language, symbols), None, None, None)
        embeddings = splice(embeddings, placeholder, rows).embeddings
    return language.llm.model(inputs_embeds=embeddings, use_cache=False).last_hidden_state


def make_chat(language: Language) -> ChatTokenizer:
    """Encode conversations about symbolic cells for this LLM."""
    return ChatTokenizer(
        language.tokenizer,
        template=TEMPLATE,
        image_positions=SIDE * SIDE,
        max_tokens=language.llm.config.max_position_embeddings,
    )


@torch.no_grad()
def symbolic_accuracy(language: Language, task: str, *, n: int, seed: int) -> float:
    """Part of `n` test questions of a task that the LLM answers exactly, seeing symbolic cells."""
    chat = make_chat(language)
    items = benchmark_items(task, n, seed)
    correct = 0
    for first in range(0, n, _EVALUATION_BATCH):
        correct += _count_correct(language, chat, items[first : first + _EVALUATION_BATCH])
    return correct / n


def _count_correct(language: Language, chat: ChatTokenizer, items: Sequence[LabItem]) -> int:
    batch = collate([_example(chat, item) for item in items], {}, pad_id=chat.pad_id, padding="right")
    symbols = symbol_ids([item.scene for item in items], language.tokenizer)
    states = language_states(language, batch.input_ids, batch.placeholder, symbols)
    predicted = language.llm.lm_head(states[:, :-1]).argmax(dim=-1)  # (S, T - 1)
    # Greedy decoding writes the answer just if, given each part of it, the next token is the likeliest.
    expected = batch.labels[:, 1:]
    return int(((predicted == expected) | (expected == IGNORED)).all(dim=1).sum())


def _example(chat: ChatTokenizer, item: LabItem) -> Example:
    turn = Turn(question=item.question, answer=item.answer)
    return chat.encode(Conversation(id=item.id, image=0, turns=(turn,)))
