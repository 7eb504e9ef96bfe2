"""What API views read their JSON with."""

import io
import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

HALF = b"\\ud"  # how JSON writes the halves of letters beyond 16 bits; one alone is no letter


class SafeJson(JSONParser):
    """As DRF's, and 400 for what no JSON reader here could take further: nested too deeply, or half a letter.

    How long a body may be is Django's to say.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        sent = stream.read()
        try:
            found = super().parse(io.BytesIO(sent), media_type, parser_context)
            if HALF in sent.lower():
                json.dumps(found, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON holds a character that cannot be stored: half of a surrogate pair.") from error
        return found
