"""How each family of LLMs writes a conversation: one row per family, strings alone.

Planning reads this table, so it imports nothing heavy. A turn is written

    before_turn [image, after_image] before_question QUESTION before_answer lead ANSWER end

with `between` before every turn but the first, and `begin` and `system` before everything. A caption, a
single answer without a question, is `begin [image] ANSWER end`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Template:
    """One way to write a conversation."""

    name: str
    special: tuple[str, ...]
    """Tokens of the tokenizer that the strings below are cut at; whatever else stands there is text."""
    begin: str = ""
    """Token that everything begins with."""
    system: str = ""
    """What stands before the first turn."""
    before_turn: str = ""
    after_image: str = ""
    before_question: str = ""
    before_answer: str
    lead: str = ""
    """What the model says before the answer itself, supervised like it: a space that the answer's first
    token takes up."""
    end: str
    """Token that ends an answer; supervised, and where generation stops."""
    between: str = ""
    """Between an answer's end and the next turn."""
    pad: str = ""
    """Fills up short samples; empty for the end token. Never attended to, never supervised."""
    placeholder: str = ""
    """Stands where a visual token goes; empty for the end token. Its embedding is not used."""


_CAMBRIAN = (
    "You are Cambrian, a highly intelligent multimodal AI trained by NYU Vision X. As a multimodal AI, you "
    "have the ability to process and analyze images. Whenever an image is present in the conversation, very "
    "carefully examine it and consider its content when formulating your response. You should give concise "
    "responses to very simple questions, but provide thorough responses to more complex and open-ended "
    "questions."
)
"""The study's system prompt for ChatML; that for Llama-3 differs in its white space."""
_VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions."
)
_CHATML = ("<|im_start|>", "<|im_end|>")
_LLAMA_3 = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")


def _chatml(name: str, system: str, between: str = "\n") -> Template:
    """ChatML; most families end every message with a line break, which nobody is taught to say."""
    return Template(
        name=name,
        special=_CHATML,
        system=f"<|im_start|>system\n{system}<|im_end|>{between}" if system else "",
        before_turn="<|im_start|>user\n",
        after_image="\n",
        before_answer=f"<|im_end|>{between}<|im_start|>assistant\n",
        end="<|im_end|>",
        between=between,
    )


def _llama_3(name: str, system: str, gap: str) -> Template:
    """Llama-3; `gap` stands between the header of a message and its text."""
    opened = "<|start_header_id|>{}<|end_header_id|>" + gap
    return Template(
        name=name,
        special=_LLAMA_3,
        begin="<|begin_of_text|>",
        system=f"{opened.format('system')}{system}<|eot_id|>" if system else "",
        before_turn=opened.format("user"),
        after_image="\n",
        before_answer=f"<|eot_id|>{opened.format('assistant')}",
        end="<|eot_id|>",
    )


TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template(
            name="lab",
            special=("<s>", "</s>", "<image>", "<user>", "<assistant>"),
            begin="<s>",
            placeholder="<image>",
            before_question="<user>",
            before_answer="<assistant>",
            end="</s>",
            pad="<pad>",
        ),
        # Vicuna 1.5 as LLaVA-1.5 and the encoder study tune it.
        Template(
            name="vicuna_v1",
            special=("<s>", "</s>"),
            begin="<s>",
            system=f"{_VICUNA} ",
            before_turn="USER: ",
            after_image="\n",
            before_answer=" ASSISTANT:",
            lead=" ",
            end="</s>",
        ),
        # Llama-3-Instruct as its makers tuned it, and as Cambrian-1-8B was (conversation.py of the release).
        _llama_3("llama_3", "", gap="\n\n"),
        _llama_3(
            "llama_3_cambrian",
            _CAMBRIAN.replace("Vision X. As", "Vision X. \n    As").replace(
                "response. You", "response.\n    You"
            )
            + " ",
            gap="",
        ),
        # Any LLM that knows ChatML without a system prompt; Hermes-2-Yi as Cambrian-1-34B tuned it.
        _chatml("chatml", ""),
        _chatml("chatml_cambrian", _CAMBRIAN, between=""),
        _chatml("qwen2_5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        _chatml("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
        # Phi-3 with the study's system prompt; its tokenizer drops white space after most special tokens.
        Template(
            name="phi3",
            special=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
            system="<|system|>\nYou are a helpful AI assistant.<|end|>\n",
            before_turn="<|user|>\n",
            after_image="\n",
            before_answer="<|end|>\n<|assistant|>\n",
            end="<|end|>",
            between="\n",
        ),
    )
}
