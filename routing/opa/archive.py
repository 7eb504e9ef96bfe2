"""The archive that OPA downloads: data, Rego, manifest and signature. Pure; the same bytes for the same input.

The format is OPA's own (https://www.openpolicyagent.org/docs/management-bundles): a gzipped tarball whose
`.signatures.json` holds one JWT with the digest of every other file.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

SCOPE = "tokenops"  # stated in the signature; OPA compares it with its configuration's
ROOT = "tokenops"  # what the archive owns below `data`; everything else is the operator's
MANIFEST, DATA, SIGNATURES = ".manifest", "data.json", ".signatures.json"
_LINE_ENDS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})

Sign = Callable[[bytes], str]


def make_archive(
    body: bytes, digest: str, version: tuple[int, int], words: Mapping[str, str], rego: Mapping[str, str], sign: Sign
) -> bytes:
    """`body` is the bundle's canonical JSON, `digest` its SHA-256 in hexadecimal, `rego` texts by their path.

    `sign` makes a JWT of a payload.
    """
    held = {"bundle": json.loads(body), "digest": digest, "words": dict(words)}
    manifest = {
        "revision": f"{version[0]}:{version[1]}",
        "roots": [ROOT],
        "rego_version": 1,
        "metadata": {"audience": held["bundle"]["audience"]},
    }
    # Written as it is hashed, so that a structured file's digest is that of its bytes too.
    files = {
        DATA: structured({ROOT: held}),
        **{path: text.encode() for path, text in sorted(rego.items())},
        MANIFEST: structured(manifest),
    }
    listed = [
        {"name": path, "hash": hashlib.sha256(content).hexdigest(), "algorithm": "SHA-256"}
        for path, content in files.items()
    ]
    token = sign(structured({"files": listed, "scope": SCOPE}))
    return packed({**files, SIGNATURES: structured({"signatures": [token]})})


def structured(value: Any) -> bytes:
    """JSON as OPA hashes it: keys by code point, no blanks, no escapes but those that Go's encoder makes."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return written.translate(_LINE_ENDS).encode()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tarball without times, owners or other traces of who made it."""
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tarball.getvalue(), 6, mtime=0)
