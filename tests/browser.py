"""Fixtures for what is seen in a browser: `page`, `jupyter_lab`, `jupyter_notebook`, `voila`; conftest.py names them.

Chromium is looked for at /usr/bin/chromium; CUTS_CHROMIUM names another. Without it, or without playwright, the tests
are skipped. Nothing waits a fixed time: everything waits for what it needs, for two minutes at most, because the
machine may be busy.
"""

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from repository import root

SECONDS = 120  # of patience
HOST = "127.0.0.1"


# The browser ---------------------------------------------------------------------------------------------------------
def chromium() -> str:
    "Where Chromium is; skips the test where there is none."
    path = os.environ.get("CUTS_CHROMIUM", "/usr/bin/chromium")
    if not os.access(path, os.X_OK):
        pytest.skip(f"no Chromium at {path}: install it, or name another by CUTS_CHROMIUM")
    return path


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that knows no host but 127.0.0.1.

    It belongs to a module, not to a session: playwright's loop runs as long as the browser is open, and beside it the
    `asyncio.run` of another test would fail."""
    api, path = pytest.importorskip("playwright.sync_api", reason="playwright is not installed"), chromium()
    rules = f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}"
    with api.sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-background-timer-throttling",
                rules,
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def scheme():
    return "light"  # or "dark": @pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture
def viewport():
    return dict(width=1200, height=900)


@pytest.fixture
def page(browser, scheme, viewport):
    """An empty page.

    `page.faults` lists errors of scripts and of the console, and requests to other hosts; the test fails if there are
    any at its end."""
    context = browser.new_context(color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    context.set_default_timeout(SECONDS * 1000)
    page, faults = context.new_page(), []
    page.faults = faults
    local = (f"http://{HOST}:", f"ws://{HOST}:", "data:", "blob:", "file:", "about:")

    def note_other_host(request):
        if not request.url.startswith(local):
            faults.append(f"asked another host: {request.url}")

    def note_script_error(error):  # Notebook 7 now and then asks for settings before they are there
        frames = [line for line in (error.stack or "").splitlines() if "http" in line or "blob:" in line]
        if not frames or any("/static/notebook/notebook_core" not in frame for frame in frames):
            faults.append(f"script: {error} {error.stack}")

    def note_console_error(message):
        if message.type == "error":
            faults.append(f"console: {message.text} ({message.location['url']})")

    page.on("request", note_other_host)
    page.on("websocket", note_other_host)
    page.on("pageerror", note_script_error)
    page.on("console", note_console_error)
    yield page
    context.close()
    assert not faults, "\n".join(faults)


# Servers -------------------------------------------------------------------------------------------------------------
def wait_for(question, explain, process=None, seconds=SECONDS):
    "The first true answer of the function `question`; `explain` is a function that says what is known if none comes."
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended with status {process.returncode}: {explain()}", pytrace=False)
        if time.monotonic() > deadline:
            pytest.fail(f"nothing for {seconds} s: {explain()}", pytrace=False)
        time.sleep(0.05)
    return answer


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


def ask(url: str, method: str = "GET") -> tuple[int, str]:  # status and text; 0 where nobody answers
    "One request, without following where it leads."
    try:
        with build_opener(_Stay).open(Request(url, method=method), timeout=SECONDS) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as e:
        return e.code, ""
    except (URLError, ConnectionError):
        return 0, ""


def own_jupyter(folder: Path) -> dict:  # environment
    "An environment in which Jupyter and its kernels know no settings of the user, and no folder but this one."
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("JUPYTER", "IPYTHON")) and k not in ("MPLBACKEND", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    env |= {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    env |= dict(
        IPYTHONDIR=str(folder / "ipython"),
        JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
        TMPDIR=str(folder / "tmp"),
    )
    for path in env.values():
        if path.startswith(str(folder)):
            Path(path).mkdir(parents=True, exist_ok=True)
    return env | dict(
        PYTHONPATH=os.pathsep.join([str(root), *filter(None, [env.get("PYTHONPATH")])]),
        PYTHONUNBUFFERED="1",
        TQDM_DISABLE="1",
    )


def family(process) -> list:  # of psutil
    "A process, its children, and theirs."
    import psutil

    try:
        return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def left_of(processes: list, seconds=SECONDS) -> list[str]:
    "The commands of those among `processes` (of psutil) that do not end."
    import psutil

    return [
        " ".join(p.cmdline())
        for p in psutil.wait_procs(processes, timeout=seconds)[1]
        if p.is_running() and p.status() != psutil.STATUS_ZOMBIE
    ]


def end(process, signal_number=signal.SIGTERM):
    "End a process and all that it started, by force if need be."
    import psutil

    processes = family(process)
    if process.poll() is None:
        process.send_signal(signal_number)
    for p in psutil.wait_procs(processes, timeout=30)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            p.kill()
    process.wait(SECONDS)


# JupyterLab, and Notebook 7, which is made of the same parts ---------------------------------------------------------
_RUN = """async () => {
  const shown = window.jupyterapp.shell.currentWidget;
  await shown.sessionContext.ready;
  await window.jupyterapp.commands.execute("notebook:run-all-cells");
  return shown.content.widgets
    .flatMap(c => c.model.outputs ? c.model.outputs.toJSON() : [])
    .filter(o => o.output_type == "error")
    .map(o => o.traceback.join("\\n"));
}"""
_VALUE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const request = {code: "", silent: true, store_history: false, user_expressions: {it: code}};
  const reply = await kernel.requestExecute(request).done;
  const it = reply.content.user_expressions.it;
  return it.status == "ok" ? it.data["text/plain"] : "error: " + it.ename + ": " + it.evalue;
}"""
_OPEN = """name => {
  const shown = window.jupyterapp?.shell.currentWidget;
  return shown?.context?.path == name && shown.context.isReady;
}"""
_CONNECTED = """() => {
  const session = window.jupyterapp.shell.currentWidget.sessionContext.session;
  return session?.kernel?.connectionStatus == "connected";
}"""


@dataclass
class Notebook:
    "A notebook that is open in one of them."

    page: object

    def run(self) -> "Notebook":
        "Run all cells; fails with the traceback of the first that does."
        if errors := self.page.evaluate(_RUN):
            pytest.fail(errors[0], pytrace=False)
        return self

    def value(self, code: str):
        "A plain value in the kernel, such as `x.level`."
        text = self.page.evaluate(_VALUE, code)
        assert not text.startswith("error: "), f"{code}: {text}"
        return ast.literal_eval(text)

    def wait(self, code: str, value):
        "Until the kernel has this value."
        wait_for(lambda: self.value(code) == value, lambda: f"{code} is {self.value(code)!r}, expected {value!r}")


@dataclass
class Jupyter:
    "JupyterLab or Notebook on a port of its own."

    address: str  # of a notebook, with places for the server's address, its own name and the token
    url: str
    token: str
    folder: Path
    count: int = 0

    def open(self, page, *cells: str) -> Notebook:
        "A new notebook of these cells, open and with its kernel."
        self.count += 1
        name = f"notebook{self.count}.ipynb"
        code_cells = [
            dict(cell_type="code", id=f"cell{i}", metadata={}, source=c, outputs=[], execution_count=None)
            for i, c in enumerate(cells)
        ]
        spec = dict(name="python3", display_name="Python 3", language="python")
        notebook = dict(cells=code_cells, metadata=dict(kernelspec=spec), nbformat=4, nbformat_minor=5)
        (self.folder / name).write_text(json.dumps(notebook))
        stem = name.removesuffix(".ipynb")
        page.goto(self.address.format(url=self.url, stem=stem, name=name, token=self.token))
        page.wait_for_function(_OPEN, arg=name)
        page.wait_for_function(_CONNECTED)
        return Notebook(page)


_NO_NEWS = {
    "@jupyterlab/apputils-extension/notification": dict(fetchNews="false", checkForUpdates=False),
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": True},
}


def write_lab_settings(folder: Path, notebooks: Path, token: str):
    "Settings that ask nobody for news, and a server that shows the folder `notebooks` to whoever knows the token."
    for name, values in _NO_NEWS.items():
        path = folder / f"settings/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    options = dict(
        ServerApp=dict(ip=HOST, open_browser=False, root_dir=str(notebooks), terminals_enabled=False, allow_root=True),
        IdentityProvider=dict(token=token),
        LabApp=dict(
            expose_app_in_browser=True,
            news_url=None,
            check_for_updates_class="jupyterlab.NeverCheckForUpdate",
            extension_manager="readonly",
        ),
        JupyterNotebookApp=dict(expose_app_in_browser=True),
    )
    (folder / "config/jupyter_config.json").write_text(json.dumps(options))


def server_facts(folder: Path) -> dict:  # empty until the server has written them
    "What a Jupyter server says of itself in its runtime folder."
    for path in (folder / "runtime").glob("jpserver-*.json"):
        text = path.read_text()
        return json.loads(text) if text.strip().endswith("}") else {}
    return {}


@contextlib.contextmanager
def serving(package: str, address: str, folder: Path):
    "JupyterLab or Notebook in an empty folder, with settings of its own."
    pytest.importorskip(package, reason=f"{package} is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    chromium()
    env, token = own_jupyter(folder), os.urandom(12).hex()
    (notebooks := folder / "notebooks").mkdir()
    write_lab_settings(folder, notebooks, token)
    command = [sys.executable, "-m", package]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=env, cwd=notebooks, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log_end():
        return (folder / "log").read_text(errors="replace")[-3000:]

    try:
        facts = wait_for(lambda: server_facts(folder), log_end, process)
        wait_for(lambda: ask(f"{facts['url']}api/status?token={token}")[0] == 200, log_end, process)
        yield Jupyter(address, facts["url"], token, notebooks)
    finally:
        end(process)


@pytest.fixture(scope="module")
def jupyter_lab(tmp_path_factory):
    address = "{url}lab/workspaces/{stem}/tree/{name}?reset&token={token}"
    with serving("jupyterlab", address, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def jupyter_notebook(tmp_path_factory):
    address = "{url}notebooks/{name}?token={token}"
    with serving("notebook", address, tmp_path_factory.mktemp("notebook")) as notebook:
        yield notebook


# Voilà ---------------------------------------------------------------------------------------------------------------
@dataclass
class Served:
    "A command that has said where its page is."

    process: subprocess.Popen
    url: str
    folder: Path  # where its log and its Jupyter are
    lines: list[str] = field(default_factory=list)  # what it printed before its address

    @property
    def base(self) -> str:
        return self.url.partition("?")[0]

    def show(self, page):
        "Load the page, and wait until it is whole."
        page.goto(self.url)
        page.locator("#loading").wait_for(state="detached")
        return page


_EXPLORE = "from cuts.cli.command import main; main(['explore', '--no-browser', *sys.argv[1:]])"


def read_address(process, log: Path) -> tuple[str, list[str]]:
    "The address that a command prints, and the lines before it; fails where the command ends without one."
    lines = []
    for line in process.stdout:
        if line.startswith("http"):
            return line.strip(), lines
        lines.append(line.rstrip())
    complaint = log.read_text(errors="replace")[-3000:]
    pytest.fail(f"ended with status {process.wait(SECONDS)}: {lines} {complaint}", pytrace=False)


@pytest.fixture
def voila(tmp_path_factory):
    """`voila(*arguments of cuts explore)`, or `voila(code=…)`, starts the explorer and waits for its address.

    It ends after the test."""
    for name in ("voila", "anywidget"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    started = []

    def start(*arguments, code=_EXPLORE, cwd=None) -> Served:
        folder = tmp_path_factory.mktemp("voila")
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; {code}", *map(str, arguments)],
                env=own_jupyter(folder),
                cwd=cwd or folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        started.append(process)
        address, lines = read_address(process, folder / "log")
        return Served(process, address, folder, lines)

    yield start
    for process in started:
        end(process)
        process.stdout.close()
