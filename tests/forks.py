"""Processes forked from one that has imported what takes seconds to import, and nothing of CUTS."""

import atexit, multiprocessing, os, random, signal, sys, threading

import numpy as np

MODULES = [
    "nbdev.test",
    "IPython.core.interactiveshell",
    "torch._dynamo",
    "scipy.stats",
    "sklearn.cluster",
    "skimage.measure",
    "pandas",
    "matplotlib.figure",
    "matplotlib_inline.backend_inline",
    "fastcore.test",
]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the one imports torch


def start(function, *args, said):
    "Call a function in a process and a session of its own, with this environment; what is printed goes into the file `said`."
    context = multiprocessing.get_context(
        "spawn" if sys.platform == "darwin" else "forkserver"
    )  # where a fork is not safe, all is imported each time
    if sys.platform != "darwin":
        context.set_forkserver_preload(MODULES)
    process = context.Process(target=_begin, args=(function, args, str(said), dict(os.environ)))
    process.start()
    return process


def wait(process, seconds):
    "Exit status of a process; None if it ran too long. Nothing of it is left, even if the waiting is interrupted."
    try:
        process.join(seconds)
        return process.exitcode
    finally:
        if process.exitcode is None:
            kill(process)


def kill(process):
    "End a process and all that it started, at once."
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # so young that it has no session yet
    process.join()


def _begin(function, args, said, environment):
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    multiprocessing.set_start_method(None, force=True)  # its own processes are started as they are elsewhere
    random.seed()
    np.random.seed()
    with open(said, "w") as f:
        os.dup2(f.fileno(), 1)
        os.dup2(f.fileno(), 2)
    try:
        function(*args)
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()  # what the interpreter does at its end, and a forked process does not, or too late
