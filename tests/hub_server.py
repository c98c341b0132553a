"A hub of models on this machine: the few answers that `huggingface_hub` needs, kept in memory."

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def sha1(*parts: str) -> str:
    return hashlib.sha1("/".join(parts).encode()).hexdigest()


class Repositories:
    "What lies on the hub: repository → revision (a branch or a commit) → file → bytes."

    def __init__(self):
        self.files: dict[str, dict[str, dict[str, bytes]]] = {}
        self.commits: dict[tuple[str, str], str] = {}  # repository, branch → commit
        self.private: dict[str, bool] = {}
        self.gated: set[str] = set()
        self.failing: set[str] = set()  # names of files of which the server can't tell anything
        self.before_commit = lambda: None  # what somebody else does just before
        self.large: dict[str, bytes] = {}  # digest → bytes that were uploaded

    def create(self, repo: str, private: bool = False) -> bool:  # whether it was not there
        if repo in self.files:
            return False
        self.files[repo], self.private[repo] = {}, private
        self.commit(repo, "main", {})
        return True

    def commit(self, repo: str, branch: str, files: dict[str, bytes]) -> str:
        "Add files to a branch; the commit."
        before = self.files[repo].get(branch, {})
        oid = sha1(repo, branch, str(len(self.files[repo])), *sorted(files))
        self.files[repo][branch] = self.files[repo][oid] = before | files
        self.commits[repo, branch] = self.commits[repo, oid] = oid
        return oid


class Answers(BaseHTTPRequestHandler):
    hub: Repositories
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _send(self, status: int, content=b"", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str):
        self._send(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    # What is asked for ------------------------------------------------------------------------------------------------
    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._about(match[1], match[2] or "main")
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/([^/]+)", path)
        if not match:
            return self._refuse(404, "NotFound")
        repo, revision, name = match.groups()
        return self._file(repo, revision, name)

    do_HEAD = do_GET

    def _about(self, repo, revision):
        if (repo, revision) not in self.hub.commits:
            return self._refuse(404, "RevisionNotFound" if repo in self.hub.files else "RepoNotFound")
        return self._send(200, dict(id=repo, sha=self.hub.commits[repo, revision], siblings=[], tags=[]))

    def _file(self, repo, revision, name):
        may = self.headers.get("Authorization") == "Bearer hf_secret"
        if repo not in self.hub.files or self.hub.private[repo] and not may:
            return self._refuse(401, "RepoNotFound")
        if repo in self.hub.gated:
            return self._refuse(403, "GatedRepo")
        if revision not in self.hub.files[repo]:
            return self._refuse(404, "RevisionNotFound")
        if name in self.hub.failing:
            return self._refuse(500, "InternalError")
        if name not in self.hub.files[repo][revision]:
            return self._refuse(404, "EntryNotFound")
        content = self.hub.files[repo][revision][name]
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self._send(200, content, X_Repo_Commit=self.hub.commits[repo, revision], ETag=tag)

    # What is sent -----------------------------------------------------------------------------------------------------
    def do_PUT(self):
        content = self._body()
        self.hub.large[hashlib.sha256(content).hexdigest()] = content
        self._send(200)

    def do_POST(self):
        path, body = unquote(urlsplit(self.path).path), self._body()
        if self.headers.get("Authorization") != "Bearer hf_secret" and path != "/api/validate-yaml":
            return self._refuse(401, "Unauthorized")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|branch)/(.+)", path):
            repo, what, revision = match.groups()
            return getattr(self, f"_{what}")(repo, revision, body)
        if match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body))
        return self._refuse(404, "NotFound")

    def _create(self, asked):
        repo = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        is_new = self.hub.create(repo, bool(asked.get("private")) or asked.get("visibility") == "private")
        self._send(200 if is_new else 409, {"url": f"{self._home()}/{repo}", "name": repo})

    def _home(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def _preupload(self, repo, revision, body):
        files = json.loads(body)["files"]
        kind = {True: "lfs", False: "regular"}
        told = [dict(path=f["path"], uploadMode=kind[f["path"].endswith(".safetensors")]) for f in files]
        self._send(200, {"files": [dict(shouldIgnore=False, **f) for f in told]})

    def _batch(self, asked):
        url = f"{self._home()}/upload"
        objects = [dict(oid=o["oid"], size=o["size"], actions=dict(upload=dict(href=url))) for o in asked["objects"]]
        self._send(200, dict(transfer="basic", objects=objects))

    def _branch(self, repo, branch, body):
        if branch in self.hub.files[repo]:
            return self._send(409, {})
        self.hub.commit(repo, branch, self.hub.files[repo]["main"])
        return self._send(200, {})

    def _commit(self, repo, revision, body):
        files = {}
        self.hub.before_commit()
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if value.get("parentCommit", self.hub.commits[repo, revision]) != self.hub.commits[repo, revision]:
                return self._refuse(412, "PreconditionFailed")
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        oid = self.hub.commit(repo, revision, files)
        self._send(200, dict(commitUrl=f"{self._home()}/{repo}/commit/{oid}", commitOid=oid, success=True))


@contextmanager
def serving():
    "A hub that answers while this lasts: what lies on it, and its address."
    hub = Repositories()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (Answers,), dict(hub=hub)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
