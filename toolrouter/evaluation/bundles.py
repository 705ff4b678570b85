"""Servers that one person really has together, by the names they are recorded under."""

from __future__ import annotations

from collections.abc import Mapping

BUNDLES: Mapping[str, tuple[str, ...]] = {
    "basics": ("fetch", "filesystem", "git", "memory", "sequential-thinking", "time"),
    "web developer": (
        "chrome-devtools",
        "cloudflare",
        "firecrawl",
        "github",
        "notion",
        "playwright",
        "slack",
        "supabase",
    ),
    "office": ("airtable", "excel", "google-workspace", "notion", "obsidian", "slack", "word"),
    "data": ("airtable", "elasticsearch", "excel", "mongodb", "pinecone", "redis", "supabase"),
    "operations": ("azure-devops", "cloudflare", "github", "heroku", "kubernetes", "mongodb", "redis", "slack"),
    "research": ("firecrawl", "google-maps", "google-workspace", "notion", "obsidian", "tavily", "word"),
}
FEWEST_SERVERS = 6
"""A bundle of which fewer are recorded is not shown."""
ALL_RECORDED = "all recorded servers"
