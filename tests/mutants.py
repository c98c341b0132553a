"""Files that somebody, or something, has changed, and a process that reads them.

python tests/mutants.py FOLDER FIRST LAST [KIND…]    read the mutants number FIRST to LAST - 1; test_fuzz.py starts it
"""

import contextlib
import gzip
import io
import json
import os
import random
import re
import sys
import warnings
import zipfile
from pathlib import Path

from seed_files import reader, seeds

MEMORY, SECONDS = 2**30, 20  # what one process may take, what one file may
REFUSALS = (ValueError, TypeError, ImportError)
NUMBERS = [0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536]
NUMBERS += [2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1]


# Changes of bytes at one place, in place -----------------------------------------------------------------------------
def flip_bit(out, place, rng):
    out[place] ^= 1 << rng.randrange(8)


def set_byte(out, place, rng):
    out[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def cut_short(out, place, rng):
    del out[place:]


def remove(out, place, rng):
    del out[place : place + rng.randrange(1, 40)]


def repeat(out, place, rng):
    out[place:place] = out[place : place + rng.randrange(1, 40)]


def write_number(out, place, rng):
    size = rng.choice((1, 2, 4, 8))
    number = rng.choice(NUMBERS) % 2 ** (8 * size)
    out[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))


def insert(out, place, rng):
    out[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))


def rewrite_text(out, place, rng):
    "Change a number that is written as text, wherever one is."
    if numbers := list(re.finditer(rb"-?\d+", bytes(out[:4096]))):
        m = rng.choice(numbers)
        out[m.start() : m.end()] = str(rng.choice((-1, *NUMBERS, "nan", "1e99"))).encode()


CHANGES = (flip_bit, set_byte, cut_short, remove, repeat, write_number, insert, rewrite_text)


# A mutant ------------------------------------------------------------------------------------------------------------
def mutant(data: bytes, rng: random.Random) -> bytes:
    "A file that somebody, or something, has changed in one to four places."
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            break
        end = min(len(out), rng.choice((64, 512, len(out))))  # the beginning, where headers are, more often
        place = rng.randrange(end)
        CHANGES[rng.randrange(len(CHANGES))](out, place, rng)
    return bytes(out)


def unpacked(path, data, rng):
    "What lies inside a compressed container, with a function that packs it again; the file itself where there is none."
    if path.name.endswith((".gz", ".mgz")):
        return gzip.decompress(data), gzip.compress
    if path.suffix != ".npz":
        return data, bytes
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


def mutated(path, rng) -> bytes:
    "A mutant of a file; of a compressed one, every other time what lies inside is changed."
    data = path.read_bytes()
    inner, pack = unpacked(path, data, rng) if rng.random() < 0.5 else (data, bytes)
    return pack(mutant(inner, rng))


# A process that reads mutants ----------------------------------------------------------------------------------------
def limit_memory():
    "From here on the process may take so much more than it has."
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def end_process(*_):
    os._exit(77)  # an exception would be taken for a refusal


def report(fault, number, path, error):
    print(fault, number, path.name, type(error).__name__, str(error)[:300].replace("\n", " "), flush=True)


def read_mutant(number, kind, read, path, target) -> str | None:
    "Read a mutant of `path`: read or refused, as it should be, or neither; faults are printed."
    import signal

    signal.alarm(SECONDS)
    try:
        read(target)
        return "read"
    except REFUSALS as e:
        if "not enough memory" in str(e):
            report("raised", number, path, MemoryError(e))
        if kind != ".yaml" and "mutant" not in str(e):
            report("unnamed", number, path, e)
        return "refused"
    except BaseException as e:
        report("raised", number, path, e)
        return None
    finally:
        signal.alarm(0)


def work(folder, kinds, first, last):
    "Read mutants; each is announced before it is read, so that a death tells its number."
    import signal

    warnings.simplefilter("ignore")
    paths = seeds(Path(folder))
    kinds = [kind for kind in (kinds or paths) if kind in paths]
    readers = {kind: reader(kind) for kind in kinds}
    for kind in kinds:
        for path in paths[kind]:
            with contextlib.suppress(*REFUSALS):
                readers[kind](path)  # imports whatever it needs before memory is limited
    limit_memory()
    signal.signal(signal.SIGALRM, end_process)
    counts = dict(read=0, refused=0)
    for number in range(first, last):
        kind = kinds[number % len(kinds)]
        path = paths[kind][number // len(kinds) % len(paths[kind])]
        target = Path(folder) / f"mutant{path.name}"
        target.write_bytes(mutated(path, random.Random(number)))
        print("at", number, kind, path.name, flush=True)
        if outcome := read_mutant(number, kind, readers[kind], path, target):
            counts[outcome] += 1
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]
    print("memory", int(peak) * 1024, json.dumps(counts), flush=True)  # ru_maxrss would count the parent, too


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[4:], int(sys.argv[2]), int(sys.argv[3]))
