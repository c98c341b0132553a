"Models on a hub: a server on this machine that speaks its protocol, none at all, and people who send the wrong things."

import json
import os
import pickle
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import yaml
from hub_server import serving
from repository import root

import cuts
from cuts.data.phantoms import nested_phantom
from cuts.io.reading import read_labels

needs_hub = pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
SMALL = dict(epochs=1, crop=24, batch_size=2, min_batches=1, n_anchors=8, num_kernels=4, n_layers=3, device="cpu")


@pytest.fixture(scope="module")
def model():
    pictures = [nested_phantom((48, 48), seed)[0] for seed in range(2)]
    return cuts.fit(pictures, n_landmarks=60, spectral_landmarks=40, progress=False, **SMALL)


@pytest.fixture
def hub():
    with serving() as (repositories, url):
        yield repositories, url


def write_picture(path: Path, seed: int) -> None:
    "A phantom as a PNG."
    PIL.Image.fromarray((255 * nested_phantom((48, 48), seed)[0]).astype("uint8")).save(path)


def dead_port() -> str:
    "An address of this machine at which nobody answers."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


def python(home: Path, endpoint: str, *command: str, **variables) -> subprocess.CompletedProcess:
    "What another Python says, for which the hub is this server and whose cache is empty at first."
    settings = dict(
        HF_ENDPOINT=endpoint, HF_HOME=str(home / "hf"), HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1"
    )
    settings |= dict(HF_HUB_DISABLE_PROGRESS_BARS="1", PYTHONPATH=str(root), OMP_NUM_THREADS="1", NO_PROXY="127.0.0.1")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    asked = [sys.executable, *command]
    return subprocess.run(asked, env=kept | settings | variables, text=True, capture_output=True, cwd=home, timeout=300)


ASK = """
import json, sys, cuts
for address in sys.argv[1:]:
    try:
        print(json.dumps(["ok", cuts.load(address).data_digest]), flush=True)
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]), flush=True)
"""


def ask(home, endpoint, *addresses, **variables) -> list[list[str]]:
    "What `cuts.load` makes of addresses: ok and the digest, or the kind of the error and its words."
    answer = python(home, endpoint, "-c", ASK, *addresses, **variables)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


# Into a folder -------------------------------------------------------------------------------------------------------
def test_the_front_matter_of_a_card_is_yaml(model, tmp_path):
    model.push(tmp_path, licence="as in: the contract, §3")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "cuts"
    assert front["pipeline_tag"] == "image-segmentation"
    assert (front["license"], front["license_name"]) == ("other", "as in: the contract, §3")
    assert "unsupervised" in front["tags"]


def test_the_three_lines_of_a_card_do_what_they_say(model, tmp_path):
    folder = Path(model.push(tmp_path / "this_folder"))
    write_picture(tmp_path / "your_image.png", 7)
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    answer = python(tmp_path, dead_port(), "-c", code, HF_HUB_OFFLINE="1")
    assert answer.returncode == 0, answer.stderr
    assert read_labels(tmp_path / "your_image_labels.png").shape == (48, 48)


def test_a_folder_is_loaded_without_a_network_or_the_package(model, tmp_path):
    model.push(tmp_path / "shared")
    assert ask(tmp_path, dead_port(), "shared") == [["ok", model.data_digest]]


def test_no_folder_of_the_training_comes_along(tmp_path):
    (tmp_path / "Doe_John").mkdir()
    for i in range(2):
        write_picture(tmp_path / f"Doe_John/visit_{i}.png", i)
    patient = str(tmp_path / "Doe_John")
    trained = cuts.fit(patient, dataset=patient, progress=False, **SMALL)
    assert "Doe_John" in trained.config.data.dataset
    for path in Path(trained.push(tmp_path / "shared")).iterdir():
        for name in (b"Doe_John", b"visit_", os.fsencode(tmp_path)):
            assert name not in path.read_bytes(), path
    assert b"Doe_John" in (Path(trained.push(tmp_path / "all", keep_paths=True)) / "config.json").read_bytes()


def test_facts_that_are_none_make_no_card_fail(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    foreign = cuts.load(tmp_path)
    foreign.trained_on = {"images": "many | more\n# A title", "planes": 3}
    foreign.push(tmp_path / "shared")
    assert "# A title" not in (tmp_path / "shared/README.md").read_text(encoding="utf-8")


def test_an_older_file_has_no_images(model, tmp_path):
    older = cuts.Model(model.network, model.config, model.history, model.data_digest)
    older.push(tmp_path)
    assert cuts.load(tmp_path).trained_on == {}


def test_files_of_other_programs_are_not_replaced(model, tmp_path):
    for name, content in (
        ("config.json", b'{"model_type": "bert"}'),
        ("config.json", b"[1]"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}"),
        ("model.safetensors", b"another's"),
        ("estimator.json", b"{}"),
    ):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match="Choose another folder"):
            model.push(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: content}
    again = tmp_path / "ours"
    model.push(again)
    model.push(again, about="Once more.")  # what we wrote is ours to replace
    assert "Once more." in (again / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", ["Image", "image_id", "FILE", "Patient", "subject-no", "id", "Filename", "eye.PNG"])
def test_scores_that_name_images_are_refused_however_they_are_spelled(model, tmp_path, column):
    with pytest.raises(ValueError, match="names of images stay out of a card"):
        model.push(tmp_path / "shared", scores=[{column: 7, "dice": 0.9}])
    assert not (tmp_path / "shared").exists()


def test_scores_hold_texts_only_where_they_name_methods_or_levels(model, tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"Method": ["prior", "learned"], "level": ["8", "fine"], "dice": [0.8, np.nan]})
    card = Path(model.push(tmp_path, scores=table)) / "README.md"
    assert "| learned | fine | nan |" in card.read_text(encoding="utf-8")
    for who in ("patient_007.png", Path("a.png"), b"anna"):
        with pytest.raises(ValueError, match="scores: a column 'set' that holds"):
            model.push(tmp_path, scores=table.assign(set=[1, who]))


class AsBefore:
    "What an older version pickled: a model without facts of its images."

    def __init__(self, model):
        self.state = {name: value for name, value in vars(model).items() if name != "trained_on"}

    def __reduce__(self):
        return cuts.Model.__new__, (cuts.Model,), self.state


def test_a_model_that_was_pickled_before_it_knew_its_images(model, tmp_path):
    pickle.loads(pickle.dumps(AsBefore(model))).push(tmp_path)
    assert cuts.load(tmp_path).trained_on == {}


# A hub ---------------------------------------------------------------------------------------------------------------
PUSH = """
import sys, cuts
print(cuts.load(sys.argv[1]).push(sys.argv[2], licence="mit", about=sys.argv[3]))
"""


@needs_hub
def test_there_and_back(model, hub, tmp_path):
    repositories, url = hub
    model.save(tmp_path / "model.safetensors")
    sent = python(tmp_path, url, "-c", PUSH, "model.safetensors", "hf://lab/eyes", "First.", HF_TOKEN="hf_secret")
    assert sent.returncode == 0, sent.stderr
    address = sent.stdout.strip()
    assert re.fullmatch(r"hf://lab/eyes@[0-9a-f]{40}", address)
    assert repositories.private["lab/eyes"]
    files = repositories.files["lab/eyes"]["main"]
    assert {"README.md", "config.json", "model.safetensors"} <= files.keys()
    assert b'cuts.load("hf://lab/eyes")' in files["README.md"]
    back = ask(tmp_path, url, "hf://lab/eyes", address, HF_TOKEN="hf_secret")
    assert back == [["ok", model.data_digest]] * 2
    offline = ask(tmp_path, url, "hf://lab/eyes", address, HF_HUB_OFFLINE="1")  # it is there from before
    assert offline == back
    assert ask(tmp_path, dead_port(), address) == back[:1]


@needs_hub
def test_a_licence_stays_until_another_is_given(model, hub, tmp_path):
    repositories, url = hub
    model.save(tmp_path / "model.safetensors")
    for given, told in (('licence="mit"', b"mit"), ('title="Eyes"', b"mit"), ('licence="cc-by-4.0"', b"cc-by-4.0")):
        code = f'import cuts; cuts.load("model.safetensors").push("hf://lab/eyes", {given})'
        sent = python(tmp_path, url, "-c", code, HF_TOKEN="hf_secret")
        assert sent.returncode == 0, sent.stderr
        card = repositories.files["lab/eyes"]["main"]["README.md"]
        assert b"license: " + told in card
        assert card.endswith(b"## Licence\n\n" + told + b"\n")
        assert (b"# Eyes" in card) == ("Eyes" in given)


@needs_hub
def test_a_card_that_was_edited_stays_and_a_branch_is_made(model, hub, tmp_path):
    repositories, url = hub
    repositories.create("lab/eyes")
    repositories.commit("lab/eyes", "main", {"README.md": b"Ours."})
    model.save(tmp_path / "model.safetensors")
    to = "hf://lab/eyes@second"
    sent = python(tmp_path, url, "-c", PUSH, "model.safetensors", to, "", HF_TOKEN="hf_secret")
    assert sent.returncode == 0, sent.stderr
    assert "model.safetensors" not in repositories.files["lab/eyes"]["main"]
    assert repositories.files["lab/eyes"]["second"]["README.md"] == b"Ours."
    assert ask(tmp_path, url, to) == [["ok", model.data_digest]]


def push(model, home: Path, url: str) -> subprocess.CompletedProcess:
    "A push to lab/eyes from another Python."
    model.save(home / "model.safetensors")
    return python(home, url, "-c", PUSH, "model.safetensors", "hf://lab/eyes", "New.", HF_TOKEN="hf_secret")


@needs_hub
def test_a_card_of_which_nothing_can_be_learned_is_not_replaced(model, hub, tmp_path):
    repositories, url = hub
    repositories.create("lab/eyes")
    repositories.commit("lab/eyes", "main", {"README.md": b"Ours."})
    repositories.failing.add("README.md")
    sent = push(model, tmp_path, url)
    assert sent.returncode == 1
    assert "ConnectionError: hf://lab/eyes: " in sent.stderr, sent.stderr
    assert repositories.files["lab/eyes"]["main"] == {"README.md": b"Ours."}


@needs_hub
def test_a_card_that_is_edited_meanwhile_stays(model, hub, tmp_path):
    repositories, url = hub
    repositories.create("lab/eyes")
    repositories.before_commit = lambda: repositories.commit("lab/eyes", "main", {"README.md": b"Just edited."})
    sent = push(model, tmp_path, url)
    assert sent.returncode == 1
    assert "RuntimeError: hf://lab/eyes: somebody wrote into the repository meanwhile" in sent.stderr, sent.stderr
    assert repositories.files["lab/eyes"]["main"] == {"README.md": b"Just edited."}
    repositories.before_commit = lambda: None
    assert push(model, tmp_path, url).returncode == 0  # again, and now it knows of the edit
    assert repositories.files["lab/eyes"]["main"]["README.md"] == b"Just edited."


@needs_hub
def test_a_repository_of_another_program_is_not_written_into(model, hub, tmp_path):
    repositories, url = hub
    repositories.create("lab/eyes")
    repositories.commit("lab/eyes", "main", {"config.json": b'{"model_type": "bert"}'})
    sent = push(model, tmp_path, url)
    assert sent.returncode == 1
    assert "its config.json would be replaced" in sent.stderr, sent.stderr
    assert repositories.files["lab/eyes"]["main"].keys() == {"config.json"}


@needs_hub
def test_who_may_not_write_is_told_so(model, hub, tmp_path):
    model.save(tmp_path / "model.safetensors")
    for token in (dict(HF_TOKEN="hf_wrong"), {}):
        sent = python(tmp_path, hub[1], "-c", PUSH, "model.safetensors", "hf://lab/eyes", "", **token)
        assert sent.returncode == 1
        assert re.search(r"PermissionError: hf://lab/eyes: the hub .*hf auth login", sent.stderr), sent.stderr
    assert not hub[0].files


@needs_hub
def test_what_is_wrong_is_said(model, hub, tmp_path):
    repositories, url = hub
    model.save(tmp_path / "model.safetensors")
    written = (tmp_path / "model.safetensors").read_bytes()
    harm = pickle.dumps(os.getcwd)
    for name in ("pickles", "gated", "damaged"):
        repositories.create(f"lab/{name}")
    repositories.gated.add("lab/gated")
    repositories.commit("lab/pickles", "main", {"pytorch_model.bin": harm, "model.pty": harm, "config.json": b"{}"})
    repositories.commit("lab/damaged", "main", {"model.safetensors": written[: len(written) // 2]})
    repositories.commit("lab/damaged", "v1", {"model.safetensors": harm})
    names = ("lab/none", "lab/damaged@v9", "lab/pickles", "lab/gated", "lab/damaged", "lab/damaged@v1", "lab", "a--b/c")
    answers = dict(zip(names, ask(tmp_path, url, *(f"hf://{name}" for name in names)), strict=True))
    expected = {
        "lab/none": ("FileNotFoundError", "hf://lab/none: no such repository, or a private one"),
        "lab/damaged@v9": ("FileNotFoundError", "hf://lab/damaged@v9: the repository has no such revision"),
        "lab/pickles": ("FileNotFoundError", "hf://lab/pickles: no model.safetensors in the repository"),
        "lab/gated": ("PermissionError", "hf://lab/gated: its terms must be accepted"),
        "lab/damaged": ("ValueError", "not a readable safetensors file"),
        "lab/damaged@v1": ("ValueError", "not a readable safetensors file"),
        "lab": ("ValueError", "hf://lab: no address of a model. Expected hf://owner/name"),
        "a--b/c": ("ValueError", "hf://a--b/c: no name of a repository"),
    }
    for name, (kind, text) in expected.items():
        assert answers[name][0] == kind, answers[name]
        assert text in answers[name][1], answers[name]


@needs_hub
def test_without_a_network(tmp_path):
    for variables in ({}, dict(HF_HUB_OFFLINE="1")):
        ((kind, text),) = ask(tmp_path, dead_port(), "hf://lab/eyes", **variables)
        assert kind == "ConnectionError"
        assert re.match("hf://lab/eyes: no connection to the hub .*Go online once", text)


@needs_hub
def test_a_push_without_a_network(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    for variables in ({}, dict(HF_HUB_OFFLINE="1")):
        said = python(
            tmp_path,
            dead_port(),
            "-c",
            PUSH,
            "model.safetensors",
            "hf://lab/eyes",
            "",
            HF_TOKEN="hf_secret",
            **variables,
        )
        assert said.returncode == 1
        assert "ConnectionError: hf://lab/eyes: " in said.stderr, said.stderr


HIDE = """
import sys
sys.modules["huggingface_hub"] = None  # as where it is not installed
"""


def test_without_the_package(tmp_path):
    ((kind, text),) = [
        json.loads(line)
        for line in python(tmp_path, dead_port(), "-c", HIDE + ASK, "hf://lab/eyes").stdout.splitlines()
    ]
    assert (kind, 'pip install "cuts-segmentation[hub]"' in text) == ("ImportError", True)


@needs_hub
def test_commands_take_an_address(model, hub, tmp_path):
    repositories, url = hub
    repositories.create("lab/eyes")
    shared = Path(model.push(tmp_path / "shared"))
    repositories.commit("lab/eyes", "main", {"model.safetensors": (shared / "model.safetensors").read_bytes()})
    write_picture(tmp_path / "eye.png", 7)
    code = "from cuts.cli.command import main; main()"
    made = {}
    for address in ("hf://lab/eyes", "shared", "hf://lab/none"):
        out = tmp_path / f"out_{len(made)}"
        run = ["-c", code, "segment", "eye.png", "--channels", "rgb", "--run", address, "--out", str(out), "--quiet"]
        made[address] = python(tmp_path, url, *run), out
    for address in ("hf://lab/eyes", "shared"):
        assert made[address][0].returncode == 0, made[address][0].stderr
    here, there = (cuts.load(made[address][1] / "eye.png.npz") for address in ("shared", "hf://lab/eyes"))
    assert (here.landmark_map == there.landmark_map).all()
    assert made["hf://lab/none"][0].returncode == 1
    assert "hf://lab/none: no such repository" in made["hf://lab/none"][0].stderr
