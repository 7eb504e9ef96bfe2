"""Which model a sender means: provider spellings, dated names and aliases, by genai-prices' own matching rules.

Pure: neither Django nor models. The rules are those of the installed genai-prices; what a name resolves to is cached by
the book, since one match tries hundreds of clauses.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

# Tried before genai-prices' own rules, which look for a vendor's name anywhere and so take `azure_openai` for OpenAI
# and `bedrock_anthropic` for Anthropic: who *hosts* the model sets the price. Spellings as gateways, the OpenTelemetry
# GenAI conventions (gen_ai.provider.name, gen_ai.system) and LiteLLM (custom_llm_provider) write them.
HOSTS: Final = (
    ("azure", "azure"),
    ("az.ai", "azure"),
    ("bedrock", "aws"),
    ("vertex", "google"),
    ("openrouter", "openrouter"),
    ("copilot", "github-copilot"),
    ("databricks", "databricks"),
    ("fireworks", "fireworks"),
    ("together", "together"),
    ("perplexity", "perplexity"),
    ("novita", "novita"),
    ("groq", "groq"),
    ("ovh", "ovhcloud"),
)
SPELLINGS: Final = {
    "gcp.gen_ai": "google",
    "x.ai": "x-ai",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "deepseek-ai": "deepseek",
    "deepseek_ai": "deepseek",
    "z.ai": "zai",
    "z_ai": "zai",
    "moonshot": "moonshotai",
    "kimi": "moonshotai",
    "voyage": "voyageai",
    "aws.bedrock": "aws",
}


class Meaning(NamedTuple):
    """The provider and model in the book's words, and where the price is looked up.

    `listed_by` differs from `provider` where a host sells another vendor's model at that vendor's list price and
    genai-prices says so (Azure and OpenAI, say).
    """

    provider: str
    model: str
    listed_by: str


def meaning_of(provider: str, model: str) -> Meaning | None:
    """What (provider, model) means to genai-prices, or None. `provider` may be empty; spelling and case are free."""
    provider, model = provider.strip().casefold(), model.strip()
    if not model:
        return None
    if provider == "litellm" or not provider:
        return _without_provider(model)
    if provider.startswith("huggingface"):
        found = _by_rule(provider)
    else:
        found = _providers().get(canonical_provider(provider))
    if found is None:
        return None
    return _in_provider(found, model) or _unprefixed(found, model)


def canonical_provider(provider: str) -> str:
    """The book's word for a provider, or the word itself (lower case) where genai-prices does not know it."""
    provider = provider.strip().casefold()
    if provider in _providers():
        return provider
    if provider in SPELLINGS:
        return SPELLINGS[provider]
    for part, host in HOSTS:
        if part in provider and not provider.startswith("huggingface"):
            return host
    found = _by_rule(provider)
    return found.id if found else provider


def _without_provider(model: str) -> Meaning | None:
    """By the model's name alone; `vendor/model` names the vendor, as LiteLLM and OpenRouter write it."""
    from genai_prices.data_snapshot import get_snapshot

    prefix, slash, rest = model.partition("/")
    if slash:
        named = _providers().get(canonical_provider(prefix))
        if named:
            return _in_provider(named, rest) or _in_provider(named, model) or _unprefixed(named, rest)
    try:
        provider = get_snapshot().find_provider(model.lower(), None, None)
    except LookupError:
        return None
    return _in_provider(provider, model)


def _unprefixed(provider: "Provider", model: str) -> Meaning | None:
    """`azure/gpt-4o` at Azure, `models/gemini-2.5-pro` at Google: what follows is the model."""
    prefix, slash, rest = model.partition("/")
    if not slash:
        return None
    # Not `eu/` or `us-east-1/`: a region may have a price of its own.
    if prefix.casefold() == "models" or canonical_provider(prefix) == provider.id:
        return _in_provider(provider, rest) or _unprefixed(provider, rest)
    return None


def _in_provider(provider: "Provider", model: str) -> Meaning | None:
    from genai_prices.data_snapshot import get_snapshot

    found = provider.find_model(model, all_providers=get_snapshot().providers)
    if found is None:
        return None
    return Meaning(provider.id, found.id, _owner_of(provider, found))


def _owner_of(provider: "Provider", model: "ModelInfo") -> str:
    if any(model is own for own in provider.models):
        return provider.id
    for name in provider.fallback_model_providers or ():
        other = _providers().get(name)
        if other and any(model is own for own in other.models):
            return other.id
    return provider.id


def _by_rule(provider: str) -> "Provider | None":
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    return find_provider_by_id(get_snapshot().providers, provider)


@lru_cache(maxsize=1)
def _providers() -> "dict[str, Provider]":
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider for provider in get_snapshot().providers}
