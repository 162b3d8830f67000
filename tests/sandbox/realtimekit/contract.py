"""RealtimeKit's published contract, which requests and responses are checked against.

contract.json is Cloudflare's OpenAPI description of the operations, without its prose.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker, ValidationError


class BadRequestError(Exception):
    """The request breaks the contract. The message says where and how."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a path or a query."""

    type: str | None
    may_be_empty: bool
    validator: Draft202012Validator


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the contract, with the validators of its requests and responses."""

    operation_id: str
    method: str
    path: re.Pattern[str]
    path_parameters: Mapping[str, Parameter]
    query_parameters: Mapping[str, Parameter]
    body: Draft202012Validator | None
    known_in_body: frozenset[str]
    responses: Mapping[int, Draft202012Validator]
    other_responses: Draft202012Validator

    def parse(
        self, path: Mapping[str, str], query: Iterable[tuple[str, str]], body: Any
    ) -> "ApiRequest":
        """Return a request with typed values. Raises BadRequestError if it breaks the contract.

        The contract does not forbid query parameters and body properties that it does not name, or
        parameters that are given twice. They are mistakes, so this raises for them, too.
        """
        for name, text in path.items():
            _validate(name, text, self.path_parameters[name].validator)
        if self.body is not None:
            _validate("body", body, self.body)
            _refuse_unknown(body, self.known_in_body)
        return ApiRequest(path, self._query(query), body if self.body is not None else {})

    def response_error(self, status: int, response: Any) -> str | None:
        """Return how a response breaks the contract, or None.

        With a status that the contract does not declare it must have the common form of errors.
        """
        validator = self.responses.get(status, self.other_responses)
        for error in validator.iter_errors(response):
            return f"{self.operation_id} {status} {error.json_path}: {error.message}"
        return None

    def _query(self, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in query:
            parameter = self.query_parameters.get(name)
            if parameter is None:
                raise BadRequestError(f'"{name}" is not allowed')
            if name in values:
                raise BadRequestError(f'"{name}" is given twice')
            if text or not parameter.may_be_empty:
                values[name] = _typed(text, parameter.type)
                _validate(name, values[name], parameter.validator)
        return values


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that keeps to the contract: the values of its path, query and body."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]


class Contract:
    """The operations of the contract, by path and method."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._formats = _formats()
        self._routes = [
            self._route(path, item, method)
            for path, item in document["paths"].items()
            for method in item.keys() - {"parameters"}
        ]

    @classmethod
    @cache
    def published(cls) -> "Contract":
        """Return the contract in contract.json."""
        text = resources.files(__package__).joinpath("contract.json").read_text("utf-8")
        return cls(json.loads(text))

    def routes_at(self, raw_path: str) -> dict[str, tuple[Route, dict[str, str]]]:
        """Return, by method, the operations of a path, each with the values in the path."""
        matches = ((route, route.path.fullmatch(raw_path)) for route in self._routes)
        return {
            route.method: (route, {key: unquote(text) for key, text in match.groupdict().items()})
            for route, match in matches
            if match
        }

    def _route(self, path: str, item: Mapping[str, Any], method: str) -> Route:
        operation = item[method]
        stated = [*item.get("parameters", ()), *operation.get("parameters", ())]
        parameters = [self._resolve(parameter) for parameter in stated]
        body = self._schema(operation["requestBody"]) if "requestBody" in operation else None
        return Route(
            operation_id=operation["operationId"],
            method=method.upper(),
            path=re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)),
            path_parameters=self._parameters(parameters, "path"),
            query_parameters=self._parameters(parameters, "query"),
            body=None if body is None else self._validator(body),
            known_in_body=frozenset(() if body is None else body["properties"]),
            responses={
                int(status): self._validator(self._schema(response))
                for status, response in operation["responses"].items()
            },
            other_responses=self._validator(
                self._document["components"]["schemas"]["realtimekit_ErrorResponse"]
            ),
        )

    def _parameters(self, parameters: list[Any], location: str) -> dict[str, Parameter]:
        return {
            parameter["name"]: Parameter(
                type=parameter["schema"].get("type"),
                may_be_empty=parameter.get("allowEmptyValue", False),
                validator=self._validator(parameter["schema"]),
            )
            for parameter in parameters
            if parameter["in"] == location
        }

    def _schema(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        content = self._resolve(node)["content"]["application/json"]
        return self._resolve(content.get("schema", {}))

    def _validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        # The schema refers to "#/components/…", so it must contain the components.
        whole = {**schema, "components": self._document["components"]}
        return Draft202012Validator(whole, format_checker=self._formats)

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node


def _validate(name: str, value: Any, validator: Draft202012Validator) -> None:
    for error in validator.iter_errors(value):
        where = ".".join([name, *(str(step) for step in error.absolute_path)])
        raise BadRequestError(f'"{where}" {_complaint(error)}')


def _refuse_unknown(body: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in sorted(body.keys() - known):
        raise BadRequestError(f'"{name}" is not allowed')


def _complaint(error: ValidationError) -> str:
    if error.validator == "format":
        return f"must be a valid {error.validator_value}"
    return f"is invalid: {error.message}"


def _typed(text: str, schema_type: str | None) -> Any:
    """Convert a query value to its type. Another value stays text, which the validator refuses."""
    if schema_type in {"integer", "number"} and re.fullmatch(r"-?\d+", text, re.ASCII):
        return int(text)
    if schema_type == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _formats() -> FormatChecker:
    # jsonschema checks date-time only if another package is installed.
    checker = FormatChecker(formats=())
    checker.checks("uuid", raises=ValueError)(_is_uuid)
    checker.checks("date-time", raises=ValueError)(_is_date_time)
    return checker


def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value.lower()


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
