"""The table as an OpenRPC document and as help texts.

Owns: both forms. Must not know: sockets. Source: https://spec.open-rpc.org, version 1.3.2.
"""

import functools
from typing import Any

import msgspec

import swapd
from swapd.api import calls
from swapd.api.errors import ERRORS, ErrorName
from swapd.api.table import API_VERSION, METHODS, Method
from swapd.control.validation import find_method

OPENRPC_VERSION = "1.3.2"
_REF = "#/components/schemas/{name}"


@functools.cache
def document() -> calls.OpenRpcDocument:
    """The whole interface; the same for every daemon of this version."""
    schemas = components()
    return calls.OpenRpcDocument(
        openrpc=OPENRPC_VERSION,
        info={
            "title": "swapd",
            "version": swapd.BUILD,
            "x-api-version": API_VERSION,
            "description": "Control interface of swapd: newline-framed JSON-RPC 2.0 on a unix "
            "socket, named parameters only.",
        },
        methods=tuple(_method(m, schemas) for m in METHODS.values()),
        components={
            "schemas": schemas,
            "errors": {name.value: _error(name) for name in ErrorName},
        },
    )


def _method(method: Method, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = schemas[method.params.__name__]
    required = set(schema.get("required", ()))
    return {
        "name": method.name,
        "summary": method.summary,
        "description": method.description,
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": field}
            for name, field in schema["properties"].items()
        ],
        "result": {
            "name": method.result.__name__,
            "schema": {"$ref": _REF.format(name=method.result.__name__)},
        },
        "errors": [{"$ref": f"#/components/errors/{name.value}"} for name in method.all_errors],
        "x-mutating": method.mutating,
        "x-paged": method.paged,
        "x-cli": method.cli,
    }


def _error(name: ErrorName) -> dict[str, Any]:
    info = ERRORS[name]
    data = {"name": name.value, "retryable": info.retryable, "remedy": info.remedy}
    return {"code": info.code, "message": name.value.replace("_", " "), "data": data}


def help_of(name: str | None) -> calls.HelpResult:
    """One method, or all. Raises ApiError method_not_found."""
    rows = METHODS.values() if name is None else (find_method(name),)
    return calls.HelpResult(methods=tuple(_help(row) for row in rows))


def _help(method: Method) -> calls.MethodHelp:
    return calls.MethodHelp(
        name=method.name,
        summary=method.summary,
        description=method.description,
        mutating=method.mutating,
        paged=method.paged,
        parameters=tuple(parameters(method)),
        errors=tuple(name.value for name in method.all_errors),
        cli=method.cli,
    )


def parameters(method: Method) -> list[str]:
    """Lines `name (type, required): description`."""
    schema = components()[method.params.__name__]
    required = set(schema.get("required", ()))
    lines = []
    for name, field in schema["properties"].items():
        need = "required" if name in required else _default(field)
        about = describe(field)
        lines.append(f"{name} ({type_name(field)}, {need})" + (f": {about}" if about else ""))
    return lines


@functools.cache
def components() -> dict[str, dict[str, Any]]:
    """The JSON schema of every parameter, result and notification, by name."""
    kinds = [kind for m in METHODS.values() for kind in (m.params, m.result)]
    kinds += [calls.EventNotice, calls.ResyncNotice]
    return msgspec.json.schema_components(kinds, ref_template=_REF)[1]


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "optional" if default is None else f"default {msgspec.json.encode(default).decode()}"


def describe(field: dict[str, Any]) -> str:
    """What a field's schema says about it."""
    own = field.get("description")
    if own:
        return str(own)
    return next((d for d in map(describe, field.get("anyOf", ())) if d), "")


def type_name(field: dict[str, Any]) -> str:
    """A field's type in a word or two."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        names = [type_name(f) for f in field["anyOf"] if f.get("type") != "null"]
        return " or ".join(dict.fromkeys(names))
    if "enum" in field:
        return " | ".join(f'"{v}"' for v in field["enum"])
    if field.get("type") == "array":
        items = field.get("items") or {}
        return f"list of {type_name(items)}" if items else "list"
    return str(field.get("type", "any"))
