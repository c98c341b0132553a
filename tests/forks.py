"""Processes forked from one that has imported what takes seconds to import, and nothing of CUTS."""
import atexit, multiprocessing, os, signal, sys, threading

MODULES = ["nbdev.test", "IPython.core.interactiveshell", "torch._dynamo", "scipy.stats", "sklearn.cluster", "skimage.measure", "pandas", "matplotlib.figure", "matplotlib_inline.backend_inline", "fastcore.test"]


def start(function, *args, said):
    "Call a function in a process and a session of its own; what is printed goes into the file `said`."
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    process = context.Process(target=_begin, args=(function, args, str(said))); process.start()
    return process


def kill(process):
    "End a process and all that it started, at once."
    try: os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError: process.kill()                                # so young that it has no session yet
    process.join()


def _begin(function, args, said):
    os.setsid()
    multiprocessing.set_start_method(None, force=True)                       # its own processes are started as they are elsewhere
    with open(said, "w") as f: os.dup2(f.fileno(), 1); os.dup2(f.fileno(), 2)
    os.environ["MPLBACKEND"] = "Agg"
    try: function(*args)
    finally: threading._shutdown(); atexit._run_exitfuncs(); sys.stdout.flush()   # what the interpreter does at its end, and a forked process does not, or too late
