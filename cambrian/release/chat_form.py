"""A template of this project as a chat template in Jinja, which writes conversations in the same way."""

from __future__ import annotations

import json

from cambrian.data.templates import Template

_FORM = """\
{{%- set first = namespace(turn=true) -%}}
{{{{- {begin} -}}}}{{{{- {system} -}}}}
{{%- for message in messages -%}}
{{%- if message.role == "user" -%}}
{{%- if not first.turn -%}}{{{{- {between} -}}}}{{%- endif -%}}
{{%- set first.turn = false -%}}
{{{{- {before_turn} -}}}}
{{%- if message.content is string -%}}
{{{{- {before_question} + message.content -}}}}
{{%- else -%}}
{{%- for part in message.content if part.type == "image" -%}}
{{{{- {image} + {after_image} -}}}}
{{%- endfor -%}}
{{{{- {before_question} -}}}}
{{%- for part in message.content if part.type == "text" -%}}{{{{- part.text -}}}}{{%- endfor -%}}
{{%- endif -%}}
{{%- elif message.role == "assistant" -%}}
{{{{- {before_answer} + {lead} -}}}}
{{%- if message.content is string -%}}{{{{- message.content -}}}}
{{%- else -%}}
{{%- for part in message.content if part.type == "text" -%}}{{{{- part.text -}}}}{{%- endfor -%}}
{{%- endif -%}}
{{{{- {end} -}}}}
{{%- else -%}}
{{{{- raise_exception("messages are of user or assistant: the system prompt is part of this template") -}}}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}{{{{- {before_answer} -}}}}{{%- endif -%}}
"""


def chat_form(template: Template, image: str) -> str:
    """Write `template` in Jinja; `image` is the token that stands for an image.

    An image stands in front of its question, wherever it is in the message. What an answer begins with (the
    template's `lead`) is left to the model, as it was trained.
    """
    names = ("begin", "system", "between", "before_turn", "after_image", "before_question", "before_answer")
    strings = {name: json.dumps(getattr(template, name)) for name in (*names, "lead", "end")}
    return _FORM.format(image=json.dumps(image), **strings)
