"""offramp verify: what people, scripts and shells are told."""

import json

import pytest

from offramp.export.c import write_code
from offramp.targets import TARGETS, missing
from offramp.verification import ladder

HOST = ("--float32", "--target", "host", "--images", "5")


@pytest.fixture(autouse=True)
def host_tools():
    if reason := missing(TARGETS["host"]):
        pytest.skip(reason)


def test_a_bundle_is_held_and_every_number_written_down(cli, bundle, tmp_path):
    files = tmp_path / "v.json", tmp_path / "v.md"
    done = cli("verify", bundle, *HOST, "--json-file", files[0], "--markdown", files[1])
    assert done.status == 0
    assert "0 of " in done.out
    found = json.loads(files[0].read_text())
    (target,) = found["targets"]
    assert (target["name"], target["mismatches"], target["instructions_per_image"]) == ("host", 0, None)
    assert target["images"] > 5
    assert target["activations_compared"] > target["images"]
    assert found["skipped"] == []
    assert [one["form"].split(";")[0] for one in found["networks"]] == ["float32"]
    assert "--float32" in found["command"]
    assert found["command"] in files[1].read_text()


def test_one_wrong_number_fails_the_command(cli, bundle, monkeypatch):
    def wrong(program, folder):
        code = write_code(program, folder)
        right = code.read_text()
        code.write_text(right.replace("verdict.label = (uint16_t)best;", "verdict.label = (uint16_t)!best;"))
        return code

    monkeypatch.setattr(ladder, "write_code", wrong)
    done = cli("verify", bundle, *HOST)
    assert done.status == 1
    assert "numbers differ" in done.out


def test_a_target_that_nobody_knows_is_refused(cli, bundle):
    done = cli("verify", bundle, "--target", "z80")
    assert done.status == 1
    assert done.error.startswith("unknown target 'z80'; use one of host, cortex-m0,")


def test_nothing_that_can_be_done_here_is_no_success(cli, bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cli("verify", bundle, *HOST)
    assert done.status == 1
    assert "Skipped: host: gcc is not installed; apt install gcc libc6-dev." in done.out
