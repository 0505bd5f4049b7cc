#!/usr/bin/env bash
# run.sh first|second|third [PROGRAM...]: trains the programs and writes logs and labels.json to monitor-app/target/holdout/SET.
set -euo pipefail
cd "$(dirname "$0")"
target=../../../target
if [ "$1" = third ]; then # PyTorch is Debian's: the one of PyPI brings gigabytes of CUDA
    if ! /usr/bin/python3 -c 'import torch, venv, ensurepip' 2>/dev/null; then
        echo "run.sh third needs PyTorch of Debian 12, and a BLAS that is not the slow reference:" \
            "apt-get install --no-install-recommends python3-torch python3-venv libopenblas0-pthread" >&2
        exit 2
    fi
    venv=$target/holdout-third-venv
    [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv --system-site-packages "$venv"
    "$venv/bin/pip" install -q -r requirements-third.txt
    export PYTHONPATH=../../../../producer-sdk/python/src
else
    venv=$target/holdout-venv
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r requirements.txt
fi
exec nice -n 10 "$venv/bin/python" train.py "$1" "$target/holdout/$1" "${@:2}"
