"""Judging retrieval: sets, runs, measures, intervals, reports, and what is fitted on them.

    sets         tools.jsonl and queries.jsonl -> EvalSet   (recorded: what ships; own, use_log: what the user has;
                 described: queries where nobody wrote any)
    indexing     EvalSet -> search index, vectors kept between runs   (embedders: by the names that people type)
    arms         a retriever over a set, as something that answers queries
    runs         arm x set -> what was ranked, returned, and how long it took; JSON lines on disk
    measures     ranking x qrels -> one value per query and measure
    bootstrap    values -> intervals, paired differences, macro means
    report       all of that -> numbers by kind
    sweep        rankings to tune on;   tuning   the settings that fit them
    tokens       what the model is shown, everything loaded and through the router   (bundles: servers people have)
    charts       a PNG or a page of it

Above: the commands `eval`, `tune` and `bench`, and the benchmarks folder. Below: retrieval. Nothing here knows MCP.
"""
