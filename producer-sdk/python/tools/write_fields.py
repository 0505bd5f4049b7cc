"""Prints src/trainwatch/fields.py: the fields of every event, from the schema. Run it when the schema has changed:

python tools/write_fields.py > src/trainwatch/fields.py
"""

import json
import textwrap
from pathlib import Path

SCHEMA = Path(__file__).parent.parent / "src" / "trainwatch" / "internal" / "TrainingEvent.avsc"

#: Keyword arguments of methods that are no fields of the body, or are arguments of their own.
DETAILS = {
    "StepDetails": ("StepCompleted", ("loss", "grad_norm", "learning_rate", "metrics"), True),
    "EvaluationDetails": ("EvaluationCompleted", ("metrics",), True),
    "CheckpointSavedDetails": ("CheckpointSaved", ("path",), False),
    "CheckpointLoadedDetails": ("CheckpointLoaded", ("path",), False),
}

HEAD = '''"""The fields of every event, with units and ranges. Written by tools/write_fields.py from the schema of the events."""

from __future__ import annotations

from typing import Any, Dict, List, TypedDict

#: A number, or a tensor or array that holds one.
Number = Any
'''


def main():
    """Prints the module."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    records = {}
    collect(schema, records)
    del records["TrainingEvent"]
    text = [HEAD]
    for record in records.values():
        text.append(shown(record["name"], record["doc"], record["fields"]))
    for name, (record, without, with_epoch) in DETAILS.items():
        rest = [field for field in records[record]["fields"] if field["name"] not in without]
        if with_epoch:
            rest += [field for field in schema["fields"] if field["name"] == "epoch"]
        text.append(shown(name, "What can be said beside the arguments of the method.", rest))
    print("\n".join(text), end="")


def collect(schema, records):
    """Finds every record, those it uses first."""
    if isinstance(schema, list):
        for branch in schema:
            collect(branch, records)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            collect(field["type"], records)
        for part in ("items", "values"):
            collect(schema.get(part), records)
        if schema["type"] == "record":
            records[schema["name"]] = schema


def shown(name, doc, fields):
    """Returns one record."""
    lines = ["", "class %s(TypedDict, total=False):" % name, wrapped('    """' + doc + '"""', "    "), ""]
    for field in fields:
        lines += [wrapped("    #: " + field["doc"], "    #: "), "    %s: %s" % (field["name"], kind(field["type"]))]
    return "\n".join(lines) + "\n"


def wrapped(text, indent):
    """Breaks a line at 120 characters."""
    return "\n".join(textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False))


def kind(schema):
    """Returns the type of a field as Python writes it."""
    if isinstance(schema, list):
        return kind(schema[1])
    if isinstance(schema, str):
        return {"boolean": "bool", "string": "str", "bytes": "bytes"}.get(
            schema, "Number" if schema.islower() else schema
        )
    if schema["type"] == "map":
        return "Dict[str, %s]" % kind(schema["values"])
    if schema["type"] == "array":
        return "List[%s]" % kind(schema["items"])
    if schema["type"] == "enum":
        return "str"
    return schema["name"] if schema["type"] == "record" else kind(schema["type"])


main()
