"""Who is told what happened, and how: groups of AOIs with their addresses, and the post.

In: `configs/notify.toml` and the environment; messages. Out: groups; whether a message went out. Knows no alerts.

`groups` reads and checks the file. `post` is the only module that imports Apprise: mail, chat and webhooks by URL.
"""
