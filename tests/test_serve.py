"`cuts explore`: who is let in, what the page shows, and what is left when it ends."

import http.client
import json
import os
import signal
import textwrap
import time

import filelock
import numpy as np
import pytest
import zarr
from browser import HOST, SECONDS, ask, family, left_of, wait_for
from explorer_page import ExplorerPage

from cuts.data.fundus import fundus_phantom
from cuts.data.slides import write_slide
from cuts.runs.in_pieces import segment_large
from cuts.runs.one_image import make_config
from cuts.runs.steps import segment_run, train_run
from cuts.show import serve as serving
from cuts.io.rasters import write_picture

TINY = dict(
    epochs=1,
    device="cpu",
    crop=24,
    batch_size=4,
    n_anchors=8,
    min_batches=1,
    precision="float32",
    n_landmarks=60,
    spectral_landmarks=40,
)
SET = [x for k, v in TINY.items() for x in ("--set", f"{k}={v}")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A folder with images/ and a run of them that is whole."
    folder = tmp_path_factory.mktemp("run")
    for seed in range(2):
        (folder / "images").mkdir(exist_ok=True)
        write_picture(folder / f"images/{seed}.png", fundus_phantom((32, 36), seed)[0])
    train_run(folder / "images", folder / "run", make_config(**TINY), progress=False)
    segment_run(folder / "images", folder / "run/segmentations", run=folder / "run", progress=False)
    return folder


def traces(served):
    "What is left in its folder for temporary files."
    return list((served.folder / "tmp").iterdir())


def wait_for_explorer(page):
    "Until the explorer is there, and has an image from its kernel."
    page.locator("canvas.picture[aria-label*=pixels]").wait_for()


def handshake(base, path):
    "The status of an attempt to open a web socket."
    connection = http.client.HTTPConnection(base.split("/")[2], timeout=SECONDS)
    try:
        connection.request(
            "GET",
            path,
            headers={
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            },
        )
        return connection.getresponse().status
    finally:
        connection.close()


def check_that_nobody_comes_in(served):
    "Whoever does not know the token is sent away, and starts nothing."
    kernel = "00000000-0000-0000-0000-000000000000"
    for path in (
        "",
        "?token=",
        "?token=" + "A" * 32,
        "api/kernels",
        f"api/kernels/{kernel}",
        "voila/render/explorer.ipynb",
        "voila/api/contents",
        "voila/files/files.json",
        "voila/files/../files.json",
    ):
        status, text = ask(served.base + path)
        assert status in (302, 403, 404), path
        assert "kernelId" not in text, path
    assert ask(f"{served.base}voila/api/shutdown/{kernel}", "POST")[0] == 403
    assert handshake(served.base, f"/api/kernels/{kernel}/channels") == 403
    assert len(family(served.process)) == 1, "somebody who was sent away has started a kernel"
    assert {c.laddr.ip for c in family(served.process)[0].net_connections("tcp") if c.status == "LISTEN"} == {HOST}


def test_a_run_is_shown_to_its_owner_alone(voila, run, page, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    served = voila(run / "images", "--run", run / "run", "--out", tmp_path / "out")
    assert served.lines[-1].startswith("2 images")
    check_that_nobody_comes_in(served)
    wait_for_explorer(served.show(page))
    assert page.title() == "CUTS explorer"
    assert "token" not in page.url
    assert "show_files" not in page.content()
    assert page.locator(".jp-InputArea-editor, .highlight").count() == 0
    processes = family(served.process)
    assert len(processes) > 1
    for file in (tmp_path / "out/segmentations").glob("*.npz"):
        file.unlink()
    alert = served.show(page).get_by_role("alert").inner_text()
    assert "cannot be shown" in alert
    assert "0.png.npz" in alert
    processes += family(served.process)
    page.close()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(SECONDS) == 0
    assert left_of(processes) == []
    assert traces(served) == []
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("scheme", ["dark"])
def test_without_a_run_it_trains_first(voila, run, page):
    served = voila(run / "images/0.png", *SET)
    assert "is trained on 1 image first" in served.lines[0]
    assert served.lines[-1].startswith("1 image ")
    wait_for_explorer(served.show(page))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(x => x < 80)"), (
        "a light page in the dark"
    )
    processes = family(served.process)
    assert len(processes) > 1
    page.close(run_before_unload=True)  # a page that is closed takes its kernel with it
    wait_for(lambda: len(family(served.process)) == 1, lambda: "the kernel stays", served.process)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(SECONDS) == 0
    assert left_of(processes) == []
    assert traces(served) == []


TRAINS_FOR_LONG = """
from cuts.cli.command import main
from cuts.runs import prepare
prepare_images = prepare.prepare
def announced(*arguments, **options):
    print("http", flush=True)  # what the fixture waits for
    return prepare_images(*arguments, **options)
prepare.prepare = announced
main(["explore", "--no-browser", *sys.argv[1:]])
"""


def test_what_is_ignored_stays_ignored():
    "As nohup wants it."
    called = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serving._signals(lambda number, frame: called.append(number)):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert called == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_foreign_handler_is_left_alone(monkeypatch):
    "One that Python did not set is None, and cannot be set again."
    changes = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *change: changes.append(change))
    with serving._signals(lambda number, frame: None):
        pass
    assert changes == []


def test_the_port_is_free_again_where_it_cannot_begin(monkeypatch):
    pytest.importorskip("voila")

    def full(*args):
        raise OSError("no space left on the device")

    bound = []
    listen = serving._listen
    monkeypatch.setattr(serving, "_listen", lambda port: bound.extend(listen(port)) or bound)
    monkeypatch.setattr(serving, "work_folder", full)
    with pytest.raises(OSError, match="no space left"):
        serving.serve([], browser=False)
    assert [s.fileno() for s in bound] == [-1]


@pytest.mark.skipif(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="SIGHUP is ignored here")
def test_a_signal_while_it_trains(voila, run):
    served = voila(run / "images", *SET, "--epochs", "100000", code=TRAINS_FOR_LONG)
    wait_for(lambda: any([*f.rglob("config.yaml")] for f in traces(served)), lambda: "no training", served.process)
    served.process.send_signal(signal.SIGHUP)
    assert served.process.wait(SECONDS) == 128 + signal.SIGHUP
    assert traces(served) == []


# Marks ---------------------------------------------------------------------------------------------------------------
def shown_explorer(page):
    wait_for_explorer(page)
    return ExplorerPage(page, (32, 36))


def wait_for_marks(folder, pattern, n):
    "Until one of the files of some pattern holds so many marks."

    def texts():
        return [path.read_text() for path in folder.glob(pattern)]

    wait_for(lambda: any(len(json.loads(text)["marks"]) == n for text in texts()), lambda: str(texts()))


def test_marks_come_back_where_a_folder_keeps_them(voila, run, page, tmp_path):
    served = voila(run / "images", "--run", run / "run", "--out", tmp_path / "out")
    seen = shown_explorer(served.show(page))
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    seen.do("connected")
    seen.click(16, 18)
    assert seen.of("x.host.unkept()") == ""
    wait_for_marks(tmp_path, "out/marks.json", 1)
    state = seen.of("x.session.state")
    seen = shown_explorer(served.show(page))  # no warning either, which the page would wait for
    kept = ("marks", "image", "connected")
    assert {k: seen.of("x.session.state")[k] for k in kept} == {k: state[k] for k in kept}
    seen.do("clear")
    wait_for_marks(tmp_path, "out/marks.json", 0)
    assert not shown_explorer(served.show(page)).of("x.session.state.marks.length")


def test_who_may_lose_marks_is_warned_and_may_stay(voila, run, page):
    served = voila(run / "images", "--run", run / "run")
    seen = shown_explorer(served.show(page))
    answers, asked = ["dismiss", "accept", "accept"], []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), getattr(dialog, answers.pop(0))()))
    assert "--out" in seen.of("x.host.unkept()")
    seen.click(16, 18)
    wait_for_marks(served.folder, "tmp/cuts-explore-*/marks.json", 1)
    with page.expect_event("dialog"):
        page.evaluate("setTimeout(() => location.reload())")
    assert asked == ["beforeunload"]
    assert seen.of("(await x.host.plane(0, 0, 0)).map.length") == 32 * 36  # the kernel is there
    processes = family(served.process)
    served.show(page)
    assert shown_explorer(page).of("x.session.state.marks.length") == 1  # while the server lasts
    assert left_of(processes[1:]) == []  # the kernel of the page that was left
    processes = family(served.process)
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert left_of(processes[1:]) == []
    assert asked == 3 * ["beforeunload"]


def test_a_folder_of_pictures_and_volumes(voila, page, tmp_path):
    (tmp_path / "all").mkdir()
    picture = fundus_phantom((32, 36), 0)[0]
    write_picture(tmp_path / "all/colour.png", picture)
    write_picture(tmp_path / "all/grey.png", picture.mean(-1))
    np.save(tmp_path / "all/volume.npy", np.stack([picture.mean(-1)] * 6))
    (tmp_path / "all/<b>damaged.png").write_bytes(b"no picture")
    served = voila(tmp_path / "all", "--out", tmp_path / "out")
    assert served.lines[-1].startswith("3 images")
    seen = shown_explorer(served.show(page))
    assert page.locator(".strip span").all_inner_texts() == ["colour.png", "grey.png", "volume.npy"]
    page.get_by_text("1 image could not be opened").click()
    assert "<b>damaged.png" in page.locator(".skipped li").inner_text()
    assert "neither PNG" in page.locator(".skipped li").inner_text()
    page.locator(".strip button").nth(2).click()
    page.wait_for_function("x => x.session.state.image == 2", arg=seen.handle)
    assert seen.text("at") == "4 of 6"
    seen.click(16, 18)
    page.wait_for_function("x => x.session.selection.whole", arg=seen.handle)
    assert page.locator('[data-set="format"]').input_value() == "npy"
    seen.do("export")
    page.get_by_text("volume_mask.npy").wait_for()
    written = np.load(tmp_path / "out/volume_mask.npy")
    assert np.count_nonzero(written) == seen.of("x.session.selection.whole.pixels")


# Large images --------------------------------------------------------------------------------------------------------
def test_a_large_image_shows_details(voila, page, tmp_path):
    "An overview at once, details where one looks closely, and exports as large as the image."
    write_slide(tmp_path / "slide.zarr", 2304)
    seg, report = segment_large(tmp_path / "slide.zarr", tmp_path / "made.zarr", progress=False)
    assert report.done == ["slide.zarr"]
    assert seg.factor == 2
    served = voila(tmp_path / "made.zarr")
    wait_for_explorer(served.show(page))
    seen = ExplorerPage(page, seg.overview.spatial)
    piece = "x.picture.detail.of(x.session, x.picture.viewport, devicePixelRatio)"
    assert seen.of(piece) is None  # the overview is as sharp as the screen
    seen.of("x.zoom(8)")
    page.wait_for_function(f"x => {piece}?.step === 1", arg=seen.handle)
    rows, columns, h, w = (seen.of(f"{piece}.{name}") for name in ("rows", "columns", "h", "w"))
    shown = np.array(seen.of(f"Array.from({piece}.map)")).reshape(h, w)
    np.testing.assert_array_equal(shown + 1, seg.read("leaves", slice(*rows), slice(*columns)))
    colours = np.array(
        seen.of(f"Array.from({piece}.photograph.getContext('2d').getImageData(0, 0, {w}, {h}).data)")
    ).reshape(h, w, 4)
    stored = seg.source.read(slice(*rows), slice(*columns))
    np.testing.assert_allclose(colours[..., :3], np.moveaxis(stored, 0, -1), atol=1)
    seen.of("x.zoom(1e-6)")
    seen.click(600, 500)
    assert seen.hit.any()
    seen.of("x.host.export(x, 'mask', 'png')")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "made.zarr/labels/mask/0")[:], seg.read(seen.hit))


def test_a_kernel_of_a_page_ends_by_itself(tmp_path):
    "Nobody has to kill it, so it can finish what it does at its end."
    from jupyter_client.manager import KernelManager

    manager = KernelManager(shutdown_wait_time=2 * SECONDS)
    manager.start_kernel(env=os.environ | {"IPYTHONDIR": str(tmp_path)})
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(SECONDS)
        code = f"""
            import atexit, signal
            from pathlib import Path
            from cuts.show.serve import finish_first
            finish_first(get_ipython().kernel)
            atexit.register(Path({str(tmp_path / "ended")!r}).touch)"""
        interrupt = "signal.raise_signal(signal.SIGINT)"  # in another cell: a kernel lets it in anew for each
        for source in (textwrap.dedent(code), interrupt):
            reply = client.execute_interactive(source, timeout=SECONDS)
            assert reply["content"]["status"] == "ok", reply
        client.stop_channels()
    finally:
        manager.shutdown_kernel()
    assert (tmp_path / "ended").exists()


def test_marks_made_just_before_the_page_is_left_are_kept(voila, run, page, tmp_path):
    served = voila(run / "images", "--run", run / "run", "--out", tmp_path / "out")
    seen = shown_explorer(served.show(page))
    mark = "x.session.mark({{ sign: 1, level: 3, leaves: [[{}, 1]] }})"
    with filelock.FileLock(tmp_path / "out/.marks.json.lock"):
        # the kernel waits here, in the middle of writing one mark, when it is told the next and to end
        seen.of(f"({mark.format(0)}, 0)")
        page.wait_for_function("x => x.host.state().marks.length === 1", arg=seen.handle)
        page.wait_for_timeout(500)  # it is on its way
        # the page is left in the same turn, before the pause after which the kernel is told
        seen.of(f"({mark.format(1)}, location.reload(), 0)")
        time.sleep(1)
        assert not (tmp_path / "out/marks.json").exists()
    wait_for_marks(tmp_path, "out/marks.json", 2)
