"What scripts/execute.py keeps of a run: when outputs are stale, and what is taken out of them."

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from notebooks import dependencies, differences, kernels, outputs, places, running, stamps
from PIL import Image
from repository import root


def test_stamp_follows_code_not_prose():
    def nb(*cells):
        return {"cells": [dict(cell_type=k, source=s) for k, s in cells], "metadata": {}}

    plain = stamps.stamp(nb(("code", "x = 1\n# a note\n")))
    assert plain == stamps.stamp(nb(("markdown", "words"), ("code", "#| fig-cap: another\nx = 1   \n\n")))
    assert plain != stamps.stamp(nb(("code", "x = 2")))
    slow = stamps.stamp(nb(("code", "x = 1"), ("code", "#| slow\ny = x")))
    assert slow["code"] == plain["code"]
    assert slow["slow"] != stamps.stamp(nb(("code", "x = 1"), ("code", "#| slow\ny = 2")))["slow"]


def test_modules_used_are_transitive():
    used = set(dependencies.modules_used("import cuts\ncuts.read_image('x.png')"))
    assert "io.reading" in used
    assert "stage1.training" not in used
    assert {"api", "stage1.training", "io.reading"} <= set(dependencies.modules_used("from cuts import fit"))
    assert dependencies.modules_used("import numpy as np") == []


def test_only_what_is_used_counts(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text(
        "from .b import inner\n\ndef used():\n    return inner()\n\ndef other():\n    pass\n"
    )
    (tmp_path / "b.py").write_text("LIMIT = 1\n\ndef inner():\n    return LIMIT\n\ndef outer():\n    pass\n")
    monkeypatch.setattr(dependencies, "lib", tmp_path)
    dependencies.read_module.cache_clear()
    found = dependencies.definitions_used("from cuts.a import used")
    dependencies.read_module.cache_clear()
    assert set(found) == {("a", "used"), ("b", "inner"), ("b", "LIMIT")}


def test_layout_is_no_change():
    assert stamps.what_it_does("x = [1,\n 2]  # two") == stamps.what_it_does("x = [1, 2]")
    assert stamps.what_it_does("x = [1]") != stamps.what_it_does("x = [2]")


def test_an_element_depends_on_what_its_script_imports():
    def names(source):
        return [path.name for path in dependencies.scripts_used(source)]

    assert names('Element("flow.js", data)') == ["elements.css", "elements.js", "flow.js"]
    assert {"index.js", "tree.js", "style.css", "template.html", "elements.js"} <= set(names("explorer.element()"))
    assert names("explorer.element()") == names('Element("explorer/index.js", data)')
    assert names("x = 1") == []


def test_outputs_lose_what_varies():
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x02tEXtab\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"
    assert outputs.plain_png(png) == b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xaeB`\x82"
    warning = f"/var/t/ipykernel_12/345.py:3: UserWarning in {root}/cuts"
    assert outputs.plain_text(warning) == "<cell>:3: UserWarning in ./cuts"
    with tempfile.TemporaryDirectory() as folder:
        assert outputs.plain_text(f"{folder}/a b.png: cannot be read") == "<temporary>/a b.png: cannot be read"
    assert outputs.plain_text(f"{sys.prefix}/lib/python3.14/site-packages/a.py:7") == "<packages>/a.py"


def normalised(shown: list[dict], widgets: list[str]) -> list[dict]:
    "The outputs of a cell, normalised."
    return outputs.normalise({"cells": [dict(cell_type="code", outputs=shown)]}, widgets)["cells"][0]["outputs"]


def test_streams_and_widgets_are_in_order():
    streams = [dict(output_type="stream", name=n, text=n) for n in ("stderr", "stdout")]
    assert [output["name"] for output in normalised(streams, [])] == ["stdout", "stderr"]
    model = "a" * 32
    shown = [dict(data={"text/plain": f"IPY_MODEL_{model}"})]
    assert normalised(shown, [model])[0]["data"]["text/plain"] == [f"IPY_MODEL_{0:032x}"]


def test_places_are_whole_paths(monkeypatch):
    monkeypatch.setattr(places, "root", Path("/data"))
    for text in ("$CUTS_ROOT/data/retina", "./data", "https://a.b/data", "object/data", "/database"):
        assert outputs.plain_text(text) == text
    assert outputs.plain_text("in /data/cuts/x.py, '/data'") == "in ./cuts/x.py, '.'"


def test_difference_of_pictures_is_measured():
    def cell(value):
        out = io.BytesIO()
        Image.new("RGB", (4, 3), (value, 0, 0)).save(out, "PNG")
        return dict(id="abc", outputs=[dict(data={"image/png": base64.b64encode(out.getvalue()).decode()})])

    assert differences.picture_difference(cell(7), cell(7)) == ""
    difference = "  cell abc: 12 of 12 pixels of a picture differ, by 2 of 255 at most"
    assert differences.picture_difference(cell(7), cell(9)) == difference


def test_prose_under_the_title_gets_its_own_cell():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T\n\n> S\n\nProse.\n\n- a list")])
    outputs.split_title(nb)
    assert [c.source for c in nb.cells] == ["# T\n\n> S", "Prose.\n\n- a list"]
    outputs.split_title(nb)
    assert len(nb.cells) == 2


WHAT_DEPENDS_ON_A_KERNEL = [
    "import multiprocessing, os, sys\nmultiprocessing.get_start_method(), os.getcwd(), sys.path, 'a' in os.environ",
    "import pandas as pd\npd.DataFrame([[f'column {i}' * 3 for i in range(12)]])",
    "import fastcore.imports, tqdm.auto\nfastcore.imports.IN_NOTEBOOK, tqdm.auto.tqdm.__name__",
    "import matplotlib.pyplot as plt\nplt.plot([0, 1]);",
    "import numpy as np, torch\ntorch.get_num_threads(), np.show_config('dicts')['SIMD Extensions']",
    "import subprocess\nsubprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True)",
    "input()",
]


@pytest.mark.skipif(not kernels.can_fork, reason="kernels are forked on Linux alone")
def test_a_forked_kernel_shows_what_a_started_one_shows(monkeypatch):
    def shown():
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in WHAT_DEPENDS_ON_A_KERNEL])
        nb.cells[-1].metadata["tags"] = ["raises-exception"]
        running.execute(nb, slow=False, timeout=300)
        return [[plain(output) for output in cell.outputs] for cell in nb.cells]

    def plain(output):
        outputs.plain_output(output)
        return {k: v for k, v in output.items() if k != "execution_count"}

    forked = shown()
    assert kernels.ForkedProvisioner.server.poll() is None
    monkeypatch.setattr(kernels, "can_fork", False)
    assert shown() == forked
    assert all(forked), "each cell shows something"


@pytest.mark.skipif(not kernels.can_fork, reason="kernels are forked on Linux alone")
def test_a_kernel_that_dies_is_noticed_and_another_can_be_had():
    for source, message in (("import os; os._exit(1)", "died"), ("1 / 0", "ZeroDivisionError")):
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        with pytest.raises(Exception, match=message):
            running.execute(nb, slow=False, timeout=300)
    kernels.ForkedProvisioner.server.kill()
    kernels.ForkedProvisioner.server.wait()
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    running.execute(nb, slow=False, timeout=300)
    assert nb.cells[0].outputs[0].data["text/plain"] == "42"
