"""Avro single-object encoding of one schema: ``C3 01``, the CRC-64-AVRO fingerprint of the schema, the record.

As much of Avro as the events and commands need, with nothing but the standard library: the result equals Java's
byte for byte (the golden files of ``schemas`` prove it). Records are dicts; an absent key is null.
"""

from __future__ import annotations

import json
import struct
from importlib.resources import files
from typing import Any, Callable, Dict, List, Tuple

Schema = Any
Write = Callable[[bytearray, Any], None]

_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_DOUBLE = struct.Struct("<d").pack
_READ_DOUBLE = struct.Struct("<d").unpack_from
_MARKER = b"\xc3\x01"
#: Combinations of fields of a record whose absent fields are worked out once.
_MAX_PLANS = 256


class UndecodableError(ValueError):
    """The bytes are not a record of the schema."""


class Codec:
    """Writes and reads records of one schema. Thread-safe: it keeps nothing between calls."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.header = _MARKER + struct.pack("<Q", fingerprint(schema))
        self._named: Dict[str, Schema] = {}
        _index(schema, "", self._named)
        self._writers: Dict[str, Write] = {}
        self._write = self.writer(schema)

    @classmethod
    def of(cls, name: str) -> "Codec":
        """Returns the codec of a schema file that lies beside this module."""
        return cls(json.loads(files(__package__).joinpath(name + ".avsc").read_text("utf-8")))

    def encode(self, record: Dict[str, Any]) -> bytes:
        """Raises TypeError, ValueError or KeyError if the record does not fit the schema."""
        out = bytearray(self.header)
        self._write(out, record)
        return bytes(out)

    def decode(self, data: bytes) -> Dict[str, Any]:
        """Raises UndecodableError if the bytes were not written with this schema."""
        if data[:10] != self.header:
            raise UndecodableError("%d bytes do not begin with the header of %s" % (len(data), self.schema["name"]))
        try:
            record, end = self._read(self.schema, data, 10)
        except (IndexError, struct.error, UnicodeDecodeError) as e:
            raise UndecodableError("%d bytes break off or make no %s" % (len(data), self.schema["name"])) from e
        if end != len(data):
            raise UndecodableError("bytes are left over behind the %s" % self.schema["name"])
        return dict(record)

    def resolve(self, schema: Schema) -> Schema:
        """Returns the definition of a schema that may be given by its name, or a primitive's name."""
        if isinstance(schema, str):
            return schema if schema in _PRIMITIVES else self._named[schema.rsplit(".", 1)[-1]]
        if isinstance(schema, dict) and schema["type"] in _PRIMITIVES:
            return schema["type"]
        return schema

    def writer(self, schema: Schema) -> Write:
        """Returns what appends a value of the schema."""
        schema = self.resolve(schema)
        if isinstance(schema, str):
            return _WRITERS[schema]
        if isinstance(schema, list):
            return self._union_writer(schema)
        kind = schema["type"]
        if kind == "record":
            if schema["name"] not in self._writers:
                self._writers[schema["name"]] = self._record_writer(schema)
            return self._writers[schema["name"]]
        if kind == "enum":
            return _enum_writer(schema["symbols"])
        if kind == "array":
            return _array_writer(self.writer(schema["items"]))
        return _map_writer(self.writer(schema["values"]))

    def _record_writer(self, schema: Schema) -> Write:
        fields: List[Tuple[str, bool, Write]] = []
        for field in schema["fields"]:
            optional = is_optional(field["type"])
            fields.append((field["name"], optional, self.writer(field["type"][1] if optional else field["type"])))

        plans: Dict[Tuple[str, ...], Tuple[List[Tuple[bytes, str, Write]], bytes]] = {}

        def plan(names: Tuple[str, ...]) -> Tuple[List[Tuple[bytes, str, Write]], bytes]:
            parts, between = [], b""
            for name, optional, write_field in fields:
                if name in names:
                    parts.append((between + b"\2" if optional else between, name, write_field))
                    between = b""
                elif optional:
                    between += b"\0"
                else:
                    raise KeyError(name)
            return parts, between

        def write(out: bytearray, value: Any) -> None:
            if None in value.values():
                value = {name: item for name, item in value.items() if item is not None}
            names = tuple(value)
            planned = plans.get(names)
            if planned is None:
                planned = plan(names)
                if len(plans) < _MAX_PLANS:
                    plans[names] = planned
            parts, rest = planned
            for before, name, write_field in parts:
                out += before
                write_field(out, value[name])
            out += rest

        return write

    def _union_writer(self, branches: List[Schema]) -> Write:
        """A union of records: its value is (name of the record, record)."""
        by_name = {self.resolve(branch)["name"]: (index, self.writer(branch)) for index, branch in enumerate(branches)}

        def write(out: bytearray, value: Any) -> None:
            index, write_branch = by_name[value[0]]
            write_long(out, index)
            write_branch(out, value[1])

        return write

    def _read(self, schema: Schema, data: bytes, at: int) -> Tuple[Any, int]:
        schema = self.resolve(schema)
        if isinstance(schema, str):
            return _read_primitive(schema, data, at)
        if isinstance(schema, list):
            index, at = _read_long(data, at)
            branch = self.resolve(schema[index])
            value, at = self._read(branch, data, at)
            named = not is_optional(schema) and isinstance(branch, dict)
            return ((branch["name"], value) if named else value), at
        kind = schema["type"]
        if kind == "record":
            record = {}
            for field in schema["fields"]:
                value, at = self._read(field["type"], data, at)
                if value is not None:
                    record[field["name"]] = value
            return record, at
        if kind == "enum":
            index, at = _read_long(data, at)
            return schema["symbols"][index], at
        items: List[Any] = []
        entries: Dict[str, Any] = {}
        while True:
            count, at = _read_long(data, at)
            if count == 0:
                return (items if kind == "array" else entries), at
            if count < 0:
                count = -count
                _, at = _read_long(data, at)
            for _ in range(count):
                if kind == "array":
                    value, at = self._read(schema["items"], data, at)
                    items.append(value)
                else:
                    key, at = _read_primitive("string", data, at)
                    entries[key], at = self._read(schema["values"], data, at)


def is_optional(schema: Schema) -> bool:
    """Whether the schema is a union of null and one other."""
    return isinstance(schema, list) and len(schema) == 2 and schema[0] == "null"


def write_long(out: bytearray, value: int) -> None:
    """Appends an int or a long: zig-zag, 7 bits a byte."""
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("%d does not fit 64 bits" % value)
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)


def write_string(out: bytearray, value: str) -> None:
    """Appends a text; what is no Unicode (a lone surrogate) becomes a question mark."""
    data = value.encode("utf-8", "replace")
    write_long(out, len(data))
    out += data


def _write_double(out: bytearray, value: float) -> None:
    # Java writes every NaN with the same bits.
    out += _DOUBLE(value) if value == value else b"\0\0\0\0\0\0\xf8\x7f"


def _write_boolean(out: bytearray, value: bool) -> None:
    out.append(1 if value else 0)


def _write_bytes(out: bytearray, value: bytes) -> None:
    write_long(out, len(value))
    out += value


_WRITERS: Dict[str, Write] = {
    "int": write_long,
    "long": write_long,
    "double": _write_double,
    "boolean": _write_boolean,
    "bytes": _write_bytes,
    "string": write_string,
}


def _enum_writer(symbols: List[str]) -> Write:
    indices = {symbol: index for index, symbol in enumerate(symbols)}
    return lambda out, value: write_long(out, indices[value])


def _array_writer(write_item: Write) -> Write:
    def write(out: bytearray, value: Any) -> None:
        if value:
            write_long(out, len(value))
            for item in value:
                write_item(out, item)
        out.append(0)

    return write


def _map_writer(write_value: Write) -> Write:
    def write(out: bytearray, value: Any) -> None:
        if value:
            write_long(out, len(value))
            for key, item in value.items():
                write_string(out, key)
                write_value(out, item)
        out.append(0)

    return write


def _read_long(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _read_primitive(kind: str, data: bytes, at: int) -> Tuple[Any, int]:
    if kind == "null":
        return None, at
    if kind == "boolean":
        return data[at] != 0, at + 1
    if kind == "double":
        return _READ_DOUBLE(data, at)[0], at + 8
    value, at = _read_long(data, at)
    if kind in ("int", "long"):
        return value, at
    if value < 0 or at + value > len(data):
        raise IndexError(value)
    chunk = data[at : at + value]
    return (chunk.decode("utf-8") if kind == "string" else chunk), at + value


def _index(schema: Schema, namespace: str, named: Dict[str, Schema]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _index(branch, namespace, named)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum"):
            named[schema["name"]] = schema
        for field in schema.get("fields", ()):
            _index(field["type"], namespace, named)
        for part in ("items", "values"):
            if part in schema:
                _index(schema[part], namespace, named)


def canonical(schema: Schema, namespace: str = "") -> str:
    """Returns the parsing canonical form of the Avro specification."""
    if isinstance(schema, str):
        full = schema if schema in _PRIMITIVES or "." in schema or not namespace else namespace + "." + schema
        return json.dumps(full)
    if isinstance(schema, list):
        return "[" + ",".join(canonical(branch, namespace) for branch in schema) + "]"
    kind = schema["type"]
    if kind in _PRIMITIVES:
        return json.dumps(kind)
    if kind == "array":
        return '{"type":"array","items":' + canonical(schema["items"], namespace) + "}"
    if kind == "map":
        return '{"type":"map","values":' + canonical(schema["values"], namespace) + "}"
    namespace = schema.get("namespace", namespace)
    head = '{"name":' + json.dumps(namespace + "." + schema["name"] if namespace else schema["name"])
    if kind == "enum":
        return head + ',"type":"enum","symbols":' + json.dumps(schema["symbols"], separators=(",", ":")) + "}"
    fields = ",".join(
        '{"name":' + json.dumps(field["name"]) + ',"type":' + canonical(field["type"], namespace) + "}"
        for field in schema["fields"]
    )
    return head + ',"type":"record","fields":[' + fields + "]}"


def fingerprint(schema: Schema) -> int:
    """Returns the CRC-64-AVRO fingerprint of a schema."""
    empty = 0xC15D213AA4D7A795
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (empty if value & 1 else 0)
        table.append(value)
    crc = empty
    for byte in canonical(schema).encode("utf-8"):
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc
