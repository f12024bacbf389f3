import importlib
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import ReluLayer, read
from offramp.cli.order import bundle_name
from offramp.data import load
from offramp.errors import ConfigError
from offramp.exits.guarantee import empirical_threshold
from offramp.pattern import BLOCK_COSTS, fastest_block, feasible_out_degrees, largest_block
from offramp.plan.judgement import judged, rules_of
from offramp.system import training
from offramp.system.design import Design, padded_width, resolve

Cli = Callable[..., Any]

SMALL = ("--neurons", "auto,8,auto", "--epochs", 2)


def test_the_summary_tells_what_was_written(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "digits"
    outcome = cli("train", "-o", path, *SMALL, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    summary, bundle = json.loads(outcome.out), read(path)
    assert summary["parameters"] == {name: part.n_parameters for name, part in bundle.parts.items()}
    assert summary["threshold"] == bundle.exit_rule.threshold
    assert bundle.name == "digits"
    assert bundle.training["dataset"] == "digits"
    assert len(bundle.training["history"]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digits"]  # no checkpoint is left


def test_the_summary_for_people_says_what_to_do_next(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("train", "-o", tmp_path / "my model", *SMALL)
    assert f"next: offramp serve '{tmp_path}/my model'" in outcome.out


def test_one_s_own_table_trains_with_its_label_column(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    file = tmp_path / "machines.csv"
    rows = [f"{a},{b},{c},{'bad' if k else 'good'}" for (a, b, c), k in zip(x, y, strict=True)]
    file.write_text("\n".join(["a,b,c,state", *rows]), encoding="utf-8")
    path = tmp_path / "machines"
    outcome = cli("train", "--data", file, "--label", "state", "-o", path, *SMALL)
    assert outcome.status == 0, outcome.err
    bundle = read(path)
    assert bundle.classes == ("bad", "good")
    assert bundle.preprocessing.n_features == 4  # 3, and a zero so that 8 outputs can share the edges


def test_settings_reach_the_bundle(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m"
    settings = ("--pool", 2, "--codec", "float16", "--exit-hidden", "6", "--recipe", "paper", "--seed", 3)
    pattern = ("--neurons", "20,12,10", "--out-degrees", "3,full", "--pattern", "affine", "--block", "2x3")
    assert cli("train", "-o", path, *settings, *pattern, "--epochs", 1).status == 0
    bundle = read(path)
    assert bundle.codec.name == "float16"
    assert bundle.preprocessing.pool == 2
    assert bundle.preprocessing.n_features == 20
    assert bundle.head is not None
    assert bundle.exit is not None
    assert bundle.head.n_macs == 60
    assert bundle.head.layers[0].block == (1, 3)
    assert bundle.exit.n_macs == 12 * 6 + 6 * 10
    assert bundle.training["seed"] == 3
    assert bundle.training["recipe"]["name"] == "paper"
    assert bundle.exit_rule.evidence["seen_in_training"] is True


def test_killed_and_called_again_it_goes_on_to_the_same_bundle(
    started: Cli, cli: Cli, tmp_path: Path
) -> None:
    widths = ("--neurons", "auto,32,auto", "--epochs", 300)
    path = tmp_path / "killed"
    checkpoint = tmp_path / "killed.checkpoint"
    with started("train", "-o", path, *widths) as process:
        deadline = time.monotonic() + 60
        while not list(checkpoint.glob("*.safetensors")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        process.wait()
    assert not path.exists()
    resumed = cli("train", "-o", path, *widths)
    assert resumed.status == 0
    assert re.fullmatch(r"goes on after [12]?\d?\d of 300 epochs\n", resumed.err)
    assert cli("train", "-o", tmp_path / "whole", *widths).status == 0
    killed, whole = read(path), read(tmp_path / "whole")
    assert [part.digest for part in killed.parts.values()] == [part.digest for part in whole.parts.values()]
    assert not checkpoint.exists()


def test_interrupted_it_says_that_the_same_command_goes_on(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, checkpoint: Path, **__: object) -> None:
        checkpoint.mkdir()
        (checkpoint / "checkpoint.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("offramp.system.training.fit", interrupted)
    outcome = cli("train", "-o", tmp_path / "m", *SMALL)
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err == "interrupted; the same command goes on where it was\n"


def test_interrupted_before_anything_was_saved_it_promises_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offramp.system.training.fit", interrupted)
    assert cli("train", "-o", tmp_path / "m", *SMALL) == (130, "", "")


def test_another_seed_or_number_of_threads_is_named_as_such(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.cli.order.write", lambda *_, **__: pytest.fail("stop before the bundle"))
    with suppress(pytest.fail.Exception):
        cli("train", "-o", tmp_path / "m", *SMALL)
    again = ("train", "-o", tmp_path / "m", *SMALL)
    assert "run with seed=0, this run has seed=1" in cli(*again, "--seed", 1).error
    assert "run with threads=1, this run has threads=2" in cli(*again, "--threads", 2).error


def test_a_bundle_is_replaced_only_when_asked(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m"
    assert cli("train", "-o", path, *SMALL).status == 0
    before = read(path).head_digest
    assert (
        "exists already; give another path, or --overwrite to replace"
        in cli("train", "-o", path, *SMALL).error
    )
    assert read(path).head_digest == before
    assert cli("train", "-o", path, *SMALL, "--seed", 1, "--overwrite").status == 0
    assert read(path).head_digest != before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "cifar"], "cifar: no known data set; use digits, mnist or a .npz, .csv or .parquet file"),
        (["--data", "absent.csv", "--label", "x"], "absent.csv: no such file"),
        (["--data", "table.csv", "--label", "y"], "no column 'y'; give --label, one of 'a', 'state'"),
        (["--data", "table.csv"], "no label column named; give --label, one of 'a', 'state'"),
        (
            ["--neurons", "64,40,10", "--out-degrees", "3,10"],
            "out_degree=3 gives 192 edges, which 40 outputs",
        ),
        (["--neurons", "64,40,10", "--out-degrees", "4"], "1 out-degrees for neurons 64,40,10; give 2"),
        (["--neurons", "64,10"], "neurons 64,10; give three widths or more"),
        (["--neurons", "64,40,7"], "7 outputs for 10 classes; end neurons with 10 or auto"),
        (["--neurons", "63,40,10"], "pad_to=63 is less than the 64 values of a sample"),
        (
            ["--neurons", "many"],
            "for --neurons: 'many' is no whole number above 0; write it as in auto,64,10",
        ),
        (["--pattern", "spiral"], "pattern='spiral' is unknown"),
        (["--pattern", "random", "--block", "4x4"], 'pattern="random" has no blocks'),
        (["--block", "4"], "'4' is no block"),
        (["--recipe", "secret"], "unknown recipe 'secret'; use one of paper, cosine"),
        (["--codec", "int2"], "codec 'int2'"),
        (
            ["--inner-exits", "cut-2"],
            "'cut-2' is no place of an inner exit, or named twice; write head-2,tail",
        ),
        (["--inner-exits", "head-1,head-1"], "'head-1' is no place of an inner exit, or named twice"),
        (["--inner-exits", "head-9"], "head-9"),
        (["--cut", "9"], "a cut after 9 of"),
        (["--exits", "late"], "exits='late' of a recipe must be one of joint, frozen, mixed"),
        (["--bottleneck", "4", "--bottleneck-out-degrees", "2"], "'2' are not two out-degrees; write 8,full"),
        (["--quantise-epochs", "2"], "2 epochs of fine-tuning for codec 'float32', which rounds nothing"),
        (["--pool", "3"], "pool=3 on samples of shape (8, 8)"),
        (["--epochs", "0"], "'--epochs'"),
        (["--max-accuracy-drop", "2"], "'--max-accuracy-drop'"),
        (["-o", "/dev/null/model"], "/dev/null/model: cannot be written: Not a directory"),
        (["-o", "table.csv"], "table.csv: exists already"),
        (["-o", "table.csv", "--overwrite"], "table.csv: not replaced, because it is no folder"),
        (["--threads", "100000"], "'--threads'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_is_one_line_and_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table = "a,state\n" + "1.5,x\n2.5,z\n" * 20
    Path("table.csv").write_text(table, encoding="utf-8")
    outcome = cli("train", "-o", "model", "--epochs", 1, *arguments)
    assert words in outcome.error
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert Path("table.csv").read_text(encoding="utf-8") == table


def test_a_dangling_link_is_found_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.cli.order.load", lambda *_, **__: pytest.fail("work was done"))
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert "link: exists already" in cli("train", "-o", tmp_path / "link").error
    assert "link: not replaced" in cli("train", "-o", tmp_path / "link", "--overwrite").error


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_a_padded_width_allows_the_degree(n_values: int, n_out: int, data: st.DataObject) -> None:
    degree = data.draw(st.integers(1, n_out))
    block = data.draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5)))
    width = padded_width(n_values, n_out, degree, block)
    assert width >= n_values
    assert degree in feasible_out_degrees(width, n_out)
    assert width < n_values + n_out + n_values // 8 + 1


def test_padding_makes_room_for_the_whole_block() -> None:
    assert padded_width(784, 80, 12, (4, 4)) == 800
    assert padded_width(62, 32, 8, (4, 4)) == 64
    assert largest_block(64, 32, 8, (4, 4)) == (4, 4)


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_padding_for_auto_is_never_slower_than_none(n_values: int, n_out: int, data: st.DataObject) -> None:
    degree = data.draw(st.integers(1, n_out))
    width, least = (padded_width(n_values, n_out, degree, None, auto=auto) for auto in (True, False))
    assert least <= width <= least + n_values // 8
    assert degree in feasible_out_degrees(width, n_out)
    time, least_time = (n * BLOCK_COSTS[fastest_block(n, n_out, degree)] for n in (width, least))
    assert time <= least_time or degree == n_out


def test_padding_for_auto_makes_room_for_a_fast_block(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = dict.fromkeys(BLOCK_COSTS, 10.0) | {(16, 4): 9.6}
    for module in ("offramp.pattern.auto", "offramp.system.design"):
        monkeypatch.setattr(importlib.import_module(module), "BLOCK_COSTS", costs)
    assert padded_width(250, 64, 16, None, auto=True) == 252  # 256 would be 2% more edges for 4% less time
    costs[16, 4] = 8.0
    assert padded_width(250, 64, 16, None, auto=True) == 256


def test_auto_trains_the_fastest_blocks_of_every_junction(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m"
    widths = ("--neurons", "auto,32,24,auto", "--out-degrees", "8,6,full", "--epochs", 2)
    outcome = cli("train", "-o", path, *widths, "--pattern", "auto")
    assert outcome.status == 0, outcome.err
    bundle = read(path)
    assert bundle.head is not None
    assert bundle.tail is not None
    sparse = [layer for part in (bundle.head, bundle.tail) for layer in part.layers if layer != ReluLayer()]
    assert [(layer.n_in, layer.n_out) for layer in sparse] == [(64, 32), (32, 24), (24, 10)]
    assert [layer.block for layer in sparse[:2]] == [fastest_block(64, 32, 8), fastest_block(32, 24, 6)]


def test_auto_wants_no_block(cli: Cli, tmp_path: Path) -> None:
    error = cli("train", "-o", tmp_path / "m", *SMALL, "--pattern", "auto", "--block", "4x4").error
    assert 'pattern="auto" chooses the block itself, but block=(4, 4); leave block out' in error


def test_open_ends_follow_from_the_data() -> None:
    neurons, degrees = resolve(Design(neurons=(0, 64, 256, 0)), (4, 4), n_values=62, n_classes=7)
    assert (neurons, degrees) == ([64, 64, 256, 7], [16, None, None])
    with pytest.raises(ConfigError, match="give three widths or more, with auto only at the ends"):
        resolve(Design(neurons=(64, 0, 10)), None, n_values=64, n_classes=10)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("digits.bundle", "digits"), ("my model", "my-model"), ("._x", "x"), ("žž", "model"), ("m.v2", "m.v2")],
)
def test_a_bundle_is_named_after_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert bundle_name(tmp_path / folder) == name


def test_exits_and_a_bottleneck_go_where_they_are_asked_for(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m"
    network = ("--neurons", "auto,24,16,12,auto", "--cut", 2, "--inner-exits", "head-2,tail-2:8")
    wire = ("--bottleneck", 4, "--bottleneck-out-degrees", "2,full", "--codec", "int4-range")
    training = ("--exits", "mixed", "--self-distill", 0.5, "--epochs", 3)
    outcome = cli("train", "-o", path, *network, *wire, *training, "--json")
    assert outcome.status == 0, outcome.err
    bundle = read(path)
    assert list(bundle.parts) == ["head", "exit-head-2", "exit", "encoder", "tail", "exit-tail-2"]
    assert (bundle.n_sent, bundle.codec.name) == (4, "int4-range")
    assert [part.n_in for part in bundle.parts.values()][1:] == [24, 16, 16, 4, 16]
    assert bundle.encoder is not None
    assert bundle.encoder.n_macs == 2 * 16
    thresholds = {rule.threshold for rule in rules_of(bundle).values()}
    assert thresholds == {json.loads(outcome.out)["threshold"]}
    assert {"exit", "tail", "exit-head-2", "exit-tail-2"} == bundle.training["validation_accuracy"].keys()
    assert [one["phase"] for one in bundle.training["history"]] == ["backbone", "backbone", "joint"]


def test_the_papers_final_relu_is_there_on_demand(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("train", "-o", tmp_path / "m", *SMALL, "--final-relu")
    assert outcome.status == 0, outcome.err
    bundle = read(tmp_path / "m")
    assert all(isinstance(bundle.parts[name].layers[-1], ReluLayer) for name in ("head", "exit", "tail"))


def test_the_threshold_is_set_with_features_as_they_arrive(cli: Cli, tmp_path: Path) -> None:
    settings = ("--neurons", "auto,8,auto", "--epochs", 4, "--max-accuracy-drop", 0)
    assert cli("train", "-o", tmp_path / "m", *settings, "--codec", "int4").status == 0
    bundle = read(tmp_path / "m")
    samples, labels = load("digits", seed=0).split("calibration")
    told = judged(bundle, samples, labels)
    _, evidence = empirical_threshold(told, max_accuracy_drop=0)
    assert bundle.exit_rule.evidence["tail_accuracy"] == evidence["tail_accuracy"]
    assert bundle.exit_rule.evidence["exit_rate"] == evidence["exit_rate"]


def test_fine_tuning_for_a_codec_goes_on_from_the_training(cli: Cli, tmp_path: Path) -> None:
    settings = ("--neurons", "auto,8,auto", "--epochs", 2, "--codec", "int4-zeros", "--quantise-epochs", 3)
    outcome = cli("train", "-o", tmp_path / "m", *settings)
    assert outcome.status == 0, outcome.err
    bundle = read(tmp_path / "m")
    assert bundle.codec.name == "int4-zeros"
    assert [one["epoch"] for one in bundle.training["history"]] == [1, 2, 3, 4, 5]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m"]  # both checkpoints are gone


def test_an_interrupted_fine_tuning_goes_on(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("--neurons", "auto,8,auto", "--epochs", 2, "--codec", "int4", "--quantise-epochs", 2)
    assert cli("train", "-o", tmp_path / "whole", *settings).status == 0
    finetune = training.finetune_for_codec

    def interrupted(*args: Any, progress: Any, **kwargs: Any) -> Any:
        def stop(epoch: Any) -> None:
            raise KeyboardInterrupt

        return finetune(*args, progress=stop, **kwargs)

    monkeypatch.setattr("offramp.system.training.finetune_for_codec", interrupted)
    assert cli("train", "-o", tmp_path / "m", *settings).status == 130
    monkeypatch.undo()
    outcome = cli("train", "-o", tmp_path / "m", *settings)
    assert outcome.status == 0, outcome.err
    assert read(tmp_path / "m").tail == read(tmp_path / "whole").tail
