"""Time answers to multiple-choice questions against a loop that asks one at a time, as the authors do.

    python perf/evaluation.py [--questions 512] [--per-image 1 2 8] [--batch 1 8 32]

One tiny model with random weights: an encoder of 24x24 features, each a visual token, an LLM of 4 layers. The
loop of the baseline is written out: for every question it looks at the image, reads the whole prompt, and
goes on with a cache, at batch 1. All have to give the same answers. Prints seconds and ratios.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from cambrian.data.batching import collate, load_images
from cambrian.data.pictures import View
from cambrian.data.tokenization import IGNORED, Example
from cambrian.encoders.table import build_encoder
from cambrian.model.assembly import join
from cambrian.model.generation import Request, answer
from cambrian.model.language import Language
from cambrian.model.mllm import MultimodalLLM

SIDE, WIDTH, LAYERS, MAX_NEW_TOKENS = 24, 128, 4, 4
SPECIAL = ("<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<unk>")
WORDS = tuple(f"word{index}" for index in range(500))
LETTERS = ("A.", "B.", "C.", "D.")
ENCODER = {"kind": "vit", "resolution": 96, "width": 64, "depth": 2, "heads": 4, "expansion": 2, "stem": 4}
CONNECTOR = {"kind": "concat", "side": SIDE, "layers": 2, "newline": False}


def make_model() -> MultimodalLLM:
    """Put a model with random weights together, in evaluation mode."""
    torch.manual_seed(0)
    names = [*SPECIAL, *LETTERS, *WORDS]
    tokenizer = Tokenizer(WordLevel({name: index for index, name in enumerate(names)}, unk_token=SPECIAL[-1]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    config = LlamaConfig(
        vocab_size=len(names),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        initializer_range=0.1,
    )
    language = Language(llm=LlamaForCausalLM(config).eval(), tokenizer=tokenizer, grid_positions=None)
    encoder = build_encoder(ENCODER)
    return join([encoder], language, connector_recipe=CONNECTOR, template="lab", seed=0).eval()


def make_requests(count: int, per_image: int) -> list[Request]:
    """Multiple-choice questions of 20 to 60 words."""
    rng = np.random.default_rng(0)
    requests = []
    for index in range(count):
        question = list(rng.choice(WORDS, size=rng.integers(8, 33)))
        for letter in LETTERS:
            question += [letter, *rng.choice(WORDS, size=rng.integers(1, 6))]
        requests.append(Request(id=str(index), question=" ".join(question), image=index // per_image))
    return requests


def show(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
    """Make pictures of noise."""
    return {
        view: np.stack(
            [
                np.random.default_rng([1, index]).integers(
                    256, size=(view.resolution, view.resolution, 3), dtype=np.uint8
                )
                for index in indices
            ]
        )
        for view in views
    }


@torch.inference_mode()
def one_at_a_time(model: MultimodalLLM, requests: Sequence[Request]) -> list[str]:
    """Ask as the authors' evaluation does: `generate` for one question after the other."""
    answers = []
    for request in requests:
        ids, placeholder = model.chat.prompt(request.question, image=True)
        example = Example(
            id=request.id, input_ids=tuple(ids), labels=(IGNORED,) * len(ids), placeholder=tuple(placeholder)
        )
        images = load_images(show, [request.image], model.views)
        batch = collate([example], images, pad_id=model.chat.pad_id, padding="left")
        cache = DynamicCache(config=model.llm.config)
        states = model.states(batch, attention_mask=None, position_ids=None, cache=cache)
        said: list[int] = []
        while True:
            token = int(model.logits(states[0, -1]).argmax())
            if token == model.chat.end_id:
                break
            said.append(token)
            if len(said) == MAX_NEW_TOKENS:
                break
            states = model.decode(
                model.llm.get_input_embeddings()(torch.tensor([[token]])),
                attention_mask=None,
                position_ids=torch.tensor([[len(ids) + len(said) - 1]]),
                past_key_values=cache,
            )
        answers.append(model.chat.decode(said))
    return answers


def ours(model: MultimodalLLM, requests: Sequence[Request], batch_size: int) -> list[str]:
    """Ask as the product does."""
    return answer(
        model,
        requests,
        show,
        vision=True,
        batch_size=batch_size,
        max_new_tokens=MAX_NEW_TOKENS,
        progress=lambda done, total: None,
    )


def timed(work: Callable[[], list[str]]) -> tuple[list[str], float, float]:
    """Answers, seconds and seconds of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    answers = work()
    return answers, time.perf_counter() - start, time.process_time() - cpu


def main() -> int:
    """Print a table; 1 if any way gives other answers than the loop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=512, metavar="N", help="default: 512")
    parser.add_argument("--per-image", type=int, nargs="+", default=[1, 2, 8], metavar="N")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32], metavar="N")
    parser.add_argument("--threads", type=int, default=2, help="of torch; default: 2")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = make_model()
    ours(model, make_requests(8, 2), 4)  # warm up
    one_at_a_time(model, make_requests(8, 2))
    different = 0
    for per_image in given.per_image:
        requests = make_requests(given.questions, per_image)
        expected, seconds, cpu = timed(lambda: one_at_a_time(model, requests))  # noqa: B023
        print(f"{per_image} questions per image, {len(set(expected))} different answers")
        print(f"  one at a time {seconds:8.1f} s   {cpu:8.1f} s of CPU")
        for batch_size in given.batch:
            found, took, used = timed(lambda: ours(model, requests, batch_size))  # noqa: B023
            flips = sum(a != b for a, b in zip(expected, found, strict=True))
            different += flips
            print(
                f"  batch {batch_size:<8d}{took:8.1f} s   {used:8.1f} s of CPU   {seconds / took:5.2f} times "
                f"as fast, {cpu / used:.2f} by CPU   {flips} answers differ",
                flush=True,
            )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
