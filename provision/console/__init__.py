"""The web console: pages over the service's own HTTP API, for people with a browser.

A page asks the same routes as every other client, in this process and with the token of the user
who is signed in. It asks the platform only for what no route answers: users, domains, and the
clients and channels to choose from. ``app`` puts the console together, one file a section has its
pages.
"""
