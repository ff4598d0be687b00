"""The adapter to Atom, which keeps users, domains, clients and channels of today's Magistrala."""
