"""Every rule of the semantics analyzer, Python and BSL side by side where they mean the same."""

from __future__ import annotations

from nested_ray.analyzers.findings import Rule, Severity

_PYTHON, _BSL = ("python",), ("bsl",)
_BOTH = ("python", "bsl")


def _rule(
    name: str, severity: Severity, languages: tuple[str, ...], summary: str, help_text: str
) -> Rule:
    return Rule(f"semantics/{name}", summary, help_text, severity, languages)


UNRESOLVED_NAME = _rule(
    *("unresolved-name", Severity.ERROR, _BOTH),
    "A name is used that nothing defines.",
    "It ends in a NameError (Python) or keeps the module from compiling (BSL). Define or import the "
    "name, or correct its spelling. Python modules that fill their own namespace at run time "
    "(`globals()`, `exec`, star imports) and BSL modules of forms and objects, whose attributes are names "
    "too, are not judged.",
)
READ_BEFORE_ASSIGNMENT = _rule(
    *("read-before-assignment", Severity.ERROR, _BOTH),
    "A local variable is read before anything is assigned to it.",
    "In Python this raises UnboundLocalError; BSL does not compile the module. Assign a value first, "
    "or read the name that was meant.",
)
UNRESOLVED_EXPORT = _rule(
    *("unresolved-export", Severity.ERROR, _PYTHON),
    "`__all__` names something that the module does not define.",
    "`from module import *` fails with AttributeError. Define the name or take it out of `__all__`.",
)
UNRESOLVED_METHOD = _rule(
    *("unresolved-method", Severity.ERROR, _BSL),
    "A procedure or function is called that does not exist.",
    "The module does not compile, or the call fails at run time. A plain call must be defined in "
    "the module itself, in a global common module or by the platform; `Module.Method()` in the "
    "common module named. Correct the name or define the method.",
)
NOT_EXPORTED = _rule(
    *("not-exported", Severity.ERROR, _BSL),
    "A method of a common module is called from outside, but is not exported.",
    'The call fails at run time with "method not found". Add `Экспорт`/`Export` to the method if it '
    "is meant for others, or call an exported one.",
)
WRONG_ARITY = _rule(
    *("wrong-arity", Severity.ERROR, _BOTH),
    "A call's arguments do not fit the parameters of what it calls.",
    "Too many, too few, unknown or doubled arguments: TypeError in Python, a compilation or run-time "
    "error in BSL. Only calls that can mean one definition are judged.",
)
WRONG_CONTEXT = _rule(
    *("wrong-context", Severity.ERROR, _BSL),
    "A method calls one of its module that is not available where it runs.",
    "A `&НаСервере` method cannot call a `&НаКлиенте` one, and a method without the form's context "
    "(`&НаСервереБезКонтекста`) cannot call one that needs it. Move the code or pass the data in "
    "parameters.",
)
QUERY_PARAMETER = _rule(
    *("query-parameter", Severity.ERROR, _BSL),
    "A query is run without a value for one of its parameters.",
    "Running it raises an exception. Set every `&Parameter` of the text with "
    "`УстановитьПараметр`/`SetParameter` first. Only queries are judged whose text stands in one "
    "literal and which do not leave the method.",
)
REDEFINED_UNUSED = _rule(
    *("redefined-unused", Severity.WARNING, _PYTHON),
    "A definition is replaced before anything used it.",
    "The first one has no effect: often a copied test or method whose name was not changed. Rename "
    "or remove one of them.",
)
UNUSED_IMPORT = _rule(
    *("unused-import", Severity.NOTE, _PYTHON),
    "An imported name is not used in the module.",
    "It costs loading time and misleads the reader. Remove it, or list it in `__all__` when it is "
    "re-exported.",
)
UNUSED_VARIABLE = _rule(
    *("unused-variable", Severity.WARNING, _BOTH),
    "A local variable gets a value that is never read.",
    "Either the value was meant to be used, which is a bug, or the assignment can go.",
)
UNUSED_PARAMETER = _rule(
    *("unused-parameter", Severity.NOTE, _BSL),
    "A parameter of an internal method is never used.",
    "Callers pass a value that changes nothing. Use it or remove it from the method and its calls. "
    "Exported methods and event handlers have signatures set by others and are not judged.",
)
UNUSED_METHOD = _rule(
    *("unused-method", Severity.WARNING, _BSL),
    "A method that is not exported is called by nothing in its module.",
    "Nothing else can call it, so it is dead code. Remove it, or export it if others were to call it. "
    "Form and object modules, whose handlers are bound by name, are not judged.",
)
SHADOWED_BUILTIN = _rule(
    *("shadowed-builtin", Severity.NOTE, _PYTHON),
    "A variable or import at module level hides a builtin.",
    "Code below that calls the builtin gets the variable instead. Choose another name.",
)
SHADOWED_IMPORT = _rule(
    *("shadowed-import", Severity.WARNING, _PYTHON),
    "A loop variable replaces an imported name.",
    "After the loop the import is gone. Rename the loop variable.",
)
UNREACHABLE_CODE = _rule(
    *("unreachable-code", Severity.WARNING, _BOTH),
    "Code that can never run.",
    "Every way to it ends before: a return, an exception, a jump, or an endless loop. Remove it, or "
    "move the jump that stands in its way. In BSL a label makes code reachable.",
)
MISSING_RETURN = _rule(
    *("missing-return", Severity.WARNING, _BOTH),
    "A function returns a value on some paths and ends without one on others.",
    "The caller then gets `None`/`Неопределено`. Return a value at the end, or say with an explicit "
    "`return None`/`Возврат Неопределено` that this is meant. Python functions whose annotation "
    "promises a value are warned of, others noted.",
)
SELF_ASSIGNMENT = _rule(
    *("self-assignment", Severity.WARNING, _BOTH),
    "A variable is assigned to itself.",
    "The statement does nothing; usually the other side was to be something else, such as an "
    "attribute or a parameter.",
)
SELF_COMPARISON = _rule(
    *("self-comparison", Severity.WARNING, _BOTH),
    "A value is compared with itself.",
    "The result never changes; one side was meant to be something else. Python's `x != x`, the test "
    "for NaN, is not reported.",
)
REPEATED_OPERAND = _rule(
    *("repeated-operand", Severity.WARNING, _BOTH),
    "The same condition stands on both sides of an and/or.",
    "The second one changes nothing; usually a copy in which a name was not changed.",
)
REPEATED_CONDITION = _rule(
    *("repeated-condition", Severity.WARNING, _BOTH),
    "A branch has the same condition as an earlier one of the same if statement.",
    "It can never be taken. Correct its condition or remove it.",
)
CONSTANT_CONDITION = _rule(
    *("constant-condition", Severity.WARNING, _PYTHON),
    "A condition whose value is always the same.",
    "A tuple in parentheses is always true, as is a string literal in an assert; `x or True` hides "
    "`x`. Write the condition that was meant.",
)
LITERAL_IDENTITY = _rule(
    *("literal-identity", Severity.ERROR, _PYTHON),
    "`is` compares with a literal.",
    "Whether equal literals are one object depends on the interpreter. Compare with `==`.",
)
MUTABLE_DEFAULT = _rule(
    *("mutable-default", Severity.WARNING, _PYTHON),
    "A function changes the list, dict or set that is its parameter's default.",
    "The default is made once, so every later call sees the change. Use `None` and make the value "
    "inside the function.",
)
REPEATED_KEY = _rule(
    *("repeated-key", Severity.WARNING, _PYTHON),
    "A dict, set, class or enumeration literal repeats a key.",
    "Only the last one counts. Remove or correct one of them.",
)
FORMAT_ARGUMENTS = _rule(
    *("format-arguments", Severity.ERROR, _PYTHON),
    "A format string and its arguments do not fit together.",
    "Formatting raises an exception, or drops an argument. Make placeholders and arguments agree.",
)
USELESS_COMPARISON = _rule(
    *("useless-comparison", Severity.WARNING, _PYTHON),
    "A comparison stands as a statement of its own.",
    "Its result is lost: `==` was meant to be `=`, or an `assert` is missing.",
)
LOOP_CAPTURE = _rule(
    *("loop-capture", Severity.NOTE, _PYTHON),
    "A function made in a loop uses the loop's variable.",
    "When it runs after the loop went on it sees the variable's last value. Bind the value as a "
    "default argument.",
)
EXCEPTION_MISUSE = _rule(
    *("exception-misuse", Severity.WARNING, _PYTHON),
    "An exception is raised or handled in a way that cannot work.",
    "A clause that catches nothing or catches twice, an exception made but not raised, a literal "
    "raised. Say which exception is meant and raise it.",
)
EMPTY_HANDLER = _rule(
    *("empty-handler", Severity.NOTE, _BSL),
    "An exception is caught and nothing is done about it.",
    "The error leaves no trace. Write it to the event log, or say in a comment why it may be ignored.",
)
SPECIAL_METHOD = _rule(
    *("special-method", Severity.ERROR, _PYTHON),
    "A special method has a signature or a result that Python does not accept.",
    "The operation it serves raises TypeError. Give it the parameters and the result the data model "
    "asks for.",
)
SUSPICIOUS_CALL = _rule(
    *("suspicious-call", Severity.WARNING, _PYTHON),
    "A call of the standard library that does not do what it seems to.",
    "Such as `str.strip` with several characters, a task that nothing keeps, or `os.environ` "
    "replaced. The message says what happens instead.",
)
NOT_CHECKED = _rule(
    *("not-checked", Severity.NOTE, _PYTHON),
    "A part of the semantic rules could not be applied to a file.",
    "The checker of Python's rules ended unexpectedly or took too long; other rules and other files "
    "are not affected. The message says why.",
)

RULES: tuple[Rule, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Rule)
)
