"""Counts what stands in logs by rules of its own, and compares it with what trainwatch reads.

    python count.py monitor-app/target/trainwatch/bin/trainwatch DIR      event files need the package tensorboard

A rule is what a person would type after ``grep -c``, or what the library finds that wrote the file. It knows nothing of the formats of
trainwatch. Prints a line for each log that a rule is for, and exits with 1 where two counts differ.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

#: Text: part of the name of the log, and a line that has one of what is counted.
LINES = [
    ("llmc_mainlog", "steps", r"^s:\d+ trl:"),
    ("llmc", "steps", r"^step +\d+/\d+ \| loss"),
    ("meg_", "steps", r".*iteration +\d+/ *\d+ \|"),
    ("olmo", "steps", r".*\[step=\d+/\d+"),
    ("gnmt", "losses", r"^0: TRAIN \[\d+\]\[\d+/\d+\]"),
    ("mxnet", "steps", r".*Epoch\[\d+\] Batch \[\d+\]"),
    ("ssd", "steps", r"^iter \d+ \|\| Loss"),
    ("nanochat", "steps", r"^step \d+ .*\| loss:"),
    ("ds_chat_step1", "steps", r".*step=\d+, skipped=\d+, lr="),
    ("ds_chat_step3", "steps", r"^epoch: \d+\|step: \d+\|"),
    ("wrn_torch7", "losses", r'^json_stats: .*"loss":'),
    ("xtts", "steps", r".*--> TIME: .*-- STEP: \d+/\d+ -- GLOBAL_STEP: \d+"),
]


def expected(log: Path):
    """Returns how many of what a log has, and how it was counted; None where there is no rule."""
    if log.suffix == ".tfevents":
        return tfevents(log)
    text = log.read_text(encoding="utf-8", errors="replace")
    if log.suffix == ".json":
        history = json.loads(text)["log_history"] if '"log_history"' in text else None
        return history and (sum("loss" in entry for entry in history), "losses", "entries with loss")
    if log.suffix == ".jsonl":
        return sum('"loss"' in line for line in text.splitlines()), "losses", "lines with loss"
    if log.suffix in (".csv", ".tsv"):
        return table(text)
    for part, kind, pattern in LINES:
        if part in log.name:
            line = re.compile(pattern)
            count = sum(bool(line.match(one)) for one in re.split(r"[\r\n]+", text))
            return count, kind, "grep -c '%s'" % pattern
    return None


def table(text):
    """Counts the rows of a table that have the loss of a step, or where there are none, that of an epoch, or a return."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.DictReader(lines, delimiter="\t" if "\t" in lines[0] else ","))
    names = [name for name in rows[0] if name]
    for wanted in ("train_loss_step", "train_loss", ".* - lm_loss", "train/box_loss", "r"):
        for name in names:
            if re.fullmatch(wanted, name.strip(), re.I):
                kind = "steps" if wanted in ("r", "train/box_loss") else "losses"
                return sum(bool((row[name] or "").strip()) for row in rows), kind, "rows with " + name.strip()
    return None


def tfevents(log):
    """Counts the losses that TensorBoard itself finds."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    except ImportError:
        return None
    tags = [value.tag for event in EventFileLoader(str(log)).Load() for value in event.summary.value]
    # Two networks against each other have no loss that falls: theirs are components of their steps.
    name, kind = ("train/loss", "losses") if "train/loss" in tags else ("Loss/D/loss", "steps")
    return tags.count(name), kind, "tensorboard, scalars of " + name


def read(trainwatch, log):
    """Returns how many steps and losses trainwatch reads in a log."""
    with tempfile.TemporaryDirectory() as directory:
        events = Path(directory, "events.jsonl")
        command = [trainwatch, "import", "--to", "file:%s" % events, str(log)]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return None
        steps = [json.loads(line) for line in events.read_text().splitlines() if '"step_completed"' in line]
    return {"steps": len(steps), "losses": sum("loss" in step for step in steps)}


def main():
    trainwatch, directory = sys.argv[1:]
    differ = 0
    print("| log | | read | counted | |\n| --- | --- | ---: | ---: | --- |")
    for log in sorted(Path(directory).iterdir()):
        rule = expected(log) if log.is_file() else None
        found = read(trainwatch, log) if rule else None
        if rule is None or found is None:
            print("| %s | | | | %s |" % (log.name, "no log" if rule else "no rule"))
            continue
        count, kind, how = rule
        same = found.get(kind) == count
        differ += not same
        how = how.replace("|", "\\|")
        print("| %s | %s | %s | %d | %s%s |" % (log.name, kind, found.get(kind), count, "" if same else "DIFFERS: ", how), flush=True)
    sys.exit(1 if differ else 0)


main()
