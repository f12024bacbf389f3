import gzip
import hashlib
import http.server
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from offramp.data import load, mnist
from offramp.errors import DataError


@pytest.mark.parametrize("dotted", [False, True], ids=["dash", "dot"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("below", ["", "raw"], ids=["the folder", "the folder above"])
def test_the_four_files_are_found_under_all_their_names(data_workshop, tmp_path, dotted, zipped, below):
    arrays = data_workshop.write_mnist(tmp_path / below, zipped=zipped, dotted=dotted)
    data = load("mnist", data_dir=tmp_path)
    assert data.x.shape == (42, 4, 4)
    assert data.classes == tuple("0123456789")
    x, y = data.split("test")
    np.testing.assert_array_equal(x, arrays["t10k", "images"])
    np.testing.assert_array_equal(y, arrays["t10k", "labels"])
    assert {name: len(index) for name, index in data.splits.items()} == {
        "train": 30,
        "validation": 3,
        "calibration": 3,
        "test": 6,
    }


def test_the_environment_names_the_folder_when_the_caller_does_not(data_workshop, tmp_path, monkeypatch):
    data_workshop.write_mnist(tmp_path / "one")
    data_workshop.write_mnist(tmp_path / "two", n_test=7)
    monkeypatch.setenv("OFFRAMP_DATA_DIR", str(tmp_path / "one"))
    assert len(load("mnist").split("test")[1]) == 6
    assert len(load("mnist", data_dir=tmp_path / "two").split("test")[1]) == 7


def test_of_many_folders_the_one_called_mnist_is_taken(data_workshop, tmp_path):
    data_workshop.write_mnist(tmp_path / "FashionMNIST")
    data_workshop.write_mnist(tmp_path / "MNIST", n_test=7)
    assert len(load("mnist", data_dir=tmp_path).split("test")[1]) == 7
    (tmp_path / "MNIST").rename(tmp_path / "other")
    with pytest.raises(DataError, match="files are in FashionMNIST and in other; give one of these folders"):
        load("mnist", data_dir=tmp_path)


def test_missing_files_are_listed(data_workshop, tmp_path):
    data_workshop.write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        DataError, match=r"neither here nor in a folder in it: t10k-labels-idx1-ubyte\[.gz\]; put"
    ):
        load("mnist", data_dir=tmp_path)


def test_a_folder_without_any_of_them_lists_all_four(tmp_path):
    with pytest.raises(
        DataError, match=r"train-images.*train-labels.*t10k-images.*t10k-labels.*put the four"
    ):
        load("mnist", data_dir=tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder; give the one with the MNIST files"):
        load("mnist", data_dir=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train_labels": np.zeros(35, np.uint8)},
            "36 train images and 35 labels; take both files from one place",
        ),
        ({"t10k_labels": np.arange(5, 11, dtype=np.uint8)}, "t10k label 10; labels are 0..9"),
        (
            {"t10k_images": np.zeros((6, 5, 4), np.uint8)},
            r"training images are \(4, 4\), test images \(5, 4\)",
        ),
        (
            {"train_images": np.zeros((11, 4, 4), np.uint8), "train_labels": np.zeros(11, np.uint8)},
            "11 training and",
        ),
        ({"train_images": np.zeros(36, np.uint8)}, "train-images-idx3-ubyte.gz: starts with 00000801"),
    ],
    ids=["lengths", "label", "sides", "too few", "labels for images"],
)
def test_files_that_do_not_fit_together_are_refused(data_workshop, tmp_path, changes, message):
    data_workshop.write_mnist(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        load("mnist", data_dir=tmp_path)


# Downloading, from a mirror that this test runs


@pytest.fixture
def no_folder(tmp_path, monkeypatch):
    """No folder given anywhere, and a cache of our own."""
    monkeypatch.delenv("OFFRAMP_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))  # nobody listens there
    return tmp_path


@pytest.fixture
def mirror(data_workshop, no_folder, monkeypatch):
    """A mirror of four small files, whose hashes are the known ones; a list of what was asked of it."""
    folder = no_folder / "served"
    data_workshop.write_mnist(folder)
    known = {}
    for file in mnist.FILES:
        data = (folder / f"{file}.gz").read_bytes()
        known[file] = (hashlib.sha256(data).hexdigest(), hashlib.md5(gzip.decompress(data)).hexdigest())
    monkeypatch.setattr(mnist, "FILES", known)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setattr(
            mnist, "MIRRORS", ("http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/")
        )
        yield folder, asked
        server.shutdown()
        thread.join()


def test_without_a_folder_the_files_are_downloaded_once_with_a_progress_bar(mirror, no_folder, capfd):
    _, asked = mirror
    assert load("mnist").x.shape == (42, 4, 4)
    out, err = capfd.readouterr()
    assert "t10k-labels-idx1-ubyte" in err
    assert out == ""
    assert sorted(asked) == sorted(f"/{file}.gz" for file in mnist.FILES)
    assert load("mnist").x.shape == (42, 4, 4)
    assert len(asked) == 4
    assert capfd.readouterr().err == ""
    cached = {path.name for path in (no_folder / "cache").rglob("*.gz")}
    assert cached == {f"{file}.gz" for file in mnist.FILES}


def test_a_mirror_that_serves_something_else_is_not_believed(mirror, no_folder):
    folder, _ = mirror
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"<html>sign in</html>")
    with pytest.raises(
        DataError, match=r"train-labels-idx1-ubyte.gz could not be downloaded .*9/: ConnectionError;.*"
    ):
        load("mnist")
    assert not list((no_folder / "cache").rglob("train-labels*"))


def test_content_of_another_md5_is_not_believed(mirror, monkeypatch):
    known = {file: (sha256, "0" * 32) for file, (sha256, _) in mnist.FILES.items()}
    monkeypatch.setattr(mnist, "FILES", known)
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte.gz: content has MD5 [0-9a-f]{32}, not 0{32}; delete"
    ):
        load("mnist")


@pytest.mark.usefixtures("no_folder")
def test_offline_the_error_names_the_mirrors_and_the_way_out():
    with pytest.raises(
        DataError,
        match=r"train-images-idx3-ubyte.gz could not be downloaded \(http://127.0.0.1:9/: ConnectionError\);"
        r" go online, or set OFFRAMP_DATA_DIR or --data-dir to a folder with the four MNIST files",
    ):
        load("mnist")


# The real files


@pytest.mark.skipif(
    "OFFRAMP_DATA_DIR" not in os.environ, reason="OFFRAMP_DATA_DIR names no folder with MNIST"
)
def test_the_real_files_have_the_known_content_and_splits():
    folder = Path(os.environ["OFFRAMP_DATA_DIR"])
    for file, (_, md5) in mnist.FILES.items():
        path = mnist._find(folder)[file]
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert hashlib.md5(data).hexdigest() == md5
    data = load("mnist")
    assert data.x.shape == (70_000, 28, 28)
    assert np.bincount(data.split("test")[1]).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert {name: len(index) for name, index in data.splits.items()} == {
        "train": 50_000,
        "validation": 5_000,
        "calibration": 5_000,
        "test": 10_000,
    }
    assert data.digest("calibration") == "11067daf0b0fb0d41a57fdddec40060ef982b73d3f2997672ddd499fd815b8ca"
