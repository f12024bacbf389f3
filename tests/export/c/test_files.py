"""The files around the code: an example that builds and answers, a report, the serial line."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from offramp.experiments.verified import CASES, chance_samples, program_of
from offramp.export.c import files

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


CASE = next(case for case in CASES if case.name == "u8-4x2")


@pytest.fixture
def program():
    return program_of(CASE)


def written(program, folder, **options):
    for name, content in files(program, {"target": "host"}, **options).items():
        (folder / name).write_bytes(content)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_example_says_what_the_reference_says(program, tmp_path):
    written(program, tmp_path)
    sources = [tmp_path / "main.c", tmp_path / f"{program.prefix}.c"]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", tmp_path / "example"], check=True)
    samples = chance_samples(CASE, 40, np.random.default_rng(1))
    said = subprocess.run(
        [tmp_path / "example"], input=np.ascontiguousarray(samples).tobytes(), capture_output=True, check=True
    ).stdout.decode()
    trace = program.device.trace(samples)
    labels, sure = trace.scores.argmax(axis=1), program.rule.sure(trace.scores)
    coded = program.device.coded(trace.sent)
    assert said.splitlines() == [
        f"class {label}" if one else f"to the tail (perhaps class {label}): {row.hex()}"
        for label, one, row in zip(labels, sure, coded, strict=True)
    ]
    assert 0 < sure.sum() < len(samples)  # both kinds of line


def test_the_serial_line_is_among_them_where_it_is_asked_for(program, tmp_path):
    written(program, tmp_path, serial=True)
    assert (tmp_path / "offramp_serial.h").exists()
    assert f"STATIC {program.prefix}.c offramp_serial.c)" in (tmp_path / "CMakeLists.txt").read_text()
    assert json.loads((tmp_path / "report.json").read_text()) == {"target": "host"}
    assert "offramp_serial.h" not in files(program, {})


@pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("gcc") is None, reason="needs cmake and gcc"
)
def test_cmake_builds_library_and_example(program, tmp_path):
    written(program, tmp_path, serial=True)
    for step in (("-S", tmp_path, "-B", tmp_path / "build"), ("--build", tmp_path / "build")):
        done = subprocess.run(["cmake", *step], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "build" / f"{program.prefix}_example").exists()
