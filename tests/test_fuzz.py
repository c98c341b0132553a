"""Mutated files of every format: each is read or refused by name; nothing crashes, hangs, or takes more than a gigabyte.

python tests/test_fuzz.py 20000            all readers together
python tests/test_fuzz.py 2000 .tif .dcm   some of them
"""

import gzip
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest

MEMORY, SECONDS = 2**30, 20  # what one process may take, what one file may
HERE = Path(__file__).resolve()


# ---------- files to begin with


def seeds(folder):
    "Small good files: reader's name → paths."
    import numpy as np
    from PIL import Image as Picture

    rng = np.random.default_rng(0)
    grey, colour, deep, stack = (
        rng.integers(0, 256, (12, 13), dtype=np.uint8),
        rng.integers(0, 256, (12, 13, 3), dtype=np.uint8),
        rng.integers(0, 4096, (12, 13), dtype=np.uint16),
        rng.integers(0, 256, (6, 7, 8), dtype=np.uint8),
    )
    found = {}

    def add(ending, path):
        found.setdefault(ending, []).append(path)

    for name, picture in (
        ("grey", Picture.fromarray(grey)),
        ("colour", Picture.fromarray(colour)),
        ("palette", Picture.fromarray(colour).quantize(7)),
    ):
        for ending in (".png", ".bmp") + ((".jpg",) if name != "palette" else ()):
            picture.save(path := folder / f"{name}{ending}")
            add(ending, path)
    Picture.fromarray(deep).save(path := folder / "deep.png")
    add(".png", path)
    import tifffile

    for name, data, how in (
        ("plain", grey, {}),
        ("deflate", deep, dict(compression="zlib")),
        ("pages", stack, dict(photometric="minisblack", compression="zlib")),
        ("float", deep.astype(np.float32), {}),
        ("rgb", colour, dict(photometric="rgb")),
    ):
        tifffile.imwrite(path := folder / f"{name}.tif", data, **how)
        add(".tif", path)
    Picture.fromarray(grey).save(path := folder / "lzw.tif", compression="tiff_lzw")
    add(".tif", path)
    np.save(path := folder / "a.npy", deep)
    add(".npy", path)
    np.savez_compressed(path := folder / "a.npz", image=colour, spacing=np.ones(2))
    add(".npz", path)
    try:
        import nibabel

        nibabel.save(nibabel.Nifti1Image(stack, np.diag([1.0, 2, 3, 1])), path := folder / "a.nii")
        add(".nii", path)
        nibabel.save(nibabel.Nifti2Image(stack.astype(np.float32), np.eye(4)), path := folder / "b.nii")
        add(".nii", path)
        (path := folder / "a.nii.gz").write_bytes(gzip.compress((folder / "a.nii").read_bytes()))
        add(".nii.gz", path)
    except ImportError:
        pass
    try:
        from pydicom.data import get_testdata_files

        small = [
            Path(p) for p in get_testdata_files() if Path(p).suffix == ".dcm" and 500 < os.path.getsize(p) < 60_000
        ]
        for p in sorted(small, key=lambda p: p.name):
            shutil.copy(p, path := folder / p.name)
            add(".dcm", path)
    except ImportError:
        pass
    try:
        import SimpleITK as sitk

        for ending in (".nrrd", ".mha"):
            for packed in (False, True):
                sitk.WriteImage(sitk.GetImageFromArray(stack), str(path := folder / f"itk{packed}{ending}"), packed)
                add(ending, path)
    except ImportError:
        pass
    import torch
    from cuts.config import Config
    from cuts.encoder import Model, Network

    config = Config().replace(num_kernels=2)
    Model(Network.of(config, 1), config, [], "").save(path := folder / "model.safetensors")
    add(".safetensors", path)
    (path := folder / "settings.yaml").write_text(config.to_yaml())
    add(".yaml", path)
    from cuts.condensation import DiffusionCondensation
    from cuts.images import as_image
    from cuts.segmentation import Segmentation

    tree = DiffusionCondensation().fit(rng.normal(size=(20, 2)).astype(np.float32)).tree_
    Segmentation(tree, rng.integers(0, len(tree), (12, 13)).astype(np.uint16), as_image(grey)).save(
        path := folder / "segmentation.npz"
    )
    add("segmentation", path)
    return found


def reader(kind):
    "How a mutant of a kind is read."
    if kind == ".safetensors":
        from cuts.encoder import Model

        return Model.load
    if kind == ".yaml":
        from cuts.config import Config

        return Config.from_yaml
    if kind == "segmentation":
        from cuts.segmentation import Segmentation

        return lambda path: Segmentation.load(path).labels(5)
    from cuts.images import read_image

    return lambda path: read_image(path, max_pixels=2**24)


# ---------- mutations

NUMBERS = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**64 - 1,
]


def mutant(data: bytes, rng: random.Random) -> bytes:
    "A file that somebody, or something, has changed in one to four places."
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            break
        at = rng.randrange(
            min(len(out), rng.choice((64, 512, len(out))))
        )  # the beginning, where headers are, more often
        what = rng.randrange(8)
        if what == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 2:
            del out[at:]  # cut short
        elif what == 3:
            del out[at : at + rng.randrange(1, 40)]
        elif what == 4:
            out[at:at] = out[at : at + rng.randrange(1, 40)]  # twice
        elif what == 5:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) % 2 ** (8 * size)
            out[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
        elif what == 6:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
        elif found := list(re.finditer(rb"-?\d+", bytes(out[:4096]))):  # a number written as text
            m = rng.choice(found)
            out[m.start() : m.end()] = str(rng.choice((-1, *NUMBERS, "nan", "1e99"))).encode()
    return bytes(out)


def unpacked(path, data, rng):
    "What lies inside a compressed container, with a function that packs it again; the file itself where there is none."
    if path.name.endswith(".gz"):
        return gzip.decompress(data), gzip.compress
    if path.suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            members = {n: z.read(n) for n in z.namelist()}
        name = rng.choice(sorted(members))

        def pack(inner):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
                for n, content in members.items():
                    z.writestr(n, inner if n == name else content)
            return out.getvalue()

        return members[name], pack
    return data, lambda inner: inner


# ---------- a process that reads mutants


def work(folder, kinds, first, last):
    "Read the mutants number `first` to `last`; each is announced before it is read, so that a death tells its number."
    import resource
    import signal

    warnings.simplefilter("ignore")
    found = seeds(Path(folder))
    names = [k for k in (kinds or found) if k in found]
    readers = {k: reader(k) for k in names}
    for kind, path in ((k, p) for k in names for p in found[k]):
        try:
            readers[kind](path)  # imports whatever it needs before memory is limited
        except (ValueError, TypeError, ImportError):
            pass
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))

    def late(*_):
        os._exit(77)  # an exception would be taken for a refusal

    signal.signal(signal.SIGALRM, late)
    counts = dict(read=0, refused=0)
    for i in range(first, last):
        rng = random.Random(i)
        kind = names[i % len(names)]
        path = found[kind][i // len(names) % len(found[kind])]
        data = path.read_bytes()
        inner, pack = unpacked(path, data, rng) if rng.random() < 0.5 else (data, lambda x: x)
        target = Path(folder) / f"mutant{path.name}"
        target.write_bytes(pack(mutant(inner, rng)))
        print("at", i, kind, path.name, flush=True)
        signal.alarm(SECONDS)
        try:
            readers[kind](target)
            counts["read"] += 1
        except (ValueError, TypeError, ImportError) as e:
            if "not enough memory" in str(e):
                print("raised", i, path.name, "MemoryError", str(e)[:300], flush=True)
            if kind != ".yaml" and "mutant" not in str(e):
                print("unnamed", i, path.name, type(e).__name__, str(e)[:300].replace("\n", " "), flush=True)
            counts["refused"] += 1
        except BaseException as e:
            print("raised", i, path.name, type(e).__name__, str(e)[:300].replace("\n", " "), flush=True)
        finally:
            signal.alarm(0)
    peak = (
        int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    )  # ru_maxrss would count the process that started it, too
    print("memory", peak, json.dumps(counts), flush=True)


def fuzz(n, kinds=(), workers=1):
    "Read `n` mutants in processes of their own; (faults, counts, largest memory of a process in bytes, seconds)."
    faults, counts, memory, start = [], dict(read=0, refused=0), 0, time.monotonic()
    bounds = [(n * k // workers, n * (k + 1) // workers) for k in range(workers)]
    with tempfile.TemporaryDirectory() as tmp:
        running, heard = {}, {}  # heard: process → size of its log, when it last grew

        def launch(first, last):
            folder = Path(tmp) / str(first)
            folder.mkdir(exist_ok=True)
            env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
            log = open(folder / "log.txt", "w+")
            running[
                subprocess.Popen(
                    [sys.executable, str(HERE), "--work", str(folder), str(first), str(last), *kinds],
                    stdout=log,
                    stderr=subprocess.DEVNULL,
                    env=env,
                )
            ] = (log, last)

        for b in bounds:
            launch(*b)
        while running:
            time.sleep(0.05)
            for process, (log, _) in running.items():  # a hang in C hears no alarm
                size, now = os.fstat(log.fileno()).st_size, time.monotonic()
                if size != heard.get(process, (None, now))[0]:
                    heard[process] = size, now
                elif now - heard[process][1] > 3 * SECONDS:
                    process.kill()
            for process in [p for p in running if p.poll() is not None]:
                log, last = running.pop(process)
                log.seek(0)
                lines = log.read().splitlines()
                log.close()
                faults += [line for line in lines if line.startswith(("raised", "unnamed"))]
                if done := [line for line in lines if line.startswith("memory")]:
                    _, used, found = done[0].split(" ", 2)
                    memory = max(memory, int(used))
                    for k, v in json.loads(found).items():
                        counts[k] += v
                else:  # it died: note where, and go on behind
                    at = [line for line in lines if line.startswith("at ")]
                    faults.append(f"died with status {process.returncode}: {at[-1] if at else 'before the first'}")
                    if at and (i := int(at[-1].split()[1])) + 1 < last:
                        launch(i + 1, last)
    return faults, counts, memory, time.monotonic() - start


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_mutants_are_read_or_refused():
    faults, counts, memory, _ = fuzz(500)
    assert not faults, "\n".join(faults)
    assert sum(counts.values()) == 500 and min(counts.values()) > 20, (
        counts
    )  # they are neither all good nor all hopeless
    assert 0 < memory < MEMORY


def test_a_mutant_differs():
    rng = random.Random(0)
    data = bytes(range(200))
    assert sum(mutant(data, rng) != data for _ in range(100)) > 80


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(sys.argv[2], sys.argv[5:], int(sys.argv[3]), int(sys.argv[4]))
    else:
        faults, counts, memory, seconds = fuzz(int(sys.argv[1]), sys.argv[2:], workers=2)
        print("\n".join(faults))
        print(
            f"{sum(counts.values())} mutants, {counts['read']} read, {counts['refused']} refused, {len(faults)} faults; {memory / 2**20:.0f} MB at most, {seconds:.0f} s"
        )
