"""What Alembic runs: the migrations of the ledger, on the connection and in the transaction that it is handed.

For a new migration: change `tables.py`, then write `versions/NNNN_what.py` by hand; a test compares the two.
"""

from alembic import context

from pipeline.ledger import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.Base.metadata)
context.run_migrations()
