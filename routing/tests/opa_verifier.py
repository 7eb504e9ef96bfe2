"""OPA's side of a signed bundle, written from its documentation and not from our archive.

https://www.openpolicyagent.org/docs/management-bundles#signing: the archive's files are exactly those of the JWT in
`.signatures.json`, each with the digest stated there; structured files are hashed over their parsed JSON. Audience and
revision, which OPA does not look at, are checked as docs/opa.md asks of the operator.
"""

import base64
import hashlib
import io
import json
import tarfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

STRUCTURED = {"data.json", "data.yaml", ".manifest", ".signatures.json"}
HASHES = {"SHA-256": hashlib.sha256, "SHA-512": hashlib.sha512}


class Refused(Exception):
    """OPA keeps the bundle that it has."""


def opened(archive):
    """The archive's files by their path."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tarball:
        return {entry.name.removeprefix("/"): tarball.extractfile(entry).read() for entry in tarball}


def repacked(files):
    """An archive of these files, in no particular form."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tarball:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tarball.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def read(archive, keys, scope):
    """The files, once all holds. `keys`: `{kid: {"algorithm", "key" (PEM)}}`, as in OPA's configuration."""
    files = opened(archive)
    if ".signatures.json" not in files:
        raise Refused("bundle missing .signatures.json file")
    tokens = json.loads(files.pop(".signatures.json"))["signatures"]
    if len(tokens) != 1:
        raise Refused("exactly one JWT is expected")
    stated = {entry["name"]: entry for entry in verified(tokens[0], keys, scope)["files"]}
    for path, content in files.items():
        if path not in stated:
            raise Refused(f"file {path} not included in bundle signature")
        entry = stated.pop(path)
        if HASHES[entry["algorithm"]](hashed_over(path, content)).hexdigest() != entry["hash"]:
            raise Refused(f"{path}: digest mismatch")
    if stated:
        raise Refused(f"files {sorted(stated)} specified in bundle signatures but not found")
    manifest = json.loads(files[".manifest"])
    for name in json.loads(files["data.json"]):
        if name not in manifest["roots"]:
            raise Refused(f"manifest roots do not permit data at {name}")
    return files


def verified(token, keys, scope):
    """The JWT's payload, once its signature holds under the key that its header names."""
    header, payload, signature = token.split(".")
    key = keys.get(json.loads(decoded(header)).get("kid"))
    if key is None:
        raise Refused("verification key not found")
    if key["algorithm"] != "ES256":
        raise Refused("this reader knows ES256 only")
    public = load_pem_public_key(key["key"].encode())
    raw = decoded(signature)
    try:
        public.verify(
            encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])),
            f"{header}.{payload}".encode(),
            ec.ECDSA(SHA256()),
        )
    except InvalidSignature:
        raise Refused("the signature does not hold") from None
    claims = json.loads(decoded(payload))
    if claims.get("scope", "") != scope:
        raise Refused("scope mismatch")
    return claims


def obeyed(archive, keys, scope, *, audience, last_seen=None):
    """What a careful operator does before the archive is obeyed: refuses another company's, and an older one."""
    files = read(archive, keys, scope)
    bundle = json.loads(files["data.json"])["tokenops"]["bundle"]
    if bundle["audience"] != audience:
        raise Refused(f"for {bundle['audience']}")
    if last_seen is not None and (bundle["epoch"], bundle["revision"]) < last_seen:
        raise Refused("older than one seen before")
    return bundle


def hashed_over(path, content):
    return walked(json.loads(content)) if path.rpartition("/")[2] in STRUCTURED else content


def walked(value):
    """`{`, then each key in order, a colon and the value, with commas between, then `}`; arrays alike."""
    if isinstance(value, dict):
        return b"{" + b",".join(primitive(key) + b":" + walked(value[key]) for key in sorted(value)) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(walked(item) for item in value) + b"]"
    return primitive(value)


def primitive(value):
    """As Go's JSON encoder writes it, without HTML escapes: the two line separators are escaped, nothing else is."""
    written = json.dumps(value, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
