import re
from pathlib import Path

import pytest

from offramp.errors import MissingDependencyError, TooLargeError, ToolchainError
from offramp.targets import TARGETS, build, compile_object, sizes
from offramp.targets.build import LEAST_STACK_BYTES


def limits(target):
    memory = target.memory
    return (memory.flash_bytes, memory.ram_bytes) if memory else (target.flash_bytes, target.ram_bytes)


def sized(programs, target, *, n_table=1, n_zeros=1):
    return build(target, [programs / "sized.c"], defines=[f"N_TABLE={n_table}", f"N_ZEROS={n_zeros}"])


def test_too_large_a_program_is_refused_by_the_number_of_bytes(programs, emulated):
    small = sizes(sized(programs, emulated, n_zeros=1024)).ram_bytes - 1024
    n_zeros = (limits(emulated)[1] - LEAST_STACK_BYTES - small) // 8 * 8
    sized(programs, emulated, n_zeros=n_zeros)
    with pytest.raises(TooLargeError, match=" with 256 of stack are 80 too many for the ") as error:
        sized(programs, emulated, n_zeros=n_zeros + 80)
    assert (error.value.flash_bytes, error.value.ram_bytes) == (0, 80)


def test_too_much_flash_is_told_apart_from_too_much_ram(programs, emulated):
    small = sizes(sized(programs, emulated, n_table=1024)).flash_bytes - 1024
    # An array of an AVR cannot be larger.
    n_table = 32_760 if emulated.emulator == "simavr" else limits(emulated)[0]
    with pytest.raises(TooLargeError, match=r"bytes of flash are [\d,]+ too many for the ") as error:
        sized(programs, emulated, n_table=n_table)
    over = small + n_table - limits(emulated)[0]
    assert error.value.flash_bytes == pytest.approx(over, abs=32)  # code for larger numbers
    assert error.value.ram_bytes == 0


def test_a_missing_compiler_is_named_with_its_package(by_compiler, programs, monkeypatch):
    monkeypatch.setenv("PATH", "")
    line = f"{by_compiler.compiler.command} is not installed; apt install {by_compiler.compiler.packages}"
    with pytest.raises(MissingDependencyError, match=f"^{re.escape(line)}$"):
        build(by_compiler, [programs / "echo.c"])


def test_what_the_compiler_said_follows_one_line_of_ours(tmp_path, by_compiler):
    source = tmp_path / "odd.c"
    source.write_text("int main(void) { return nothing; }\n")
    with pytest.raises(ToolchainError) as error:
        build(by_compiler, [source])
    first, *rest = str(error.value).splitlines()
    assert first == f"{by_compiler.compiler.command} failed with status 1:"
    assert "'nothing' undeclared" in "\n".join(rest).replace("‘", "'").replace("’", "'")


def test_warnings_are_errors(tmp_path, by_compiler):
    source = tmp_path / "unused.c"
    source.write_text("static int unused;\nint main(void) { return 0; }\n")
    with pytest.raises(ToolchainError, match="unused"):
        build(by_compiler, [source])


def test_a_program_is_left_where_the_caller_wants_it(tmp_path, programs, monkeypatch):
    monkeypatch.chdir(programs)
    program = build(TARGETS["host"], [Path("echo.c")], folder=tmp_path / "new")
    assert program.elf.parent == tmp_path / "new"
    assert program.run(b"\1").output == b"\1\1\0"


def test_a_temporary_program_vanishes_with_its_last_user(programs):
    program = build(TARGETS["host"], [programs / "echo.c"])
    elf = program.elf
    assert elf.exists()
    del program
    assert not elf.exists()


def test_features_that_a_target_has_are_those_the_compiler_states(tmp_path, target):
    source = tmp_path / "features.c"
    tests = "".join(
        f"#if{'n' if feature in target.features else ''}def {feature}\n#error {feature}\n#endif\n"
        for feature in ("__ARM_FEATURE_DSP", "__ARM_FEATURE_MVE")
    )
    source.write_text(tests + "int none;\n")
    compile_object(target, source)


@pytest.mark.parametrize("optimise", ["-Os", "-O3"])
def test_optimisation_is_the_callers(programs, by_compiler, optimise):
    program = build(by_compiler, [programs / "echo.c"], optimise=optimise)
    assert program.run(b"\1\2").output == b"\1\2\3\0"


def test_a_program_made_for_size_is_smaller(programs, by_compiler):
    def weight(optimise):
        return sizes(compile_object(by_compiler, programs / "deep.c", optimise=optimise)).flash_bytes

    assert weight("-Os") < weight("-O0")


def test_a_harness_of_ones_own_can_take_the_place_of_ours(tmp_path):
    source = tmp_path / "own.c"
    source.write_text("""#include "harness.h"
        #include <stdio.h>
        void harness_write(const void *from, size_t n) { fwrite(from, 1, n, stdout); }
        int main(void) { harness_write("x", 1); return 0; }
    """)
    assert build(TARGETS["host"], [source], harness=False).run().output == b"x"
