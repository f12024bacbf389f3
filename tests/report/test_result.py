from pathlib import Path

import msgspec
import pytest

from offramp.errors import DataError
from offramp.report import Result, accuracy_margin, read_result, to_json

ASKED_FOR = {
    "network",
    "mode",
    "accuracy",
    "exit_rate",
    "wire_bytes_per_sample",
    "latency_p50_s",
    "latency_p99_s",
    "head_parameters",
    "head_bytes",
    "edge_macs",
}


def test_a_result_survives_its_file(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(to_json(result))
    assert read_result(path) == result


def test_every_row_has_the_promised_keys(result: Result) -> None:
    decoded = msgspec.json.decode(to_json(result))
    assert len(decoded["rows"]) == 12
    assert all(row.keys() >= ASKED_FOR for row in decoded["rows"])


def test_the_margin_is_that_of_the_least_certain_row(result: Result) -> None:
    certain, uncertain = (
        msgspec.structs.replace(result.rows[0], accuracy=a, n_samples=400) for a in (1, 0.5)
    )
    assert accuracy_margin([certain]) == 0
    assert accuracy_margin([certain, uncertain]) == pytest.approx(0.049)
    assert accuracy_margin([]) == 0


def test_a_file_that_is_no_result_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"rows": []}')
    with pytest.raises(DataError, match=r"other\.json is not a result of offramp demo: .*missing"):
        read_result(path)
    with pytest.raises(DataError, match=r"cannot read the result .*absent\.json: No such file"):
        read_result(tmp_path / "absent.json")


def test_lists_of_different_length_are_refused(result: Result, tmp_path: Path) -> None:
    broken = msgspec.json.decode(to_json(result))
    broken["networks"][0]["confidence"].pop()
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(broken))
    with pytest.raises(DataError, match="differ in length"):
        read_result(path)
