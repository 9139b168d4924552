"""Migrations of the ledger, oldest first; run by `pipeline.ledger.database`."""
