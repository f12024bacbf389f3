"""Bundles that mean harm: each is refused with the line that the page on the wire lists."""

import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

Cli = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "wire.md"
TITLE = "Bundles that are refused"
HOLE = 1 << 40  # takes no room on disk


def sealed(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest's content and seal it anew, as somebody who means harm can."""
    file = folder / "manifest.json"
    envelope = json.loads(file.read_bytes())
    edit(envelope["content"])
    raw = json.dumps(envelope["content"]).encode()
    envelope |= {"sha256": hashlib.sha256(raw).hexdigest(), "content": msgspec.Raw(raw)}
    file.write_bytes(msgspec.json.encode(envelope))


def tail_of(folder: Path, data: bytes) -> None:
    """Put another tail there and make the manifest vouch for it."""
    (folder / "tail.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    sealed(folder, lambda content: content["parts"]["tail"].update(n_bytes=len(data), sha256=digest))


def with_header(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + bytes(4)


def tensor(shape: str, end: int) -> bytes:
    return with_header(f'{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}'.encode())


def instead(folder: Path, file: str, make: Callable[[Path], object]) -> None:
    (folder / file).unlink()
    make(folder / file)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x", encoding="utf-8")


def a_hole(file: Path) -> None:
    os.truncate(file, HOLE)


def a_hole_vouched_for(folder: Path) -> None:
    a_hole(folder / "tail.safetensors")
    sealed(folder, lambda content: content["parts"]["tail"].update(n_bytes=HOLE))


def a_name_upwards(content: dict[str, Any]) -> None:
    content["parts"]["../../etc/passwd"] = content["parts"]["tail"]


def edited(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"digits"', b'"others"'))


CASES: dict[str, Callable[[Path], object]] = {
    "no folder": shutil.rmtree,
    "a file in the folder's place": a_file,
    "a part that is a link": lambda at: instead(
        at, "tail.safetensors", lambda it: it.symlink_to("/etc/passwd")
    ),
    "a manifest that is a link": lambda at: instead(
        at, "manifest.json", lambda it: it.symlink_to("/etc/passwd")
    ),
    "a part that is a pipe": lambda at: instead(at, "tail.safetensors", os.mkfifo),
    "a part that is a socket": lambda at: instead(at, "tail.safetensors", a_socket),
    "a part that is a folder": lambda at: instead(at, "tail.safetensors", Path.mkdir),
    "a manifest of 2^40 bytes": lambda at: a_hole(at / "manifest.json"),
    "a part of 2^40 bytes": lambda at: a_hole(at / "tail.safetensors"),
    "a part of 2^40 bytes that the manifest vouches for": a_hole_vouched_for,
    "a part named `../../etc/passwd`": lambda at: sealed(at, a_name_upwards),
    "a manifest edited without its seal": edited,
    "a safetensors header of 2^63 bytes": lambda at: tail_of(at, (1 << 63).to_bytes(8, "little") + b"{}"),
    "a tensor of 2^80 values": lambda at: tail_of(at, tensor("[1099511627776, 1099511627776]", 4)),
    "a tensor beyond the end of its file": lambda at: tail_of(at, tensor("[1]", 1 << 50)),
    "control characters in its name": lambda at: sealed(
        at, lambda content: content.update(name="a\x1b[31m\nb")
    ),
}


def listed() -> dict[str, str]:
    """What -> how its line goes on after the folder, as the page has them."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {TITLE}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| (?!what)(.+?) \| `(.+)` \|$", section, re.MULTILINE))


def test_the_page_lists_each_case_and_no_other() -> None:
    assert list(listed()) == list(CASES)


@pytest.mark.parametrize("what", CASES)
def test_each_bundle_is_refused_with_its_line(cli: Cli, bundle: Path, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "hostile"
    shutil.copytree(bundle, folder)
    CASES[what](folder)
    pattern = ".*".join(map(re.escape, listed()[what].split("…")))
    error = cli("serve", folder).error
    assert re.fullmatch(re.escape(f"{folder}/") + pattern, error), error


def test_a_path_that_steers_a_terminal_is_told_in_one_harmless_line(offramp: Cli, tmp_path: Path) -> None:
    outcome = offramp("serve", f"{tmp_path}/\x1b[31mred\nblue\x07")
    assert outcome.status == 1
    assert outcome.error.startswith(f"{tmp_path}/\\u001b[31mred blue\\u0007/manifest.json: No such file")
