import json

import pytest

from offramp.bundle import Bundle
from offramp.errors import ConfigError, MissingDependencyError, TooLargeError
from offramp.export.c import chosen_program
from offramp.plan.footprint import footprint
from offramp.targets import TARGETS, missing


def needs(target: str):
    reason = missing(TARGETS[target])
    return pytest.param(target, marks=pytest.mark.skipif(bool(reason), reason=reason or "all is there"))


@pytest.mark.parametrize("target", [needs("cortex-m4"), needs("atmega328p")])
def test_our_own_count_is_near_the_real_one(bundle: Bundle, target: str) -> None:
    made = chosen_program(bundle, "int8", target=target, streaming=False)
    real, own = (footprint(made, target, toolchain=each) for each in (True, False))
    assert own.flash_bytes == pytest.approx(real.flash_bytes, rel=0.12)
    assert own.count == pytest.approx(real.count, rel=0.12)
    assert own.ram_bytes == pytest.approx(real.ram_bytes, rel=0.15)
    for kind in ("weights", "index", "biases", "multipliers", "tables"):
        assert own.flash[kind] == real.flash[kind]
    for mine, theirs in zip(own.junctions, real.junctions, strict=True):
        assert mine.count == pytest.approx(theirs.count, rel=0.25)  # calls may be inlined in the whole
    assert TARGETS[target].compiler.command in real.measured_by
    assert own.measured_by == "own count: as asked for"


@pytest.mark.parametrize("target", [needs("cortex-m4")])
def test_streaming_takes_no_buffer_for_a_sample(bundle: Bundle, target: str) -> None:
    made = chosen_program(bundle, "int8", target=target, streaming=True)
    real, own = (footprint(made, target, toolchain=each, zero_share=0.5) for each in (True, False))
    assert "sample" not in real.ram
    assert real.ram["stream"] == own.ram["stream"] == 4 * 40 + 4 + 2 * 8
    assert real.junctions[0].encoding == "u8 by input"
    assert own.flash_bytes == pytest.approx(real.flash_bytes, rel=0.15)


def test_a_report_has_the_price_of_every_way(bundle: Bundle) -> None:
    made = chosen_program(bundle, "int8", target="cortex-m0", streaming=False)
    report = json.loads(json.dumps(footprint(made, "cortex-m0", toolchain=False).to_json()))
    first = report["junctions"][0]
    assert {one["encoding"] for one in first["candidates"]} == {"dense", "u8", "u16"}
    assert first["encoding"] in ("u8", "dense")
    assert report["flash_bytes"] == sum(report["flash"].values())
    assert report["ram_bytes"] == sum(report["ram"].values()) + report["stack_bytes"]
    assert report["index_share"] == report["flash"]["index"] / report["flash_bytes"]
    assert report["chip"] == TARGETS["cortex-m0"].chip


def test_a_missing_compiler_makes_it_our_own_count(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    made = chosen_program(bundle, "int8", target="cortex-m0")
    reason = "arm-none-eabi-gcc is not installed; apt install gcc-arm-none-eabi"
    assert footprint(made, "cortex-m0").measured_by.startswith(f"own count: {reason}")
    with pytest.raises(MissingDependencyError, match=reason):
        footprint(made, "cortex-m0", toolchain=True)


def test_a_chip_that_is_too_small_is_refused_by_the_number_of_bytes(bundle: Bundle) -> None:
    weighed = footprint(chosen_program(bundle, "int8", target="cortex-m0"), "cortex-m0", toolchain=False)
    weighed.check_fits()
    weighed.check_fits(flash_bytes=weighed.flash_bytes, ram_bytes=weighed.ram_bytes)
    with pytest.raises(TooLargeError, match=r"bytes of flash are 1 too many .* and .* RAM .* are 2 too many"):
        weighed.check_fits(flash_bytes=weighed.flash_bytes - 1, ram_bytes=weighed.ram_bytes - 2)


def test_tables_beyond_the_chip_are_refused_by_the_bytes_without_a_compiler(wide: Bundle) -> None:
    weighed = footprint(chosen_program(wide, "float32", target="atmega328p", streaming=False), "atmega328p")
    assert weighed.measured_by == "own count: its tables alone are more than ATmega328P holds"
    with pytest.raises(TooLargeError, match=r"bytes of flash are [\d,]+ too many for the 32,768"):
        weighed.check_fits()


def test_an_unknown_target_is_refused(bundle: Bundle) -> None:
    made = chosen_program(bundle, "int8", target="cortex-m0")
    with pytest.raises(ConfigError, match="unknown target 'z80'; give one of atmega328p, cortex-m0"):
        footprint(made, "z80")
    with pytest.raises(ConfigError, match="unknown target 'z80'"):
        chosen_program(bundle, "int8", target="z80")
