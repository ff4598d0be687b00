"""The web console: pages over the service's own HTTP API, for people with a browser.

A page asks the same routes as every other client, in this process and with the token of whoever is
signed in; where no route stands before it (``platform``) it asks the platform with that token.
``assembly`` puts it together, ``console`` answers.
"""
