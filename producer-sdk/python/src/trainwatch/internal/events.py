"""Events as the schema has them: what a body may hold, what it is worth, its bytes and its JSON form."""

from __future__ import annotations

import base64
import difflib
import json
import math
import operator
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from trainwatch.internal.avro import Codec, Schema, is_optional

#: Bounds on what one event may carry, the same as in the Java SDK. What is beyond is cut.
MAX_NAMES = 1_000
MAX_NAME_LENGTH = 256
MAX_ITEMS = 10_000
MAX_TEXT_LENGTH = 4_096
#: A broker takes 1 MiB by default, and its batch has a frame.
MAX_EVENT_BYTES = 1_000_000

#: What an event is worth when something must be given up: the oldest of the lowest goes first.
ROUTINE, NOTABLE, ALARMING, BOUNDARY = range(4)

_ROUTINE_TYPES = frozenset(
    {"heartbeat", "tensor_stats", "batch_stats", "prediction_stats", "step_profile", "rank_fingerprint"}
)

Body = Dict[str, Any]


class Trouble:
    """Collects what was wrong with a body: one text per thing, for the log."""

    def __init__(self) -> None:
        self.texts: List[str] = []
        self.cut = 0

    def add(self, where: str, value: object, allowed: str) -> None:
        """Notes a value that is left out."""
        self.texts.append("%s is %s, but must be %s" % (where, shown(value), allowed))


class _Unfit(Exception):
    """A value that the schema cannot hold; its message says what it must be."""


_LEFT_OUT = object()

Shape = Callable[[Any, str, Trouble], Any]


class EventTypes:
    """The vocabulary of the schema."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._shapes: Dict[str, Shape] = {}
        self.names: Dict[str, str] = {}
        self._bodies: Dict[str, Shape] = {}
        body = next(field for field in codec.schema["fields"] if field["name"] == "body")
        for branch in body["type"]:
            record = codec.resolve(branch)
            event_type = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", record["name"]).lower()
            self.names[event_type] = record["name"]
            self._bodies[event_type] = self._shape(record)
        self._order = [field["name"] for field in codec.schema["fields"] if field["name"] != "body"]

    def fit(self, event_type: str, body: Body, trouble: Trouble) -> Optional[Body]:
        """Returns a copy of the body that the schema can hold; None if a field is missing that must be there."""
        fitted = self._bodies[event_type](body, event_type, trouble)
        return None if fitted is _LEFT_OUT else fitted

    def encode(self, envelope: Dict[str, Any], event_type: str, body: Body) -> bytes:
        """Returns the single-object encoding of a fitted event."""
        record = dict(envelope)
        record["body"] = (self.names[event_type], body)
        return self.codec.encode(record)

    def json_line(self, envelope: Dict[str, Any], event_type: str, body: Body) -> bytes:
        """Returns a fitted event as one line of the JSON form, with its end."""
        event: Dict[str, Any] = {"event_type": event_type}
        for name in self._order:
            if envelope.get(name) is not None:
                event[name] = envelope[name]
        event.update(_json_value(body))
        return (json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n").encode("utf-8", "replace")

    def _shape(self, schema: Schema) -> Shape:
        schema = self.codec.resolve(schema)
        if isinstance(schema, str):
            return _PRIMITIVE_SHAPES[schema]
        kind = schema["type"]
        if kind == "record":
            if schema["name"] not in self._shapes:
                self._shapes[schema["name"]] = self._record_shape(schema)
            return self._shapes[schema["name"]]
        if kind == "enum":
            return _enum_shape(schema["symbols"])
        if kind == "array":
            return _array_shape(self._shape(schema["items"]))
        return _map_shape(self._shape(schema["values"]))

    def _record_shape(self, schema: Schema) -> Shape:
        fields: Dict[str, Shape] = {}
        required = []
        for field in schema["fields"]:
            optional = is_optional(field["type"])
            fields[field["name"]] = self._shape(field["type"][1] if optional else field["type"])
            if not optional:
                required.append(field["name"])

        def fit(value: Any, where: str, trouble: Trouble) -> Any:
            try:
                items = value.items()
            except AttributeError:
                raise _Unfit("a dict of the fields of " + schema["name"]) from None
            fitted = {}
            for name, item in items:
                if item is None:
                    continue
                shape = fields.get(name)
                if shape is None:
                    close = difflib.get_close_matches(str(name), fields, 1)
                    trouble.texts.append(
                        "%s has no field %s%s" % (where, shown(name), "; is %s meant?" % close[0] if close else "")
                    )
                    continue
                try:
                    item = shape(item, name, trouble)
                except Exception as e:  # a tensor may fail in its own ways
                    trouble.add("%s of %s" % (name, where), item, _allowed(e))
                    continue
                if item is not _LEFT_OUT:
                    fitted[name] = item
            for name in required:
                if name not in fitted:
                    trouble.texts.append("%s lacks its %s and is left out" % (where, name))
                    return _LEFT_OUT
            return fitted

        return fit


def _allowed(error: Exception) -> str:
    return str(error) if isinstance(error, _Unfit) else "readable (%s: %s)" % (type(error).__name__, first_line(error))


def _double(value: Any, where: str, trouble: Trouble) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (str, bytes)):
        raise _Unfit("a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise _Unfit("one number") from None
    except OverflowError:
        return math.inf


def _whole(value: Any, bits: int) -> int:
    try:
        whole = operator.index(value)
    except TypeError:
        if isinstance(value, (str, bytes)):
            raise _Unfit("a whole number") from None
        number = float(value)
        if not number.is_integer():
            raise _Unfit("a whole number") from None
        whole = int(number)
    if not -(1 << bits) <= whole < 1 << bits:
        raise _Unfit("within %d bits" % (bits + 1))
    return whole


def _string(value: Any, where: str, trouble: Trouble) -> str:
    text = value if type(value) is str else str(value)
    if len(text) > MAX_TEXT_LENGTH:
        trouble.cut += 1
        return text[:MAX_TEXT_LENGTH]
    return text


def _bytes(value: Any, where: str, trouble: Trouble) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _Unfit("bytes")
    return bytes(value)


_PRIMITIVE_SHAPES: Dict[str, Shape] = {
    "double": _double,
    "int": lambda value, where, trouble: _whole(value, 31),
    "long": lambda value, where, trouble: _whole(value, 63),
    "boolean": lambda value, where, trouble: bool(value),
    "string": _string,
    "bytes": _bytes,
}


def _enum_shape(symbols: List[str]) -> Shape:
    def fit(value: Any, where: str, trouble: Trouble) -> str:
        if value not in symbols:
            raise _Unfit("one of " + " ".join(symbols))
        return str(value)

    return fit


def _array_shape(shape: Shape) -> Shape:
    def fit(value: Any, where: str, trouble: Trouble) -> List[Any]:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise _Unfit("a list")
        fitted = []
        for index, item in enumerate(value):
            if index == MAX_ITEMS:
                trouble.cut += 1
                break
            try:
                item = shape(item, where, trouble)
            except Exception as e:
                trouble.add("%s[%d]" % (where, index), item, _allowed(e))
                continue
            if item is not _LEFT_OUT:
                fitted.append(item)
        return fitted

    return fit


def _map_shape(shape: Shape) -> Shape:
    def fit(value: Any, where: str, trouble: Trouble) -> Dict[str, Any]:
        try:
            items = value.items()
        except AttributeError:
            raise _Unfit("a dict by name") from None
        fitted: Dict[str, Any] = {}
        for key, item in items:
            if len(fitted) == MAX_NAMES:
                trouble.cut += 1
                break
            name = key if type(key) is str else str(key)
            if len(name) > MAX_NAME_LENGTH:
                trouble.cut += 1
                name = name[:MAX_NAME_LENGTH]
            if item is None:
                trouble.cut += 1
                continue
            try:
                item = shape(item, where, trouble)
            except Exception as e:
                trouble.add("%s[%s]" % (where, shown(name)), item, _allowed(e))
                continue
            if item is not _LEFT_OUT:
                fitted[name] = item
        return fitted

    return fit


def importance_of(event_type: str, body: Body) -> int:
    """Returns what a fitted event is worth."""
    if event_type == "step_completed":
        alarming = not_finite(body.get("loss")) or not_finite(body.get("grad_norm")) or body.get("nonfinite_count")
        return ALARMING if alarming else ROUTINE
    if event_type in ("run_started", "run_finished"):
        return BOUNDARY
    return ROUTINE if event_type in _ROUTINE_TYPES else NOTABLE


def not_finite(value: object) -> bool:
    """Whether the value is a float that is NaN or infinite."""
    return type(value) is float and value - value != 0.0


def shown(value: object, longest: int = 64) -> str:
    """Returns a value as it may stand in a log: one line, bounded."""
    try:
        text = repr(value) if isinstance(value, (str, bytes, int, float, bool)) else type(value).__name__
    except Exception:
        text = type(value).__name__
    return text if len(text) <= longest else text[:longest] + "..."


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, at most MAX_TEXT_LENGTH characters."""
    try:
        return (str(error).splitlines() or [""])[0][:MAX_TEXT_LENGTH]
    except Exception as e:
        return "(its message cannot be read: %s)" % type(e).__name__


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0.0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


def envelope_step(step: Any) -> Optional[int]:
    """Returns the step as the envelope holds it; raises ValueError if it is none."""
    if step is None:
        return None
    try:
        whole = _whole(step, 63)
    except _Unfit as e:
        raise ValueError("step is %s, but must be %s" % (shown(step), e)) from None
    if whole < 0:
        raise ValueError("step is %d, but must be at least 0" % whole)
    return whole


Envelope = Tuple[Tuple[str, Any], ...]
