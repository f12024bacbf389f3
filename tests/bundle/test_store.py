import copy
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offramp.bundle.store as store
from offramp.bundle import Bundle, Preprocessing, part_bytes, present, read, write
from offramp.errors import BundleError
from offramp.exits import ExitRule

FILES = ("manifest.json", "head.safetensors", "exit.safetensors", "tail.safetensors")


@pytest.fixture
def folder(workshop, tmp_path):
    write(workshop.build(), tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture(scope="session")
def pristine(workshop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine") / "tiny"
    write(workshop.build(), folder)
    return folder


# Round trips

texts = st.text(st.characters(codec="utf-8"), max_size=4)
numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
affine = st.floats(-1e3, 1e3) | st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12).map(tuple)


@st.composite
def variations(draw):
    """What `build` takes: other seeds, blocks, widths, parts, preprocessing, classes, rules, summaries."""
    names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
    changes = {
        "block": draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)])),
        "bias": draw(st.booleans()),
        "hidden": draw(st.sampled_from([2, 4, 6])),
        "preprocessing": Preprocessing(
            (12,),
            draw(st.sampled_from(["uint8", "float32"])),
            offset=draw(affine),
            scale=draw(affine),
            pad_to=16,
        ),
        "classes": tuple(draw(st.lists(names, min_size=3, max_size=3, unique=True))),
        "exit_rule": ExitRule(
            draw(st.floats(0, 2)), evidence=draw(st.dictionaries(names, json_values, max_size=2))
        ),
        "training": draw(st.dictionaries(names, json_values, max_size=3)),
    }
    gone = draw(st.sets(st.sampled_from(["head", "exit", "tail"]), max_size=2))
    return draw(st.integers(0, 99)), changes, gone


@given(variations())
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read_back_equal(workshop, variation):
    seed, changes, gone = variation
    whole = workshop.build(seed, **changes)
    bundle = without(whole, gone)
    kept = [name for name in ("head", "exit", "tail") if name not in gone]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "b")
        write(bundle, folder)
        back = read(folder, parts=kept)
        assert back == bundle
        assert back.head_digest == whole.head.digest
        assert present(folder) == tuple(kept)
        assert sorted(entry.name for entry in folder.iterdir()) == sorted(
            ["manifest.json", *(f"{name}.safetensors" for name in kept)]
        )
        assert os.listdir(temporary) == ["b"]


def without(bundle, gone):
    fields = {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}
    return Bundle(**(fields | dict.fromkeys(gone)))


def test_each_side_can_be_given_its_own_part_only(workshop, folder):
    for name in ("head", "exit"):
        (folder / f"{name}.safetensors").unlink()
    tail_only = read(folder, parts=("tail",))
    assert tail_only.parts.keys() == {"tail"}
    assert tail_only.head_digest == workshop.build().head.digest
    assert present(folder) == ("tail",)
    with pytest.raises(BundleError, match=r"head.safetensors: No such file"):
        read(folder)


def test_asking_for_a_part_that_was_not_written_names_those_that_were(workshop, tmp_path):
    write(without(workshop.build(), {"tail"}), tmp_path / "edge")
    with pytest.raises(BundleError, match=r"manifest.json: lists no part 'tail'; ask for head, exit"):
        read(tmp_path / "edge", parts=("tail",))


def test_part_bytes_is_the_size_on_disk(folder):
    assert part_bytes(folder, "head") == len((folder / "head.safetensors").read_bytes())
    with pytest.raises(
        BundleError, match=r"no part is called '../head'; use one of head, exit, encoder, tail, or as in"
    ):
        part_bytes(folder, "../head")
    (folder / "exit.safetensors").unlink()
    with pytest.raises(BundleError, match=r"exit.safetensors: No such file.*; copy this part's file"):
        part_bytes(folder, "exit")


# Writing


def test_an_existing_path_is_left_alone(workshop, folder):
    with pytest.raises(BundleError, match="tiny: exists already; give another path, or overwrite=True"):
        write(workshop.build(1), folder)
    assert read(folder) == workshop.build()


def test_overwriting_replaces_a_bundle_and_leaves_nothing_behind(workshop, folder):
    write(without(workshop.build(1), {"exit"}), folder, overwrite=True)
    assert read(folder, parts=("head", "tail")) == without(workshop.build(1), {"exit"})
    assert [entry.name for entry in folder.parent.iterdir()] == ["tiny"]
    assert not (folder / "exit.safetensors").exists()


def spoil(folder, how):
    match how:
        case "a stranger's file in it":
            (folder / "thesis.tex").write_text("years of work")
        case "an empty folder":
            for file in FILES:
                (folder / file).unlink()
        case "a file":
            shutil.rmtree(folder)
            folder.write_text("x")
        case "a link to a bundle":
            folder.rename(folder.with_name("real"))
            folder.symlink_to("real")
        case "a dangling link":
            shutil.rmtree(folder)
            folder.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("a stranger's file in it", "not replaced, because it holds 'thesis.tex'"),
        ("an empty folder", "not replaced, because it is no bundle that can be read .*delete it yourself"),
        ("a file", "not replaced, because it is no folder"),
        ("a link to a bundle", "not replaced, because it is no folder"),
        ("a dangling link", "not replaced, because it is no folder"),
    ],
)
def test_overwriting_replaces_bundles_only(workshop, folder, how, message):
    spoil(folder, how)
    before = sorted(entry.name for entry in folder.parent.rglob("*"))
    with pytest.raises(BundleError, match=message):
        write(workshop.build(1), folder, overwrite=True)
    assert sorted(entry.name for entry in folder.parent.rglob("*")) == before


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
@pytest.mark.parametrize("nth", range(12))
def test_a_disk_that_fails_at_any_step_leaves_the_old_state(workshop, tmp_path, monkeypatch, nth, overwrite):
    target = tmp_path / "tiny"
    if overwrite:
        write(workshop.build(), target)
    steps = 0

    def failing(real):
        def step(*arguments, **keywords):
            nonlocal steps
            steps += 1
            if steps == nth + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **keywords)

        return step

    monkeypatch.setattr(store.os, "fsync", failing(os.fsync))
    monkeypatch.setattr(Path, "rename", failing(Path.rename))
    monkeypatch.setattr(Path, "mkdir", failing(Path.mkdir))
    try:
        write(workshop.build(1), target, overwrite=overwrite)
        message = ""
    except BundleError as error:
        message = str(error)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []
    if target.exists():
        assert read(target) in (workshop.build(), workshop.build(1))
    else:
        assert not overwrite
    assert bool(message) == (nth < steps)
    assert message or steps == 8 + overwrite  # a folder, four files, two folders synced, one or two renames
    assert not message or "tiny: cannot be written: No space left on device; check the folder" in message


def test_a_folder_that_is_not_there_cannot_hold_a_bundle(workshop, tmp_path):
    with pytest.raises(
        BundleError, match="cannot be written: No such file or directory; check the folder it is to"
    ):
        write(workshop.build(), tmp_path / "no" / "tiny")


# Reading what an enemy wrote


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_damaged_byte_is_an_error_or_harmless(workshop, pristine, data):
    file = data.draw(st.sampled_from(FILES))
    content = bytearray((pristine / file).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    if how == "flip":
        content[position] ^= data.draw(st.integers(1, 255))
    elif how == "cut":
        del content[position:]
    else:
        content[position:position] = data.draw(st.binary(min_size=1, max_size=9))
    assert_error_or_same(workshop, pristine, {file: bytes(content)})


def test_every_flipped_bit_of_the_envelope_is_an_error_or_harmless(workshop, pristine):
    content = (pristine / "manifest.json").read_bytes()
    for bit in range(8 * (content.index(b'"content"') + 12)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        assert_error_or_same(workshop, pristine, {"manifest.json": bytes(flipped)})


def assert_error_or_same(workshop, pristine, changed):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "b")
        shutil.copytree(pristine, folder)
        for file, content in changed.items():
            (folder / file).write_bytes(content)
        try:
            back = read(folder)
        except BundleError as error:
            message = str(error)
        else:
            assert back == workshop.build()
            return
        assert message.startswith(str(folder))
        assert "\n" not in message


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_forged_part_with_a_valid_seal_gives_a_bundle_or_an_error(workshop, pristine, data):
    name = data.draw(st.sampled_from(["head", "exit", "tail"]))
    content = bytearray((pristine / f"{name}.safetensors").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.just(len(content)) | st.integers(0, len(content))) :]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "b")
        shutil.copytree(pristine, folder)
        workshop.forge_part(folder, name, bytes(content))
        read_or_refuse(folder)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_forged_manifest_with_a_valid_seal_gives_a_bundle_or_an_error(workshop, pristine, data):
    hostile = json_values | st.sampled_from(
        [
            2**31 - 1,
            2**31,
            2**63,
            -1,
            0,
            1,
            8,
            1.5,
            "head",
            "0" * 64,
            "../head",
            [],
            {},
            [1, 1],
            "relu",
            "linear",
        ]
    )

    def edit(content):
        places = list(leaves(content))
        for _ in range(data.draw(st.integers(1, 2))):
            holder, key = places[data.draw(st.integers(0, len(places) - 1))]
            if isinstance(holder, dict) and data.draw(st.booleans()):
                holder.pop(key, None)
            elif isinstance(holder, dict) or key < len(holder):
                holder[key] = data.draw(hostile)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "b")
        shutil.copytree(pristine, folder)
        workshop.forge(folder, edit)
        read_or_refuse(folder)


def leaves(value):
    """Every place in a JSON value, as (container, key)."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from leaves(item)


def read_or_refuse(folder):
    try:
        message = f"{folder}: {read(folder).name} was read"
    except BundleError as error:
        message = str(error)
    assert message.startswith(str(folder))


def layer_of(content, part="head"):
    return content["parts"][part]["layers"][0]


FORGERIES = {
    "a huge dense layer": (
        lambda c: c["parts"]["exit"].update(
            layers=[
                {"kind": "linear", "n_in": 8, "n_out": 2**31 - 1, "bias": True},
                {"kind": "linear", "n_in": 2**31 - 1, "n_out": 3, "bias": True},
            ]
        ),
        "exit.safetensors: arrays missing: 1.weight, 1.bias",
    ),
    "a huge sparse layer": (
        lambda c: (layer_of(c).update(n_in=2**30, n_out=2**30), c["preprocessing"].update(pad_to=2**30)),
        "manifest.json: the head gives 1073741824 features",
    ),
    "a width of 2**31": (
        lambda c: layer_of(c).update(n_in=2**31),
        r"manifest.json: not a manifest: Expected `int` <=",
    ),
    "a width as text": (lambda c: layer_of(c).update(n_in="16"), "not a manifest: Expected `int`, got `str`"),
    "an unknown layer": (
        lambda c: layer_of(c).update(kind="pickle"),
        "not a manifest: Invalid value 'pickle'",
    ),
    "an infeasible degree": (
        lambda c: layer_of(c).update(out_degree=9),
        "manifest.json: not a manifest: out_degree=9",
    ),
    "a digest of another pattern": (
        lambda c: layer_of(c).update(pattern_digest="0" * 64),
        "head.safetensors: array 0.table holds pattern",
    ),
    "a digest that is none": (
        lambda c: layer_of(c).update(pattern_digest="x"),
        "not a manifest: Expected `str` matching",
    ),
    "the digest of another head": (
        lambda c: c.update(head_digest="0" * 64),
        "manifest.json: the head's digest is [0-9a-f]{12}, but the other parts belong to head 000000000000",
    ),
    "layers that do not chain": (
        lambda c: c["parts"]["exit"].update(layers=[layer_of(c, "exit"), layer_of(c, "exit")]),
        "manifest.json: exit: layer 0 gives 3 values and layer 1 takes 8; they must be equal",
    ),
    "parts that do not chain": (
        lambda c: layer_of(c, "exit").update(n_in=9),
        "manifest.json: the head gives 8 features, exit and tail take 9 and 8",
    ),
    "an unknown part": (
        lambda c: c["parts"].update({"../etc": c["parts"]["tail"]}),
        "not a manifest: Expected `str` matching regex",
    ),
    "no parts": (lambda c: c["parts"].clear(), "manifest.json: a bundle of no parts"),
    "a part as a list": (
        lambda c: c["parts"].update(head=[]),
        "not a manifest: Expected `object`, got `array`",
    ),
    "an unknown codec": (lambda c: c["codec"].update(name="zip"), "manifest.json: unknown codec 'zip'"),
    "an unknown criterion": (
        lambda c: c["exit_rule"].update(criterion="luck"),
        "manifest.json: unknown exit criterion",
    ),
    "a negative threshold": (
        lambda c: c["exit_rule"].update(threshold=-1),
        "manifest.json: exit threshold -1",
    ),
    "a name that is a path": (lambda c: c.update(name="../x"), "manifest.json: bundle name '../x'"),
    "a missing field": (
        lambda c: c.pop("classes"),
        "not a manifest: Object missing required field `classes`",
    ),
    "an extra field": (lambda c: c.update(run="rm"), "not a manifest: Object contains unknown field `run`"),
    "an unknown sample type": (
        lambda c: c["preprocessing"].update(dtype="object"),
        "not a manifest: Invalid enum value",
    ),
    "a huge sample": (
        lambda c: c["preprocessing"].update(shape=[2**31 - 1] * 4),
        "not a manifest: pad_to=16 is less",
    ),
    "a pool of 0": (lambda c: c["preprocessing"].update(pool=0), "not a manifest: Expected `int` >= 1"),
    "deep nesting": (
        lambda c: c.update(training=reduce(lambda v, _: [v], range(900), 0)),
        "not a manifest: Expected `object`, got `array`",
    ),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_a_forgery_gives_one_clear_error_and_no_allocation(workshop, folder, case):
    edit, message = FORGERIES[case]
    workshop.forge(folder, lambda content: edit(content) and None)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=message):
            read(folder)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_part_of_another_size_is_not_even_read(folder):
    with (folder / "tail.safetensors").open("r+b") as stream:
        stream.truncate(1 << 40)  # a hole: takes no room on disk
    with pytest.raises(
        BundleError, match=r"tail.safetensors: 1099511627776 bytes, the manifest says \d+: truncated, or"
    ):
        read(folder)


def test_a_part_larger_than_its_layers_is_not_even_read(workshop, folder):
    with (folder / "tail.safetensors").open("r+b") as stream:
        stream.truncate(1 << 40)
    workshop.forge(folder, lambda content: content["parts"]["tail"].update(n_bytes=1 << 40))
    with pytest.raises(
        BundleError, match=r"tail.safetensors: 1099511627776 bytes by the manifest, and its layers take at"
    ):
        read(folder)


def test_a_part_that_no_memory_holds_is_one_clear_error(workshop, folder):
    n_in, n_bytes = 2**31 - 1, (2**31 - 1) * 8 * 4
    head = {"kind": "linear", "n_in": n_in, "n_out": 8, "bias": False}
    with (folder / "head.safetensors").open("r+b") as stream:
        stream.truncate(n_bytes)

    def claim(content):
        content["parts"]["head"].update(layers=[head], n_bytes=n_bytes)
        content["preprocessing"].update(pad_to=n_in)

    workshop.forge(folder, claim)
    script = (
        "import resource, sys; from offramp.bundle import read;"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)); read(sys.argv[1])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == (
        f"offramp.errors.BundleError: {folder}/head.safetensors: {n_bytes} bytes, more than this machine has"
        " memory for; use one that has"
    )


def test_an_oversized_manifest_is_not_even_read(folder):
    with (folder / "manifest.json").open("r+b") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(
        BundleError, match=r"manifest.json: 1099511627776 bytes; a manifest has at most 67108864"
    ):
        read(folder)


def test_an_altered_part_is_refused(folder):
    file = folder / "head.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        BundleError, match=r"head.safetensors: SHA-256 [0-9a-f]{12}, the manifest says .*damaged, altered"
    ):
        read(folder)


def test_parts_of_two_trainings_do_not_mix(workshop, folder, tmp_path):
    write(workshop.build(1), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "tail.safetensors", folder)
    with pytest.raises(
        BundleError, match=r"tail.safetensors: SHA-256 .*another bundle; copy it again together"
    ):
        read(folder)


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_never_followed_out_of_the_folder(folder, tmp_path, file):
    outside = tmp_path / "outside"
    (folder / file).rename(outside)
    (folder / file).symlink_to(outside)
    with pytest.raises(BundleError, match=f"{file}: a symbolic link; a bundle holds plain files only"):
        read(folder)


@pytest.mark.parametrize("file", FILES)
def test_a_pipe_or_folder_in_a_files_place_is_refused_at_once(folder, file):
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(BundleError, match=f"{file}: not a plain file"):
        read(folder)
    (folder / file).unlink()
    (folder / file).mkdir()
    with pytest.raises(BundleError, match=f"{file}: (Is a directory|not a plain file)"):
        read(folder)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named_with_the_way_out(folder, file):
    (folder / file).unlink()
    with pytest.raises(BundleError, match=f"{file}: No such file or directory; give the folder of a bundle"):
        read(folder)


def test_no_folder_at_all_is_the_same_clear_error(tmp_path):
    with pytest.raises(BundleError, match=r"nothing.manifest.json: No such file or directory"):
        read(tmp_path / "nothing")


def test_reading_through_a_link_to_the_folder_is_fine(workshop, folder, tmp_path):
    (tmp_path / "current").symlink_to("tiny")
    assert read(tmp_path / "current") == copy.copy(workshop.build())
