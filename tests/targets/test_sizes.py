import pytest

from offramp.errors import TooLargeError, ToolchainError
from offramp.targets import Symbol, check_fits_chip, compile_object, sizes, stack


def test_a_table_weighs_in_flash_and_a_variable_in_ram(programs, emulated):
    def weighed(n_table, n_zeros):
        defines = [f"N_TABLE={n_table}", f"N_ZEROS={n_zeros}"]
        return sizes(compile_object(emulated, programs / "sized.c", defines=defines))

    small, large = weighed(1000, 200), weighed(3000, 264)
    assert large.flash_bytes - small.flash_bytes == pytest.approx(
        2000, abs=16
    )  # of code for the larger numbers
    assert large.ram_bytes - small.ram_bytes == 64
    assert {Symbol("table", 3000, "flash"), Symbol("zeros", 264, "ram")} <= set(large.symbols)
    assert sum(symbol.n_bytes for symbol in large.symbols if symbol.memory != "ram") == pytest.approx(
        large.flash_bytes, abs=16
    )


def test_variables_with_a_value_weigh_in_both(tmp_path, emulated):
    source = tmp_path / "valued.c"
    source.write_text("int valued[10] = {1};\n")
    weighed = sizes(compile_object(emulated, source))
    (symbol,) = weighed.symbols
    assert symbol.memory == "both"
    assert weighed.flash_bytes == weighed.ram_bytes == symbol.n_bytes


def test_constants_of_an_avr_lie_in_ram_too(tmp_path, emulated):
    source = tmp_path / "constant.c"
    source.write_text("extern const char constant[100];\nconst char constant[100] = {1};\n")
    weighed = sizes(compile_object(emulated, source))
    assert weighed.flash_bytes == 100
    assert weighed.ram_bytes == (100 if emulated.emulator == "simavr" else 0)


def test_a_whole_program_has_its_harness_in_it(compiled, built, emulated):
    alone = sizes(compiled(emulated, "echo"))
    whole = sizes(built(emulated, "echo"))
    assert whole.flash_bytes > alone.flash_bytes
    assert {"main", "harness_read"} <= {symbol.name for symbol in whole.symbols}


def test_a_chip_that_is_too_small_is_named(compiled, emulated):
    weighed = sizes(compiled(emulated, "echo"))
    check_fits_chip(weighed, emulated, stack_bytes=emulated.ram_bytes - weighed.ram_bytes)
    with pytest.raises(TooLargeError, match=f" are 7 too many for the [0-9,]+ of {emulated.chip};"):
        check_fits_chip(weighed, emulated, stack_bytes=emulated.ram_bytes - weighed.ram_bytes + 7)


def test_the_stack_that_was_stated_is_the_stack_that_was_used(compiled, built, emulated):
    bound = stack(compiled(emulated, "deep"), "outer")
    used = built(emulated, "deep").run().stack_bytes
    assert bound.unknown == ()
    # A frame is rounded up to the alignment of the stack, and its last words need not be written.
    assert bound.n_bytes - 16 <= used <= bound.n_bytes
    assert bound.n_bytes > 140  # 100 and 40 of arrays


def test_the_deepest_chain_counts(compiled, target):
    deep = compiled(target, "deep")
    assert stack(deep, "outer").n_bytes > stack(deep, "middle").n_bytes > 140


def test_a_loop_is_no_call(compiled, target):
    assert stack(compiled(target, "deep"), "endless").n_bytes <= 16


def test_functions_of_others_are_named(compiled, emulated):
    assert stack(compiled(emulated, "deep"), "copied").unknown == ("memcpy",)


def test_what_calls_itself_has_no_bound(compiled, by_compiler):
    with pytest.raises(
        ToolchainError, match=r"^unbounded calls unbounded within itself: its stack has no bound$"
    ):
        stack(compiled(by_compiler, "deep"), "unbounded")


def test_room_that_is_known_only_as_it_runs_has_no_bound(tmp_path, by_compiler):
    source = tmp_path / "dynamic.c"
    source.write_text(
        "int f(int n);\nint f(int n)\n{\n    volatile char a[n];\n    a[0] = 1;\n    return a[0];\n}\n"
    )
    with pytest.raises(ToolchainError, match=r"^f takes stack as it runs: its stack has no bound$"):
        stack(compile_object(by_compiler, source), "f")


def test_an_unknown_function_is_told_with_those_there_are(compiled, by_compiler):
    with pytest.raises(
        ToolchainError, match=r"^deep\.o has no function inner; it has .*copied, endless, .*outer"
    ):
        stack(compiled(by_compiler, "deep"), "inner")
