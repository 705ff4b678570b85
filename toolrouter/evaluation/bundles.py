"""Servers that one person really has together, by the names they are recorded under."""

from __future__ import annotations

from collections.abc import Collection, Mapping

BUNDLES: Mapping[str, tuple[str, ...]] = {
    "basics": ("fetch", "filesystem", "git", "memory", "sequential-thinking", "time"),
    "web developer": (
        "chrome-devtools",
        "cloudflare",
        "context7",
        "fetch",
        "filesystem",
        "git",
        "github",
        "notion",
        "playwright",
        "supabase",
    ),
    "data analyst": (
        "airtable",
        "dbt",
        "elasticsearch",
        "excel",
        "filesystem",
        "mongodb",
        "motherduck",
        "postgres",
    ),
    "office": ("airtable", "atlassian", "excel", "google-workspace", "hubspot", "notion", "slack", "word"),
    "customer team": ("gdrive", "google-maps", "hubspot", "linear", "notion", "slack", "stripe", "twilio"),
    "cloud operations": (
        "atlassian",
        "aws-cloudwatch",
        "aws-documentation",
        "aws-dynamodb",
        "aws-iac",
        "azure",
        "azure-devops",
        "kubernetes",
        "mongodb",
        "redis",
    ),
    "research": ("arxiv", "brave-search", "exa", "fetch", "firecrawl", "markitdown", "obsidian", "tavily"),
}
FEWEST_SERVERS = 6
"""A bundle of which fewer are recorded is not shown."""
ALL_RECORDED = "all recorded servers"


def recorded_of(bundle: Collection[str], recorded: Collection[str]) -> list[str]:
    """Which recorded servers stand for those of a bundle: `NAME`, else `NAME-legacy`; sorted."""
    return sorted(
        name if name in recorded else f"{name}-legacy"
        for name in bundle
        if name in recorded or f"{name}-legacy" in recorded
    )
