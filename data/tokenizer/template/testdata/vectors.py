# Renders chat templates with transformers and writes what came out to
# vectors.json.gz: for each case the template, the arguments, and the text with the
# ranges of {% generation %} blocks, or that it failed.
#
# Made with Python 3.11, transformers 5.24.0, jinja2 3.1.6:
#   python vectors.py
#
# templates/README.md says where the templates come from, and their licences.
import datetime, glob, gzip, json, os, random
from transformers.utils import chat_template_utils as ctu

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime(2026, 11, 3, 14, 5, 9)
ctu.datetime = Clock

rng = random.Random(20261123)
TEXTS = ["", " ", "Hello!", "  leading and trailing \n", "What is 2 + 2?", "안녕하세요, 오늘 날씨가 어때요?",
    "日本語のテキスト。", "emoji 👩‍👩‍👧 and 🇰🇷", "é combining e\u0301", "line one\nline two\n\nline four",
    "quotes ' and \" and \\ backslash", "<b>html & co</b>", "tab\there", "\u200bzero width\ufeff", "مرحبا",
    "control \x07 \x1b[0m \x7f", "{{ not a template }} {% nor this %}", "a" * 300, "\u2028 line separator",
    "<think>\nI should add.\n</think>\n\nIt is 4.", "</think>only the end", "<tool_response>\nfake\n</tool_response>",
    "nbsp\u00a0 \u3000wide", "𝕌nicode 𐍈 plane 1", "<|im_end|>", "5", "\r\nwindows\r\n", "\x1c\x1dseparators\x1f"]
VALUES = [1, 0, -5, 3.5, 1e-7, 1e16, 1e22, 123456789012345678901234567890, 0.1, 100.0, -0.0, True, False, None, "", "text",
    "서울", "quote \" ' \\ \n \t \x01 \x7f </script>&<>", [], {}, [1, 2, [3, {"deep": None}]], {"b": 1, "a": {"z": [], "y": {}}},
    [True, None, 2.5, "x"], {"1": 1, "Ünï": "ç", "": 0}]
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Current weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "City's name, e.g. \"서울\""},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, "required": ["city"]},
        "return": {"type": "number"}}},
    {"type": "function", "function": {"name": "add", "description": "a < b & c > d", "parameters": {"type": "object",
        "properties": {"x": {"type": "number", "default": 1.0}, "y": {"type": ["number", "null"], "default": None}},
        "additionalProperties": False}}},
    {"type": "function", "function": {"name": "none", "description": "", "parameters": {}}},
]

def text(): return rng.choice(TEXTS)
def arguments():
    return {rng.choice(["city", "x", "y", "unit", "날짜", "nested", "list"]): rng.choice(VALUES) for _ in range(rng.randrange(4))}

def conversation(kind):
    messages = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": text()})
    parts = kind == "gemma3" and rng.random() < 0.3
    for _ in range(rng.randrange(1, 5)):
        content = text()
        if parts:
            content = [{"type": rng.choice(["text", "image", "audio"]), "text": text()} for _ in range(rng.randrange(1, 4))]
        messages.append({"role": "user", "content": content})
        if kind in ("qwen3", "llama3.2") and rng.random() < 0.4:
            calls = [{"type": "function", "function": {"name": rng.choice(["get_weather", "add"]), "arguments": arguments()}}
                     for _ in range(1 if kind == "llama3.2" and rng.random() < 0.95 else rng.randrange(1, 3))]
            if kind == "qwen3" and rng.random() < 0.2:
                calls = [c["function"] for c in calls]
            if kind == "qwen3" and rng.random() < 0.2:
                calls[0] = {"name": "raw", "arguments": json.dumps(arguments())}
            messages.append({"role": "assistant", "content": text(), "tool_calls": calls})
            for _ in calls:
                result = json.dumps(rng.choice(VALUES)) if rng.random() < 0.5 or kind == "qwen3" else rng.choice(VALUES)
                messages.append({"role": "tool", "name": "add", "content": result})
        if rng.random() < (0.98 if kind == "gemma3" else 0.85):
            m = {"role": "assistant", "content": text()}
            if kind == "qwen3" and rng.random() < 0.3:
                m["reasoning_content"] = rng.choice([None, "", "Let me think.\n", "\n생각…"])
            messages.append(m)
        if kind != "gemma3" and rng.random() < 0.05:
            messages.append({"role": "user", "content": text()})
    return messages

def render(kind, source):
    messages = conversation(kind)
    kwargs = {"add_generation_prompt": rng.random() < 0.5}
    if kind in ("llama3", "llama3.2"): kwargs["bos_token"] = "<|begin_of_text|>"
    if kind == "gemma3": kwargs["bos_token"] = "<bos>"
    tools = None
    if rng.random() < 0.5: # most templates pass over them
        tools = rng.sample(TOOLS, rng.randrange(1, 4))
    if kind == "qwen3" and rng.random() < 0.5: kwargs["enable_thinking"] = rng.random() < 0.5
    if kind == "llama3.2":
        if rng.random() < 0.3: kwargs["date_string"] = "26 Jul 2024"
        if rng.random() < 0.3: kwargs["tools_in_user_message"] = False
        if rng.random() < 0.2: kwargs["custom_tools"] = [TOOLS[1]]
    case = {"template": kind, "messages": messages, "tools": tools, "kwargs": kwargs}
    try:
        rendered, generated = ctu.render_jinja_template([messages], tools=tools, chat_template=source,
            return_assistant_tokens_mask="generation" in kind, **kwargs)
        case["text"] = rendered[0]
        if "generation" in kind:
            case["generated"] = [list(span) for span in generated[0]]
    except Exception as e:
        case["error"] = f"{type(e).__name__}: {e}"
    return case

here = os.path.dirname(os.path.abspath(__file__))
cases = []
for path in sorted(glob.glob(here + "/templates/*.jinja")):
    kind = os.path.basename(path)[:-6]
    with open(path, newline="") as f: source = f.read()
    cases += [render(kind, source) for _ in range(60)]
with open(here + "/vectors.json.gz", "wb") as f:
    with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(json.dumps(cases, ensure_ascii=True).encode())
print(len(cases), "cases,", sum("error" in c for c in cases), "of them errors")
for c in cases:
    if "error" in c: print(c["template"], c["error"])
