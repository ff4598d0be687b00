"""The embedded platform: Magistrala's users, domains, clients, channels and certificates.

For one machine: it stands in where no Magistrala is named, answers over HTTP as Magistrala does,
and satisfies the same port (``provision.platform.port.Platform``), so that moving to a real one is
a change of settings.
"""
