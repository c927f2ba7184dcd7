"""Mirrors the trust bundle with the reference client of The Update Framework, from the root of trust alone, and compares it with the one-file bundle.

Talks in lines of JSON, as clients/lib.mjs says. Run again with the same folder it updates the mirror.
"""

import copy
import io
import json
import os
import sys
import traceback
import urllib.request
import zipfile

from tuf.api.metadata import Metadata
from tuf.ngclient import Updater

config = json.loads(os.environ["HUFU_TEST"])


def say(**value):
    print(json.dumps(value), flush=True)


def check(name, ok, got=None):
    say(check=name, ok=bool(ok), got=None if ok else repr(got))


def get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read()


def updater(root, directory):
    metadata, targets = os.path.join(directory, "metadata"), os.path.join(directory, "targets")
    for d in (metadata, targets):
        os.makedirs(d, exist_ok=True)
    base = config["issuer"] + "/bundle/"
    return Updater(metadata, base, targets, base + "targets/", bootstrap=root), metadata


def mirror(root, directory):
    client, metadata = updater(root, directory)
    client.refresh()
    top = Metadata.from_file(os.path.join(metadata, "targets.json")).signed
    names = set(top.targets)
    for role in top.delegations.roles.values():
        # Asking for anything of a role lets the client fetch and check the role's metadata.
        client.get_targetinfo(role.paths[0].replace("*", "any"))
        delegated = Metadata.from_file(os.path.join(metadata, role.name + ".json")).signed
        for name in delegated.targets:
            check(f"{role.name} signs only its own paths", role.is_delegated_path(name), name)
        names |= set(delegated.targets)
    found = {}
    for name in sorted(names):
        info = client.get_targetinfo(name)
        check(f"target {name}", info is not None and info.path == name, info)
        if info is not None:
            local = os.path.join(directory, "targets", name.replace("/", "_"))
            client.download_target(info, local)
            with open(local, "rb") as f:
                found[name] = (info.hashes["sha256"], f.read())
    version = Metadata.from_file(os.path.join(metadata, "timestamp.json")).signed.version
    return found, version


def main():
    root = get(config["root_url"])
    found, version = mirror(root, config["directory"])
    check("version", version >= config["at_least"], version)
    for kind in config["kinds"]:
        check(f"the mirror has {kind}", any(n.startswith(kind + "/") for n in found), sorted(found))

    # The same tree as one file. It may be one version ahead: then the mirror is made again.
    archive = zipfile.ZipFile(io.BytesIO(get(config["bundle_url"])))
    in_zip = {n: archive.read(n) for n in archive.namelist() if n.startswith("targets/")}
    want = {}
    for name, (digest, body) in found.items():
        folder, _, file = name.rpartition("/")
        want["targets/" + (folder + "/" if folder else "") + digest + "." + file] = body
    if in_zip != want:
        found, version = mirror(root, config["directory"])
        want = {"targets/" + (n.rpartition("/")[0] + "/" if "/" in n else "") + d + "." + n.rpartition("/")[2]: b for n, (d, b) in found.items()}
    check("the one-file bundle holds the same targets", in_zip == want, (sorted(in_zip), sorted(want)))

    # The twin: a root whose signature is wrong opens nothing.
    forged = copy.deepcopy(json.loads(root))
    forged["signed"]["expires"] = "2099-01-01T00:00:00Z"
    try:
        client, _ = updater(json.dumps(forged).encode(), config["directory"] + "-forged")
        client.refresh()
        check("a forged root is refused", False, "accepted")
    except Exception as e:  # noqa: BLE001 the kind is checked
        check("a forged root is refused", "sign" in str(e).lower(), e)
    say(note=f"version {version}, {len(found)} targets")
    say(do={"version": version})
    sys.stdin.readline()
    say(done=True)


try:
    main()
except Exception:  # noqa: BLE001 reported to the test
    say(fatal=traceback.format_exc())
    sys.exit(1)
