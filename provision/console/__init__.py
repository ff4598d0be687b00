"""The web console: pages over the service's own HTTP API, for people with a browser.

A page never reaches behind the API: it asks the same routes as every other client, in this process
and with the token of whoever is signed in. ``assembly`` puts it together, ``console`` answers.
"""
