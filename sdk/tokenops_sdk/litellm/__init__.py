"""TokenOps inside a LiteLLM proxy: asks before each call, cuts what grows beyond its caps, meters afterwards.

In the proxy's configuration:

    litellm_settings:
      callbacks: tokenops_sdk.litellm.handler

Everything else, and what was tried with which version of LiteLLM, is in docs/litellm.md. `payload` and `asking` need no
LiteLLM: the server reads with them what a proxy without the plugin sends.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenops_sdk.litellm.plugin import TokenOpsHandler

__all__ = ["TokenOpsHandler"]


def __getattr__(name: str) -> Any:
    """`TokenOpsHandler`, and `handler`: one of it, set up by the environment when it is first asked for."""
    if name == "TokenOpsHandler":
        from tokenops_sdk.litellm.plugin import TokenOpsHandler

        return TokenOpsHandler
    if name == "handler":
        from tokenops_sdk.litellm.plugin import TokenOpsHandler

        globals()["handler"] = made = TokenOpsHandler()
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
