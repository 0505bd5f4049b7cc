"""Python and Java write the same bytes: the golden files are shared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trainwatch.internal.avro import Codec, UndecodableError, fingerprint
from trainwatch.internal.events import EventTypes, Trouble

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "schemas" / "src" / "main" / "resources" / "released"
GOLDEN = ROOT / "schemas" / "src" / "test" / "resources" / "golden"


def newest(name):
    """Returns the newest released version of a schema."""
    return max(RELEASED.glob(name + "-v*.avsc"), key=lambda path: int(path.stem.rsplit("v", 1)[1]))


def golden():
    """Yields (JSON form, bytes) of the newest version."""
    stem = newest("TrainingEvent").stem
    lines = (GOLDEN / (stem + ".jsonl")).read_text("utf-8").splitlines()
    return list(zip(lines, (GOLDEN / (stem + ".hex")).read_text("ascii").split()))


def parsed(line):
    """Returns (envelope, event type, body) of the JSON form."""
    event = json.loads(line)
    envelope_names = {field["name"] for field in Codec.of("TrainingEvent").schema["fields"]}
    event_type = event.pop("event_type")
    envelope = {name: value for name, value in event.items() if name in envelope_names}
    return envelope, event_type, unquoted({name: value for name, value in event.items() if name not in envelope_names})


def unquoted(value):
    """Turns the strings of the JSON form that mean numbers, and base64, into what they mean."""
    if isinstance(value, dict):
        if set(value) == {"type", "bytes"}:
            import base64

            return {"type": value["type"], "bytes": base64.b64decode(value["bytes"])}
        return {name: unquoted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


@pytest.mark.parametrize("name", ["TrainingEvent", "Command"])
def test_the_schema_in_the_package_is_the_newest_that_was_released(name):
    own = PACKAGE / "src" / "trainwatch" / "internal" / (name + ".avsc")
    assert own.read_text("utf-8") == newest(name).read_text("utf-8"), "cp %s %s" % (newest(name), own)


def test_the_fields_in_the_package_are_those_of_the_schema():
    written = subprocess.run(
        [sys.executable, str(PACKAGE / "tools" / "write_fields.py")], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    assert (PACKAGE / "src" / "trainwatch" / "fields.py").read_text("utf-8") == written, "run tools/write_fields.py"


@pytest.mark.parametrize("line, data", golden())
def test_an_event_has_the_bytes_that_java_gives_it(line, data):
    types = EventTypes(Codec.of("TrainingEvent"))
    envelope, event_type, body = parsed(line)
    trouble = Trouble()
    fitted = types.fit(event_type, body, trouble)
    assert trouble.texts == []
    assert types.encode(envelope, event_type, fitted).hex() == data


@pytest.mark.parametrize("line, data", golden())
def test_an_event_has_the_json_form_that_java_gives_it(line, data):
    types = EventTypes(Codec.of("TrainingEvent"))
    envelope, event_type, body = parsed(line)
    assert json.loads(types.json_line(envelope, event_type, body)) == json.loads(line)


@pytest.mark.parametrize("line, data", golden())
def test_what_was_written_is_read_back(line, data):
    codec = Codec.of("TrainingEvent")
    assert codec.encode(codec.decode(bytes.fromhex(data))).hex() == data


def test_bytes_that_break_off_are_no_event():
    codec = Codec.of("TrainingEvent")
    data = bytes.fromhex(golden()[1][1])
    for length in range(len(data)):
        with pytest.raises(UndecodableError):
            codec.decode(data[:length])


def test_the_fingerprint_of_the_avro_specification():
    assert fingerprint("int") == 0x7275D51A3F395C8F
    assert fingerprint({"type": "string", "avro.java.string": "String"}) == 0x8F014872634503C7
