"""Spectral k-means against PHATE (a development dependency), its threads and its memory.

nbs/22_spectral.ipynb tests the rest."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from ring import ring
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from cuts.stage2.spectral import SpectralKMeans


def phate_labels(X, k, seed=0, **kw):
    phate = pytest.importorskip("phate", reason="the extra `phate` is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        op = phate.PHATE(n_components=2, t=2, verbose=0, random_state=seed, n_jobs=1, **kw).fit(X)
        return phate.cluster.kmeans(op, n_clusters=k, random_state=seed)


@parametrize_with_checks([SpectralKMeans()])
def test_estimator(estimator, check):
    check(estimator)


def test_same_partition_as_phate_of_separated_groups():
    X, y = make_blobs(900, n_features=8, centers=4, cluster_std=1.0, center_box=(-12, 12), random_state=3)
    ours = SpectralKMeans(4, n_landmarks=200, knn=40, random_state=0).fit_predict(X)
    theirs = phate_labels(X, 4, knn=40, n_landmark=200)
    assert adjusted_rand_score(ours, y) == 1
    assert adjusted_rand_score(ours, theirs) == 1


def test_similar_to_phate_on_a_picture():
    X, _ = ring()
    theirs = [phate_labels(X, 6, seed, knn=50, n_landmark=300) for seed in (0, 1)]
    ours = SpectralKMeans(6, n_landmarks=300, knn=50, random_state=0).fit_predict(X)
    to_phate = np.mean([adjusted_rand_score(ours, t) for t in theirs])
    assert to_phate > 0.5
    assert to_phate > adjusted_rand_score(*theirs) - 0.25  # PHATE with another seed differs as well


# A process that can import what is beside this file.
HERE = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})"
HASHED = """
import hashlib
from cuts.stage2.spectral import SpectralKMeans
from ring import ring
model = SpectralKMeans(random_state=0).fit(ring()[0])
print(hashlib.sha256(model.labels_.tobytes() + model.potential_.tobytes()).hexdigest())
"""


def python(code, **options):
    "A Python process, whose output is read."
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


def test_same_bytes_on_any_number_of_threads():
    environments = [os.environ | {"OMP_NUM_THREADS": str(n)} for n in (1, 2)]
    assert len({python(HERE + HASHED, check=True, env=env).stdout for env in environments}) == 1


MEASURED = r"""
import re
import numpy as np
from cuts.stage2.spectral import SpectralKMeans
X = np.random.default_rng(0).normal(size=(16384, 128)).astype("float32")
SpectralKMeans(random_state=0).fit(X)
# ru_maxrss would count the process that started it, too
print(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1])
"""


def test_memory_of_an_image():
    "16384 vectors of 128 numbers: the whole process stays far below a gigabyte."
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    assert int(python(MEASURED, check=True).stdout) * 1024 < 1000 * 2**20


PARALLEL = """
from joblib import Parallel, delayed
from cuts.stage2.spectral import SpectralKMeans
from ring import ring
def work(seed):
    X, _ = ring(48, seed)
    return SpectralKMeans(6, n_landmarks=200, random_state=0).fit_predict(X).tobytes()
many = Parallel(n_jobs=4)(delayed(work)(seed) for seed in range(8))
assert many[:3] == [work(seed) for seed in range(3)]
print(len(many))
"""


def test_four_processes_never_wait_for_each_other():
    """Eight images in four processes that each start with as many threads as they like.

    They are done well before the limit, with the same labels as in one process."""
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = python(HERE + PARALLEL, timeout=240, env=env)
    assert (done.returncode, done.stdout.strip()) == (0, "8"), done.stderr[-2000:]
