"""Models on the Hub: there and back through a server on loopback, and messages without one."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever, LinearAligner, save
from langalign_sk.hub import from_pretrained, push_to_hub

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 60, 6)).astype(np.float32)
MANIFEST = "langalign_sk.json"


class Hub(BaseHTTPRequestHandler):
    """The few endpoints of the hub that models go through; files by commit, commits by branch."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, content, code=200, **headers):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, code, kind):
        self.answer({"error": kind}, code, X_Error_Code=kind)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        store = self.server.store
        self.server.asked.append(path := urlsplit(self.path).path)
        match = re.fullmatch(r"(/api/models)?/(\w+/\w+)(?:/(\w+)/([^/]+)(?:/(.+))?)?", path)
        if match is None:
            self.refuse(404, "NotFound")
            return
        _, repo, what, revision, name = match.groups()
        if repo == "me/gated":
            self.refuse(403, "GatedRepo")
        elif repo != "me/model" or not store["made"]:
            self.refuse(404, "RepoNotFound")
        elif (commit := store["branches"].get(revision or "main", revision)) not in store[
            "commits"
        ]:
            self.refuse(404, "RevisionNotFound")
        elif what in (None, "revision"):
            self.answer({"id": repo, "sha": commit, "siblings": []})
        elif what == "tree":
            files = store["commits"][commit].items()
            tree = [{"type": "file", "path": n, "size": len(c), "oid": sha(c)} for n, c in files]
            self.answer(tree)
        elif (content := store["commits"][commit].get(name)) is None:
            self.refuse(404, "EntryNotFound")
        else:
            self.answer(content, ETag=f'"{sha(content)}"', X_Repo_Commit=commit)

    def do_POST(self):
        store = self.server.store
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path
        if path == "/api/repos/create":
            store["made"].append(json.loads(body))
            self.answer({"url": f"{url_of(self.server)}/me/model"})
        elif path.startswith("/api/models/me/model/branch/"):
            store["branches"].setdefault(path.rsplit("/", 1)[1], store["branches"]["main"])
            self.answer({})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            self.answer({"files": files})
        else:
            branch = path.rsplit("/", 1)[1]
            files = dict(store["commits"][store["branches"][branch]])
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "header":
                    store["messages"].append(value["summary"])
                elif line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                else:
                    assert line["key"] == "deletedFile"
                    del files[value["path"]]
            commit = sha(json.dumps([len(store["commits"]), sorted(files)]).encode())
            store["commits"][commit], store["branches"][branch] = files, commit
            url = f"{url_of(self.server)}/me/model/commit/{commit}"
            self.answer({"commitUrl": url, "commitOid": commit})


def sha(content):
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    first = {"0" * 40: {".gitattributes": b"*", "mine.bin": b"m", "arrays-mine.npy": b"m"}}
    server.asked = []
    server.store = {"made": [], "branches": {"main": "0" * 40}, "commits": first, "messages": []}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url_of(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


def run(script, folder, endpoint, **env):
    """Run a script in a process of its own: the endpoint is read when the client is imported."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "0"}
    kept |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=kept | env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PUSH = """
import numpy as np
from langalign_sk import load
from langalign_sk.hub import push_to_hub
print(push_to_hub(load("one"), "me/model", private=True, token="t"))
print(push_to_hub(load("two"), "me/model", token="t", commit_message="Two"))
print(push_to_hub(load("three"), "me/model", revision="dev", token="t"))
"""

PULL = """
import huggingface_hub
import numpy as np
from langalign_sk.hub import from_pretrained

def tell(**parameters):
    try:
        model = from_pretrained(parameters.pop("repo", "me/model"), **parameters)
        print(type(model).__name__, model.get_params().get("alpha"))
    except (ValueError, FileNotFoundError) as error:
        print(type(error).__name__, error)
"""


@pytest.fixture
def folders(tmp_path):
    models = [LinearAligner("ridge", alpha=alpha).fit(X, Y) for alpha in (1.0, 2.0)]
    models.append(CrossLingualRetriever().fit(Y))
    for name, model in zip(("one", "two", "three"), models, strict=True):
        save(model, tmp_path / name)
    return tmp_path


@pytest.mark.slow
def test_there_and_back(folders, hub):
    one, two, three = run(PUSH, folders, url_of(hub)).split()
    store = hub.store
    private = [m.get("private") or m.get("visibility") == "private" for m in store["made"]]
    assert list(map(bool, private)) == [True, False, False]
    usual = "Save a model of langalign-sk"
    assert store["messages"] == [usual, "Two", usual]
    assert store["branches"] == {"main": two, "dev": three}
    others = {".gitattributes", "mine.bin", "arrays-mine.npy"}
    for commit, folder in ((one, "one"), (two, "two"), (three, "three")):
        pushed = store["commits"][commit]
        manifest = json.loads(pushed[MANIFEST])
        named = {file["name"] for file in manifest["files"].values()}
        assert set(pushed) == {MANIFEST, "README.md", *named, *others}
        assert manifest["kind"] == json.loads((folders / folder / MANIFEST).read_bytes())["kind"]

    del hub.asked[:]
    calls = f"""
tell()
tell(revision={one!r})
tell(revision="dev")
tell(revision="nowhere")
tell(repo="me/other")
tell(repo="me/gated")
tell(repo="no such name")
"""
    told = run(PULL + calls, folders, url_of(hub)).splitlines()
    assert told[:3] == ["LinearAligner 2.0", "LinearAligner 1.0", "CrossLingualRetriever None"]
    assert told[3] == "ValueError 'me/model' has no revision 'nowhere': name a branch or commit."
    assert told[4].startswith("ValueError The Hub has no repository 'me/other', and there is no")
    assert told[5].startswith("ValueError 'me/gated' is open only to users whom its owner admits")
    assert told[6].startswith(
        "ValueError 'no such name' is neither a folder nor a name that the Hub"
    )
    assert not any(path.endswith(("mine.bin", "README.md")) for path in hub.asked)

    # What is in the cache needs no hub, a commit asks none, and a branch waits for it briefly.
    del hub.asked[:]
    cached = f"tell(revision={one!r})\ntell(local_files_only=True)\n"
    told = run(PULL + cached, folders, url_of(hub)).splitlines()
    assert told == ["LinearAligner 1.0", "LinearAligner 2.0"]
    assert hub.asked == []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert run(PULL + "tell()\n", folders, endpoint) == "LinearAligner 2.0\n"
    assert run(PULL + "tell()\n", folders, url_of(hub), HF_HUB_OFFLINE="1") == "LinearAligner 2.0\n"


PUSH_ONE = """
from langalign_sk import load
from langalign_sk.hub import push_to_hub
print(push_to_hub(load("two"), "me/model", token="t", revision=REVISION))
"""


@pytest.mark.slow
@pytest.mark.parametrize("revision", [None, "dev"])
def test_what_a_person_wrote_into_the_card_is_kept(revision, folders, hub):
    one, _, _ = run(PUSH, folders, url_of(hub)).split()
    store = hub.store
    branch = revision or "main"
    fresh = store["commits"][one]["README.md"].decode()
    assert fresh == (folders / "one" / "README.md").read_text(encoding="utf-8")
    head, end = "license: cc-by-4.0\n---\n\n# Mine\n", "<!-- langalign_sk: end -->"
    mine = fresh.replace("license: unknown\n---\n", head).replace("LinearAligner", "Old")
    files = store["commits"][store["branches"][branch]]
    files["README.md"] = (mine + "\nAfter.\n").encode()
    commit = run(PUSH_ONE.replace("REVISION", repr(revision)), folders, url_of(hub)).strip()
    assert store["branches"][branch] == commit
    card = store["commits"][commit]["README.md"].decode()
    assert card == fresh.replace("license: unknown\n---\n", head) + "\nAfter.\n"
    # It went past the cache, which knows nothing of a model yet.
    assert not list((folders / "hf").rglob("README.md"))

    store["commits"][commit]["README.md"] = b"Somebody else's.\n"
    commit = run(PUSH_ONE.replace("REVISION", repr(revision)), folders, url_of(hub)).strip()
    card = store["commits"][commit]["README.md"].decode()
    part = fresh[fresh.index("<!-- langalign_sk: begin -->") : fresh.index(end)]
    assert card == f"Somebody else's.\n\n{part}{end}\n"


@pytest.mark.slow
def test_a_repository_that_is_changed_is_refused(folders, hub):
    run(PUSH, folders, url_of(hub))
    store = hub.store
    files = store["commits"][store["branches"]["main"]]
    (arrays,) = fnmatch.filter(files, "arrays-*.safetensors")
    files[arrays] = b"\0" + files[arrays][1:]
    told = run(PULL + "tell()\n", folders, url_of(hub))
    assert told.startswith("DamagedError ")
    assert "is damaged" in told
    store["commits"]["1" * 40] = {"README.md": b""}
    store["branches"]["main"] = "1" * 40
    told = run(PULL + "tell()\n", folders, url_of(hub))
    assert re.match("FileNotFoundError .* holds no model", told)


@pytest.mark.slow
def test_without_a_network(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = run(PULL + "tell()\ntell(local_files_only=True)\n", tmp_path, endpoint)
    first, second = told.splitlines()
    assert re.match("ValueError 'me/model' is not a folder and not in the local cache ", first)
    assert "and the Hub could not be reached (" in first
    assert "Without a network, pass a folder that langalign_sk.save wrote." in first
    assert "and local_files_only=True. Without" in second
    told = run(PULL + "tell(revision='dev')\n", tmp_path, endpoint)  # nobody listens any more
    assert re.match(
        "ValueError 'me/model' at 'dev' is not a folder and not in the local cache ", told
    )
    assert "and the Hub could not be reached (" in told


def test_offline_is_said_without_a_try(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    tries = []
    monkeypatch.setattr(socket.socket, "connect", lambda *address: tries.append(address))
    for parameters in ({}, {"revision": "a" * 40}):
        with pytest.raises(ValueError, match=r"HF_HUB_OFFLINE is set\. Without a network, pass a"):
            from_pretrained("me/model", **parameters)
    assert not tries


def test_a_folder_is_loaded_as_it_is(folders):
    for folder in (folders / "one", str(folders / "one")):
        assert from_pretrained(folder).alpha == 1.0
    assert_array_equal(from_pretrained(folders / "three").kneighbors(Y[:5])[1][:, 0], range(5))
    with pytest.raises(ValueError, match=r"revision= is for repositories, and .* is a folder"):
        from_pretrained(folders / "one", revision="dev")
    with pytest.raises(FileNotFoundError, match="holds no model"):
        from_pretrained(folders)


def test_links_lead_into_the_cache_only(tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path / "snapshots" / "model")
    folder, blobs = tmp_path / "snapshots" / "model", tmp_path / "blobs"
    from langalign_sk.persistence._folder import load_folder

    blobs.mkdir()
    for path in list(folder.iterdir()):
        path.rename(blobs / path.name)
        path.symlink_to(blobs / path.name)
    assert load_folder(folder, {}, links_into=blobs).alpha == 1.0
    for into in (None, tmp_path / "snapshots"):
        with pytest.raises(ValueError, match="is a symbolic link"):
            load_folder(folder, {}, links_into=into)


def test_nothing_is_sent_of_what_cannot_be_saved():
    with pytest.raises(TypeError, match="save takes one of"):
        push_to_hub(object(), "me/model")
