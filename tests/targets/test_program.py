import pytest

from offramp.errors import MissingDependencyError, ToolchainError
from offramp.targets import TARGETS, missing


def work(*n_steps):
    return b"".join(n.to_bytes(4, "little") for n in n_steps)


def ends_on(n_steps):
    state = 1
    for _ in range(n_steps):
        state = (state * 1664525 + 1013904223) % 2**32
    return state


def test_a_program_reads_all_of_its_input_and_its_output_is_given(built, target):
    data = bytes(i * i % 251 for i in range(1000))
    run = built(target, "echo").run(data)
    assert run.output == data + (sum(data) % 65536).to_bytes(2, "little")
    assert run.counts is None


def test_a_program_without_input_runs(built, target):
    assert built(target, "echo").run().output == b"\0\0"


def test_an_answer_is_the_same_on_every_target(built, target):
    assert built(target, "work").run(work(0, 1, 77)).output == work(*map(ends_on, (0, 1, 77)))


def test_what_is_counted_is_what_was_executed(built, emulated):
    assert built(emulated, "nothings").run().intervals == (0, 1, 1000)


def test_counts_are_the_same_on_every_run(built, emulated):
    program = built(emulated, "work")
    assert program.run(work(5, 0, 100)) == program.run(work(5, 0, 100))


def test_counts_grow_by_the_same_number_with_every_step(built, emulated):
    none, *some = built(emulated, "work").run(work(0, 1, 2, 10, 11, 1000)).intervals
    step = some[1] - some[0]
    assert step >= 4  # load, multiply and add, store, branch
    assert some[2:] == [some[1] + step * (n - 2) for n in (10, 11, 1000)]
    assert 0 < none < some[0]


def test_what_ran_before_does_not_change_a_count(built, emulated):
    program = built(emulated, "work")
    assert program.run(work(3, 50)).intervals == program.run(work(50, 3)).intervals[::-1]


def test_long_intervals_are_counted_as_short_ones(built, emulated):
    """SysTick has 24 bits; an interrupt extends it, which costs a few instructions each time."""
    n_steps = 1_000_000 if emulated.emulator == "qemu" else 100_000
    a, b, long = built(emulated, "work").run(work(1, 2, n_steps)).intervals
    assert long == pytest.approx(a + (n_steps - 1) * (b - a), rel=1e-5)


def test_counts_are_summed_up(built, emulated):
    run = built(emulated, "work").run(work(9, 1, 5))
    most, least, middle = run.intervals
    counts = run.counts
    assert (counts.n, counts.total, counts.minimum, counts.maximum) == (3, least + middle + most, least, most)
    assert counts.mean == counts.total / 3


def test_more_intervals_than_a_harness_holds_are_all_told(built, emulated):
    intervals = built(emulated, "work").run(work(*range(100))).intervals
    assert len(intervals) == 100
    assert list(intervals) == sorted(set(intervals))


def test_a_status_other_than_zero_is_an_error(built, target):
    program = built(target, "end")
    assert program.run(b"\0").output == b"\0"
    with pytest.raises(ToolchainError, match=f"^the program ended on {target.name} with status 3"):
        program.run(b"\3")


def test_a_program_that_hangs_is_killed_in_time(built, target):
    with pytest.raises(
        ToolchainError, match=rf"^the program did not end on {target.name} within 0\.5 s and was killed"
    ):
        built(target, "end").run(b"\xff", timeout_s=0.5)


def test_a_fault_ends_the_program_and_what_was_printed_is_told(built, target):
    printed = {"": "runtime error: signed integer overflow", "simavr": "the processor stopped at 0x"}
    with pytest.raises(ToolchainError) as error:
        built(target, "fault").run(timeout_s=60)
    assert f"on {target.name} with status " in str(error.value)
    assert printed.get(target.emulator, "the processor stopped with a fault") in str(error.value)


@pytest.mark.parametrize("emulated", ["cortex-m0", "rv32"], indirect=True)
def test_without_the_emulator_a_run_names_the_package(built, emulated, monkeypatch):
    program = built(emulated, "end")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        MissingDependencyError, match=r"^qemu-system-\w+ is not installed; apt install qemu-\S+$"
    ):
        program.run()


def test_everything_that_is_absent_is_named_in_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert missing(TARGETS["cortex-m3"]) == (
        "arm-none-eabi-gcc is not installed; apt install gcc-arm-none-eabi libnewlib-arm-none-eabi; "
        "qemu-system-arm is not installed; apt install qemu-system-arm"
    )


def test_a_compiler_without_its_library_is_missing_too(monkeypatch, tmp_path):
    for command in ("riscv64-unknown-elf-gcc", "qemu-system-riscv32"):
        (tmp_path / command).write_text("#!/bin/sh\necho cannot read spec file >&2\nexit 1\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert missing(TARGETS["rv32"]) == (
        "riscv64-unknown-elf-gcc has no C library; "
        "apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
    )
