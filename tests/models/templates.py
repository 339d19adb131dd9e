"""Chat templates of kinds that are in use, each written for these tests after what its kind is known to do."""

NL = "{{ '\\n' }}"
"""A line's end that stays behind a block."""
HEAD = "<|im_start|>{{ m['role'] }}\n"
ASKED = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CHATML = "{% for m in messages %}" + HEAD + "{{ m['content'] }}<|im_end|>\n{% endfor %}" + ASKED
CALLS = (
    "{% for call in m['tool_calls'] or [] %}" + NL + '<tool_call>\n{"name": "{{ call.function.name }}", "arguments": '
    "{% if as_text and call.function.arguments is string %}{{ call.function.arguments }}"
    "{% else %}{{ call.function.arguments | tojson }}{% endif %}}\n</tool_call>{% endfor %}"
)

TOOLS = (
    "{% if tools %}<|im_start|>system\nTools:{% for tool in tools %}" + NL + "{{ tool | tojson }}{% endfor %}"
    "<|im_end|>\n{% endif %}{% for m in messages %}{% if m['role'] == 'tool' %}"
    "<|im_start|>user\n<tool_response>\n{{ m['content'] }}\n</tool_response><|im_end|>\n"
    "{% else %}" + HEAD + "{{ m['content'] }}" + CALLS + "<|im_end|>\n{% endif %}{% endfor %}"
) + ASKED
"""Tools, calls whose arguments are an object, and a role `tool`."""

ONE_CALL = (
    "{% for m in messages %}{% if m['tool_calls'] and m['tool_calls'] | length > 1 %}{{ raise_exception('one') }}"
    "{% endif %}{% endfor %}"
) + TOOLS
"""Takes one call in a turn and no more."""

STRIPS = (
    "{% set as_text = true %}{% set ns = namespace(last=0) %}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}" + HEAD + "{% if m['role'] == 'assistant' and loop.index0 > ns.last %}<think>\n"
    "{{ m['reasoning_content'] or '' }}\n</think>\n\n{% endif %}{{ m['content'] }}" + CALLS + "<|im_end|>\n{% endfor %}"
) + ASKED
"""Thoughts of turns behind the last question alone."""

LAST_ALONE = (
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}" + HEAD + "{% if m['reasoning_content'] and loop.index0 == ns.last %}<think>\n"
    "{{ m['reasoning_content'] }}\n</think>\n{% endif %}{{ m['content'] }}<|im_end|>\n{% endfor %}"
) + ASKED
"""Thoughts of the last answer alone, so the conversation looks otherwise once an answer is added."""

OPENS = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
"""Asks for thoughts, and shows none of a field."""

NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
DEFAULT = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}" + CHATML
MARKS = (
    "{% for m in messages %}" + HEAD + "{% if m['role'] == 'assistant' %}{% generation %}"
    "{% if m['reasoning_content'] %}<think>\n{{ m['reasoning_content'] }}\n</think>\n{% endif %}"
    "{{ m['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|im_end|>{% endif %}" + NL + "{% endfor %}"
) + ASKED
"""Says itself which tokens are generated."""
