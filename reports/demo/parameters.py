"""Every number of the simulation, each with where it comes from. Nothing is read from a file at run time.

*Measured* figures were computed once from public traces (the project's data notes name origin and licence of each):

- Azure LLM inference traces 2023: Azure/AzurePublicDataset, CC BY 4.0 (Patel et al., Splitwise, ISCA 2024)
- Mooncake conversation trace: kvcache-ai/Mooncake (FAST'25 release), Apache-2.0
- ServeGen m-small, ten-minute windows: alibaba/ServeGen, Apache-2.0
- Claude Code sessions: marot/spotter test fixtures, MIT

*Mock* figures are those of the design's Overview (a made-up marketing organisation). *Ours* are assumptions.
"""

from dataclasses import dataclass
from typing import Final

# --- Sizes of prompts and answers, tokens ---------------------------------------------------------
CHAT_PROMPT, CHAT_PROMPT_P95 = 1_020, 4_083  # Azure, conversation service: median, 95th percentile of 19,366 requests
CHAT_ANSWER, CHAT_ANSWER_P95 = 129, 451
CODE_PROMPT, CODE_ANSWER = 1_469, 13  # Azure, coding service: medians of 8,819 requests; here: classify, tag
LONG_ANSWER, LONG_ANSWER_P95 = 350, 698  # Mooncake: 12,031 requests
DOCUMENT_PROMPT, DOCUMENT_PROMPT_P95 = 6_909, 39_552  # Mooncake; its largest prompt is 126,195
AGENT_PROMPT, AGENT_PROMPT_P95 = 76_179, 160_735  # Claude Code: 555 calls, cache included
AGENT_ANSWER, AGENT_ANSWER_P95 = 115, 861
# Log-normal spreads through those percentiles: ln(p95 / median) / 1.645.
PROMPT_SPREAD: Final = 0.45  # Claude Code; Azure and Mooncake spread wider (0.84, 1.06), which would hit model limits
ANSWER_SPREAD: Final = 0.42  # Mooncake
CHAT_SPREAD: Final = 0.84  # Azure, conversation service

# --- Caching --------------------------------------------------------------------------------------
DOCUMENT_CACHED: Final = 0.374  # Mooncake: share of prompt tokens in leading blocks that were seen before
AGENT_CACHED, AGENT_CACHE_WRITE = 0.977, 0.023  # Claude Code: shares of input read from and written to the cache
CACHED_SPREAD: Final = 0.12  # ours: how far a call's cached share strays
SEMANTIC_HITS: Final = 0.04  # ours: customer replies served from a semantic cache

# --- Time -----------------------------------------------------------------------------------------
WEEKEND: Final = 0.40  # mock: a Saturday or Sunday against a working day; the traces' weekdays are unknown
DAY_SPREAD: Final = 0.12  # ServeGen: standard deviation of its 14 daily factors (0.79 to 1.22)
STEP_SECONDS, STEP_SECONDS_SPREAD = 7.5, 1.06  # Claude Code: median gap between two calls of one agent, its spread
BURSTINESS: Final = 1.214  # ServeGen: median coefficient of variation of the gaps between calls (95th percentile 9.1)
# Ours: share of a day's runs that start in each hour of the organisation's clock.
OFFICE_HOURS: Final = (0, 0, 0, 0, 0, 1, 2, 5, 9, 11, 11, 10, 7, 9, 11, 10, 8, 6, 3, 2, 1, 1, 0, 0)
SERVICE_HOURS: Final = (1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 7, 7, 7, 7, 7, 7, 7, 6, 5, 4, 3, 2, 1)
NIGHT_HOURS: Final = (2, 8, 10, 8, 6, 9, 11, 4, 2, 1, 1, 1, 2, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1)

# --- What goes wrong (ours, unless a row says otherwise) ------------------------------------------
FAILED: Final = 0.012  # calls that end in an error and are tried again
TIMED_OUT: Final = 0.004
CANCELLED: Final = 0.002
UNMEASURED: Final = 0.008  # streams that carried no usage
LATE: Final = 0.006  # calls that arrive hours or days after they ended
LATE_HOURS: Final = (2.0, 50.0)
LATE_FOR_CLOSED_MONTH: Final = 12  # calls of the month before that arrive after it was closed
STORM_CALLS: Final = 1_912  # mock: the same request between 14:00 and 15:10
STORM_MINUTES: Final = (14 * 60, 15 * 60 + 10)
STORM_PROMPT, STORM_ANSWER = 58_000, 1_600  # about 33 cents on Opus: mock, $640 in all
LOOP_STEPS: Final = 140  # an agent that never finds what it looks for; three such runs
UNCLAIMED_CALLS: Final = 412  # mock: 412 calls, $38
UNCLAIMED_PROMPT, UNCLAIMED_ANSWER = 24_000, 1_200
UNASSIGNED_A_DAY: Final = 3  # calls that name no workflow
LONGER_TEXTS: Final = 1.58  # mock: each translation run costs 58% more since a Monday
CAMPAIGN_UPLIFT: Final = 1.25

# --- Live traffic ---------------------------------------------------------------------------------
LIVE_PER_SECOND: Final = 3.0
LIVE_BURST: Final = (6, 18)  # calls in a burst
LIVE_BURST_EVERY: Final = 25.0  # seconds
# Short calls, at the sizes of Azure's chat service: at this rate a day costs about what a day of the history does.
LIVE_WATCH_SHARE: Final = 0.25  # of live calls that belong to the workflow whose small budget runs out
LIVE_WATCH_PROMPT, LIVE_WATCH_ANSWER = 22_000, 500
LIVE_BUDGET_SECONDS: Final = 60.0  # how long that budget is meant to last from the start of live traffic
SONNET_INPUT, SONNET_OUTPUT = 3.0, 15.0  # list price, dollars per million tokens; only sizes that budget
# Seconds between live runs that somebody looks at, and by how much faster than in the history that is: for what live
# traffic costs about as many as there, so that an approved asset costs about the same.
LIVE_REVIEW_EVERY: Final = 150.0
LIVE_REVIEW_SPEED: Final = 300
LIVE_BLOCKED_EVERY: Final = 15.0  # seconds between tries of a blocked workflow


@dataclass(frozen=True)
class Model:
    """A model as its provider names it; `longest` is the most input tokens it takes here."""

    provider: str
    name: str
    tier: int
    longest: int


OPUS: Final = Model("anthropic", "claude-opus-4-5", 3, 196_000)
SONNET: Final = Model("anthropic", "claude-sonnet-4-5", 2, 420_000)
GPT: Final = Model("openai", "gpt-4.1", 2, 900_000)
MINI: Final = Model("openai", "gpt-4.1-mini", 1, 900_000)
FLASH: Final = Model("google", "gemini-2.5-flash", 1, 900_000)
EMBEDDING: Final = Model("openai", "text-embedding-3-small", 0, 8_000)
OWN: Final = Model("northwind", "northwind-sentiment-7b", 1, 30_000)  # self-hosted: no price book knows it


@dataclass(frozen=True)
class Step:
    """A kind of call within a run. `prompt` and `answer` are medians; `cached` and `written` shares of the prompt.

    The prompts of long-document steps hold a whole catalogue, brand guide or site, and are above the traces'; those of
    agent steps are the Claude Code sessions'.
    """

    stage: str
    step_kind: str
    task: str
    model: Model
    prompt: int
    answer: int
    cached: float = DOCUMENT_CACHED
    written: float = 0.0
    chance: float = 1.0
    times: tuple[int, int] = (1, 1)
    operation: str = "chat"
    spread: float = PROMPT_SPREAD


@dataclass(frozen=True)
class WorkflowFacts:
    """A workflow's traffic. `runs` on a working day; `expected` dollars in a month are the mock's, within a quarter."""

    slug: str
    runs: float
    expected: int
    hours: tuple[int, ...]
    steps: tuple[Step, ...]
    default_tier: int
    uplifted: bool = False  # grows with campaigns
    channels: tuple[str, ...] = ()
    customers: int = 0
    semantic: bool = False


AD_COPY: Final = WorkflowFacts(
    "ad-copy-variations",
    runs=98,
    expected=10_480,
    hours=OFFICE_HOURS,
    default_tier=2,
    uplifted=True,
    channels=("search", "social", "display", "email"),
    steps=(
        Step("draft", "plan", "reasoning", SONNET, 170_000, 2_800),
        Step("draft", "answer", "generation", GPT, 300_000, 3_000, times=(1, 3)),
        Step("refine", "answer", "generation", SONNET, 170_000, 3_600, chance=0.75),
        Step("verify", "validate", "reasoning", OPUS, 168_000, 10_000, cached=0.2, times=(1, 2)),
        Step("publish", "answer", "extraction", MINI, 240_000, 1_200),
    ),
)
TRANSLATION: Final = WorkflowFacts(
    "translation",
    runs=57,
    expected=3_640,
    hours=OFFICE_HOURS,
    default_tier=2,
    channels=("web", "email"),
    steps=(
        Step("draft", "answer", "generation", GPT, 320_000, 14_000, times=(2, 3)),
        Step("verify", "validate", "classification", MINI, 350_000, 900),
        Step("refine", "answer", "generation", SONNET, 150_000, 6_000, chance=0.4),
    ),
)
REPLIES: Final = WorkflowFacts(
    "customer-reply-assistant",
    runs=228,
    expected=5_450,
    hours=SERVICE_HOURS,
    default_tier=2,
    channels=("email", "chat"),
    customers=180,
    semantic=True,
    steps=(
        Step("draft", "retrieve", "extraction", EMBEDDING, 900, 0, 0, chance=0.2, operation="embedding", spread=0.3),
        Step("draft", "plan", "classification", FLASH, 60_000, CODE_ANSWER, chance=0.5),
        Step("draft", "answer", "generation", SONNET, 182_000, LONG_ANSWER),
        Step("verify", "validate", "reasoning", OPUS, 140_000, 3_600, cached=0.3, chance=0.6),
    ),
)
BRIEFS: Final = WorkflowFacts(
    "campaign-briefs",
    runs=34,
    expected=3_700,
    hours=OFFICE_HOURS,
    default_tier=2,
    uplifted=True,
    channels=("search", "social", "display"),
    steps=(
        Step("draft", "plan", "reasoning", SONNET, AGENT_PROMPT, 1_900, AGENT_CACHED, AGENT_CACHE_WRITE),
        Step(
            "draft", "retrieve", "extraction", SONNET, AGENT_PROMPT, AGENT_ANSWER, AGENT_CACHED, AGENT_CACHE_WRITE,
            times=(2, 6),
        ),
        Step("draft", "answer", "generation", GPT, 350_000, 4_400, times=(2, 3)),
        Step("refine", "reflect", "reasoning", SONNET, 185_000, 3_600),
        Step("verify", "validate", "reasoning", OPUS, 168_000, 12_000, cached=0.2, times=(1, 2)),
    ),
)  # fmt: skip
BLOG: Final = WorkflowFacts(
    "blog-and-seo-drafts",
    runs=64,
    expected=5_310,
    hours=OFFICE_HOURS,
    default_tier=2,
    channels=("web",),
    steps=(
        Step("draft", "retrieve", "extraction", FLASH, 320_000, 3_600, times=(1, 2)),
        Step("draft", "plan", "reasoning", SONNET, 150_000, 3_200),
        Step("draft", "answer", "generation", SONNET, 195_000, 8_000),
        Step("refine", "answer", "generation", GPT, 280_000, 8_000, times=(1, 2)),
        Step("verify", "validate", "reasoning", OPUS, 168_000, 12_000, cached=0.2, chance=0.9),
        Step("publish", "answer", "extraction", MINI, 240_000, 1_200),
    ),
)
SOCIAL: Final = WorkflowFacts(
    "social-listening-digest",
    runs=31,
    expected=1_900,
    hours=NIGHT_HOURS,
    default_tier=1,
    channels=("social",),
    steps=(
        Step("draft", "tool", "classification", OWN, 9_000, 60, cached=0, chance=0.5),
        Step("draft", "retrieve", "extraction", FLASH, 540_000, 9_000, cached=0.05, times=(4, 7)),
        Step("draft", "answer", "extraction", MINI, 520_000, 7_000, cached=0.05, times=(2, 4)),
        Step("refine", "answer", "generation", SONNET, 200_000, 4_600),
        Step("verify", "validate", "reasoning", OPUS, 120_000, 4_000, chance=0.2),
    ),
)
WORKFLOWS: Final = (AD_COPY, TRANSLATION, REPLIES, BRIEFS, BLOG, SOCIAL)
OWN_MODEL_SINCE: Final = 25  # days before today at which the self-hosted model came into use

# Mock: what the month is expected to end at, and the plan.
EXPECTED_MONTH: Final = 30_540
