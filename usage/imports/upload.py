"""A file comes in: bounded while it is received, looked at, kept packed, its columns guessed."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction

from budgets.audit.record import Actor, record
from usage.imports.columns import guess, guess_writing, remembered
from usage.imports.kind import Kind
from usage.imports.sheet import form_of, header_of, pack, too_large
from usage.models import Import

TOO_LARGE = "tokenops.upload_too_large"  # in request.META, for the view to say so


class BoundedUpload(FileUploadHandler):
    """Stops taking a file in as soon as it is larger than an import may be; what follows is read and forgotten."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.taken = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.taken += len(raw_data)
        if self.taken > settings.IMPORT_MAX_BYTES:
            if self.request is not None:
                self.request.META[TOO_LARGE] = True
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handler behind this one keeps the file."""


def refusal_of_size() -> str:
    return too_large(settings.IMPORT_MAX_BYTES)


def take_file(actor: Actor, kind: Kind, file_name: str, pieces: Iterable[bytes]) -> Import:
    """Keep a file for import, its columns guessed or as chosen for such a file before. Raises Unreadable."""
    digest = hashlib.blake2b(digest_size=32)
    packed, _ = pack(_digesting(pieces, digest), settings.IMPORT_MAX_BYTES)
    form = form_of(packed)
    header = header_of(packed, form)
    known = kind.recognise(header) if kind.recognise else None
    run = Import(
        kind=kind.key,
        file_name=clean_name(file_name),
        file=packed,
        file_digest=digest.digest(),
        header=header,
        options={"encoding": form.encoding, "delimiter": form.delimiter, "known": known.key if known else ""},
        requested_by=actor.user,
        requested_by_text=actor.text[:150],
    )
    if known is None:
        earlier = remembered(kind, header)
        run.mapping = dict(earlier.mapping) if earlier else guess(kind.columns, header)
        if earlier:
            kept = {name: value for name, value in earlier.options.items() if name not in ("encoding", "delimiter")}
            run.options |= {**kept, "remembered": earlier.pk, "known": ""}
        else:
            run.options |= guess_writing(run, kind)
    with transaction.atomic():
        run.save()
        record(actor, "uploaded", run, None, {"kind": kind.key, "file": run.file_name, "columns": header[:50]})
    return run


def _digesting(pieces: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def clean_name(name: str) -> str:
    """The file's own name without folders and letters that cannot be shown or stored."""
    own = name.replace("\\", "/").rpartition("/")[2]
    return (
        "".join(letter for letter in own if letter.isprintable()).encode("utf-8", "replace").decode()[:200]
        or "file.csv"
    )


def same_done_before(run: Import) -> Import | None:
    """An earlier import of the very same file that stands."""
    same = Import.objects.filter(kind=run.kind, file_digest=run.file_digest, status=Import.Status.DONE)
    return same.exclude(pk=run.pk).defer("file").order_by("-id").first()
