"""Which signals mean what, as data: rules by attack class, and weights for the many small signs of one."""

from __future__ import annotations

from typing import Final

from toolrouter.guard.scan.phrases import Rule
from toolrouter.guard.scan.verdict import Tier

_R, _B = Tier.REVIEW, Tier.BLOCK

_OVERRIDE = "Tells the model to set aside the instructions it was given."
_ROLE = "Tells the model to take another role or another set of rules."
_VOICE = (
    "Speaks to the model in a voice that is not a tool's: as the system, an administrator or the conversation itself."
)
_SECRECY = "Tells the model to keep something from the person it works for."
_THEFT = "Tells the model to read secrets or credential files."
_EXFIL = "Tells the model to send data somewhere that the person did not name."
_SHADOW = "Gives orders about another tool: a description should speak of its own tool only."
_ORDER = "Claims a place in the order of work that only the person or the model should decide."
_AUTHORITY = "Claims an authority, an approval or a precedence that a tool cannot have."
_PREFERENCE = "Praises or pushes itself so that the model picks it over other tools."
_ANSWER = "Tells the model what to say or to put into its answers."
_LATER = "Announces that it will behave differently once it is trusted."
_SHELL = "Tells the model to run a shell command."
_COLLECT = "Asks for the conversation, the system prompt or other things that the tool does not need."

RULES: Final[tuple[Rule, ...]] = (
    # An order to set aside what the model was told
    Rule("override.instructions", _B, ("override",), _OVERRIDE, unless="documented"),
    Rule("override.instructions", _R, ("override",), _OVERRIDE, unless="labelled"),
    Rule("override.instructions", _R, ("rules_gone",), _OVERRIDE, unless="documented"),
    Rule("override.new_rules", _R, ("new_rules",), _ROLE, unless="labelled"),
    Rule("override.new_rules", _B, ("new_rules", "override"), _ROLE, unless="documented"),
    Rule("override.role", _R, ("new_role",), _ROLE, unless="labelled"),
    Rule("override.role", _B, ("new_role", "privilege"), _ROLE, unless="documented"),
    Rule("override.role", _B, ("new_role", "system_voice"), _ROLE, unless="documented"),
    Rule(
        "override.safety", _R, ("disable_safety",), "Tells the model to switch off a safety measure.", unless="labelled"
    ),
    Rule(
        "override.safety",
        _B,
        ("disable_safety", "from_now"),
        "Tells the model to switch off safety for good.",
        unless="documented",
    ),
    Rule(
        "override.safety",
        _B,
        ("disable_safety", "system_voice"),
        "Tells the model to switch off safety.",
        unless="documented",
    ),
    Rule(
        "override.from_now",
        _R,
        ("from_now", "must"),
        "Lays down a rule for everything the model does from now on.",
        within=120,
    ),
    Rule("override.from_now", _B, ("from_now", "send", "secret"), _EXFIL, unless="documented"),
    Rule("override.from_now", _B, ("from_now", "secrecy"), _SECRECY, unless="documented"),
    # A voice that is not a tool's
    Rule("voice.chat_template", _B, ("chat_template",), _VOICE, unless="documented"),
    Rule("voice.chat_template", _R, ("chat_template",), _VOICE),
    Rule("voice.system", _R, ("system_voice",), _VOICE, unless="labelled"),
    Rule("voice.system", _R, ("important_tag",), _VOICE),
    Rule("voice.system", _B, ("important_tag", "must"), _VOICE),
    Rule("voice.system", _B, ("system_voice", "secrecy"), _VOICE, within=500, unless="documented"),
    Rule("voice.system", _B, ("system_voice", "override"), _VOICE, within=300, unless="documented"),
    Rule("voice.system", _B, ("system_voice", "secret_path"), _VOICE, within=300, unless="documented"),
    Rule("voice.system", _B, ("system_voice", "send", "secret"), _VOICE, within=300, unless="documented"),
    Rule("voice.system", _B, ("system_voice", "reroute"), _VOICE, within=300, unless="documented"),
    Rule(
        "voice.model",
        _R,
        ("note_to_model", "covertly"),
        "Gives orders to the model instead of describing a tool.",
        within=120,
    ),
    Rule(
        "voice.model",
        _R,
        ("note_to_model", "send"),
        "Gives orders to the model instead of describing a tool.",
        within=120,
    ),
    Rule("voice.model", _R, ("model_addressed", "secrecy"), "Gives orders to the model instead of describing a tool."),
    Rule(
        "voice.model", _R, ("model_addressed", "before_any"), "Gives orders to the model instead of describing a tool."
    ),
    Rule("voice.authority", _R, ("authority",), _AUTHORITY),
    Rule("voice.authority", _B, ("authority", "secrecy"), _AUTHORITY, unless="documented"),
    Rule("voice.model", _R, ("system_voice", "new_rules"), _VOICE, within=300, unless="documented"),
    # Secrecy toward the person
    Rule("secrecy.user", _R, ("secrecy",), _SECRECY, unless="labelled"),
    Rule("secrecy.user", _B, ("secrecy", "secret_path"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "secret", "take"), _SECRECY, within=300, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "send", "address"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "send", "outside"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "reroute"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "model_secret"), _SECRECY, within=300, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "other_tool"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.user", _B, ("secrecy", "run_it", "shell"), _SECRECY, within=400, unless="documented"),
    Rule("secrecy.covert", _R, ("covertly", "take", "secret"), _SECRECY, unless="documented"),
    Rule("secrecy.covert", _R, ("covertly", "send"), _SECRECY, within=80, unless="documented"),
    Rule("secrecy.covert", _R, ("without_asking", "send"), _SECRECY, within=120, unless="documented"),
    Rule("secrecy.covert", _R, ("without_asking", "shell"), _SECRECY, within=160),
    Rule("secrecy.covert", _R, ("without_asking", "destroy"), _SECRECY, within=120),
    # Reading secrets
    Rule("theft.path", _R, ("secret_path",), _THEFT, unless="labelled"),
    Rule("theft.path", _B, ("imperative_take", "secret_path"), _THEFT, within=80, unless="documented"),
    Rule("theft.path", _B, ("secret_path", "send", "outside"), _THEFT, within=160, unless="documented"),
    Rule("theft.path", _B, ("exfiltrate", "secret_path"), _THEFT, within=120, unless="documented"),
    Rule(
        "theft.secret",
        _R,
        ("before_this", "imperative_take", "secret"),
        _THEFT,
        one_text=True,
        within=160,
        unless="documented",
    ),
    Rule(
        "theft.secret",
        _R,
        ("before_this", "imperative_take", "file_contents"),
        _THEFT,
        one_text=True,
        within=160,
        unless="documented",
    ),
    Rule("theft.secret", _R, ("exfiltrate", "secret"), _THEFT, one_text=True, within=160, unless="documented"),
    Rule("theft.file", _R, ("file_contents", "home_path"), _THEFT, within=100, one_text=True, unless="documented"),
    Rule(
        "theft.field",
        _R,
        ("imperative_take", "secret", "in_field"),
        _THEFT,
        one_text=True,
        within=200,
        unless="documented",
    ),
    Rule(
        "theft.field",
        _R,
        ("imperative_take", "file_contents", "in_field"),
        _THEFT,
        one_text=True,
        within=160,
        unless="documented",
    ),
    Rule("theft.field", _R, ("covertly", "in_field", "secret"), _THEFT, one_text=True, within=160, unless="documented"),
    Rule("theft.prompt", _R, ("give", "model_secret"), _COLLECT, within=70, one_sentence=True, unless="documented"),
    Rule("theft.prompt", _R, ("expose_prompt",), _COLLECT, unless="labelled"),
    Rule("theft.prompt", _B, ("expose_prompt", "override"), _COLLECT, within=200, unless="documented"),
    # Sending it away
    Rule("exfiltration", _R, ("exfiltrate",), _EXFIL, one_text=True, unless="documented"),
    Rule("exfiltration", _R, ("send", "outside"), _EXFIL, one_text=True, within=80, unless="documented"),
    Rule("exfiltration", _R, ("send", "secret", "address"), _EXFIL, one_text=True, within=120, unless="documented"),
    Rule("exfiltration", _R, ("send", "model_secret"), _EXFIL, one_text=True, within=80, unless="documented"),
    Rule("exfiltration", _R, ("send", "must", "email_address"), _EXFIL, one_text=True, within=120, unless="documented"),
    Rule(
        "exfiltration",
        _B,
        ("imperative_send", "secret", "outside"),
        _EXFIL,
        one_text=True,
        within=120,
        unless="documented",
    ),
    Rule("exfiltration", _R, ("beacon", "address", "extra"), _EXFIL, within=160, one_text=True),
    Rule("exfiltration", _R, ("beacon", "address", "secret"), _EXFIL, within=160, one_text=True),
    Rule("exfiltration", _R, ("polite", "email_address"), _EXFIL, within=120, one_text=True),
    Rule("exfiltration", _R, ("polite", "send", "secret"), _EXFIL, within=160, one_text=True),
    Rule("exfiltration", _B, ("reroute", "email_address"), _EXFIL, one_text=True, within=100, unless="documented"),
    Rule("exfiltration", _R, ("reroute", "outside"), _EXFIL, one_text=True, within=120, unless="documented"),
    # Other tools
    Rule("shadow.other_server", _R, ("other_tool", "must"), _SHADOW, within=160),
    Rule("shadow.other_server", _R, ("other_tool", "call_verb"), _SHADOW, within=60),
    Rule("shadow.other_server", _B, ("other_tool", "reroute"), _SHADOW, within=240),
    Rule("shadow.other_server", _B, ("other_tool", "secret_path"), _SHADOW, within=300),
    Rule("shadow.other_server", _B, ("other_tool", "must", "email_address"), _SHADOW, within=240),
    Rule("shadow.other_server", _B, ("other_tool", "must", "set_value"), _SHADOW, within=240),
    Rule("shadow.other_server", _R, ("other_tool", "alters_tool"), _SHADOW, within=160),
    Rule("shadow.other_server", _R, ("other_tool", "tool_event"), _SHADOW, within=100),
    Rule("shadow.other_server", _R, ("other_tool", "tool_used"), _SHADOW, within=100),
    Rule("shadow.other_server", _R, ("other_tool", "disparaged"), _SHADOW, within=100),
    Rule("shadow.other_server", _R, ("other_tool", "user_trigger"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("alters_tool", "unknown_tool"), _SHADOW, within=120),
    Rule("shadow.tool", _R, ("reroute", "unknown_tool"), _SHADOW, within=120),
    Rule("shadow.tool", _R, ("unknown_tool", "before_this", "must"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("unknown_tool", "set_value"), _SHADOW, within=200),
    Rule("shadow.tool", _R, ("sibling_tool", "set_value"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("named_tool", "reroute"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("named_tool", "set_value"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("named_tool", "alters_tool"), _SHADOW, within=80),
    Rule("shadow.any_tool", _R, ("before_any", "must", "pretext"), _ORDER, within=240),
    Rule("shadow.any_tool", _R, ("before_any", "must", "file_contents"), _ORDER, within=240),
    Rule("shadow.any_tool", _R, ("before_any", "run_first"), _ORDER, within=200),
    Rule("shadow.any_tool", _R, ("before_any", "set_value"), _ORDER, within=200),
    Rule(
        "shadow.reroute",
        _R,
        ("reroute", "must"),
        "Redirects messages, payments or data.",
        within=120,
        unless="documented",
    ),
    Rule("shadow.reroute", _R, ("reroute", "email_address"), "Redirects messages, payments or data.", within=120),
    Rule("shadow.order", _R, ("run_first", "pretext"), _ORDER, within=200),
    Rule("shadow.order", _R, ("run_first", "from_now"), _ORDER, within=200),
    Rule("shadow.tool", _R, ("tool_event", "unknown_tool", "must"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("tool_event", "reroute"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("tool_event", "alters_tool"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("tool_event", "set_value"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("alters_tool", "named_tool"), _SHADOW, within=160),
    Rule("shadow.tool", _R, ("before_this", "named_tool", "set_value"), _SHADOW, within=200),
    Rule("shadow.order", _R, ("important_tag", "use_always"), _ORDER, within=200),
    Rule("shadow.user", _R, ("regardless", "must"), "Puts its own wishes above those of the person.", within=160),
    Rule("shadow.user", _R, ("regardless", "set_value"), "Puts its own wishes above those of the person.", within=200),
    Rule(
        "shadow.user", _R, ("regardless", "alter_thing"), "Puts its own wishes above those of the person.", within=200
    ),
    Rule("shadow.values", _R, ("set_value", "user_trigger"), "Changes what the person asked for.", within=160),
    Rule("shadow.values", _R, ("alter_thing", "before_any"), "Changes what the person asked for.", within=160),
    Rule("shadow.values", _R, ("alter_thing", "tool_event"), "Changes what the person asked for.", within=160),
    Rule(
        "shadow.values",
        _R,
        ("alter_thing", "address"),
        "Changes what the person asked for.",
        within=140,
        one_sentence=True,
    ),
    Rule("power.install", _R, ("install", "address", "must"), "Tells the model to install software.", within=160),
    Rule("power.install", _R, ("install", "before_this"), "Tells the model to install software.", within=160),
    Rule("power.install", _R, ("install", "without_asking"), "Tells the model to install software.", within=160),
    Rule("power.install", _R, ("install", "weaken"), "Tells the model to install software unchecked.", within=160),
    Rule("power.startup", _R, ("startup", "shell"), "Has a command run whenever the machine starts.", within=160),
    Rule("power.startup", _R, ("startup", "address"), "Has a command run whenever the machine starts.", within=120),
    # What the model says and picks
    Rule("answer.tampering", _R, ("answer_tampering", "must"), _ANSWER, within=160, unless="documented"),
    Rule("answer.tampering", _R, ("answer_tampering", "address"), _ANSWER, within=160, unless="documented"),
    Rule(
        "answer.tampering", _R, ("say_that", "condition"), _ANSWER, within=140, one_sentence=True, unless="documented"
    ),
    Rule("answer.phishing", _R, ("phishing",), "Tells the model to ask the person for secrets.", unless="documented"),
    Rule("answer.mislead", _R, ("mislead_user", "must"), _ANSWER, within=160, unless="documented"),
    Rule("answer.mislead", _R, ("mislead_user", "urgent"), _ANSWER, within=160, unless="documented"),
    Rule("answer.persist", _R, ("persist",), "Writes itself into the model's memory or rules."),
    Rule("answer.tampering", _R, ("every_answer",), _ANSWER, unless="documented"),
    Rule("answer.persist", _R, ("every_time", "without_asking"), _ANSWER, within=160, unless="documented"),
    Rule("preference", _R, ("prefer_this",), _PREFERENCE, unless="labelled"),
    Rule("later.after_approval", _R, ("after_approval",), _LATER, unless="documented"),
    Rule("later.after_approval", _R, ("after_approval", "covertly"), _LATER),
    Rule("later.trigger", _R, ("time_trigger", "destroy"), _LATER, within=160, unless="documented"),
    Rule("later.trigger", _R, ("time_trigger", "imperative_send", "secret"), _LATER, within=160, unless="documented"),
    # Power
    Rule(
        "power.privilege",
        _R,
        ("privilege", "grant"),
        "Grants the model or itself privileges.",
        within=80,
        unless="documented",
    ),
    Rule("power.shell", _R, ("shell", "run_it"), _SHELL, within=100, unless="documented"),
    Rule("power.destroy", _R, ("destroy", "covertly"), "Tells the model to destroy data.", within=160),
    Rule("power.destroy", _R, ("destroy", "override"), "Tells the model to destroy data.", within=160),
    Rule("collect.text", _R, ("collect",), _COLLECT, unless="labelled"),
)

DECODED_RULES: Final[tuple[Rule, ...]] = (Rule("payload.shell", _B, ("shell",), "Holds an encoded shell command."),)
"""Rules for decoded text only: what is ordinary in clear is not when somebody hid it."""

COMMENT_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "comment.order", _R, ("action",), "Speaks in a comment, which a person does not see where the text is rendered."
    ),
)
"""Rules for comments only: they are there for the model alone."""

WEIGHTS: Final[dict[str, float]] = {
    "covertly": 0.35, "without_asking": 0.4, "urgent": 0.25, "pretext": 0.35, "before_any": 0.4,
    "before_this": 0.25, "run_first": 0.35, "from_now": 0.4, "model_addressed": 0.4, "must": 0.12, "secret": 0.15,
    "model_secret": 0.35, "file_contents": 0.25, "send": 0.12, "outside": 0.45, "address": 0.1,
    "email_address": 0.35, "alters_tool": 0.3, "reroute": 0.4, "set_value": 0.35, "answer_tampering": 0.4,
    "privilege": 0.35, "destroy": 0.25, "shell": 0.4, "other_tool": 0.5, "unknown_tool": 0.25, "named_tool": 0.2,
    "user_trigger": 0.15, "mislead_user": 0.35, "safety_word": 0.15, "imperative_take": 0.1, "use_always": 0.2,
    "system_voice": 0.5, "every_time": 0.25, "polite": 0.3, "regardless": 0.4, "tool_event": 0.35, "install": 0.25,
    "important_tag": 0.4, "note_to_model": 0.4,
}  # fmt: skip
"""How much each sign adds to the suspicion of a passage."""

SUSPICION_CHARS: Final = 320
SUSPICION_REVIEW: Final = 1.15

_X_OVERRIDE: Final = "Tells the model, in another language than English, to set aside the instructions it was given."
_X_SECRECY: Final = "Tells the model, in another language than English, to keep something from the person it works for."
_X_EXFIL: Final = "Tells the model, in another language than English, to send secrets or the conversation away."

LANGUAGE_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "override.language",
        _B,
        ("x_forget", "x_instructions"),
        _X_OVERRIDE,
        within=70,
        one_sentence=True,
        unless="x_documented",
    ),
    Rule("override.language", _R, ("x_role",), "Gives the model another role, in another language than English."),
    Rule("secrecy.language", _R, ("x_secrecy",), _X_SECRECY, unless="x_documented"),
    Rule("secrecy.language", _B, ("x_secrecy", "x_send"), _X_SECRECY, within=240, unless="x_documented"),
    Rule("secrecy.language", _B, ("x_secrecy", "x_secret"), _X_SECRECY, within=240, unless="x_documented"),
    Rule("secrecy.language", _B, ("x_secrecy", "secret_path"), _X_SECRECY, within=300, unless="x_documented"),
    Rule(
        "exfiltration.language",
        _R,
        ("x_send", "x_outside"),
        _X_EXFIL,
        within=120,
        one_sentence=True,
        unless="x_documented",
    ),
    Rule(
        "exfiltration.language",
        _R,
        ("x_send", "x_secret", "x_command"),
        _X_EXFIL,
        within=120,
        one_sentence=True,
        unless="x_documented",
    ),
    Rule("exfiltration.language", _R, ("x_send", "x_secret", "address"), _X_EXFIL, within=160, unless="x_documented"),
    Rule(
        "exfiltration.language",
        _R,
        ("x_send", "x_prompt"),
        _X_EXFIL,
        within=120,
        one_sentence=True,
        unless="x_documented",
    ),
    Rule(
        "exfiltration.language",
        _R,
        ("x_command", "x_prompt", "x_instructions"),
        _X_EXFIL,
        within=160,
        unless="x_documented",
    ),
)
