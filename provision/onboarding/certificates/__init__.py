"""Certificates of gateways: signed, kept in the ledger, renewed in time."""
