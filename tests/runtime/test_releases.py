"""Bundles that are replaced on disk while they are served."""

import asyncio
import logging
import os
import shutil
import threading

import grpc
import numpy as np
import pytest

from offramp import bundle as bundles
from offramp.errors import BundleError, ConfigError
from offramp.runtime import Network, TailServer, models_of
from offramp.runtime.releases import BundleFolder, follow
from offramp.wire import SERVICE, InferRequest, InferResponse, Tensor


@pytest.fixture
def release(workshop):
    """Bundles that differ in head and tail by `head` and `tail`, seeds."""

    def make(head, tail=0, **changes):
        rng, other = np.random.default_rng(head), np.random.default_rng(1000 + tail)
        return workshop.bundle(
            head=workshop.part(workshop.sparse(rng, 16, 8, 4, block=(2, 2)), workshop.relu),
            tail=workshop.part(workshop.dense(other, 8, 3)),
            **changes,
        )

    return make


def looked(folder):
    """What two looks at the folder find: one alone could see a copy under way."""
    assert folder.newer() is None
    return folder.newer()


def tail_digest(models):
    """The scores of ones, by which a tail is known."""
    return models[0].compute(np.ones((1, 8), np.float32)).tolist()


def test_another_bundle_in_the_place_is_found_once(release, tmp_path):
    path = tmp_path / "b"
    bundles.write(release(1), path)
    folder = BundleFolder(path)
    assert looked(folder) is None
    bundles.write(release(2, tail=5), path, overwrite=True)
    found = looked(folder)
    assert [model.name for model in found] == ["tiny.tail", "tiny"]
    assert tail_digest(found) == tail_digest(models_of(release(2, tail=5)))
    assert looked(folder) is None


def test_the_same_bundle_again_is_no_other(release, tmp_path):
    path = tmp_path / "b"
    bundles.write(release(1), path)
    folder = BundleFolder(path)
    bundles.write(release(1), path, overwrite=True)
    os.utime(path / "manifest.json")
    assert looked(folder) is None


def test_a_link_that_points_to_another_bundle_is_followed(release, tmp_path):
    for seed in (1, 2):
        bundles.write(release(seed), tmp_path / str(seed))
    link = tmp_path / "current"
    link.symlink_to("1")
    folder = BundleFolder(link)
    link.unlink()
    link.symlink_to("2")
    assert looked(folder) is not None


def truncated(path):
    (path / "tail.safetensors").write_bytes(b"half")


def without_tail(path):
    (path / "tail.safetensors").unlink()


def gone(path):
    shutil.rmtree(path)


def other_tail(path):
    data = bytearray((path / "tail.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "tail.safetensors").write_bytes(data)


def no_manifest(path):
    (path / "manifest.json").write_text("{}")


@pytest.mark.parametrize("damage", [truncated, without_tail, gone, other_tail, no_manifest])
def test_what_cannot_be_used_is_told_once_and_the_next_whole_bundle_is_found(release, tmp_path, damage):
    path = tmp_path / "b"
    bundles.write(release(1), path)
    folder = BundleFolder(path)
    bundles.write(release(2), path, overwrite=True)
    damage(path)
    assert folder.newer() is None
    with pytest.raises((BundleError, ConfigError)):
        folder.newer()
    assert folder.newer() is None
    assert folder.newer() is None
    shutil.rmtree(path, ignore_errors=True)
    bundles.write(release(3), path)
    assert looked(folder) is not None


def test_a_copy_under_way_is_not_read_until_it_rests(release, tmp_path):
    path, source = tmp_path / "b", tmp_path / "source"
    bundles.write(release(1), path)
    bundles.write(release(2), source)
    folder = BundleFolder(path)
    for file in sorted(source.iterdir()):  # each look sees another state, most of them no bundle
        content = file.read_bytes()
        for part in (content[: len(content) // 2], content):
            (path / file.name).write_bytes(part)
            assert folder.newer() is None
    assert folder.newer() is not None


def test_following_tells_what_it_read_and_what_it_could_not_in_a_line_each(release, tmp_path, loop, caplog):
    path = tmp_path / "b"
    bundles.write(release(1), path)
    folder = BundleFolder(path)
    published = []

    def publish(models, source):
        published.append((models[0].name, source))
        return {models[0].name: "2"}

    with caplog.at_level(logging.INFO, logger="offramp"):
        following = asyncio.run_coroutine_threadsafe(follow([folder], publish, every_s=0.01), loop)
        (path / "tail.safetensors").write_bytes(b"")
        wait_until(lambda: caplog.records)
        bundles.write(release(2), tmp_path / "next")
        path.rename(tmp_path / "old")
        (tmp_path / "next").rename(path)
        wait_until(lambda: published)
        wait_until(lambda: "read again" in caplog.messages[-1])
        following.cancel()
    assert published == [("tiny.tail", folder)]
    told = [message for message in caplog.messages if "No such file" not in message]
    assert len(told) == 2
    assert told[0].startswith(f"{path}/tail.safetensors: 0 bytes, the manifest says ")
    assert told[0].endswith("; what was there before stays in use")
    assert told[1] == f"read again: {path}; tiny.tail is version 2"


def test_models_that_cannot_be_made_of_a_bundle_do_not_end_the_following(release, tmp_path, loop, caplog):
    path = tmp_path / "b"
    bundles.write(release(1), path)
    faults = iter([False, True, False])
    folder = BundleFolder(path, lambda bundle: 1 / 0 if next(faults) else models_of(bundle))
    published = threading.Event()

    def publish(models, source):
        published.set()
        return {}

    following = asyncio.run_coroutine_threadsafe(follow([folder], publish, every_s=0.01), loop)
    bundles.write(release(2), path, overwrite=True)
    wait_until(lambda: any("no models come of it" in message for message in caplog.messages))
    assert not published.is_set()
    bundles.write(release(3), path, overwrite=True)
    assert published.wait(10)
    following.cancel()


def batchers():
    return {thread for thread in threading.enumerate() if thread.name == "offramp-batcher"}


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not within 10 s")


def test_clients_through_many_reloads_see_no_failure_and_only_answers_of_a_version(release, loop, tmp_path):
    path, n_reloads = tmp_path / "b", 30
    versions = [release(head=i // 3, tail=i) for i in range(n_reloads)]  # every third brings another head
    bundles.write(versions[0], path)
    before = batchers()
    folder = BundleFolder(path)
    server = TailServer()
    server.add(folder.models, source=folder)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)

    def publish(models, source):
        return server.add(models, source=source)

    following = asyncio.run_coroutine_threadsafe(follow([folder], publish, every_s=0.01), loop)
    x = np.random.default_rng(0).standard_normal((4, 8), dtype=np.float32)
    expected = {str(i + 1): Network(made.tail)(x) for i, made in enumerate(versions)}
    done, faults, seen = threading.Event(), [], set()

    def hammer(large):
        rows = np.tile(x, (200 if large else 1, 1))  # the large ones are read in threads
        request = InferRequest("tiny.tail", (Tensor("x", rows),)).to_bytes()
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            while not done.is_set():
                try:
                    response = InferResponse.from_bytes(call(request, timeout=10))
                except grpc.RpcError as error:
                    faults.append(error)
                    return
                seen.add(response.model_version)
                wanted = np.tile(expected[response.model_version], (len(rows) // 4, 1))
                if not np.allclose(response.outputs[0].array, wanted, atol=1e-5):
                    faults.append(response)

    callers = [threading.Thread(target=hammer, args=(i == 0,)) for i in range(3)]
    for caller in callers:
        caller.start()
    for number, made in enumerate(versions[1:], start=2):
        bundles.write(made, path, overwrite=True)
        wait_until(lambda number=number: server.models["tiny.tail"][-1] == str(number))
        wait_until(lambda number=number: str(number) in seen or faults)
    done.set()
    for caller in callers:
        caller.join()
    following.cancel()
    assert faults == []
    assert seen == set(expected)
    assert len(server.models["tiny.tail"]) == 2
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    wait_until(lambda: not batchers() - before)
