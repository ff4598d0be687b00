"""GraphQL as Atom speaks it: its order, its partial answers and its words for what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Undefined,
    build_schema,
    get_named_type,
    parse,
    type_from_ast,
    validate,
    value_from_ast_untyped,
)
from graphql.execution.values import get_argument_values

SCHEMA: Final = build_schema((Path(__file__).parent / "schema.graphql").read_text())
MAX_COMPLEXITY: Final = 1000
WORDS: Final = (
    (r"Cannot query field '(\w+)' on type '(\w+)'.*", r'Unknown field "\1" on type "\2".'),
    (
        r"Unknown argument '(\w+)' on field '(\w+)\.(\w+)'.*",
        r'Unknown argument "\1" on field "\3" of type "\2".',
    ),
)
"""How the library says what Atom says in other words."""


class AtomError(Exception):
    """What Atom answers for one operation."""


class Refused(Exception):
    """What Atom answers before anything of a document runs."""


Resolve = Callable[[str, Mapping[str, Any]], Any]


def execute(body: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
    """Run a document; ``resolve`` answers one operation, by its name and arguments."""
    try:
        operation = _operation(body)
        variables = body.get("variables") or {}
        root = SCHEMA.mutation_type if operation.operation.value == "mutation" else None
        root = root or SCHEMA.query_type
        assert root
        _check_variables(operation, variables)
    except Refused as error:
        return {"data": None, "errors": [{"message": str(error)}]}
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for node in operation.selection_set.selections:
        assert isinstance(node, FieldNode)
        alias = (node.alias or node.name).value
        try:
            data[alias] = _answer(root, node, variables, resolve)
        except AtomError as error:
            errors.append({"message": str(error), "path": [alias]})
    answer: dict[str, Any] = {"data": data or None}
    return answer | {"errors": errors} if errors else answer


def _operation(body: Mapping[str, Any]) -> OperationDefinitionNode:
    try:
        document = parse(str(body.get("query", "")))
    except GraphQLSyntaxError as error:
        raise Refused(f" --> 1:1\n  = {error.message}") from error
    operations = [
        each for each in document.definitions if isinstance(each, OperationDefinitionNode)
    ]
    if len(operations) != 1:
        raise Refused("Operation name required in request.")
    for problem in validate(SCHEMA, document):
        if "is not defined" not in problem.message and "is required" not in problem.message:
            raise Refused(_said(problem.message))
    if _complexity(document) > MAX_COMPLEXITY:
        raise Refused("Query is too complex.")
    return operations[0]


def _said(message: str) -> str:
    for pattern, words in WORDS:
        if re.fullmatch(pattern, message, re.DOTALL):
            return re.sub(pattern, words, message, flags=re.DOTALL)
    return message


def _complexity(node: Any) -> int:
    if isinstance(node, DocumentNode):
        return sum(_complexity(each) for each in node.definitions)
    selections = node.selection_set.selections if node.selection_set else ()
    inner = sum(_complexity(each) for each in selections)
    return inner + (1 if isinstance(node, FieldNode) else 0)


def _check_variables(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> None:
    names = _argument_names(operation)
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        kind = type_from_ast(SCHEMA, definition.type)
        _check(kind, variables.get(name), names.get(name, name))


def _argument_names(operation: OperationDefinitionNode) -> dict[str, str]:
    found = {}
    for node in operation.selection_set.selections:
        for argument in getattr(node, "arguments", None) or ():
            if variable := getattr(argument.value, "name", None):
                found[variable.value] = argument.name.value
    return found


def _check(kind: Any, value: Any, place: str) -> None:
    if isinstance(kind, GraphQLNonNull):
        _check(kind.of_type, value, place)
    elif value is None:
        return
    elif isinstance(kind, GraphQLList) and isinstance(value, list):
        for each in value:
            _check(kind.of_type, each, place)
    elif isinstance(kind, GraphQLEnumType) and value not in kind.values:
        raise Refused(
            f'Invalid value for argument "{place}", enumeration type "{kind.name}" does not '
            f'contain the value "{value}"'
        )
    elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        for name in value:
            if name not in kind.fields:
                raise Refused(
                    f'Invalid value for argument "{place}", unknown field "{name}" of type '
                    f'"{kind.name}"'
                )
        for name, field in kind.fields.items():
            needed = isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined
            if needed and value.get(name) is None:
                raise Refused(
                    f'Invalid value for argument "{place}", field "{name}" of type '
                    f'"{field.type}" is required but not provided'
                )
            _check(field.type, value.get(name), f"{place}.{name}")


def _answer(
    root: GraphQLObjectType, node: FieldNode, variables: Mapping[str, Any], resolve: Resolve
) -> Any:
    name = node.name.value
    if name == "__typename":
        return root.name
    field = root.fields[name]
    for argument in node.arguments or ():
        variable = getattr(argument.value, "name", None)
        needed = isinstance(field.args[argument.name.value].type, GraphQLNonNull)
        if variable and needed and variable.value not in variables:
            raise AtomError(f"Variable {variable.value} is not defined.")
    try:
        arguments = get_argument_values(field, node, dict(variables))
    except GraphQLError:
        arguments = {
            argument.name.value: value_from_ast_untyped(argument.value, dict(variables))
            for argument in node.arguments or ()
        }
    return _selected(field.type, node, resolve(name, arguments))


def _selected(kind: Any, node: FieldNode, value: Any) -> Any:
    if value is None or node.selection_set is None:
        return value
    if isinstance(value, list):
        return [_selected(kind, node, each) for each in value]
    named = get_named_type(kind)
    assert isinstance(named, GraphQLObjectType)
    answer = {}
    for inner in node.selection_set.selections:
        assert isinstance(inner, FieldNode)
        name = inner.name.value
        found = _selected(named.fields[name].type, inner, value.get(name))
        answer[(inner.alias or inner.name).value] = found
    return answer
