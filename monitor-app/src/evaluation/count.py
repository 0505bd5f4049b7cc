"""Counts the points of logs by rules of its own, and compares them with what the readers of trainwatch say.

    trainwatch attach --dry-run DIR > read.tsv
    python count.py read.tsv            needs nothing; with the package tensorboard, event files are counted too

A rule is what a person would type after ``grep -c``, or the library that wrote the file. It knows no format of trainwatch. Prints a line
for each log that a rule is for, and exits with 1 where two counts differ.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

#: What one step is called in logs that are text: part of the name, and a line.
LINES = [
    ("llmc_mainlog", r"^s:\d+ trl:"),
    ("llmc", r"^step +\d+/\d+ \| loss"),
    ("meg", r"^.*iteration +\d+/ *\d+ \|"),
    ("olmo", r".*\[step=\d+/\d+"),
    ("gnmt", r".*TRAIN \[\d+\]\[\d+/\d+\]"),
    ("mxnet", r".*Epoch\[\d+\] Batch \[\d+\]"),
    ("ssd", r"^iter \d+ \|\| Loss"),
    ("nanochat", r"^step \d+ .*\| loss:"),
    ("step3", r"^epoch: \d+\|step: \d+\|"),
]


def steps(log: Path):
    """Returns the number of steps of training in a log and how it was counted; None where there is no rule."""
    name, text = log.name, None
    if name.endswith(".tfevents"):
        return tfevents(log)
    text = log.read_text(encoding="utf-8", errors="replace")
    if name.endswith(".json"):
        history = json.loads(text).get("log_history", [])
        return len({entry["step"] for entry in history if "loss" in entry}), "entries with loss"
    if name.endswith(".jsonl"):
        return sum('"loss"' in line for line in text.splitlines()), "lines with loss"
    if name.endswith((".csv", ".tsv")):
        return table(text)
    for part, pattern in LINES:
        if part in name:
            line = re.compile(pattern)
            return sum(bool(line.match(one)) for one in re.split(r"[\r\n]+", text)), "grep -c '%s'" % pattern
    return None


def table(text):
    """Counts rows with a number of training: of steps, or where there are none, of epochs."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ","))
    names = [name.strip().lower() for name in rows[0]]
    training = [i for i, name in enumerate(names) if ("loss" in name and "val" not in name and "dev" not in name) or name == "r"]
    stepwise = [i for i in training if name_is_stepwise(names[i])] or training
    told = [row for row in rows[1:] if any(i < len(row) and row[i].strip() for i in stepwise)]
    if "step" in names and stepwise is not training:
        return len({row[names.index("step")] for row in told}), "steps with %s" % names[stepwise[0]]
    return len(told), "rows with %s" % names[stepwise[0]]


def name_is_stepwise(name):
    return name.endswith("_step")


def tfevents(log):
    """Counts the steps at which the library finds a scalar of training."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util import tensor_util
    except ImportError:
        return None
    found = set()
    for event in EventFileLoader(str(log)).Load():
        for value in event.summary.value:
            scalar = value.HasField("tensor") and tensor_util.make_ndarray(value.tensor).ndim == 0
            if scalar and not re.search("val|eval|test", value.tag, re.I):
                found.add(event.step)
    return len(found), "tensorboard, steps with a scalar"


def main():
    with open(sys.argv[1], encoding="utf-8") as read:
        rows = list(csv.DictReader(read, delimiter="\t", quoting=csv.QUOTE_NONE))
    differ = 0
    print("| log | read | counted | |\n| --- | ---: | ---: | --- |")
    for row in rows:
        log = Path(row["LOG"])
        counted = None if row["FORMAT"] == "-" else steps(log)
        if counted is not None:
            same = int(row["STEPS"]) == counted[0]
            differ += not same
            print("| %s | %s | %d | %s%s |" % (log.name, row["STEPS"], counted[0], "" if same else "DIFFERS: ", counted[1].replace("|", "\\|")))
    sys.exit(1 if differ else 0)


main()
