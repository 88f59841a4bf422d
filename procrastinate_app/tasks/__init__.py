"""The worker's tasks, a file per domain: calls, and no `if` about business.

Names, queues, priorities and arguments are the contract that jobs.task_catalog() states in SQL.
"""
