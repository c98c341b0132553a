"""A process that imports what most notebooks import, and is forked for each kernel, which so starts at once.

It reads a line of JSON for each kernel (its arguments, environment and folder), answers with the process's number, and
ends with its standard input.
"""

import atexit
import gc
import json
import os
import signal
import sys
from importlib import import_module

IMPORTED = [
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipywidgets",
    "matplotlib.figure",
    "nibabel",
    "pandas",
    "pydantic.main",
    "pydantic.functional_validators",
    "safetensors.torch",
    "scipy.ndimage",
    "scipy.stats",
    "skimage.measure",
    "sklearn.cluster",
    "sklearn.metrics",
    "torch._dynamo",
]  # not fastcore, tqdm.auto, which look whether a kernel runs when they are imported


def become_kernel(arguments: list[str], env: dict[str, str], folder: str) -> None:
    "Be a kernel as if a command had started it, in a session of its own."
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))  # it ends with the server
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    sys.argv = ["ipykernel_launcher", *arguments]
    del sys.path[0]  # where this file is
    import pandas

    pandas.set_option("display.max_columns", 20)  # what it takes where a kernel runs when it is imported
    from ipykernel.kernelapp import launch_new_instance

    try:
        launch_new_instance()
    finally:  # all that is asked to run at the end, without taking a thousand modules to pieces first
        atexit._run_exitfuncs()
        os._exit(0)


def serve() -> None:
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else the debugger warns of modules that Python keeps frozen
    for name in IMPORTED:
        import_module(name)
    del sys.modules["ipywidgets"]  # it looks whether a kernel runs when it is imported, its parts do not
    gc.freeze()  # a kernel that ends collects what is its own only
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets a kernel that has ended
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            return become_kernel(**json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
