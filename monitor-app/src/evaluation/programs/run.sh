#!/usr/bin/env bash
# run.sh first|second [PROGRAM...]: trains the programs and writes logs and labels.json to monitor-app/target/holdout/SET.
set -euo pipefail
cd "$(dirname "$0")"
target=../../../target
[ -x "$target/holdout-venv/bin/python" ] || python3 -m venv "$target/holdout-venv"
"$target/holdout-venv/bin/pip" install -q -r requirements.txt
exec nice -n 10 "$target/holdout-venv/bin/python" train.py "$1" "$target/holdout/$1" "${@:2}"
