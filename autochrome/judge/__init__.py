"""People judge pictures, blind: which of two looks more natural, or which of two is the real photograph.

`contest.gather` finds what can be shown, `plan.make_plan` says in which order and on which side, `session.Session`
asks and keeps the votes (`votes.VoteLog`), `server.serve` shows the page, `statistics.summarize` counts.
"""
