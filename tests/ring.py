"A picture, as vectors and labels, that processes make without importing a test."

import numpy as np


def ring(size=64, seed=0):
    "A ring around a disc, both uneven, on a shaded ground: the vectors of its pixels [size², 24] and labels [size²]."
    from scipy.ndimage import gaussian_filter

    r = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    distance = np.hypot(x, y)
    labels = np.where(distance < 0.35, 2, np.where(np.abs(distance - 0.65) < 0.12, 1, 0))
    grey = np.array([0.2, 0.55, 0.85])[labels] + 0.08 * x
    image = np.stack([grey, grey**2, 1 - grey], -1) + 0.05 * r.normal(size=(size, size, 3))
    smooth = np.concatenate([gaussian_filter(image, (s, s, 0)) for s in (0.5, 1, 2)], -1).reshape(-1, 9)
    return np.maximum(smooth @ r.normal(size=(9, 24)), 0).astype(np.float32), labels.ravel()
