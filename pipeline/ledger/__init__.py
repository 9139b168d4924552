"""The ledger: the database of what one night leaves to the next, and of what analysts said.

In: plain facts of a night, and verdicts. Out: the state that a night starts from. Knows no pixels and no stage: arrays
lie in files, and the ledger holds their names; alerts and scenes are records with some columns for SQL beside them.

`tables` says what is kept, `database` opens it and brings it up to date, `manifest` is the state of one AOI, `nights`
loads and commits it, `verdicts` keeps what people decided, `notices` who is to be told what and who has been,
`overpasses` tells when satellites should come by.
"""
