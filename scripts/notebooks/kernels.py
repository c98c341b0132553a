"Kernels that are forked from one that is warm, instead of started by a command."

import json
import os
import select
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

NAME = "forked"
can_fork = sys.platform == "linux" and hasattr(os, "pidfd_open")  # elsewhere what they import survives no fork


def start_server(env: dict[str, str]) -> subprocess.Popen:
    "The process to fork, which imports in this environment: libraries read some variables then only."
    command = [sys.executable, Path(__file__).with_name("forking.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, **pipes)


class Forked:
    "Somebody else's child, with the face of a `subprocess.Popen`."

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid, self.handle = pid, os.pidfd_open(pid)

    def __del__(self):
        os.close(self.handle)

    def wait(self, seconds: float | None = None) -> int | None:
        "0 once it has ended (its status is not told), None if it has not in this time."
        return 0 if select.select([self.handle], [], [], seconds)[0] else None

    def poll(self) -> int | None:
        return self.wait(0)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self.handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedProvisioner(LocalProvisioner):
    server: subprocess.Popen | None = None  # one for all; the kernels of a process have the same fixed variables

    async def launch_kernel(self, cmd, env, cwd, **kwargs):
        if ForkedProvisioner.server is None or ForkedProvisioner.server.poll() is not None:
            ForkedProvisioner.server = start_server(env)
        server = ForkedProvisioner.server
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        print(json.dumps({"arguments": arguments, "env": env, "folder": cwd}), file=server.stdin, flush=True)
        answer = server.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that kernels are forked from has ended with status {server.wait()}")
        self.process = Forked(int(answer))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


def forked(manager: AsyncKernelManager) -> AsyncKernelManager:
    "The same manager; its kernel is forked where a process can be."
    if can_fork:
        entry = EntryPoint(NAME, f"{__name__}:{ForkedProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME)
        KernelProvisionerFactory.instance().provisioners[NAME] = entry
        manager.kernel_spec.metadata["kernel_provisioner"] = {"provisioner_name": NAME}
    return manager
