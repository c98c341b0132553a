"""`cuts serve`, asked by the client of nnInteractive itself.

Every mask must be the one that the same hint gives in Python. The server runs in a process of its own on a free port of
this machine, with `cuts serve` as everybody would start it."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from browser import SECONDS
from repository import root

import cuts
from cuts.config.settings import Config
from cuts.data.fundus import fundus_phantom
from cuts.data.volume_phantoms import bodies_volume
from cuts.evaluate.baselines import segment_colours
from cuts.evaluate.masks import dice
from cuts.integrations.nninteractive import Session, image_of
from cuts.integrations.packed_arrays import pack
from cuts.segmentation.picture import Segmentation

for package in ("tornado", "blosc2"):
    pytest.importorskip(package, reason='cuts serve needs it: pip install "cuts-segmentation[serve]"')
remote = pytest.importorskip(
    "nnInteractive.inference.remote", reason="the client is not installed: pip install nninteractive-client"
)
httpx = pytest.importorskip("httpx", reason="it comes with nninteractive-client")
BODY, OTHER = (1, 2, 3, 4), (5, 6, 7, 8)


class Served:
    "A `cuts serve` in a process of its own."

    def __init__(self, *options, **environment):
        code = "from cuts.cli.command import main; main(['serve', '--port', '0', *__import__('sys').argv[1:]])"
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | environment
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.line = self.process.stdout.readline()
        assert "CUTS answers at http://127.0.0.1:" in self.line, self.line + self.process.stdout.read()
        self.url = self.line.split()[3].strip(",;")

    def client(self, **options):
        return remote.nnInteractiveRemoteInferenceSession(self.url, read_timeout=SECONDS, **options)

    def is_up(self):
        return httpx.get(f"{self.url}/healthz", timeout=SECONDS).json() == {"ok": True}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(SECONDS)
        assert status == 0, self.process.stdout.read()


@pytest.fixture(scope="module", autouse=True)
def no_proxy():
    with pytest.MonkeyPatch.context() as m:
        m.setenv("NO_PROXY", "127.0.0.1")
        m.delenv("NN_INTERACTIVE_API_KEY", raising=False)
        yield


@pytest.fixture(scope="module")
def served(no_proxy):
    served = Served("--max-sessions", 8)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def scene():
    "A volume, its labels, and what CUTS makes of it here."
    voxels, labels = bodies_volume(32)
    return voxels, labels, cuts.segment(voxels)


@pytest.fixture(scope="module")
def volume_client(served, scene):
    client = served.client()
    client.set_image(scene[0][None])
    yield client
    client.close()


@pytest.fixture
def drawn(volume_client, scene):
    "A client that has sent the volume, without a prompt, and its mask."
    mask = np.zeros(scene[0].shape, np.uint8)
    volume_client.reset_interactions()
    volume_client.set_target_buffer(mask)
    return volume_client, mask


def middle_of(labels, which):
    return np.argwhere(np.isin(labels, which)).mean(0).round().astype(int)


def cut(mask, axis, number):
    "A mask in one of its planes alone."
    flat = np.zeros_like(mask)
    part = tuple(slice(number, number + 1) if a == axis else slice(None) for a in range(3))
    flat[part] = mask[part]
    return flat


def turned(seg, axis):
    "A segmentation with another axis in front."
    order = [axis, *(a for a in range(3) if a != axis)]
    image = replace(seg.image, data=seg.image.data.transpose(0, *(a + 1 for a in order)))
    return Segmentation(seg.tree, seg.landmark_map.transpose(order), image, coordinates=seg.coordinates), order


def told(name, mask, truth):
    print(f"{name}: Dice {dice(mask, truth):.3f}")
    return dice(mask, truth)


# Prompts -------------------------------------------------------------------------------------------------------------
def test_the_client_knows_what_it_can_ask(volume_client, scene):
    assert volume_client.ping()
    assert set(volume_client.supported_interactions) == {"points", "scribble", "lasso", "bbox2d", "bbox3d"}
    assert all(volume_client.supported_interactions.values())
    assert volume_client.supports_undo
    assert volume_client.supports_initial_label
    assert volume_client.original_image_shape == (1, *scene[0].shape)
    volume_client.set_do_autozoom(False)


def test_points(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    here, there = middle_of(labels, BODY), middle_of(labels, OTHER)
    assert client.add_point_interaction(here.tolist(), True) == [[0, 32]] * 3
    np.testing.assert_array_equal(mask > 0, seg.mask(here))
    assert told("a point", mask > 0, np.isin(labels, BODY)) > 0.7
    client.add_point_interaction(there.tolist(), True)
    np.testing.assert_array_equal(mask > 0, seg.mask([here, there]))
    assert client.undo()
    bounds = client.add_point_interaction((there + [0.2, -0.2, 0]).tolist(), False)
    np.testing.assert_array_equal(mask > 0, seg.mask(here, there))
    assert bounds is None or all(0 <= low < high <= 32 for low, high in bounds)
    assert not mask[tuple(there)]


@pytest.mark.parametrize("axis", range(3))
def test_a_lasso_in_a_plane_of_any_axis(drawn, scene, axis):
    (client, mask), (_, labels, seg) = drawn, scene
    body, number = np.isin(labels, BODY), int(middle_of(labels, BODY)[axis])
    lasso = cut(body, axis, number)
    client.add_lasso_interaction(lasso.astype(np.uint8), True)
    (other, order), part = turned(seg, axis), np.take(lasso, number, axis)
    np.testing.assert_array_equal(mask.transpose(order) > 0, other.mask(part, plane=number))
    assert told(f"a lasso across axis {axis}", mask > 0, body) > 0.85
    before, organ = mask.copy(), np.isin(labels, (3, 4))
    there = cut(organ, axis, int(middle_of(labels, (3, 4))[axis]))
    client.add_lasso_interaction(there.astype(np.uint8), False)
    assert mask[there].mean() < 0.3 < before[there].mean()
    assert not (mask > before).any()


@pytest.mark.parametrize("axis", range(3))
def test_a_box_in_a_plane_of_any_axis(drawn, scene, axis):
    (client, mask), (_, labels, seg) = drawn, scene
    body, number = np.isin(labels, BODY), int(middle_of(labels, BODY)[axis])
    places = np.argwhere(cut(body, axis, number))
    low, high = places.min(0), places.max(0) + 1
    client.add_bbox_interaction(np.stack([low, high], 1).tolist(), True)
    (other, _), order = turned(seg, axis), [axis, *(a for a in range(3) if a != axis)]
    box = [*low[order[1:]], *high[order[1:]]]
    np.testing.assert_array_equal(mask.transpose(order) > 0, other.mask(box, plane=number))
    assert told(f"a box across axis {axis}", mask > 0, body) > 0.8


def test_a_box_in_three_dimensions(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    body, there = np.isin(labels, BODY), middle_of(labels, OTHER)
    low, high = np.argwhere(body).min(0), np.argwhere(body).max(0) + 1
    client.add_bbox_interaction(np.stack([low, high], 1).tolist(), True)
    np.testing.assert_array_equal(mask > 0, seg.mask([*low, *high]))
    assert told("a box", mask > 0, body) > 0.8
    client.add_point_interaction(there.tolist(), True)  # which lies outside the box
    assert mask[tuple(there)]
    client.reset_interactions()
    client.add_point_interaction(there.tolist(), True)
    client.add_bbox_interaction(np.stack([low, high], 1).tolist(), False)
    np.testing.assert_array_equal(mask > 0, seg.mask(there, [*low, *high]))


@pytest.mark.parametrize("is_part", [False, True])
def test_scribbles_in_whole_and_in_part(drawn, scene, is_part):
    (client, mask), (_, labels, seg) = drawn, scene
    here, there = middle_of(labels, BODY), middle_of(labels, OTHER)
    strokes = np.zeros((2, *labels.shape), np.uint8)
    strokes[0, here[0], here[1] - 3 : here[1] + 4, here[2]] = 1
    strokes[1, there[0], there[1], there[2] - 3 : there[2] + 4] = 1
    for stroke, sign in zip(strokes, (True, False), strict=True):
        low, high = np.argwhere(stroke).min(0), np.argwhere(stroke).max(0) + 1
        bounds = np.stack([low, high], 1).tolist() if is_part else None
        part = stroke[tuple(slice(*b) for b in bounds)] if is_part else stroke
        client.add_scribble_interaction(part, sign, interaction_bbox=bounds)
    np.testing.assert_array_equal(mask > 0, seg.mask(strokes[0] > 0, strokes[1] > 0))
    assert told("two scribbles", mask > 0, np.isin(labels, BODY)) > 0.7


def test_a_lasso_in_three_dimensions(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    body = np.isin(labels, BODY)
    client.add_lasso_interaction(body, True)
    np.testing.assert_array_equal(mask > 0, seg.mask(body))
    assert told("a lasso around all of it", mask > 0, body) > 0.9


def test_prompts_that_are_kept_back(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    here, there = middle_of(labels, BODY), middle_of(labels, OTHER)
    assert client.add_point_interaction(here.tolist(), True, run_prediction=False) is None
    assert client.add_point_interaction(there.tolist(), False, run_prediction=False) is None
    assert not mask.any()
    assert client._predict() is not None
    np.testing.assert_array_equal(mask > 0, seg.mask(here, there))
    assert client._predict() is None


# Back, and anew ------------------------------------------------------------------------------------------------------
def test_undo_and_reset(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    here = middle_of(labels, BODY)
    assert not client.undo()
    client.add_point_interaction(here.tolist(), True)
    one = mask.copy()
    client.add_lasso_interaction(cut(np.isin(labels, OTHER), 0, int(here[0])).astype(np.uint8), True)
    assert (mask != one).any()
    assert client.undo()
    np.testing.assert_array_equal(mask, one)
    assert client.undo()
    assert not mask.any()
    assert not client.undo()
    client.add_point_interaction(here.tolist(), True)
    client.reset_interactions()
    assert not mask.any()
    assert not client.undo()
    client.add_point_interaction(here.tolist(), True)
    np.testing.assert_array_equal(mask > 0, seg.mask(here))


def test_an_initial_segmentation_is_corrected(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    start, there = np.isin(labels, BODY), middle_of(labels, OTHER)
    client.add_point_interaction(there.tolist(), True)
    before = mask.copy()
    assert client.add_initial_seg_interaction(start.astype(np.uint8)) is None
    np.testing.assert_array_equal(mask > 0, start)
    client.add_point_interaction(there.tolist(), True)
    np.testing.assert_array_equal(mask > 0, seg.mask(there, start=start))
    assert client.undo()
    np.testing.assert_array_equal(mask > 0, start)
    assert client.undo()
    np.testing.assert_array_equal(mask, before)
    client.add_initial_seg_interaction(start.astype(np.uint8), run_prediction=True)
    np.testing.assert_array_equal(mask > 0, start)
    client.add_point_interaction(middle_of(labels, 2).tolist(), False)
    np.testing.assert_array_equal(mask > 0, seg.mask(None, middle_of(labels, 2), start=start))


@pytest.mark.parametrize("shape", [(9, 9, 9), (12, 1, 12)])
def test_whatever_comes_a_client_has_the_mask_of_its_session(shape):
    "Without a network: any prompts in any order, copied as the client copies what it is told."
    rng, voxels = np.random.default_rng(0), bodies_volume(12)[0][tuple(slice(n) for n in shape)]
    session, mask = Session(lambda image: segment_colours(image, 1.0, Config())), np.zeros(shape, np.uint8)
    session.set_image(voxels[None])
    session.set_target(shape, "uint8")
    for _ in range(30):
        corners, sign = rng.integers(0, shape, (2, 3)), int(rng.choice([1, -1]))
        low, high = corners.min(0), corners.max(0) + 1
        thin = rng.integers(4)
        if thin < 3:
            high[thin] = low[thin] + 1
        drawn = np.zeros(shape, np.uint8)
        drawn[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
        kind = rng.choice(
            ["point", "box", "lasso", "scribble", "start", "undo", "reset"], p=[0.2] * 4 + [0.05, 0.1, 0.05]
        )
        if kind == "start":
            mask[:], change = drawn, session.add_start(drawn, bool(rng.integers(2)))
        elif kind == "reset":
            mask[:], change = 0, session.reset()
        elif kind == "undo":
            change = session.undo()
        elif kind == "point":
            change = session.add_point(low.tolist(), sign)
        elif kind == "box":
            change = session.add_box(np.stack([low, high], 1).tolist(), sign)
        else:
            change = session.add_mask(kind, drawn, sign)
        if change is not None and change.bounds is not None:
            mask[tuple(slice(*b) for b in change.bounds)] = change.values
        np.testing.assert_array_equal(mask > 0, session.state.mask)


# Pictures ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [0, 2])
def test_a_picture_is_a_volume_of_one_plane(served, axis):
    "And after it another one, for which the prompts of the first are gone."
    with served.client() as client:
        for seed in range(2):
            photo, truth = fundus_phantom((64, 72), seed)
            seg, mask = cuts.segment(photo), np.zeros(np.insert((64, 72), axis, 1), bool)
            client.set_image(np.expand_dims(np.moveaxis(photo, -1, 0), axis + 1), {"spacing": np.ones(3)})
            client.set_target_buffer(mask)
            place = np.argwhere(truth == 1).mean(0).round().astype(int)
            client.add_point_interaction(np.insert(place, axis, 0).tolist(), True)
            np.testing.assert_array_equal(mask.squeeze(axis), seg.mask(place))
            client.reset_interactions()
            client.add_lasso_interaction(np.expand_dims(truth == 1, axis), True)
            np.testing.assert_array_equal(mask.squeeze(axis), seg.mask(truth == 1))
            assert told("a lasso in a picture", mask.squeeze(axis), truth == 1) > 0.8
            client.reset_interactions()
            low, high = np.argwhere(truth == 1).min(0), np.argwhere(truth == 1).max(0) + 1
            client.add_bbox_interaction(np.insert(np.stack([low, high], 1), axis, [0, 1], 0).tolist(), True)
            np.testing.assert_array_equal(mask.squeeze(axis), seg.mask([*low, *high]))


def test_a_model_of_ones_own(trained_run):
    photo, truth = fundus_phantom((48, 48), 0)
    served = Served("--run", trained_run)
    try:
        with served.client() as client:
            client.set_image(np.moveaxis(photo, -1, 0)[:, None])
            mask = np.zeros((1, 48, 48), np.uint8)
            client.set_target_buffer(mask)
            place = np.argwhere(truth == 1).mean(0).round().astype(int)
            client.add_point_interaction([0, *place.tolist()], True)
            np.testing.assert_array_equal(mask[0] > 0, cuts.segment(photo, trained_run).mask(place))
    finally:
        served.stop()


def test_a_spacing_that_is_none_is_told_and_left_out(caplog):
    for spacing in ([0, 1, 1], [1, 1], "mm", [1, float("inf"), 1]):
        assert image_of(np.arange(120.0).reshape(1, 4, 5, 6), spacing).spacing == (1, 1, 1)
    assert len(caplog.records) == 4


# Many clients --------------------------------------------------------------------------------------------------------
def test_two_at_once_have_each_their_own(served):
    photos, masks, faults = [fundus_phantom((64, 64), seed) for seed in range(2)], {}, []

    def work(seed):
        try:
            photo, truth = photos[seed]
            with served.client() as client:
                client.set_image(np.moveaxis(photo, -1, 0)[:, None])
                mask = np.zeros((1, 64, 64), np.uint8)
                client.set_target_buffer(mask)
                for _ in range(3):
                    client.reset_interactions()
                    client.add_point_interaction([0, *np.argwhere(truth == 1).mean(0).round().tolist()], True)
                masks[seed] = mask[0] > 0
        except Exception as e:
            faults.append(e)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not faults
    for seed, (photo, truth) in enumerate(photos):
        place = np.argwhere(truth == 1).mean(0).round().astype(int)
        np.testing.assert_array_equal(masks[seed], cuts.segment(photo).mask(place))


def test_others_are_answered_while_an_image_is_segmented(served, drawn, scene):
    (known, mask), (_, labels, seg) = drawn, scene
    with served.client() as client:
        thread = threading.Thread(target=client.set_image, args=[bodies_volume(32, seed=1)[0][None]])
        thread.start()
        answers = 0
        while thread.is_alive():
            if client.lease_status()["is_working"] and served.is_up():
                known.reset_interactions()
                known.add_point_interaction(middle_of(labels, BODY).tolist(), True)
                answers += client.lease_status()["is_working"]
        thread.join()
        np.testing.assert_array_equal(mask > 0, seg.mask(middle_of(labels, BODY)))
        assert answers > 0


def test_there_are_only_so_many_sessions_and_they_end():
    served = Served("--max-sessions", 1, "--idle-timeout", 1)
    try:
        first = served.client()
        assert first.idle_timeout_seconds == 1
        with pytest.raises(remote.ServerAtCapacityError, match="all 1 sessions are taken"):
            served.client()
        deadline = time.monotonic() + SECONDS
        while True:  # heartbeats do not hold it
            try:
                second = served.client()
                break
            except remote.ServerAtCapacityError:
                assert time.monotonic() < deadline
                first._http.post("/heartbeat")
        with pytest.raises(remote.SessionExpiredError, match="the session is over"):
            first.undo()
        second.close()
        first.close()
    finally:
        served.stop()


def test_a_key_must_be_known():
    served = Served(NN_INTERACTIVE_API_KEY="a secret")
    try:
        assert "with the key" in served.line
        assert served.is_up()
        for options in ({}, {"api_key": "another"}):
            with pytest.raises(httpx.HTTPStatusError, match="401"):
                served.client(**options)
        with served.client(api_key="a secret") as client:
            assert client.ping()
    finally:
        served.stop()


# What is wrong -------------------------------------------------------------------------------------------------------
def test_mistakes_leave_a_session_as_it_was(drawn, scene):
    (client, mask), (_, labels, seg) = drawn, scene
    here, there = middle_of(labels, BODY), middle_of(labels, OTHER)
    client.add_point_interaction(here.tolist(), True)
    before = mask.copy()
    for mistake in (
        lambda: client.add_point_interaction([0, 0, 32], True),
        lambda: client.add_point_interaction([0, 0], True),
        lambda: client.add_point_interaction([0, 0, float("nan")], True),
        lambda: client.add_bbox_interaction([[3, 3], [0, 5], [0, 5]], True),
        lambda: client.add_bbox_interaction([[40, 50], [0, 5], [0, 5]], True),
        lambda: client.add_scribble_interaction(np.ones((3, 3, 3), np.uint8), True),
        lambda: client.add_scribble_interaction(np.ones((3, 3, 3), np.uint8), True, interaction_bbox=[[30, 33]] * 3),
        lambda: client.add_lasso_interaction(np.zeros((32, 32, 32), np.uint8), True),
        lambda: client.set_image(np.full((1, 9, 9, 9), np.nan, np.float32)),
    ):
        with pytest.raises(httpx.HTTPStatusError, match="400") as info:
            mistake()
        assert info.value.response.json()["detail"]
    np.testing.assert_array_equal(mask, before)
    client.add_point_interaction(there.tolist(), False)
    np.testing.assert_array_equal(mask > 0, seg.mask(here, there))


def test_a_session_that_never_was(served):
    with served.client() as client:
        for token in ("", "x", "0" * 32):
            client._http.headers["X-Lease-Token"] = token
            with pytest.raises(remote.SessionExpiredError):
                client.undo()
        del client._http.headers["X-Lease-Token"]
        with pytest.raises(remote.SessionExpiredError):
            client.set_image(np.zeros((1, 4, 4, 4), np.float32))


def numpy_pickle():
    "A .npy file with a Python object in it, which would be called when it is unpickled."
    import io

    class Call:
        def __reduce__(self):
            return os.system, ("echo harm",)

    file = io.BytesIO()
    np.save(file, np.array([Call()], object), allow_pickle=True)
    return file.getvalue()


def huge(shape, name=b"float32"):
    "A body that claims to be a large array."
    front = struct.pack("<4sBBBB", b"NNIA", 1, 1, len(shape), len(name)) + name
    return front + struct.pack(f"<{len(shape)}qI", *shape, 1)


def test_bodies_that_are_none(served):
    with served.client() as client:
        http, count = client._http, 0
        for body in (
            b"",
            b"{}",
            numpy_pickle(),
            huge((1, 2**40, 2**40, 2**40)),
            huge((1, 8, 8, 8), b"object"),
            huge((1, 8, 8, -8)),
            huge((1, 8, 8, 8)) + struct.pack("<QQ", 2048, 2**60),
            pack(np.zeros((1, 8, 8, 8), np.float32))[:-3],
            pack(np.zeros((1, 2**13 + 1, 2**13, 1), bool)),  # some bytes, which would become many
        ):
            answer = http.post("/set_image", content=body)
            assert answer.status_code == 400, body[:40]
            assert answer.json()["detail"].startswith("array")
            count += 1
        for meta in ("{", "[]", "null"):
            body = pack(np.zeros((1, 8, 8, 8), np.float32))
            assert http.post("/set_image", content=body, headers={"X-Meta": meta}).status_code == 400
        assert http.post("/nothing").status_code == 404
        assert http.get("/undo").status_code == 405
        assert http.put("/undo").status_code == 405
        assert http.post("/undo", headers={"Origin": "http://a.page"}).status_code == 403
        assert http.post("/undo", content=iter([b"{}"])).status_code == 411
        assert http.post("/undo", content=b" " * 100_000).status_code == 413
        assert count == 9
        assert served.is_up()


def test_a_body_that_is_too_long_is_not_read():
    "Its length alone is enough."
    import socket

    served = Served("--max-values", 1000)
    try:
        with served.client() as client:
            with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), SECONDS) as connection:
                token = client._http.headers["X-Lease-Token"]
                lines = ["POST /set_image HTTP/1.1", "Host: x", f"X-Lease-Token: {token}", f"Content-Length: {2**40}"]
                connection.sendall("\r\n".join([*lines, "", ""]).encode())
                assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
            with pytest.raises(httpx.HTTPStatusError, match="400") as info:
                client.set_image(np.zeros((1, 10, 10, 11), np.float32))
            assert "more than 1000 values" in info.value.response.json()["detail"]
            assert served.is_up()
    finally:
        served.stop()
