"""Static files, collected by several processes that start at once in one folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.server
def test_several_at_once_collect_them_once(tmp_path):
    environment = {**os.environ, "STATIC_ROOT": str(tmp_path / "static")}
    command = [sys.executable, "manage.py", "prepare", "--static-only"]
    running = [
        subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=120)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0, 0], said
    assert sum("are collected" in one for one in said) == 1
