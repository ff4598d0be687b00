"""Go's text/template in pure Python: the same language, the same output, the same errors, bounded.

    template = Template.parse("{{ range .Vars.list }}{{ . }} {{ end }}")
    template.render({"Vars": {"list": [1, 2.5, "x"]}})  # "1 2.5 x "

The stages import leftward only: items, lexer, nodes, parser, values, funcs, interp, template.
"""

from bootstrap_core.gotemplate.errors import (
    ExecError,
    ExecLimitExceeded,
    FunctionError,
    LimitExceeded,
    ParseError,
    ParseLimitExceeded,
    TemplateError,
)
from bootstrap_core.gotemplate.limits import Limits
from bootstrap_core.gotemplate.template import Template
from bootstrap_core.gotemplate.values import NIL_MAP, Struct, StructMap

__all__ = [
    "NIL_MAP",
    "ExecError",
    "ExecLimitExceeded",
    "FunctionError",
    "LimitExceeded",
    "Limits",
    "ParseError",
    "ParseLimitExceeded",
    "Struct",
    "StructMap",
    "Template",
    "TemplateError",
]
