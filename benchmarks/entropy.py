"""Bytes of coded features, ours against libraries: `python -m benchmarks.entropy`, half a minute on digits.

Every coder gets the same symbols of the same grid, fitted like its tables to training features; bytes are of
held-out ones, every row by itself as an edge sends it, and every row is decoded and compared. Constriction's
coders get our frequencies. They end on 32-bit words, so it is also asked for the shortest bytes that still
decode, which takes a search with its decoder. zstd has a trained dictionary, and of its header what it must.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import constriction
import numpy as np
import numpy.typing as npt
import torch
import zstandard

from offramp.bundle import read
from offramp.codec import fit_codec
from offramp.codec.frequencies import fit_frequencies, starts
from offramp.codec.grid import Grid
from offramp.codec.packing import pack, unpack
from offramp.data import Dataset, load, preprocessing_for
from offramp.nn import MLP, split_midpoint
from offramp.runtime import Network
from offramp.train import RECIPES, fit

Symbols = npt.NDArray[np.uint8]
N_TIMED = 500  # rows
FEW = 500  # samples, for the second table
DICTIONARY_BYTES = 16_384


@dataclass(frozen=True)
class Coder:
    """One row (n_features,) of symbols to bytes and back."""

    encode: Callable[[Symbols], bytes]
    decode: Callable[[bytes], Symbols]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    dataset = load(arguments.data, data_dir=arguments.data_dir)
    if arguments.bundle:
        _print_all(f"{arguments.bundle}", *_of_bundle(arguments.bundle, dataset))
    else:
        for width in arguments.widths:
            title = f"{width} features of a network trained on {dataset.name}"
            _print_all(title, *_of_training(dataset, width, arguments.epochs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="as for offramp train")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--bundle", type=Path, help="take this network's features instead of training")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 40])
    parser.add_argument("--epochs", type=int, default=5)
    return parser.parse_args()


def _of_training(dataset: Dataset, width: int, epochs: int) -> tuple[npt.NDArray[np.float32], ...]:
    """Training and validation features of a dense network with `width` neurons before the cut."""
    pool = 2 if len(dataset.split("train")[0][0].ravel()) > 400 else 1
    preprocessing = preprocessing_for(dataset, pool=pool)
    neurons = [preprocessing.n_features, width, 64, len(dataset.classes)]
    model = split_midpoint(MLP(neurons, [None] * 3, seed=0))
    fit(
        model, dataset, replace(RECIPES["cosine"], epochs=epochs), preprocessing=preprocessing, progress=False
    )
    with torch.inference_mode():
        inputs = (torch.from_numpy(preprocessing(dataset.split(name)[0])) for name in ("train", "validation"))
        return tuple(model.head(samples).numpy() for samples in inputs)


def _of_bundle(path: Path, dataset: Dataset) -> tuple[npt.NDArray[np.float32], ...]:
    """What the bundle's edge would code, of training and validation samples."""
    bundle = read(path)
    if bundle.head is None:
        raise SystemExit(f"{path} has no head; give a bundle with one")
    parts = [Network(part) for part in (bundle.head, bundle.encoder) if part is not None]
    features = [bundle.preprocessing(dataset.split(name)[0]) for name in ("train", "validation")]
    for part in parts:
        features = [part(samples) for samples in features]
    return tuple(features)


def _print_all(title: str, train: npt.NDArray[np.float32], held_out: npt.NDArray[np.float32]) -> None:
    print(f"\n{title}; {len(train)} to fit to, {len(held_out)} held out, {np.mean(held_out == 0):.0%} zeros")
    print(f"{'':46}{'bytes a row':>12}{'longest':>9}{'us encode':>11}{'decode':>8}")
    for bits in (4, 8):
        codec = fit_codec(f"int{bits}-range", train)
        symbols = codec.grid.symbols(held_out)
        table = starts(codec.frequencies, bits)
        for name, coder in _coders(bits, train, codec.grid, table).items():
            _print_line(f"{bits} bits: {name}", coder, symbols)
        print(f"{f'{bits} bits: entropy by the tables':46}{_information(table, symbols) / 8:12.2f}")
    _print_tables(train, held_out)


def _print_line(name: str, coder: Coder, symbols: Symbols) -> None:
    rows = [coder.encode(row) for row in symbols]
    for row, coded in zip(symbols, rows, strict=True):
        if not np.array_equal(coder.decode(coded), row):
            raise SystemExit(f"{name} gave back other symbols; its size means nothing")
    sizes = [len(row) for row in rows]
    encode_us = _us_a_row(coder.encode, list(symbols[:N_TIMED]))
    decode_us = _us_a_row(coder.decode, rows[:N_TIMED])
    print(f"{name:46}{np.mean(sizes):12.2f}{max(sizes):9d}{encode_us:11.1f}{decode_us:8.1f}", flush=True)


def _us_a_row(work: Callable[[object], object], rows: Sequence[object]) -> float:
    """Microseconds of one call, the best of three rounds."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for row in rows:
            work(row)
        seconds.append(time.perf_counter() - start)
    return 1e6 * min(seconds) / len(rows)


def _coders(
    bits: int, train: npt.NDArray[np.float32], grid: Grid, table: npt.NDArray[np.int64]
) -> dict[str, Coder]:
    ours = {
        f"offramp {name}": _ours(name, train, grid)
        for name in (f"int{bits}", f"int{bits}-zeros", f"int{bits}-range")
    }
    frequencies = np.diff(table, axis=1).astype(np.float64)
    return ours | {
        "zstd, trained dictionary": _zstd(bits, grid.symbols(train)),
        "constriction range coder": _constriction_queue(frequencies, _all_words),
        "constriction range coder, zeros off": _constriction_queue(frequencies, _without_zeros),
        "constriction range coder, shortest found": _constriction_queue(frequencies, _shortest),
        "constriction ANS": _constriction_stack(frequencies),
    }


def _ours(name: str, train: npt.NDArray[np.float32], grid: Grid) -> Coder:
    """With the way from and to features, which the others are spared."""
    codec = fit_codec(name, train)

    def encode(symbols: Symbols) -> bytes:
        return codec.encode_rows(grid.place(symbols[None].astype(np.float32)))[0]

    def decode(data: bytes) -> Symbols:
        return grid.symbols(codec.decode_rows(np.frombuffer(data, np.uint8)[None], grid.n_features))[0]

    return Coder(encode, decode)


def _zstd(bits: int, train: Symbols) -> Coder:
    samples = [row.tobytes() for row in pack(train, bits)]
    trained = zstandard.train_dictionary(DICTIONARY_BYTES, samples)
    level = zstandard.ZstdCompressionParameters.from_level(
        19, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=0, write_checksum=0, write_dict_id=0
    )
    compressor = zstandard.ZstdCompressor(dict_data=trained, compression_params=level)
    decompressor = zstandard.ZstdDecompressor(dict_data=trained, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    n_features, n_bytes = train.shape[1], len(samples[0])

    def decode(data: bytes) -> Symbols:
        packed = decompressor.decompress(data, max_output_size=n_bytes)
        symbols = np.empty((1, n_features), np.uint8)
        unpack(np.frombuffer(packed, np.uint8)[None], bits, symbols)
        return symbols[0]

    return Coder(lambda row: compressor.compress(pack(row[None], bits).tobytes()), decode)


Ending = Callable[[npt.NDArray[np.uint32], Callable[[bytes], Symbols], Symbols], bytes]


def _constriction_queue(frequencies: npt.NDArray[np.float64], ending: Ending) -> Coder:
    model = constriction.stream.model.Categorical(perfect=False)

    def decode(data: bytes) -> Symbols:
        words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder(words)
        return np.asarray(decoder.decode(model, frequencies)).astype(np.uint8)

    def encode(row: Symbols) -> bytes:
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(row.astype(np.int32), model, frequencies)
        return ending(encoder.get_compressed(), decode, row)

    return Coder(encode, decode)


def _constriction_stack(frequencies: npt.NDArray[np.float64]) -> Coder:
    model = constriction.stream.model.Categorical(perfect=False)

    def encode(row: Symbols) -> bytes:
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(row.astype(np.int32), model, frequencies)
        return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")

    def decode(data: bytes) -> Symbols:
        words = np.frombuffer(data + bytes(-len(data) % 4), "<u4").astype(np.uint32)
        return np.asarray(constriction.stream.stack.AnsCoder(words).decode(model, frequencies)).astype(
            np.uint8
        )

    return Coder(encode, decode)


def _all_words(words: npt.NDArray[np.uint32], _: object, __: object) -> bytes:
    return words.astype(">u4").tobytes()


def _without_zeros(words: npt.NDArray[np.uint32], _: object, __: object) -> bytes:
    return words.astype(">u4").tobytes().rstrip(b"\0")


def _shortest(words: npt.NDArray[np.uint32], decode: Callable[[bytes], Symbols], row: Symbols) -> bytes:
    """The shortest bytes from which constriction's decoder reads the row, found by trying."""
    data = words.astype(">u4").tobytes()
    for n in range(len(data)):
        number = int.from_bytes(data[:n])
        for candidate in (number, number + 1):
            if candidate < 256**n and _means(tried := candidate.to_bytes(n), decode, row):
                return tried
    return data


def _means(data: bytes, decode: Callable[[bytes], Symbols], row: Symbols) -> bool:
    try:
        return np.array_equal(decode(data), row)
    except AssertionError:  # what constriction raises for bytes that it never writes
        return False


def _information(table: npt.NDArray[np.int64], symbols: Symbols) -> float:
    """Bits of a row, on average, by these frequencies."""
    features = np.arange(symbols.shape[1])
    frequencies = np.diff(table, axis=1)[features, symbols]
    return float(np.log2(table[0, -1] / frequencies).sum(1).mean())


def _print_tables(train: npt.NDArray[np.float32], held_out: npt.NDArray[np.float32]) -> None:
    """What 17 frequencies for a feature of 8 bits cost against 256."""
    print(f"{'8 bits, entropy in bytes a row':46}{'17 a feature':>12}{'256':>9}")
    for n in (len(train), FEW):
        grid = fit_codec("int8", train[:n]).grid
        fitted, symbols = grid.symbols(train[:n]), grid.symbols(held_out)
        counts = np.stack([np.bincount(column, minlength=256) for column in fitted.T]) + 0.5
        shares = counts / counts.sum(1, keepdims=True)
        each = -np.log2(shares[np.arange(symbols.shape[1]), symbols]).sum(1).mean()
        ours = _information(starts(fit_frequencies(fitted, 8), 8), symbols)
        print(f"{f'fitted to {n}':46}{ours / 8:12.2f}{each / 8:9.2f}")


if __name__ == "__main__":
    main()
