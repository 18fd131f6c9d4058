"""What commands print is copied as it comes, and what cannot be written ends them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
SCRIPT = """
import sys
from onetouch_deploy import errors, streams
try:
    print(streams.show({name: sys.argv[2:] for name in sys.argv[1]}), file=sys.stderr)
except errors.CommandError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("names", ["a", "ab"])
@pytest.mark.parametrize("size", ["5", "3000000"])
def test_output_that_cannot_be_written_is_an_error(names: str, size: str) -> None:
    argv = [sys.executable, "-c", SCRIPT, names, "head", "-c", size, "/dev/zero"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    reported = "The output cannot be written: No space left on device. "
    assert (done.returncode, done.stderr.startswith(reported)) == (1, True), done.stderr


def test_a_reader_that_has_left_is_none() -> None:
    argv = [sys.executable, "-c", SCRIPT, "a", "yes"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "y\n"
        process.stdout.close()
        assert process.stderr.read() == "{'a': 0}\n"
        assert process.wait(60) == 0


def test_lines_of_several_commands_are_whole() -> None:
    """Also the last one, which has no end of its own."""
    argv = [sys.executable, "-c", SCRIPT, "ab", "printf", "one\\ntwo"]
    done = subprocess.run(argv, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert sorted(done.stdout.splitlines()) == ["a: one", "a: two", "b: one", "b: two"]
    assert done.stderr == "{'a': 0, 'b': 0}\n"


def test_an_output_that_another_program_has_made_non_blocking() -> None:
    """All arrives, also where the reader is slower than the command."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    argv = [sys.executable, "-c", SCRIPT, "a", "head", "-c", "3000000", "/dev/zero"]
    with subprocess.Popen(argv, stdout=writing, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as output:
            assert len(output.read()) == 3000000
        assert process.stderr
        assert process.stderr.read() == "{'a': 0}\n"
