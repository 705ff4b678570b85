"""toolrank's keyword stage: what it answers with until its embedding model has indexed, or without one."""

from dataclasses import replace

from loop import serve
from toolrank.adapters.bm25 import BM25Scorer
from toolrank.domain import Query
from toolrank.ingest.mcp import tool_from_mcp


def build(tools, _cache):
    rows = []
    for row in tools:
        record = {"name": row["name"], "description": row["description"], "inputSchema": row["input_schema"]}
        rows.append(replace(tool_from_mcp(row["server"], record), id=row["id"]))
    scorer = BM25Scorer("documentation", "plain")
    scorer.index(rows)

    def search(query, k):
        (ranked,) = scorer.rank([Query("q", query, {})], k)
        # It pads its list with tools that share no word with the query.
        found = zip(ranked.tool_ids, ranked.scores, strict=True)
        return [(tool_id, score) for tool_id, score in found if score > 0], 0

    return search


serve(build, "toolrank")
